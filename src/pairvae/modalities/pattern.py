"""What SAXS patterns and the curves averaged from them share: the beam, the mask, colours back to intensities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.calibration_files import geometry_at, mask_at
from pairvae.modalities.readers.beam import beam_centre
from pairvae.modalities.readers.counts import BeamCentre, bad_pixels, scale_counts
from pairvae.modalities.readers.masks import bad_of, is_mask
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.numerics.colormaps import invert_colormap
from pairvae.settings import BeamCentreOption, GeometryOption, MaskOption

LEAST_SIDE = 32
FARTHEST_COLOUR = 0.1  # mean distance in RGB from the map; JPEG and interpolation cost up to 0.05
GREY_LEVELS = 3.0  # of 255: channels that differ by less are one grey
PICTURE_FORMATS = frozenset({"png", "jpeg", "tiff", "npy", "bmp"})  # whose 8 bits are grey levels, not counts
TABLE = "table"  # the format of 2D patterns as text
NEAR = 0.05  # of the shorter side: how far header and symmetry may lie apart
STEEPEST_TILT = 5.0  # degrees; beyond it one q per pixel does not describe the detector


@dataclass(frozen=True)
class Placement:
    """The square of a pattern that is used: its middle (row, column) and side, px; the beam, where it is known."""

    middle: tuple[float, float]
    side: float
    beam: BeamCentre | None
    as_it_is: bool


def require_pattern(raw: RawImage, mask_key: str) -> None:
    """Refuse pictures of fewer than 32 x 32 px, and masks (``InputError``); ``mask_key`` names their setting."""
    height, width = raw.pixels.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise InputError(
            expected=f"a pattern of at least {LEAST_SIDE} x {LEAST_SIDE} px",
            found=f"{height} x {width}",
            where=raw.source,
        )
    refuse_mask(raw, mask_key)


def refuse_mask(raw: RawImage, mask_key: str) -> None:
    """Refuse a mask among the patterns (``InputError``)."""
    if is_mask(raw.pixels):
        values = len(np.unique(raw.pixels[np.isfinite(raw.pixels)]))
        raise InputError(
            expected="a pattern",
            found=f"{values} different values, as in a mask",
            where=raw.source,
            remedy=f"set {mask_key} to it, and leave it out of the pairs",
        )


def calibrated(raw: RawImage, geometry: GeometryOption, mask: MaskOption) -> RawImage:
    """The pattern with the mask and the geometry that the settings name, and the q per pixel that holds.

    That of pairs.csv goes before the geometry's, and this one before the header's. ``InputError`` for a mask of
    another size, or files that cannot be read.
    """
    if mask is not None:
        bad = bad_of(mask_at(mask), raw.pixels.shape, raw.source)
        raw = replace(raw, mask=bad if raw.mask is None else raw.mask | bad)
    known = None if geometry is None else geometry_at(geometry)
    if known is not None:
        raw = replace(raw, beam=known.beam_centre)
    from_metadata = raw.header_q_per_px if known is None else known.q_per_px
    return replace(raw, q_per_px=raw.q_per_px or from_metadata)


def centre_of(
    raw: RawImage, option: BeamCentreOption, key: str, geometry: GeometryOption = None
) -> BeamCentre | None:
    """The beam's place (px) as given, from the geometry or the header, or found; None where nothing asks for it.

    Without ``option`` a square pattern is left as it is, and one that is not square is cut around the beam of its
    header. ``InputError`` where a beam lies outside, or none can be found; ``key`` names the setting.
    """
    height, width = raw.pixels.shape[:2]
    if option is not None and option != "auto":
        return _inside(BeamCentre(option[0], option[1], "given", float("nan")), raw, f"mend {key}")
    if geometry is not None and raw.beam is not None:
        advice = f"give the geometry of this detector, or {key} as [row, column]"
        return _inside(BeamCentre(*raw.beam, "poni", float("nan")), raw, advice)
    in_header = None if raw.beam is None or not _within(raw.beam, (height, width)) else raw.beam
    if in_header is not None and (option == "auto" or height != width):
        return BeamCentre(*in_header, "header", float("nan"))
    if option is None:
        return None
    by_symmetry = beam_centre(grey(raw.pixels), mask=untrusted(raw))
    if by_symmetry.doubt:
        raise InputError(
            expected="a beam centre by symmetry (the pattern equals itself turned by 180 degrees)",
            found=by_symmetry.doubt,
            where=raw.source,
            remedy=f"give {key} as [row, column], or null",
        )
    return by_symmetry


def _within(point: tuple[float, float], shape: tuple[int, int]) -> bool:
    return all(0 <= at <= side - 1 for at, side in zip(point, shape, strict=True))


def _inside(centre: BeamCentre, raw: RawImage, remedy: str) -> BeamCentre:
    height, width = raw.pixels.shape[:2]
    if _within((centre.row, centre.column), (height, width)):
        return centre
    raise InputError(
        expected=f"a beam centre within {height} x {width} px",
        found=f"row {centre.row:g}, column {centre.column:g}",
        where=raw.source,
        remedy=remedy,
    )


def untrusted(raw: RawImage) -> np.ndarray:
    """``(H, W)`` bool: pixels of a pattern that do not count, by their values and by its mask."""
    # A table holds intensities with the background taken off, where noise goes below zero.
    bad = ~np.isfinite(raw.pixels) if raw.format == TABLE else bad_pixels(grey(raw.pixels))
    return bad if raw.mask is None else bad | raw.mask


def placement(
    raw: RawImage, centre: BeamCentre | None, size: int, q_per_px: float | None, key: str
) -> Placement:
    """The square around the beam, else around the middle: as wide as the shorter side, or as ``q_per_px`` asks.

    ``InputError`` where a scale is asked for and the pattern's own is not known.
    """
    height, width = raw.pixels.shape[:2]
    middle = ((height - 1) / 2, (width - 1) / 2) if centre is None else (centre.row, centre.column)
    if q_per_px is None:
        return Placement(middle, min(height, width), centre, centre is None and height == width)
    if raw.q_per_px is None:
        raise InputError(
            expected="the q per pixel of the pattern",
            found="none in its header",
            where=raw.source,
            remedy=f"give saxs_q_per_px_inv_nm in pairs.csv or a geometry (.poni), or set {key} to null",
        )
    return Placement(middle, size * q_per_px / raw.q_per_px, centre, False)


def centred_square(pixels: np.ndarray, placement: Placement) -> np.ndarray:
    """``(side, side[, channels])`` around the beam, side the shorter one; zeros, like gaps, beyond the edges.

    The scale of q stays what it is. Shifts are whole pixels.
    """
    side = min(pixels.shape[:2])
    top, left = (round(at + 0.5 - side / 2) for at in placement.middle)
    square = np.zeros((side, side, *pixels.shape[2:]), pixels.dtype)
    rows = slice(max(0, top), min(pixels.shape[0], top + side))
    columns = slice(max(0, left), min(pixels.shape[1], left + side))
    target = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    square[target] = pixels[rows, columns]
    return square


def is_counts(raw: RawImage) -> bool:
    """Whether the pixels are counts of a detector, and not the levels of a picture."""
    return raw.pixels.ndim == 2 and (raw.pixels.dtype != np.uint8 or raw.format not in PICTURE_FORMATS)


def picture_levels(raw: RawImage, pixels: np.ndarray, colormap: str | None, key: str) -> np.ndarray:
    """``(H, W)`` or ``(H, W, 3)`` float32 in [0, 1] of ``pixels``; in colours only where no map is undone.

    Detector counts are masked and log-scaled. ``InputError`` where the colours are not those of ``colormap``.
    """
    if pixels.dtype == np.uint8 and not is_counts(raw):
        values = pixels.astype(np.float32) / np.float32(255)
    else:
        values = scale_counts(pixels)
    if values.ndim == 2:
        return values
    colours = values[..., :3]
    if colormap is None or isgrey(colours):
        return colours
    intensity, distance = invert_colormap(colours, colormap)
    if float(distance.mean()) > FARTHEST_COLOUR:
        raise InputError(
            expected=f"the colours of the map {colormap}",
            found=f"a mean distance of {float(distance.mean()):.2f} from them",
            where=raw.source,
            remedy=f"set {key} to the map of these pictures, or to null",
        )
    return intensity.astype(np.float32)


def isgrey(colours: np.ndarray) -> bool:
    """Whether ``(H, W, 3)`` in [0, 1] holds one grey picture three times."""
    return float((colours.max(axis=2) - colours.min(axis=2)).mean()) < GREY_LEVELS / 255


def describe_centre(raw: RawImage, centre: BeamCentre | None) -> dict[str, Any]:
    """Where the beam was taken to be, for the data set's card."""
    if centre is None:
        return {"beam_from": "middle of the picture"}
    return {"beam_from": centre.how, "beam_centre": [round(centre.row, 2), round(centre.column, 2)]}


