"""One part of `pairvae predict`: what some inputs give, in this process or in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pairvae.errors import InputError
from pairvae.inference.loader import load
from pairvae.inference.neighbours import write_neighbours
from pairvae.inference.output_files import NEXUS, NO_PROVENANCE, OME, provenance_of, write_images
from pairvae.inference.prediction_inputs import Input
from pairvae.inference.prediction_rows import Row, curve_rows, image_rows, input_row, trust_of
from pairvae.inference.predictions import measured, nm_per_px, predict_file
from pairvae.inference.predictor import Predictor
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.parallel.executor import run_tasks
from pairvae.reports.contact_sheet import strip

CHUNK = 50  # files of a task at most: the model is read once for each


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


def make_one(predictor: Predictor, measurement: Input, wanted: Wanted, number: int) -> Made:
    """Predict from one input and write its images; a file that cannot be read gives a reason."""
    path, asked = str(wanted.cwd / measurement.given), wanted.request
    beside = {name: str(wanted.cwd / file) for name, file in measurement.beside}
    try:
        found = predict_file(
            predictor,
            path,
            measurement,
            asked.samples,
            asked.seed,
            asked.acquisition,
            asked.size,
            beside,
        )
    except InputError as error:
        where = error.where.replace(path, measurement.given)
        fault = {"expected": error.expected, "found": error.found, "where": where, "remedy": error.remedy}
        return Made(fault=fault)
    shown, trust = measured(predictor, found.images, measurement.target), trust_of(found)
    told = NO_PROVENANCE
    if asked.kind in (NEXUS, OME):
        drawn = {
            "seed": asked.seed,
            "samples": asked.samples,
            "size": found.images.shape[-1],
        }
        told = provenance_of(predictor, wanted.model, measurement, path, drawn)
    files = write_images(wanted.out, measurement, found.images, predictor, asked.kind, told)
    sheet = None
    if number in wanted.shown:
        note = f"  distance {found.confidence.distance:.2f}" if found.confidence is not None else ""
        warned = found.confidence is not None and found.confidence.out_of_distribution
        nm = nm_per_px(predictor, measurement.target)
        sheet = strip(
            found.given,
            found.images,
            f"{measurement.name} -> {measurement.target}{note}",
            warned=warned,
            nm_per_px=nm,
        )
    return Made(
        tuple(image_rows(measurement, files, shown, trust)),
        input_row(measurement, len(files), shown, trust, found.remarks),
        tuple(curve_rows(measurement, found.images, nm_per_px(predictor, measurement.target))),
        sheet,
        found.remarks,
        neighbours=tuple(
            write_neighbours(predictor, measurement, found, wanted.out, asked.kind, asked.neighbours)
        ),
    )


def predict_chunk(chunk: Chunk) -> list[Made]:
    """Predict from the inputs of one chunk."""
    predictor = load(chunk.wanted.model, chunk.wanted.root)
    return [
        make_one(predictor, measurement, chunk.wanted, chunk.first + number)
        for number, measurement in enumerate(chunk.inputs)
    ]


def shared_out(inputs: Sequence[Input], wanted: Wanted, workers: int, cluster: str | None) -> Iterator[Made]:
    """What each input gives, in their order; chunks that end early wait for the ones before them."""
    size = max(1, min(CHUNK, -(-len(inputs) // workers)))
    chunks = [
        Chunk(tuple(inputs[start : start + size]), wanted, start) for start in range(0, len(inputs), size)
    ]
    waiting: dict[int, list[Made]] = {}
    due = 0
    for ended in run_tasks(predict_chunk, chunks, workers=workers, cluster=cluster):
        lost = [
            Made(fault={"expected": "a prediction", "found": ended.reason, "where": measurement.given})
            for measurement in ended.task.inputs
        ]
        waiting[ended.task.first] = lost if ended.result is None else ended.result
        while due in waiting:
            yield from waiting.pop(due)
            due += size
