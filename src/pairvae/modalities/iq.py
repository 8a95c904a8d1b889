"""1D scattering curves I(q): from a file of their own, or averaged from the sample's SAXS pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pairvae.errors import InputError
from pairvae.modalities.base import Axis, Modality
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
from pairvae.modalities.readers.curve import CURVE_SUFFIXES, read_curve
from pairvae.modalities.readers.curve_files.units import PER_NM
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.numerics.scattering import azimuthal_average, gap_mask, mend_non_positive
from pairvae.settings import BeamCentreOption, GeometryOption, MaskOption, Section

CENTRE_KEY, COLORMAP_KEY, MASK_KEY = (f"iq.prepare.{name}" for name in ("beam_centre", "colormap", "mask"))
ASSUMED, PER_CM = "1/nm", "1/cm"
SHORTEST_NM, LONGEST_NM = 30.0, 0.3  # spacings 2 pi / q at q_max beyond which the other unit fits better


class IqPrepare(Section):
    """Preparation of I(q): onto one grid of q, logarithmic, from 0 to 1."""

    q_min: float = Field(gt=0, le=1000, description="first q, 1/nm")
    q_max: float = Field(gt=0, le=1000, description="last q, 1/nm")
    bins: int = Field(ge=16, le=4096, description="values of q")
    grid: Literal["log", "linear"] = Field(description="spacing of the values of q")
    q_unit: Literal["1/nm", "1/angstrom"] | None = Field(
        description="unit of q in curve files that name none; null: 1/nm, with a warning"
    )
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
    The logarithm is interpolated linearly in q. Of intensities of zero or below see
    :func:`~pairvae.numerics.scattering.mend_non_positive`. ``InputError`` where the curve ends within the grid,
    or has no positive intensity.
    """
    values, logarithmic = _on_grid(raw, settings)
    scaled = values / values.max() if logarithmic else 1 + (values - values.max()) / settings.decades
    return np.asarray(np.clip(scaled, 0.0, 1.0), np.float32)[None, None]


def _on_grid(raw: RawImage, settings: IqPrepare) -> tuple[np.ndarray, bool]:
    """``(bins,)`` log10 I, or the levels of a picture, and whether it is those."""
    grid = q_values(settings)
    if raw.format == "curve":
        q, intensity, logarithmic = raw.pixels[:, 0] * PER_NM[unit_of(raw, settings)], raw.pixels[:, 1], False
    else:
        q, intensity, logarithmic = _averaged(raw, settings)
    usable = np.isfinite(intensity) if not logarithmic else np.isfinite(intensity) & (intensity > 0)
    q, intensity = q[usable], intensity[usable]
    if not (intensity > 0).any():
        raise InputError(expected="positive intensities", found="none", where=raw.source)
    if logarithmic:
        _require_cover(q, grid, raw.source)
        return np.interp(grid, q, intensity), True
    q, intensity = mend_non_positive(q, intensity)
    _require_cover(q, grid, raw.source)
    least = intensity.max() * 10**-settings.decades
    return np.interp(grid, q, np.log10(np.where(intensity > 0, intensity, least))), False


def unit_of(raw: RawImage, settings: IqPrepare) -> str:
    """The unit of a curve's q: as its file says, else as the settings say, else 1/nm."""
    return raw.q_unit or settings.q_unit or ASSUMED


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
    beam = centre_of(raw, settings.beam_centre, CENTRE_KEY, settings.geometry)
    centre = ((height - 1) / 2, (width - 1) / 2) if beam is None else (beam.row, beam.column)
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
    slack = 1e-6 * grid[-1]
    if q[0] > grid[0] + slack or q[-1] < grid[-1] - slack:
        raise InputError(
            expected=f"q from {grid[0]:.4g} to {grid[-1]:.4g} 1/nm",
            found=f"{q[0]:.4g} to {q[-1]:.4g}",
            where=source,
            remedy="set iq.prepare.q_min and q_max (1/nm), or q_unit where the file names none",
        )


