"""What the calibration of a pair is given by the stage, and where its corrections are kept: file, run and report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairvae import store
from pairvae.calibration import CalibrationData, Correction
from pairvae.modalities import MODALITIES
from pairvae.models.conditions import CARD_KEY, ConditionShift, fit_encoding
from pairvae.numerics.images import seeded_crops
from pairvae.numerics.series import evenly_spread
from pairvae.settings import PairSettings
from pairvae.store.model_folder import CARD, REMEDY, add_file, load_card
from pairvae.store.prepared import Prepared
from pairvae.tracking.runs.tracker import Tracker

FILE = "calibration.json"
LARGEST = 256  # training pairs that are looked at, evenly spread: the regressions' work grows with the cube


def calibration_data(
    prepared: Prepared, names: Sequence[str], rows: Sequence[int], pair: PairSettings
) -> CalibrationData:
    """Arrays and conditions of the training pairs ``rows``; of images, crops by the settings' own number and seed."""
    settings = pair.calibration
    chosen = [rows[place] for place in evenly_spread(len(rows), LARGEST)]
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        if MODALITIES[name].cropped:
            size, images = prepared.crops(name).shape[-1], prepared.images(name)
            crops = [seeded_crops(images[row], size, settings.crops, settings.seed, row) for row in chosen]
            arrays[name] = np.stack(crops)[:, :, None]
        else:
            arrays[name] = np.array(prepared.whole(name)[chosen])[:, None]
    pairs = [prepared.pairs[row] for row in chosen]
    encoding = None
    if pair.conditions:
        encoding = fit_encoding(pair.conditions, [prepared.pairs[row].conditions for row in rows])
    groups, known = [one.group or one.id for one in pairs], [one.conditions for one in pairs]
    return CalibrationData(arrays, groups, len(rows), encoding, known)


def write_conditions(folder: Path, shift: ConditionShift | None) -> None:
    """Add what conditions do to a posterior to the card of a model folder, where they do anything."""
    if shift is not None:
        store.write_json(folder / CARD, load_card(folder) | {CARD_KEY: shift.card()})


def log_corrections(tracker: Tracker, corrections: Sequence[Correction]) -> None:
    """Statistics, targets and knobs as metrics of the run."""
    for one in corrections:
        numbers = {key: getattr(one, key) for key in ("target", "before", "after", "value")}
        known = {
            f"calibration.{one.step}.{key}": value for key, value in numbers.items() if value is not None
        }
        if known:
            tracker.log_metrics(known)
        else:
            tracker.set_tags({f"calibration.{one.step}": one.reason})


def write_corrections(folder: Path, corrections: Sequence[Correction]) -> None:
    """Write ``calibration.json`` into a model folder."""
    rows = [
        {key: value for key, value in dataclasses.asdict(one).items() if value not in (None, "")}
        for one in corrections
    ]
    store.write_json(folder / FILE, {"corrections": rows})
    add_file(folder, FILE)


def read_corrections(folder: Path) -> list[dict[str, Any]]:
    """The corrections of a model folder; none of a model that was trained before they were kept."""
    path = folder / FILE
    return list(store.read_json(path, "corrections", REMEDY)["corrections"]) if path.is_file() else []
