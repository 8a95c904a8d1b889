"""`pairvae predict`: raw files in; predicted images, and tables of what they show and how far to trust them, out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pairvae.errors import InputError, printable
from pairvae.inference.loader import REGISTRY, load, pinned
from pairvae.inference.measurement import Once, require_use
from pairvae.inference.neighbours import require_micrographs, write_neighbours
from pairvae.inference.output_files import (
    NEXUS,
    NO_PROVENANCE,
    OME,
    check_format,
    provenance_of,
    write_image,
    write_images,
)
from pairvae.inference.prediction_inputs import BOTH, Input, inputs_of, unpaired_inputs
from pairvae.inference.predictions import (
    CURVE_COLUMNS,
    IMAGE_COLUMNS,
    INPUT_COLUMNS,
    Row,
    curve_rows,
    describe,
    image_rows,
    input_row,
    measured,
    nm_per_px,
    posterior_of_file,
    predict_file,
    prepared_with,
    trust_of,
)
from pairvae.inference.predictor import Predictor
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.modalities.readers.image import file_part
from pairvae.numerics.series import evenly_spread
from pairvae.operating_system import cores
from pairvae.parallel.executor import run_tasks
from pairvae.progress import Progress
from pairvae.reports.contact_sheet import ROWS, strip, write_contact_sheet
from pairvae.store.locks import folder_alone
from pairvae.store.project_root import project_root
from pairvae.store.rows import table, write_table

__all__ = ["describe", "posterior_of_file", "predict", "predict_chunk", "prepared_with", "write_image"]
CHUNK = 50  # files of a task at most: the model is read once for each
MOST_WARNINGS = 20
LEAST_SHARE = 150  # inputs of a process: its start takes as long as about 80 predictions
MOST_WORKERS = 4  # unless asked for: each holds torch and the model, half a GB


@dataclass(frozen=True)
class Request:
    """What to predict from files, and how it is written.

    ``to`` is a modality or ``both``: then each file is taken to the other one, and ``source`` or its folder says what
    it is. ``kind``: one of ``FORMATS``. ``acquisition`` is known of all files and goes before their rows of a
    ``pairs.csv``. ``neighbours``: measured training micrographs beside the predictions of a pattern. ``size``: side of
    micrographs, px. ``unpaired``: the files are folders of pairs, and their samples without a partner count.
    """

    to: str
    out: Path
    model: str
    samples: int = 1
    seed: int = 0
    source: str | None = None
    kind: str = "png"
    acquisition: Acquisition = ANY
    neighbours: int = 0
    size: int | None = None
    unpaired: bool = False


@dataclass(frozen=True)
class Wanted:
    """A request as processes elsewhere carry it out: with the model, and the folders that paths start from."""

    request: Request
    out: Path
    model: str
    cwd: Path
    root: Path
    shown: frozenset[int]  # numbers of the inputs on the contact sheet


@dataclass(frozen=True)
class Chunk:
    """Some inputs for one task, of which the ``first`` has that number among all."""

    inputs: tuple[Input, ...]
    wanted: Wanted
    first: int


@dataclass(frozen=True)
class Made:
    """What one input gave: rows of the tables and its strip of the contact sheet; or what is at ``fault``, as the
    words of an ``InputError`` (which does not travel between processes itself)."""

    images: tuple[Row, ...] = ()
    summary: Row | None = None
    curves: tuple[Row, ...] = ()
    strip: np.ndarray | None = None
    remarks: tuple[str, ...] = ()
    fault: Mapping[str, str] | None = None
    neighbours: tuple[Row, ...] = ()


def predict(
    files: Sequence[str], request: Request, *, workers: int | None = None, cluster: str | None = None
) -> int:
    """Predict from each raw file (folders: all files in them); returns the number of images written.

    Writes into ``request.out`` ``<name>-<to>-<number>.png`` or ``.tif`` (bright phase white; of a curve ``.csv``;
    NeXus: one file an input), ``predictions.csv`` (a row an image), ``inputs.csv`` (a row an input: mean and standard
    deviation over its images), ``curves.csv`` (S(r)), ``contact-sheet.png``; with neighbours ``neighbours.csv``. One
    file is in memory at a time. With several ``workers`` (None: of hundreds of files as many as cores), or on a
    ``cluster`` (see :func:`pairvae.parallel.executor.run_tasks`), files are shared out in chunks. What may be wrong
    with a file is told, and stands in ``inputs.csv``. A file that cannot be read is told of, and named again in an
    ``InputError`` after the others are done; so is a folder that another process writes into.
    """
    check_format(request.kind)
    predictor = load(request.model)
    inputs = _checked_inputs(files, request, predictor)
    wanted = _wanted(request, len(inputs))
    if predictor.facts is None:
        _say(
            "this model does not know its training data (trained by an earlier version): no confidence, no check"
        )
    each = _each(predictor, inputs, wanted, workers, cluster)
    request.out.mkdir(parents=True, exist_ok=True)
    with folder_alone(request.out):
        _say_of_earlier(request.out)
        return _collect(inputs, each, request.out, request.to)


def _checked_inputs(files: Sequence[str], request: Request, predictor: Predictor) -> list[Input]:
    """The inputs of a request that the model can carry out (``InputError``)."""
    if request.to != BOTH:
        predictor.check_size(request.to, request.size)  # an unknown modality is an InputError, too
    if request.unpaired:
        inputs = unpaired_inputs(files, predictor.modalities, request.to)
    else:
        inputs = inputs_of(files, predictor.modalities, request.to, request.source)
    require_use(request.acquisition, sorted({one.source for one in inputs}))
    if request.neighbours:
        require_micrographs(predictor, request.to)
    _require_other_folder(request.out, inputs)
    return inputs


def _wanted(request: Request, inputs: int) -> Wanted:
    location, root = _place_of(request.model)
    shown = frozenset(evenly_spread(inputs, ROWS).tolist())
    return Wanted(request, request.out.resolve(), location, Path.cwd(), root, shown)


def _place_of(model: str) -> tuple[str, Path]:
    """Where processes find the model, and the project whose registry they ask: a model folder needs none around it."""
    if model.startswith(REGISTRY):
        return pinned(model, project_root()), project_root()
    return str(Path(model).resolve()), Path.cwd()


def _each(
    predictor: Predictor, inputs: Sequence[Input], wanted: Wanted, workers: int | None, cluster: str | None
) -> Iterator[Made]:
    """What each input gives, in their order: in this process, or shared out."""
    count = workers or (workers_for(len(inputs)) if cluster is None else 1)
    if count == 1 and cluster is None:
        return (make_one(predictor, one, wanted, number) for number, one in enumerate(inputs))
    return _shared_out(inputs, wanted, count, cluster)


def _say_of_earlier(out: Path) -> None:
    """A line where tables of an earlier prediction will be replaced: its images stay, without their rows."""
    if (out / "inputs.csv").is_file():
        place = printable(str(out))
        _say(f"{place}: tables of an earlier prediction are replaced, its images stay - or use another --out")


def workers_for(inputs: int) -> int:
    """Processes for so many inputs: one a core, as far as each has enough to do, and at most four."""
    return max(1, min(cores(), inputs // LEAST_SHARE, MOST_WORKERS))


def _collect(inputs: Sequence[Input], each: Iterator[Made], out: Path, to: str) -> int:
    """Write the tables row by row, and the contact sheet; returns the number of images."""
    progress = Progress(len(inputs), f"predict {to}")
    faults: list[InputError] = []
    strips: list[np.ndarray] = []
    nearest: list[Row] = []
    count, unlike, remarks = 0, 0, Once()
    with ExitStack() as stack:
        images, summaries, curves = (
            stack.enter_context(table(out / name, columns))
            for name, columns in (
                ("predictions.csv", IMAGE_COLUMNS),
                ("inputs.csv", INPUT_COLUMNS),
                ("curves.csv", CURVE_COLUMNS),
            )
        )
        for one, made in zip(inputs, each, strict=True):
            if made.summary is None:
                faults.append(InputError(**made.fault or {"expected": "a prediction", "found": "none"}))
                if len(inputs) > 1:  # else it is the error that ends the command
                    _say(str(faults[-1]))
            else:
                images.writerows(made.images)
                summaries.writerow(made.summary)
                curves.writerows(made.curves)
                nearest += made.neighbours
                unlike += _warn(one, made.summary, unlike)
                for line in remarks.new(made.remarks):
                    _say(f"{one.shown}: {line}")
            strips += [] if made.strip is None else [made.strip]
            count += len(made.images)
            if len(inputs) > 1:
                progress.advance(one.name)
        if len(faults) == len(inputs):
            raise _fault_of(
                faults, len(inputs)
            )  # before the tables of an earlier call are replaced by empty ones
    if nearest:
        write_table(out / "neighbours.csv", nearest)
    if strips:
        write_contact_sheet(out / "contact-sheet.png", strips)
    if unlike > MOST_WARNINGS:
        _say(f"{unlike} of {len(inputs)} inputs are unlike the training data; see inputs.csv")
    if faults:
        raise _fault_of(faults, len(inputs))
    return count


def _fault_of(faults: Sequence[InputError], inputs: int) -> InputError:
    """What ends the command: the fault of a single input as it is, of several the first."""
    if inputs == 1:
        return faults[0]
    return InputError(
        expected="predictions from all files", found=f"{len(faults)} of {inputs} files without: {faults[0]}"
    )


def _warn(one: Input, summary: Row, before: int) -> bool:
    """Tell of an input unlike the training data; of the first twenty."""
    unlike = bool(summary.get("unlike", False))
    if unlike and before < MOST_WARNINGS:
        _say(
            f"{one.shown}: unlike the training data, {summary['distance']:.3g} times the usual largest distance - "
            "do not trust what is predicted from it"
        )
    return unlike


def _require_other_folder(out: Path, inputs: Sequence[Input]) -> None:
    """What comes out must not lie among the inputs: the next call would predict from predictions."""
    place = out.resolve()
    for one in inputs:
        if file_part(one.given).resolve().parent == place:
            raise InputError(
                expected="another folder for what comes out", found=f"that of {one.shown}", where="--out"
            )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def make_one(predictor: Predictor, one: Input, wanted: Wanted, number: int) -> Made:
    """Predict from one input and write its images; a file that cannot be read gives a reason."""
    path, asked = str(wanted.cwd / one.given), wanted.request
    try:
        found = predict_file(
            predictor,
            path,
            one,
            asked.samples,
            asked.seed,
            asked.acquisition,
            asked.size,
        )
    except InputError as error:
        where = error.where.replace(path, one.given)
        fault = {"expected": error.expected, "found": error.found, "where": where, "remedy": error.remedy}
        return Made(fault=fault)
    shown, trust = measured(predictor, found.images, one.target), trust_of(found)
    told = NO_PROVENANCE
    if asked.kind in (NEXUS, OME):
        drawn = {
            "seed": asked.seed,
            "samples": asked.samples,
            "size": found.images.shape[-1],
        }
        told = provenance_of(predictor, wanted.model, one, path, drawn)
    files = write_images(wanted.out, one, found.images, predictor, asked.kind, told)
    sheet = None
    if number in wanted.shown:
        note = f"  distance {found.confidence.distance:.2f}" if found.confidence is not None else ""
        warned = found.confidence is not None and found.confidence.out_of_distribution
        nm = nm_per_px(predictor, one.target)
        sheet = strip(
            found.given, found.images, f"{one.name} -> {one.target}{note}", warned=warned, nm_per_px=nm
        )
    return Made(
        tuple(image_rows(one, files, shown, trust)),
        input_row(one, len(files), shown, trust, found.remarks),
        tuple(curve_rows(one, found.images, nm_per_px(predictor, one.target))),
        sheet,
        found.remarks,
        neighbours=tuple(write_neighbours(predictor, one, found, wanted.out, asked.kind, asked.neighbours)),
    )


def predict_chunk(chunk: Chunk) -> list[Made]:
    """Predict from the inputs of one chunk."""
    predictor = load(chunk.wanted.model, chunk.wanted.root)
    return [
        make_one(predictor, one, chunk.wanted, chunk.first + number)
        for number, one in enumerate(chunk.inputs)
    ]


def _shared_out(inputs: Sequence[Input], wanted: Wanted, workers: int, cluster: str | None) -> Iterator[Made]:
    """What each input gives, in their order; chunks that end early wait for the ones before them."""
    size = max(1, min(CHUNK, -(-len(inputs) // workers)))
    chunks = [
        Chunk(tuple(inputs[start : start + size]), wanted, start) for start in range(0, len(inputs), size)
    ]
    waiting: dict[int, list[Made]] = {}
    due = 0
    for ended in run_tasks(predict_chunk, chunks, workers=workers, cluster=cluster):
        lost = [
            Made(fault={"expected": "a prediction", "found": ended.reason, "where": one.given})
            for one in ended.task.inputs
        ]
        waiting[ended.task.first] = lost if ended.result is None else ended.result
        while due in waiting:
            yield from waiting.pop(due)
            due += size