def describe(raw: RawImage, settings: IqPrepare) -> dict[str, Any]:
    """What the curve comes from, its range of q (1/nm), its highest I on the grid, and what is odd about its unit."""
    if raw.format == "curve":
        unit = unit_of(raw, settings)
        q = raw.pixels[:, 0] * PER_NM[unit]
        return {
            "from": "curve file",
            "points": len(q),
            "q_range_inv_nm": [float(q[0]), float(q[-1])],
            "q_unit_of_file": raw.q_unit,
            "intensity_unit": raw.intensity_unit,
            "warnings": _unit_warnings(raw, settings, float(q[-1])),
            **highest(raw, settings),
        }
    raw = calibrated(raw, settings.geometry, settings.mask)
    centre = centre_of(raw, settings.beam_centre, CENTRE_KEY, settings.geometry)
    return {
        "from": "azimuthal average of the pattern",
        **describe_centre(raw, centre),
        "colormap_undone": settings.colormap if raw.pixels.ndim == 3 else None,
        "q_per_px_inv_nm_of_file": raw.q_per_px,
        "levels": not is_counts(raw),
        "warnings": geometry_warnings(raw, centre, settings.geometry, CENTRE_KEY),
        **highest(raw, settings),
    }


def highest(raw: RawImage, settings: IqPrepare) -> dict[str, float]:
    """``{"highest_intensity": I_max}`` on the grid; nothing of a picture, or of a curve that cannot be prepared."""
    try:
        values, logarithmic = _on_grid(raw, settings)
    except InputError:
        return {}
    return {} if logarithmic else {"highest_intensity": float(10 ** values.max())}


def _unit_warnings(raw: RawImage, settings: IqPrepare, last: float) -> list[str]:
    """What is said of a curve's unit; ``last`` is its highest q, 1/nm."""
    if raw.q_unit is not None:
        if settings.q_unit in (None, raw.q_unit):
            return []
        return [f"q is in {raw.q_unit}, as the file says, not in the {settings.q_unit} of iq.prepare.q_unit"]
    unit = unit_of(raw, settings)
    other = {"1/nm": "1/angstrom", "1/angstrom": "1/nm"}[unit]
    lines = []
    if settings.q_unit is None:
        lines.append(
            f"the file names no unit of q: {unit} is taken - set iq.prepare.q_unit to 1/nm or 1/angstrom"
        )
    spacing = 2 * np.pi / last if last > 0 else np.inf
    if (unit == "1/nm" and spacing > SHORTEST_NM) or (unit == "1/angstrom" and spacing < LONGEST_NM):
        lines.append(f"q ends at {last / PER_NM[unit]:.3g}, which fits {other} better than {unit}")
    return lines


def exported(values: np.ndarray, settings: IqPrepare, known: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Columns q and I of a prepared curve ``(bins,)``; I in the training curves' unit, scaled to their highest.

    ``known`` holds the training curves' ``highest_intensity`` (their median) and ``intensity_unit``; without
    them the column is I over its highest value. A prepared value of 0 means that I is at most that of the column.
    """
    columns = {"q (1/nm)": q_values(settings)}
    if known.get("levels"):
        return columns | {"relative level": values}
    relative = 10.0 ** ((values.astype(float) - 1) * settings.decades)
    if known.get("highest_intensity") is None:
        return columns | {"I / I_max": relative}
    unit = PER_CM if known.get("intensity_unit") == PER_CM else "a.u."
    return columns | {f"I ({unit})": relative * float(known["highest_intensity"])}


def summary(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Median highest intensity and common unit of training curves; ``levels`` where they come from pictures."""
    if any(record.get("levels") for record in records):
        return {"levels": True}
    highest = [record["highest_intensity"] for record in records if record.get("highest_intensity")]
    units = {record.get("intensity_unit") for record in records}
    if not highest:
        return {}
    return {
        "highest_intensity": float(np.median(highest)),
        "intensity_unit": units.pop() if len(units) == 1 else None,
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
    exported=exported,
    summary=summary,
)
