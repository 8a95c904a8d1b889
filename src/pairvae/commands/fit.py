"""`pairvae.fit`: a pair trained from arrays or files, without a project."""

from __future__ import annotations

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.commands.preflight import check_networks
from pairvae.data.pairs.sample import Pair
from pairvae.errors import InputError
from pairvae.inference.loader import load
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES, Modality, check_modalities
from pairvae.modalities.acquisition import Acquisition
from pairvae.modalities.arrays import Item, prepared_already, raw_of, separate
from pairvae.settings import Section, Settings, merge, resolve
from pairvae.settings.search_space import nested
from pairvae.stages.preprocess import prepare_samples
from pairvae.stages.pretrain import pretrain
from pairvae.stages.project import SOLO_STAGES, Project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.stages.training_inputs import shape_of

LEAST_PAIRS = 4
MOST_WARNINGS = 5
WHERE = "fit"


def fit(
    data: Mapping[str, Any],
    *,
    preset: str = "fast",
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    validation: float | None = None,
    acquisition: Acquisition | None = None,
    unpaired: Mapping[str, Any] | None = None,
    conditions: Mapping[str, Sequence[float | str | None]] | None = None,
) -> Predictor:
    """Train a pair from arrays or files, as `pairvae repro` does, without a project and without tracking.

    Parameters
    ----------
    data : mapping of two modalities to their measurements
        ``{"saxs": patterns, "sem": images}``: the first pattern belongs to the first image. Patterns are arrays
        ``(N, H, W)`` (detector counts, or grey levels as uint8) or ``(N, H, W, 3)`` (colours as uint8 or in [0, 1]),
        images ``(N, H, W)`` (grey levels, or binary in {0, 1}), curves (``iq``) tables ``(points, 2)`` of q and I.
        Lists of arrays may differ in size; lists of paths are files.
    preset : str
        ``fast``, ``paper`` or ``gpu``.
    settings : mapping, optional
        What differs from the preset, as in ``params.yaml``: nested, or with dotted keys as for ``--set``.
    seed : int, optional
        Of weights, crops and the draw of the validation pairs; the preset's by default.
    validation : float, optional
        Share of the pairs that do not train; a third by default. ``model.card["train_ids"]`` are the numbers of
        the training pairs, counted from 0, so that the others can judge the model.
    acquisition : Acquisition, optional
        What is known of all measurements besides, as ``Acquisition(nm_per_px=1.2, q_per_px=0.01)``.
    unpaired : mapping of modalities to their measurements, optional
        Measurements without a partner, given like those of ``data``: they train too.
    conditions : mapping of names to sequences, optional
        What else is known of each pair, a number or a word (None where it is not): ``{"pitch_nm": [40.0, None, ...]}``.
        They move the posterior of the pattern, unless ``settings`` names others as ``pair.conditions``.

    Returns
    -------
    Predictor
        The trained pair; ``model.save(folder)`` keeps it.

    Raises
    ------
    InputError
        For unequal numbers, too few pairs, arrays of another layout, NaN in images, or settings that do not fit.

    Examples
    --------
    >>> model = pairvae.fit({"saxs": patterns, "sem": images}, preset="fast")  # doctest: +SKIP
    """
    named = {"pair.conditions": list(conditions or {})}
    chosen = _settings(data, preset, {**named, **(settings or {})}, seed)
    items, lone = _all_items(chosen, data), _all_items(chosen, _of(data, unpaired))
    count = _number_of_pairs(items)
    known = _conditions(conditions or {}, count)
    return _trained(_with_validation(chosen, count, validation), items, lone, acquisition, known)


def _all_items(settings: Settings, given: Mapping[str, Any]) -> dict[str, list[Item]]:
    names = [name for name in settings.modalities if name in given]
    return {name: _items(given[name], name, shape_of(settings, name)) for name in names}


def _with_validation(settings: Settings, count: int, validation: float | None) -> Settings:
    """Settings in which this share of ``count`` pairs validates."""
    if validation is None:
        return settings
    split = settings.split.model_copy(update={"train": _training_pairs(count, validation)})
    return settings.model_copy(update={"split": split})


def _trained(
    chosen: Settings,
    items: Mapping[str, list[Item]],
    lone: Mapping[str, list[Item]],
    acquisition: Acquisition | None,
    conditions: Sequence[Mapping[str, float | str]],
) -> Predictor:
    with tempfile.TemporaryDirectory(prefix="pairvae-fit-") as scratch:
        project = Project(Path(scratch), Path(scratch), chosen, track=False)
        check_networks(project)
        _prepare(project, items, lone, acquisition or Acquisition(), conditions)
        if chosen.pretrain.enabled:
            pretrain(project)
        for name in chosen.modalities:
            if name in SOLO_STAGES:
                train_solo(project, name)
        train_pair(project)
        return _kept(project.model("train-pair"))


