"""A characterization technique as one object: everything that the pipeline has to know about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.modalities.readers.image import READABLE_SUFFIXES, read_image
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.settings import Section


@dataclass(frozen=True)
class Axis:
    """One axis of a prepared array: what it runs along, and its unit."""

    name: str
    unit: str


@dataclass(frozen=True)
class Modality:
    """Facts about a technique.

    ``prepare(raw, settings)`` turns a raw file's pixels into the prepared array: ``(channels, H, W)``, continuous
    in [0, 1] (float32) or, where :meth:`two_phases`, binary in {0, 1} (uint8). ``cropped`` arrays are micrographs,
    larger than what the networks see: training draws crops. ``prepared_shape(settings)`` is what the networks see,
    ``(channels, H, W)``.
    ``score`` names the error in ``metrics.json`` that compares two images of this technique. ``settings`` is the
    class of its section ``prepare``. ``describe(raw, settings)`` reports, for people and as JSON, what ``prepare``
    does to that file; its keys ``notes`` and ``warnings`` hold lines that depend on the settings. ``read`` opens
    one of its files, with a suffix among ``suffixes``; a pair without one may give a file of the modality
    ``instead``. ``coordinates(settings)`` are the values along the last axis. ``exported(values, settings, known)``
    are the columns, named with their units, in which a predicted curve is written; ``known`` is
    ``summary(records)`` of the training files, which a model's card keeps.
    """

    name: str
    title: str
    folder: str
    axes: tuple[Axis, ...]
    binary: bool
    cropped: bool
    score: str
    settings: type[Section]
    prepare: Callable[[RawImage, Any], np.ndarray]
    prepared_shape: Callable[[Any], tuple[int, int, int]]
    describe: Callable[[RawImage, Any], dict[str, Any]]
    read: Callable[[str | Path], RawImage] = read_image
    suffixes: frozenset[str] = READABLE_SUFFIXES
    instead: str | None = None
    coordinates: Callable[[Any], np.ndarray] | None = None
    exported: Callable[[np.ndarray, Any, Mapping[str, Any]], dict[str, np.ndarray]] | None = None
    summary: Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]] | None = None

    def two_phases(self, settings: Any) -> bool:
        """Whether arrays prepared with ``settings`` are binary, not grey levels: what decides everywhere else."""
        return self.binary and not getattr(settings, "grey", False)

    def record(self, raw: RawImage, settings: Any) -> dict[str, Any]:
        """The result of :attr:`describe`, with ``notes`` and ``warnings`` (lists of lines) where there are any."""
        entries = dict(self.describe(raw, settings))
        for kind, lines in (("notes", raw.notes), ("warnings", raw.warnings)):
            all_lines = [*lines, *entries.pop(kind, ())]
            if all_lines:
                entries[kind] = all_lines
        return entries
