"""What a calibration is given: arrays, crops and conditions of the training pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairvae.calibration.correction import CalibrationData, SeveralData
from pairvae.modalities import MODALITIES, main_pair
from pairvae.models.conditions import fit_encoding
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
    chosen = [rows[place] for place in evenly_spread(len(rows), LARGEST)]
    arrays: dict[str, np.ndarray] = {}
    numbers: dict[str, np.ndarray] = {}
    parts: list[CalibrationData] = []
    names = list(dict.fromkeys((*main_pair(names), *names)))
    for name in names:
        measured = prepared.rows_with([name], chosen)
        parts.append(calibration_data(prepared, [name], measured, pair))
        arrays[name] = parts[-1].arrays[name]
        numbers[name] = np.array([chosen.index(row) for row in measured])
    pairs = [prepared.pairs[row] for row in chosen]
    encoding = None
    if pair.conditions:
        encoding = fit_encoding(pair.conditions, [prepared.pairs[row].conditions for row in rows])
    return SeveralData(
        arrays,
        numbers,
        [one.group or one.id for one in pairs],
        len(rows),
        frozenset(name for name, part in zip(names, parts, strict=True) if part.grey),
        encoding,
        [one.conditions for one in pairs],
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
    grey = any(MODALITIES[name].cropped and has_grey_levels(arrays[name]) for name in names)
    return CalibrationData(arrays, groups, len(rows), encoding, known, grey)