def _settings(data: Mapping[str, Any], preset: str, changes: Mapping[str, Any], seed: int | None) -> Settings:
    if not isinstance(data, Mapping) or len(data) != 2 or not set(data) <= set(MODALITIES):
        found = ", ".join(map(repr, data)) if isinstance(data, Mapping) else type(data).__name__
        raise InputError(
            expected=f"a mapping of two of {', '.join(MODALITIES)} to their measurements",
            found=found or "none",
            where=WHERE,
            remedy='give {"saxs": patterns, "sem": images}',
        )
    seeds = {} if seed is None else {"seed": seed, "split": {"seed": seed}}
    values: dict[str, Any] = merge({"preset": preset, "modalities": _ordered(data)}, seeds)
    for key, value in changes.items():
        values = merge(values, nested({str(key): value}))
    return check_modalities(resolve(values, where="settings"))


def _of(data: Mapping[str, Any], unpaired: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The measurements without a partner, once they are of the modalities of ``data``."""
    others = [name for name in unpaired or {} if name not in data]
    if others:
        raise InputError(
            expected=f"measurements of {' or '.join(_ordered(data))}", found=repr(others[0]), where="unpaired"
        )
    return unpaired or {}


def _ordered(data: Mapping[str, Any]) -> list[str]:
    return [name for name in MODALITIES if name in data]


def _items(given: Any, name: str, shape: tuple[int, int, int]) -> list[Item]:
    if isinstance(given, str | Path):
        raise InputError(
            expected="arrays, or a list of files",
            found="a folder" if Path(given).is_dir() else "one path",
            where=name,
            remedy="list its files, sorted so that partners stand at the same place",
        )
    return separate(given, MODALITIES[name], shape)


def _number_of_pairs(items: Mapping[str, list[Item]]) -> int:
    counts = {name: len(some) for name, some in items.items()}
    if len(set(counts.values())) > 1:
        raise InputError(
            expected="as many measurements of one modality as of the other",
            found=" and ".join(f"{count} of {name}" for name, count in counts.items()),
            where=WHERE,
        )
    count = next(iter(counts.values()))
    if count < LEAST_PAIRS:
        raise InputError(expected=f"at least {LEAST_PAIRS} pairs", found=str(count), where=WHERE)
    return count


def _training_pairs(count: int, validation: float) -> int:
    if not 0 < validation < 1:
        raise InputError(expected="a share between 0 and 1", found=f"{validation:g}", where="validation")
    return min(max(round(count * (1 - validation)), 1), count - 1)


def _conditions(
    given: Mapping[str, Sequence[float | str | None]], count: int
) -> list[dict[str, float | str]]:
    """What is known of each pair; a column is of numbers, or of words."""
    columns: dict[str, list[float | str | None]] = {}
    for name, column in given.items():
        values = [
            None if value is None or value != value else value for value in column
        ]  # NaN differs from itself
        if len(values) != count:
            raise InputError(
                expected=f"{count} values, one for each pair",
                found=str(len(values)),
                where=f"condition {name}",
            )
        words = any(isinstance(value, str) for value in values)
        columns[name] = [None if one is None else str(one) if words else float(one) for one in values]
    return [
        {name: value for name, column in columns.items() if (value := column[row]) is not None}
        for row in range(count)
    ]


def _prepare(
    project: Project,
    items: Mapping[str, list[Item]],
    lone: Mapping[str, list[Item]],
    known: Acquisition,
    conditions: Sequence[Mapping[str, float | str]],
) -> None:
    """Write the prepared arrays of the project; what may be wrong with a measurement is a Python warning.

    Samples without a partner are numbered after the pairs.
    """
    lines: list[str] = []
    count = _length(items)

    def one(pair: Pair, modality: Modality, section: Section) -> tuple[np.ndarray, dict[str, Any]]:
        number, shape = int(pair.id), modality.prepared_shape(section)
        name = modality.name
        item = items[name][number] if number < count else lone[name][number - count]
        where = str(pair.files[modality.name])
        array = prepared_already(item, modality, shape)
        if array is not None:
            return _checked(array, shape, where), _record(array, known)
        raw, settings = known.applied(raw_of(item, modality, shape, where), section)
        record = modality.record(raw, settings)
        lines.extend(f"{where}: {line}" for line in record.get("warnings", ()))
        return modality.prepare(raw, settings), record

    names = project.settings.modalities
    pairs = [
        replace(_pair(number, {name: items[name][number] for name in names}), conditions=conditions[number])
        for number in range(count)
    ]
    single = {
        name: [
            replace(_pair(number, {name: item}, "unpaired "), id=str(count + number))
            for number, item in enumerate(some)
        ]
        for name, some in lone.items()
    }
    try:
        prepare_samples(project.prepared_folder, pairs, single, project.settings, one)
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


def _length(items: Mapping[str, list[Item]]) -> int:
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


def _kept(trained: Path) -> Predictor:
    """The predictor of a model folder, of which it keeps a copy for as long as it lives."""
    home = Path(tempfile.mkdtemp(prefix="pairvae-model-"))
    try:
        shutil.copytree(trained, home / "model")
        predictor = load(home / "model")
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    weakref.finalize(predictor, shutil.rmtree, home, ignore_errors=True)
    return predictor
