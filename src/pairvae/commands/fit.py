"""`pairvae.fit`: two or more techniques trained from arrays or files, without a project."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pairvae.commands.fit_data import prepare_measurements
from pairvae.commands.preflight import check_networks
from pairvae.errors import InputError
from pairvae.inference.loader import load
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES, check_modalities
from pairvae.modalities.acquisition import Acquisition
from pairvae.modalities.arrays import Item, separate
from pairvae.models.conditions import fit_encoding
from pairvae.settings import Settings, merge, resolve
from pairvae.settings.search_space import nested
from pairvae.stages.pretrain import pretrain
from pairvae.stages.project import SOLO_STAGES, Project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.stages.training_inputs import shape_of

LEAST_PAIRS = 4
WHERE = "fit"


def fit(
    data: Mapping[str, Any], *, preset: str = "fast", settings: Mapping[str, Any] | None = None,
    seed: int | None = None, validation: float | None = None, acquisition: Acquisition | None = None,
    unpaired: Mapping[str, Any] | None = None,
    conditions: Mapping[str, Sequence[float | str | None]] | None = None,
) -> Predictor:  # fmt: skip
    """Train techniques together from arrays or files, as `pairvae repro` does, without a project and without tracking.

    Parameters
    ----------
    data : mapping of two or more modalities to their measurements
        ``{"saxs": patterns, "sem": images}``: the first pattern belongs to the first image. Patterns are arrays
        ``(N, H, W)`` (detector counts, or grey levels as uint8) or ``(N, H, W, 3)`` (colours as uint8 or in [0, 1]),
        images ``(N, H, W)`` (grey levels, or binary in {0, 1}), curves (``iq``) tables ``(points, 2)`` of q and I.
        Lists of arrays may differ in size; lists of paths are files. Of more than two modalities, None stands for what
        was not measured of a sample.
    preset : str
        ``fast``, ``paper`` or ``gpu``.
    settings : mapping, optional
        What differs from the preset, as in ``params.yaml``: nested, or with dotted keys as for ``--set``.
    seed : int, optional
        Of weights, crops and the draw of the validation pairs; the preset's by default.
    validation : float, optional
        Share of the pairs that do not train; a third by default. ``model.card["train_ids"]`` numbers those that do.
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
    chosen = _settings(data, preset, {"pair.conditions": list(conditions or {}), **(settings or {})}, seed)
    items, lone = _all_items(chosen, data), _all_items(chosen, _of(data, unpaired))
    count = _number_of_pairs(items)
    chosen = _with_validation(chosen, count, validation)
    known = _conditions(conditions or {}, count)
    fit_encoding(chosen.pair.conditions, known)  # an absent condition is refused before the trainings
    return _trained(chosen, items, lone, acquisition, known)


def _all_items(settings: Settings, given: Mapping[str, Any]) -> dict[str, list[Item | None]]:
    """Measurements by modality; None where one of more than two modalities did not measure a sample."""
    found: dict[str, list[Item | None]] = {}
    for name in [name for name in settings.modalities if name in given]:
        some, shape = given[name], shape_of(settings, name)
        gaps = [item is None for item in some] if settings.several and isinstance(some, list | tuple) else []
        if any(gaps):
            known = iter(_items([item for item in some if item is not None], name, shape))
            found[name] = [None if gap else next(known) for gap in gaps]
        else:
            found[name] = [*_items(some, name, shape)]
    return found


def _with_validation(settings: Settings, count: int, validation: float | None) -> Settings:
    """Settings in which this share of ``count`` pairs validates."""
    if validation is None:
        return settings
    split = settings.split.model_copy(update={"train": _training_pairs(count, validation)})
    return settings.model_copy(update={"split": split})


def _trained(
    chosen: Settings,
    items: Mapping[str, list[Item | None]],
    lone: Mapping[str, list[Item | None]],
    acquisition: Acquisition | None,
    conditions: Sequence[Mapping[str, float | str]],
) -> Predictor:
    with tempfile.TemporaryDirectory(prefix="pairvae-fit-") as scratch:
        project = Project(Path(scratch), Path(scratch), chosen, track=False)
        check_networks(project)
        prepare_measurements(project, items, lone, acquisition or Acquisition(), conditions)
        if chosen.pretrain.enabled:
            pretrain(project)
        for name in chosen.modalities:
            if name in SOLO_STAGES:
                train_solo(project, name)
        train_pair(project)
        return _kept(project.model("train-pair"))


def _settings(data: Mapping[str, Any], preset: str, changes: Mapping[str, Any], seed: int | None) -> Settings:
    if not isinstance(data, Mapping) or len(data) < 2 or not set(data) <= set(MODALITIES):
        found = ", ".join(map(repr, data)) if isinstance(data, Mapping) else type(data).__name__
        raise InputError(
            expected=f"a mapping of two or more of {', '.join(MODALITIES)} to their measurements",
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


def _number_of_pairs(items: Mapping[str, list[Item | None]]) -> int:
    counts = {name: len(some) for name, some in items.items()}
    if len(set(counts.values())) > 1:
        raise InputError(
            expected="as many measurements of each modality",
            found=" and ".join(f"{count} of {name}" for name, count in counts.items()),
            where=WHERE,
        )
    count = next(iter(counts.values()))
    if count < LEAST_PAIRS:
        raise InputError(expected=f"at least {LEAST_PAIRS} pairs", found=str(count), where=WHERE)
    for number, sample in enumerate(zip(*items.values(), strict=True)):
        if sum(item is not None for item in sample) < 2:
            raise InputError(
                expected="two measurements or more of each sample",
                found=f"one or none of sample {number}",
                where=WHERE,
                remedy="give it as `unpaired`",
            )
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
