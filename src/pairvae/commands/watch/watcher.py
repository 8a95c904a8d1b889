"""The loop of `pairvae watch`: look, predict, write the table, tell; through bad files and full disks."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import numpy as np

from pairvae import store
from pairvae.commands.watch.arrivals import Arrival, Arrivals, mark_of
from pairvae.commands.watch.live import Card, LivePage, pictures, words
from pairvae.commands.watch.options import Options, Summary, check_folders
from pairvae.commands.watch.status import Status
from pairvae.commands.watch.table import Table
from pairvae.errors import InputError, printable
from pairvae.inference.loader import load
from pairvae.inference.measurement import Once, require_use
from pairvae.inference.output_files import write_images
from pairvae.inference.prediction_inputs import Input, direction_of, output_stem, source_of
from pairvae.inference.prediction_rows import trust_of
from pairvae.inference.predictions import Prediction, measured, predict_file, predict_together
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import HDF5_SUFFIXES, file_stem
from pairvae.store.rows import Row

T = TypeVar("T")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
TABLE, PAGE = "predictions.csv", "watch.html"
APPEND_S = 0.5  # rows reach the table at least so often
ROOM_S = 2.0  # between two attempts on a full disk
SECOND_LOOK_S = 0.1  # after a file was seen for the first time, unless looks are closer anyway
REST, LONGEST_REST_S = 3.0, 5.0  # rests between looks take at least so many times what a look takes


class _StoppedError(Exception):
    """The watch was told to end while it waited."""


def watch(
    options: Options, model: str, stop: Event, tell: Callable[[str], None], status: Status | None = None
) -> Summary:
    """Predict from each new, complete file of a folder until ``stop`` is set; what was done before stays done.

    Writes images and rows of ``predictions.csv`` into ``options.out``, and ``watch.html`` where asked. Files that
    are incomplete are waited for; those that stay unreadable get a row that says why. On a full disk, and while
    the folder cannot be listed, it waits. ``tell`` gets one line about each of these. ``InputError`` for a folder
    that is not there, an unknown modality, or a table that another process writes.
    """
    check_folders(options)
    predictor = load(model)
    predictor.shape(options.to)  # an unknown modality is an InputError
    require_use(options.acquisition, [name for name in predictor.modalities if name != options.to])
    table = Table(options.out / TABLE)
    try:
        watching = _Watching(options, predictor, table, stop, tell, status or Status(str(options.folder)))
        watching.warm_up()
        return watching.run()
    finally:
        table.close()


class _Watching:
    def __init__(
        self,
        options: Options,
        predictor: Predictor,
        table: Table,
        stop: Event,
        tell: Callable[[str], None],
        status: Status,
    ) -> None:
        self.options, self.predictor, self.table = options, predictor, table
        self.stop, self.tell, self.status = stop, tell, status
        self.source = source_of([str(options.folder)], predictor.modalities, options.to, options.source)
        if len(predictor.modalities) > 2:
            tell(direction_of(self.source, options.to))
        # Without its ::/path, an HDF5 file does not say which of its images is meant.
        kinds = MODALITIES[self.source].suffixes - HDF5_SUFFIXES
        done = {name: entry.mark for name, entry in table.entries.items()}
        self.arrivals = Arrivals(options.folder, kinds, done, options.patience_s)
        self.model = str(predictor.card.get("weights_sha256", ""))[:12]
        self.rows: list[list[Row]] = []
        self.appended = time.monotonic()
        self.page = (
            LivePage(options.out / PAGE, f"{options.folder} to {options.to}") if options.html else None
        )
        self.predicted = self.bad = 0
        self.looked_s, self.fresh = 0.0, False
        self.remarks = Once()

    def warm_up(self) -> None:
        """The first prediction takes longer than all others: make it before the first file comes."""
        shape = self.predictor.shape(self.source)
        noise = np.random.default_rng(0).integers(0, 2, shape).astype(np.float32)
        found = predict_together(
            self.predictor, {self.source: noise}, self.options.to, self.options.samples, 0
        )
        measured(self.predictor, found.images, self.options.to)

    def run(self) -> Summary:
        self._show()
        while not self.stop.is_set():
            try:
                self._look()
                self._flush()
            except _StoppedError:
                break
            wait = min(self.options.every_s, SECOND_LOOK_S) if self.fresh else self.options.every_s
            self.stop.wait(max(wait, min(REST * self.looked_s, LONGEST_REST_S)))
        self._last()
        return Summary(self.predicted, self.bad)

    def _look(self) -> None:
        begun = time.monotonic()
        found = self._through(self.arrivals.look, "the folder cannot be listed", every_error=True)
        self.looked_s = time.monotonic() - begun
        self.fresh = found.fresh > 0
        for arrival in found.ready:
            if self.stop.is_set():
                return
            self._predict(arrival)
            if time.monotonic() - self.appended > APPEND_S:
                self._flush()
        for arrival, fault in found.hopeless:
            self._give_up(arrival, fault)

    def _predict(self, arrival: Arrival) -> None:
        """Predict from one file, unless it is the same as before, incomplete, or changes meanwhile."""
        name = printable(arrival.path.name)
        try:
            digest = store.file_digest(arrival.path)
            before = self.table.entries.get(name)
            if before is not None and before.digest == digest and not before.error:
                self.arrivals.settle(arrival)
                return
            one = Input(
                name, self.source, self.options.to, self._free_stem(output_stem(file_stem(Path(name))))
            )
            found = predict_file(
                self.predictor,
                str(arrival.path),
                one,
                self.options.samples,
                self.options.seed,
                self.options.acquisition,
            )
        except InputError as error:
            self.arrivals.unreadable(arrival, str(error))
            return
        except OSError as error:  # gone, or a network drive that is away
            self.arrivals.unreadable(arrival, f"{name}: {error.strerror or error}")
            return
        if mark_of(arrival.path) != arrival.mark:
            return  # written to while it was read: the next look sees it as new
        rows = self._through(lambda: self._write(one, found, arrival, digest), "no room for predictions")
        self._done(arrival, rows)
        for line in self.remarks.new(found.remarks):
            self.tell(f"{name}: {line}")
        if self.page:
            draw = partial(
                pictures, found.given, found.images[0], self.source, self.options.to, words(rows[0])
            )
            self.page.cards.append(Card(name, _clock(), draw))

    def _write(self, given: Input, found: Prediction, arrival: Arrival, digest: str) -> list[Row]:
        """Write the images of one input; its rows. What was written before a failure is overwritten later."""
        files = write_images(self.options.out, given, found.images, self.predictor)
        shown = measured(self.predictor, found.images, self.options.to)
        shared = self._row_start(arrival, len(files)) | {"sha256": digest} | trust_of(found)
        return [
            {**shared, "sample": number, "file": file}
            | {key: digits(values[number]) for key, values in shown.items()}
            for number, file in enumerate(files)
        ]

    def _row_start(self, arrival: Arrival, samples: int) -> dict[str, Any]:
        return {
            "input": printable(arrival.path.name),
            "samples": samples,
            "bytes": arrival.mark.size,
            "modified_ns": arrival.mark.mtime_ns,
            "model": self.model,
            "predicted_at": datetime.now().astimezone().isoformat(timespec="milliseconds"),
            "seconds": round(self.arrivals.now() - arrival.first, 3),
        }

    def _give_up(self, arrival: Arrival, fault: str) -> None:
        row: Row = self._row_start(arrival, 1) | {"sha256": "", "error": fault}
        self._done(arrival, [row])
        named = arrival.path.name in fault
        self.tell(f"left out: {fault if named else printable(arrival.path.name) + ': ' + fault}")
        if self.page:
            self.page.cards.append(Card(str(row["input"]), _clock(), fault=fault))

    def _done(self, arrival: Arrival, rows: list[Row]) -> None:
        self.arrivals.settle(arrival)
        self.rows.append(rows)
        if rows[0].get("error"):
            self.bad += 1
        else:
            self.predicted += 1
        self.table.files.update(str(row["file"]) for row in rows if row.get("file"))
        if rows[0].get("unlike") is True:
            self.tell(
                f"{rows[0]['input']} is unlike the training data (distance {rows[0]['distance']}, usual below 1)"
            )
        self.status.last = f"{rows[0]['input']} after {rows[0]['seconds']} s"

    def _free_stem(self, stem: str) -> str:
        """A name whose files are not those of another input, nor of an earlier version of this one."""
        number, candidate = 1, stem
        while any(self._taken(candidate, suffix) for suffix in (".png", ".csv")):
            number += 1
            candidate = f"{stem}-{number}"
        return candidate

    def _taken(self, stem: str, suffix: str) -> bool:
        return f"{stem}-{self.options.to}-00{suffix}" in self.table.files

    def _flush(self) -> None:
        """Rows into the table, the page, the status line."""
        if self.rows:
            self._through(lambda: self.table.append(self.rows), "no room for the table")
            self.rows = []
        self.appended = time.monotonic()
        self._show()

    def _show(self) -> None:
        line = self.status.line(self.predicted, self.bad, self.arrivals.waiting)
        if self.page and line != self.status.paged:
            page = self.page
            self._through(lambda: page.write(line), "no room for the page")
            self.status.paged = line
        self.status.show(line)

    def _last(self) -> None:
        """What is predicted but not in the table yet; on a full disk it is predicted again next time."""
        try:
            self.table.append(self.rows)
            if self.page:
                self.page.write(f"stopped: {self.predicted} predicted, {self.bad} left out")
        except OSError as error:
            self.tell(
                f"the last of the table is not written ({error.strerror}): those files come again next time"
            )
        self.status.end()

    def _through(self, action: Callable[[], T], trouble: str, *, every_error: bool = False) -> T:
        """``action`` as often as it takes: one line for what is in its way, another once it is gone."""
        said = False
        while True:
            try:
                result = action()
            except OSError as error:
                if not every_error and error.errno not in NO_ROOM:
                    raise
                if not said:
                    self.tell(f"{trouble} ({error.strerror}): waiting")
                said = True
                if self.stop.wait(ROOM_S):
                    raise _StoppedError from error
            else:
                if said:
                    self.tell("going on")
                return result


def digits(value: float) -> float | str:
    """Five digits; an empty cell for nan."""
    return float(f"{float(value):.5g}") if np.isfinite(value) else ""


def _clock() -> str:
    return datetime.now().strftime("%H:%M:%S")
