"""Atomic force microscopy: levelled maps of height or phase, as grey levels, or two phases where a threshold is set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pairvae.modalities import sem
from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.readers.afm_files import AFM_SUFFIXES, read_afm
from pairvae.modalities.readers.image import READABLE_SUFFIXES
from pairvae.modalities.readers.raw_image import RawImage, require_finite
from pairvae.settings import SemPrepare


class AfmPrepare(SemPrepare):
    """Preprocessing of AFM maps: levelled, then as micrographs (:class:`~pairvae.settings.SemPrepare`)."""

    technique: ClassVar[str] = "afm"

    level: Literal["none", "plane", "lines"] = Field(
        default="lines",
        description="plane: subtract the plane that fits best; lines: after it the median of each scan line",
    )


def levelled(heights: np.ndarray, how: str) -> np.ndarray:
    """Heights without what the scanner adds to them.

    Parameters
    ----------
    heights : ndarray
        ``(H, W)`` in any unit; scan lines are rows.
    how : {"none", "plane", "lines"}
        Nothing, the plane of least squares, or after it the median of each row, is subtracted.

    Returns
    -------
    ndarray
        ``(H, W)`` float32.

    Examples
    --------
    >>> tilted = np.add.outer(np.arange(4.0), 2 * np.arange(5.0)) + 7
    >>> float(np.abs(levelled(tilted, "plane")).max()) < 1e-5
    True
    """
    values = heights.astype(np.float64)
    if how != "none":
        rows, columns = (
            np.linspace(-1, 1, side) for side in values.shape
        )  # orthogonal to one another and to 1
        values = values - values.mean()
        slope_down = (rows @ values).sum() / (rows @ rows * values.shape[1])
        slope_right = (values @ columns).sum() / (columns @ columns * values.shape[0])
        values = values - slope_down * rows[:, None] - slope_right * columns[None]
    if how == "lines":
        values = values - np.median(values, axis=1, keepdims=True)
    return values.astype(np.float32)


def _map_of(raw: RawImage, settings: AfmPrepare) -> RawImage:
    """The file with a levelled map in place of its pixels; a picture of a map, which holds no heights, as it is."""
    if raw.pixels.ndim != 2 or raw.pixels.dtype == np.uint8:
        return raw
    require_finite(raw)
    return replace(raw, pixels=levelled(raw.pixels, settings.level))


def prepare(raw: RawImage, settings: AfmPrepare) -> np.ndarray:
    """Map ``(1, H, W)`` as of :func:`pairvae.modalities.sem.prepare`: high places are bright.

    Parameters
    ----------
    raw : RawImage
        Heights or phases ``(H, W)``, or a picture of them.
    settings : AfmPrepare
        How it is levelled and prepared.

    Returns
    -------
    ndarray
        float32 in [0, 1], or uint8 in {0, 1} of two phases.

    Raises
    ------
    InputError
        Where the map is smaller than a crop, or has no contrast.
    """
    return sem.prepare(_map_of(raw, settings), settings)


def describe(raw: RawImage, settings: AfmPrepare) -> dict[str, Any]:
    """As of :func:`pairvae.modalities.sem.describe`, and how the map was levelled."""
    return {**sem.describe(_map_of(raw, settings), settings), "level": settings.level}


AFM = Modality(
    name="afm",
    title="AFM map",
    folder="AFM",
    axes=(Axis("y", "nm"), Axis("x", "nm")),
    binary=True,
    cropped=True,
    score="s2_mae",
    settings=AfmPrepare,
    prepare=prepare,
    prepared_shape=lambda settings: (1, settings.crop, settings.crop),
    describe=describe,
    read=read_afm,
    suffixes=READABLE_SUFFIXES | AFM_SUFFIXES,
)
