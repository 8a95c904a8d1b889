"""What a calibration is given: arrays, crops and conditions of the training pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairvae.calibration.correction import CalibrationData, SeveralData
from pairvae.modalities import MODALITIES, main_pair
from pairvae.models.conditions import ConditionEncoding, fit_encoding
from pairvae.numerics.images import has_grey_levels, seeded_crops
from pairvae.numerics.series import evenly_spread
from pairvae.settings import PairSettings
from pairvae.store.prepared import Prepared

LARGEST = 256  # training pairs that are looked at, evenly spread: the regressions' work grows with the cube


def several_data(
    prepared: Prepared, names: Sequence[str], rows: Sequence[int], pair: PairSettings
) -> SeveralData:
    """As :func:`calibration_data`, of more than two techniques, each with the samples that it measured.

    Those of the main pair come first: the width of a posterior is fitted to the first technique with crops.

    Parameters
    ----------
    prepared : Prepared
        The data.
    names : sequence of str
        The techniques.
    rows : sequence of int
        Of the training pairs; of many, as many as are looked at are spread evenly over them.
    pair : PairSettings
        How many crops of an image, by which seed, and which conditions.

    Returns
    -------
    SeveralData
        In memory.
    """
    chosen = _looked_at(rows)
    names = list(dict.fromkeys((*main_pair(names), *names)))
    measured = {name: prepared.rows_with([name], chosen) for name in names}
    arrays = {name: _arrays(prepared, name, measured[name], pair) for name in names}
    return SeveralData(
        arrays,
        {name: np.array([chosen.index(row) for row in measured[name]]) for name in names},
        _groups(prepared, chosen),
        len(rows),
        frozenset(name for name in names if MODALITIES[name].cropped and has_grey_levels(arrays[name])),
        _encoding(prepared, rows, pair),
        [prepared.pairs[row].conditions for row in chosen],
    )


def calibration_data(
    prepared: Prepared, names: Sequence[str], rows: Sequence[int], pair: PairSettings
) -> CalibrationData:
    """Arrays and conditions of training pairs; of images, crops.

    Parameters
    ----------
    prepared : Prepared
        The data.
    names : sequence of str
        The techniques.
    rows : sequence of int
        Of the training pairs; of many, as many as are looked at are spread evenly over them.
    pair : PairSettings
        How many crops of an image, by which seed, and which conditions.

    Returns
    -------
    CalibrationData
        In memory.
    """
    chosen = _looked_at(rows)
    arrays = {name: _arrays(prepared, name, chosen, pair) for name in names}
    return CalibrationData(
        arrays,
        _groups(prepared, chosen),
        len(rows),
        _encoding(prepared, rows, pair),
        [prepared.pairs[row].conditions for row in chosen],
        any(MODALITIES[name].cropped and has_grey_levels(arrays[name]) for name in names),
    )


def _looked_at(rows: Sequence[int]) -> list[int]:
    return [rows[place] for place in evenly_spread(len(rows), LARGEST)]


def _arrays(prepared: Prepared, name: str, rows: Sequence[int], pair: PairSettings) -> np.ndarray:
    """``(N, K, channels, H, W)``: K crops of each image, or the whole array."""
    if not MODALITIES[name].cropped:
        return np.array(prepared.whole(name)[list(rows)])[:, None]
    size, images, settings = prepared.crops(name).shape[-1], prepared.images(name), pair.calibration
    crops = [seeded_crops(images[row], size, settings.crops, settings.seed, row) for row in rows]
    return np.stack(crops)[:, :, None]


def _groups(prepared: Prepared, rows: Sequence[int]) -> list[str]:
    pairs = [prepared.pairs[row] for row in rows]
    return [one.group or one.id for one in pairs]


def _encoding(prepared: Prepared, rows: Sequence[int], pair: PairSettings) -> ConditionEncoding | None:
    if not pair.conditions:
        return None
    return fit_encoding(pair.conditions, [prepared.pairs[row].conditions for row in rows])
