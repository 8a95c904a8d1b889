"""1D scattering curves I(q): from a file of their own, or averaged from the sample's SAXS pattern."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pairvae.errors import InputError
from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.curves import CURVE_SUFFIXES, read_curve
from pairvae.modalities.pattern import (
    calibrated,
    centre_of,
    describe_centre,
    geometry_warnings,
    is_counts,
    picture_levels,
    require_pattern,
    untrusted,
)
from pairvae.modalities.raw import RawImage
from pairvae.numerics.scattering import azimuthal_average, gap_mask
from pairvae.settings import BeamCentreOption, GeometryOption, MaskOption, Section

CENTRE_KEY, COLORMAP_KEY, MASK_KEY = (f"iq.prepare.{name}" for name in ("beam_centre", "colormap", "mask"))
PER_NM = {"1/nm": 1.0, "1/angstrom": 10.0}


class IqPrepare(Section):
    """Preparation of I(q): onto one grid of q, logarithmic, from 0 to 1."""

    q_min: float = Field(gt=0, le=1000, description="first q, 1/nm")
    q_max: float = Field(gt=0, le=1000, description="last q, 1/nm")
    bins: int = Field(ge=16, le=4096, description="values of q")
    grid: Literal["log", "linear"] = Field(description="spacing of the values of q")
    q_unit: Literal["1/nm", "1/angstrom"] = Field(description="unit of q in the curve files")
    decades: float = Field(gt=0, le=20, description="decades of intensity between 0 and 1")
    colormap: str | None = Field(
        description="colour map to undo in patterns that are averaged; null: mean colour"
    )
    beam_centre: BeamCentreOption = Field(description="of patterns that are averaged; null: the middle")
    geometry: GeometryOption = Field(default=None, description="of patterns that are averaged: a .poni file")
    mask: MaskOption = Field(default=None, description="of patterns that are averaged: a mask file")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.q_min >= self.q_max:
            raise ValueError("q_min below q_max")
        return self


def q_values(settings: IqPrepare) -> np.ndarray:
    """The grid of q ``(bins,)``, 1/nm."""
    spaced = np.geomspace if settings.grid == "log" else np.linspace
    return np.asarray(spaced(settings.q_min, settings.q_max, settings.bins))


def prepare(raw: RawImage, settings: IqPrepare) -> np.ndarray:
    """Curve as ``(1, 1, bins)`` float32 in [0, 1].

    Of a curve file, or detector counts: 1 + log10(I / I_max) / ``decades``, clipped, where I_max is the highest
    value on the grid. Of a picture, whose levels are logarithmic already: their ring averages over the highest.
    The logarithm is interpolated linearly in q. ``InputError`` where the curve ends within the grid, or has no
    positive intensity.
    """
    grid = q_values(settings)
    if raw.format == "curve":
        q, intensity, logarithmic = raw.pixels[:, 0] * PER_NM[settings.q_unit], raw.pixels[:, 1], False
    else:
        q, intensity, logarithmic = _averaged(raw, settings)
    usable = np.isfinite(intensity) & (intensity > 0)
    q, intensity = q[usable], intensity[usable]
    _require_cover(q, grid, raw.source)
    if logarithmic:
        level = np.interp(grid, q, intensity)
        scaled = level / level.max()
    else:
        decades = np.interp(grid, q, np.log10(intensity))
        scaled = 1 + (decades - decades.max()) / settings.decades
    return np.asarray(np.clip(scaled, 0.0, 1.0), np.float32)[None, None]


def _averaged(raw: RawImage, settings: IqPrepare) -> tuple[np.ndarray, np.ndarray, bool]:
    """q (1/nm), mean level or count of each ring, and whether that is logarithmic."""
    require_pattern(raw, MASK_KEY)
    raw = calibrated(raw, settings.geometry, settings.mask)
    if raw.q_per_px is None:
        raise InputError(
            expected="a curve file, or the q per pixel of the pattern",
            found="neither",
            where=raw.source,
            remedy="give the column iq or saxs_q_per_px_inv_nm in pairs.csv, or iq.prepare.geometry",
        )
    height, width = raw.pixels.shape[:2]
    found = centre_of(raw, settings.beam_centre, CENTRE_KEY, settings.geometry)
    centre = ((height - 1) / 2, (width - 1) / 2) if found is None else (found.row, found.column)
    logarithmic = not is_counts(raw)
    if logarithmic:
        levels = picture_levels(raw, raw.pixels, settings.colormap, COLORMAP_KEY)
        intensity = levels.mean(axis=2) if levels.ndim == 3 else levels
        mask = gap_mask(_brightness(raw.pixels)[None])
        mask = mask if raw.mask is None else mask | raw.mask
    else:
        intensity, mask = raw.pixels, untrusted(raw)
    profile = azimuthal_average(intensity, centre, mask, q_per_px=raw.q_per_px)
    return profile.q, profile.intensity, logarithmic


def _brightness(pixels: np.ndarray) -> np.ndarray:
    """Brightest channel ``(H, W)`` in [0, 1] of a picture."""
    highest = (
        float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind == "u" else max(float(pixels.max()), 1e-30)
    )
    return np.asarray((pixels if pixels.ndim == 2 else pixels[..., :3].max(axis=2)) / highest)


def _require_cover(q: np.ndarray, grid: np.ndarray, source: str) -> None:
    if not q.size:
        raise InputError(expected="positive intensities", found="none", where=source)
    slack = 1e-6 * grid[-1]
    if q[0] > grid[0] + slack or q[-1] < grid[-1] - slack:
        raise InputError(
            expected=f"q from {grid[0]:.4g} to {grid[-1]:.4g} 1/nm",
            found=f"{q[0]:.4g} to {q[-1]:.4g}",
            where=source,
            remedy="set iq.prepare.q_min and q_max (1/nm), or q_unit",
        )


def describe(raw: RawImage, settings: IqPrepare) -> dict[str, Any]:
    """What the curve comes from, and the range of q that it had (1/nm)."""
    if raw.format == "curve":
        q = raw.pixels[:, 0] * PER_NM[settings.q_unit]
        return {"from": "curve file", "points": len(q), "q_range_inv_nm": [float(q[0]), float(q[-1])]}
    raw = calibrated(raw, settings.geometry, settings.mask)
    centre = centre_of(raw, settings.beam_centre, CENTRE_KEY, settings.geometry)
    return {
        "from": "azimuthal average of the pattern",
        **describe_centre(raw, centre),
        "colormap_undone": settings.colormap if raw.pixels.ndim == 3 else None,
        "q_per_px_inv_nm_of_file": raw.q_per_px,
        "warnings": geometry_warnings(raw, centre, settings.geometry, CENTRE_KEY),
    }


IQ = Modality(
    name="iq",
    title="I(q) curve",
    folder="IQ",
    axes=(Axis("q", "1/nm"),),
    binary=False,
    cropped=False,
    score="mae",
    settings=IqPrepare,
    prepare=prepare,
    prepared_shape=lambda settings: (1, 1, settings.bins),
    describe=describe,
    read=read_curve,
    suffixes=CURVE_SUFFIXES,
    instead="saxs",
    coordinates=q_values,
)
