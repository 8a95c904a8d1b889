"""What SAXS patterns and the curves averaged from them share: the beam's place, colours back to intensities."""

from __future__ import annotations

from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.counts import BeamCentre, beam_centre, scale_counts
from pairvae.modalities.raw import RawImage
from pairvae.numerics.colormaps import invert_colormap
from pairvae.settings import BeamCentreOption

LEAST_SIDE = 32
LEAST_SYMMETRY = 0.5  # of a pattern with itself turned; below it no centre is believed
FARTHEST_COLOUR = 0.1  # mean distance in RGB from the map; JPEG and interpolation cost up to 0.05
GREY_LEVELS = 3.0  # of 255: channels that differ by less are one grey


def require_side(raw: RawImage) -> None:
    """Refuse pictures of fewer than 32 x 32 px (``InputError``)."""
    height, width = raw.pixels.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise InputError(
            expected=f"a pattern of at least {LEAST_SIDE} x {LEAST_SIDE} px",
            found=f"{height} x {width}",
            where=raw.source,
        )


def centre_of(raw: RawImage, option: BeamCentreOption, key: str) -> BeamCentre | None:
    """The beam's place (px) as given or found, or None where ``option`` leaves the pattern as it is.

    ``InputError`` where a given one lies outside, or none can be found; ``key`` names the setting.
    """
    if option is None:
        return None
    height, width = raw.pixels.shape[:2]
    if option != "auto":
        if option[0] > height - 1 or option[1] > width - 1:
            raise InputError(
                expected=f"a beam centre within {height} x {width} px",
                found=f"row {option[0]:g}, column {option[1]:g}",
                where=raw.source,
                remedy=f"mend {key}",
            )
        return BeamCentre(option[0], option[1], "given", float("nan"))
    found = beam_centre(_grey(raw.pixels))
    if found.symmetry < LEAST_SYMMETRY:
        raise InputError(
            expected="a pattern that equals itself turned by 180 degrees about the beam",
            found=f"a correlation of {found.symmetry:.2f} at best",
            where=raw.source,
            remedy=f"give {key} as [row, column], or null",
        )
    return found


def centred_square(pixels: np.ndarray, centre: BeamCentre) -> np.ndarray:
    """``(side, side[, channels])`` around the beam, side the shorter one; zeros, like gaps, beyond the edges.

    The scale of q stays what it is. Shifts are whole pixels.
    """
    side = min(pixels.shape[:2])
    top, left = (round(place + 0.5 - side / 2) for place in (centre.row, centre.column))
    square = np.zeros((side, side, *pixels.shape[2:]), pixels.dtype)
    rows = slice(max(0, top), min(pixels.shape[0], top + side))
    columns = slice(max(0, left), min(pixels.shape[1], left + side))
    target = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    square[target] = pixels[rows, columns]
    return square


def picture_levels(raw: RawImage, pixels: np.ndarray, colormap: str | None, key: str) -> np.ndarray:
    """``(H, W)`` or ``(H, W, 3)`` float32 in [0, 1] of ``pixels``; in colours only where no map is undone.

    Detector counts are masked and log-scaled. ``InputError`` where the colours are not those of ``colormap``.
    """
    if pixels.dtype == np.uint8:
        values = pixels.astype(np.float32) / np.float32(255)
    else:
        values = scale_counts(pixels)
    if values.ndim == 2:
        return values
    colours = values[..., :3]
    if colormap is None or is_grey(colours):
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


def is_grey(colours: np.ndarray) -> bool:
    """Whether ``(H, W, 3)`` in [0, 1] holds one grey picture three times."""
    return float((colours.max(axis=2) - colours.min(axis=2)).mean()) < GREY_LEVELS / 255


def describe_centre(raw: RawImage, centre: BeamCentre | None) -> dict[str, Any]:
    """Where the beam was taken to be, for the data set's card."""
    if centre is None:
        return {"beam_from": "middle of the picture"}
    return {"beam_from": centre.how, "beam_centre": [round(centre.row, 2), round(centre.column, 2)]}


def _grey(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 2 else np.asarray(pixels[..., :3] @ np.full(3, 1 / 3, np.float32))
