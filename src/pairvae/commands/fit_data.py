"""Measurements given to `pairvae.fit`, prepared as `preprocess` prepares files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.data.pairs.sample import Pair
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, Modality
from pairvae.modalities.acquisition import Acquisition
from pairvae.modalities.arrays import Item, prepared_already, raw_of
from pairvae.settings import Section
from pairvae.stages.preprocess import prepare_samples
from pairvae.stages.project import Project

MOST_WARNINGS = 5


def prepare_measurements(
    project: Project,
    items: Mapping[str, list[Item | None]],
    lone: Mapping[str, list[Item | None]],
    known: Acquisition,
    conditions: Sequence[Mapping[str, float | str]],
) -> None:
    """Write the prepared arrays of the project; what may be wrong with a measurement is a Python warning.

    Samples without a partner are numbered after the pairs.
    """
    lines: list[str] = []
    count = _length(items)

    def prepare_one(pair: Pair, modality: Modality, section: Section) -> tuple[np.ndarray, dict[str, Any]]:
        number, shape = int(pair.id), modality.prepared_shape(section)
        name = modality.name
        item, reader = items[name][number] if number < count else lone[name][number - count], modality
        if item is None:  # a pattern stands in for its curve
            reader = MODALITIES[str(modality.instead)]
            item = items[reader.name][number]
        assert item is not None
        where = str(pair.files[reader.name])
        array = prepared_already(item, modality, shape, two_phases=modality.two_phases(section))
        if array is not None:
            return _checked(array, shape, where), _record(array, known)
        raw, settings = known.applied(raw_of(item, reader, shape, where), section)
        record = modality.record(raw, settings)
        lines.extend(f"{where}: {line}" for line in record.get("warnings", ()))
        return modality.prepare(raw, settings), record

    pairs, single = _samples(items, lone, conditions)
    try:
        prepare_samples(project.prepared_folder, pairs, single, project.settings, prepare_one)
    except InputError as error:
        remedy = (
            error.remedy if "pairs.csv" not in error.remedy else "leave the pair out, or give `acquisition`"
        )
        raise InputError(
            expected=error.expected, found=error.found, where=error.where, remedy=remedy
        ) from error
    for line in lines[:MOST_WARNINGS]:
        warnings.warn(line, stacklevel=4)
    if len(lines) > MOST_WARNINGS:
        warnings.warn(f"{len(lines) - MOST_WARNINGS} more warnings about the data", stacklevel=4)


def _samples(
    items: Mapping[str, list[Item | None]],
    lone: Mapping[str, list[Item | None]],
    conditions: Sequence[Mapping[str, float | str]],
) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """Pairs, and by modality the samples without a partner, which are numbered after them."""
    count = _length(items)
    pairs = [
        replace(
            _pair(number, {name: item for name in items if (item := items[name][number]) is not None}),
            conditions=conditions[number],
        )
        for number in range(count)
    ]
    single = {
        name: [
            replace(_pair(number, {name: item}, "unpaired "), id=str(count + number))
            for number, item in enumerate(some)
            if item is not None
        ]
        for name, some in lone.items()
    }
    return pairs, single


def _length(items: Mapping[str, list[Item | None]]) -> int:
    return len(next(iter(items.values())))


def _pair(number: int, items: Mapping[str, Item], kind: str = "") -> Pair:
    """Pair ``number``; its files are named, as messages do: arrays by their place."""
    shown = {
        name: str(item) if isinstance(item, str | Path) else f"{kind}{name}[{number}]"
        for name, item in items.items()
    }
    others = {name: text for name, text in shown.items() if name not in ("saxs", "sem")}
    return Pair(str(number), shown.get("saxs"), shown.get("sem"), others=others)


def _checked(array: np.ndarray, shape: tuple[int, int, int], where: str) -> np.ndarray:
    """A prepared array, once it is large enough and in [0, 1]."""
    if min(have - want for have, want in zip(array.shape, shape, strict=True)) < 0:
        raise InputError(
            expected=f"an image of at least {shape[1]} x {shape[2]} px",
            found=f"{array.shape[1]} x {array.shape[2]}",
            where=where,
        )
    if array.dtype.kind not in "biuf":
        raise InputError(expected="numbers", found=f"dtype {array.dtype}", where=where)
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        found = f"{array.min():.3g} to {array.max():.3g}"
        raise InputError(expected="values in [0, 1]", found=found, where=where)
    return array


def _record(array: np.ndarray, known: Acquisition) -> dict[str, Any]:
    """What preprocessing notes of a measurement that needs no preparation."""
    _, rows, columns = array.shape
    return {
        "pixels": [rows, columns],
        "nm_per_px": known.nm_per_px,
        "q_per_px_inv_nm": known.q_per_px,
    }
