"""`pairvae predict`: raw files in; predicted images, and tables of what they show and how far to trust them, out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from pairvae.commands.predict_tasks import Made, Request, Wanted, make_one, predict_chunk, shared_out
from pairvae.errors import InputError, printable
from pairvae.inference.loader import REGISTRY, load, pinned
from pairvae.inference.measurement import Once, require_use
from pairvae.inference.neighbours import require_micrographs
from pairvae.inference.output_files import check_format, write_image
from pairvae.inference.prediction_inputs import BOTH, Input, inputs_of
from pairvae.inference.prediction_rows import CURVE_COLUMNS, IMAGE_COLUMNS, INPUT_COLUMNS, Row, describe
from pairvae.inference.predictions import posterior_of_file, prepared_with
from pairvae.inference.predictor import Predictor
from pairvae.inference.sample_inputs import sample_inputs, unpaired_inputs
from pairvae.modalities.readers.image import file_part
from pairvae.numerics.series import evenly_spread
from pairvae.operating_system import cores
from pairvae.progress import Progress
from pairvae.reports.contact_sheet import ROWS, write_contact_sheet
from pairvae.store.locks import folder_alone
from pairvae.store.project_root import project_root
from pairvae.store.rows import table, write_table

__all__ = [
    "Request",
    "describe",
    "posterior_of_file",
    "predict",
    "predict_chunk",
    "prepared_with",
    "write_image",
]
MOST_WARNINGS = 20
MOST_JOINED = 5  # samples of several files that are named
LEAST_SHARE = 150  # inputs of a process: its start takes as long as about 80 predictions
MOST_WORKERS = 4  # unless asked for: each holds torch and the model, half a GB


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
    elif len(predictor.modalities) > 2 and request.source is None and request.to != BOTH:
        inputs = sample_inputs(files, predictor.modalities, request.to)
    else:
        inputs = inputs_of(files, predictor.modalities, request.to, request.source)
    joined = [measurement for measurement in inputs if measurement.beside]
    for measurement in joined[:MOST_JOINED]:
        _say(f"{measurement.shown}: one sample, {request.to} is predicted from all of them together")
    if len(joined) > MOST_JOINED:
        _say(f"and {len(joined) - MOST_JOINED} more samples of several files; inputs.csv names them")
    require_use(request.acquisition, sorted({name for measurement in inputs for name in measurement.files}))
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
        return (make_one(predictor, measurement, wanted, number) for number, measurement in enumerate(inputs))
    return shared_out(inputs, wanted, count, cluster)


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
        for measurement, made in zip(inputs, each, strict=True):
            if made.summary is None:
                faults.append(InputError(**made.fault or {"expected": "a prediction", "found": "none"}))
                if len(inputs) > 1:  # else it is the error that ends the command
                    _say(str(faults[-1]))
            else:
                images.writerows(made.images)
                summaries.writerow(made.summary)
                curves.writerows(made.curves)
                nearest += made.neighbours
                unlike += _warn(measurement, made.summary, unlike)
                for line in remarks.new(made.remarks):
                    _say(f"{measurement.shown}: {line}")
            strips += [] if made.strip is None else [made.strip]
            count += len(made.images)
            if len(inputs) > 1:
                progress.advance(measurement.name)
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


def _warn(measurement: Input, summary: Row, before: int) -> bool:
    """Tell of an input unlike the training data; of the first twenty."""
    unlike = bool(summary.get("unlike", False))
    if unlike and before < MOST_WARNINGS:
        _say(
            f"{measurement.shown}: unlike the training data, {summary['distance']:.3g} times the usual largest "
            "distance - do not trust what is predicted from it"
        )
    return unlike


def _require_other_folder(out: Path, inputs: Sequence[Input]) -> None:
    """What comes out must not lie among the inputs: the next call would predict from predictions."""
    place = out.resolve()
    for measurement in inputs:
        if any(file_part(file).resolve().parent == place for file in measurement.files.values()):
            raise InputError(
                expected="another folder for what comes out",
                found=f"that of {measurement.shown}",
                where="--out",
            )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