def geometry_warnings(
    raw: RawImage, centre: BeamCentre | None, geometry: GeometryOption, key: str
) -> list[str]:
    """Doubts about a beam centre from a header or a .poni file, and about a missing one."""
    height, width = raw.pixels.shape[:2]
    tilt = 0.0 if geometry is None else geometry_at(geometry).tilt_degrees
    tilted = (
        [f"a detector tilted by {tilt:.0f} degrees: q is right at the beam only"]
        if tilt > STEEPEST_TILT
        else []
    )
    if centre is None:
        if height == width:
            return tilted
        return [
            *tilted,
            f"not square ({height} x {width} px) and no beam centre known: the middle is taken for it - give {key}",
        ]
    if centre.how not in ("header", "poni"):
        return tilted
    by_symmetry = beam_centre(grey(raw.pixels), mask=untrusted(raw))
    apart = max(abs(by_symmetry.row - centre.row), abs(by_symmetry.column - centre.column))
    if by_symmetry.doubt or apart <= NEAR * min(height, width):
        return tilted
    return [
        *tilted,
        f"beam at row {centre.row:.0f}, column {centre.column:.0f} by the {centre.how}, but at "
        f"row {by_symmetry.row:.0f}, column {by_symmetry.column:.0f} by symmetry - give {key}",
    ]


def grey(pixels: np.ndarray) -> np.ndarray:
    """``(H, W)`` as it is, the mean colour of ``(H, W, 3|4)``."""
    return pixels if pixels.ndim == 2 else np.asarray(pixels[..., :3] @ np.full(3, 1 / 3, np.float32))
