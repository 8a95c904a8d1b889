"""Beam centre: the point about which a pattern equals itself turned by 180 degrees, and how reliable it is."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import scipy

from pairvae.modalities.readers.counts import BeamCentre, bad_pixels, scale_counts

COARSE_SIDE = 256  # px; the centre is searched at this size, then refined to a fraction of a coarse pixel
LEAST_OVERLAP = 0.2  # share of the trusted pixels that must lie opposite to trusted pixels
LEAST_ENERGY = 0.15  # of the variance that must lie there, too: a margin with a gap between modules has less
LEAST_SYMMETRY = (
    0.8  # 3 counts a pixel at the brightest still have it; grazing incidence and optics' shadows have less
)
LEAST_LEAD = 0.05  # of the correlation at the centre over the next best one elsewhere
APART = 0.06  # of the shorter side: nearer maxima belong to the same centre
STRONG = 0.8  # quantile of the pattern that the rim of a beamstop exceeds
STOP_REACH = 0.06  # of the shorter side: half the width of the widest shadow that counts as a beamstop
SHADOW_DEPTH = 0.3  # of the logarithmic levels: how much darker a beamstop is than what surrounds it
STOP_BLOCKS = 6  # coarse pixels of the smallest beamstop


def beam_centre(
    counts: np.ndarray, mask: np.ndarray | None = None, given: tuple[float, float] | None = None
) -> BeamCentre:
    """The beam's place in ``(H, W)`` counts: ``given`` (row, column), or the point of inversion symmetry.

    Friedel's law makes the pattern of a thin sample equal to itself turned by 180 degrees; the centre is
    where the masked correlation with the turned pattern is highest. Beamstop and gaps only lower the overlap.
    ``doubt`` of the result says why the centre is uncertain: little symmetry, a second centre of nearly
    the same symmetry, few pixels that overlap, or a beamstop elsewhere.
    """
    bad = bad_pixels(counts) if mask is None else mask
    picture = scale_counts(counts, bad)
    step = max(1, -(-max(counts.shape) // COARSE_SIDE))
    coarse, trusted = _shrink(picture, ~bad, step)
    score = _inversion_score(coarse, trusted)
    if given is not None:
        cell = tuple(round(2 * ((value + 0.5) / step - 0.5)) for value in given)
        inside = all(0 <= p < side for p, side in zip(cell, score.shape, strict=True))
        return BeamCentre(*given, "given", float(score[cell]) if inside else -1.0)
    row, column = (int(index) for index in np.unravel_index(int(score.argmax()), score.shape))
    peak = (row + _offset(score[:, column], row), column + _offset(score[row], column))
    centre = [(value / 2 + 0.5) * step - 0.5 for value in peak]
    beam = BeamCentre(float(centre[0]), float(centre[1]), "found", float(score.max()))
    return replace(beam, doubt=_doubt(coarse, trusted, score, (row, column)))


def _shrink(picture: np.ndarray, trusted: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over ``step`` x ``step`` blocks of the trusted pixels, and which blocks have any."""
    height, width = (side - side % step for side in picture.shape)
    weight = trusted[:height, :width].astype(np.float32)
    blocks = (height // step, step, width // step, step)
    total = weight.reshape(blocks).sum(axis=(1, 3))
    value = (picture[:height, :width] * weight).reshape(blocks).sum(axis=(1, 3)) / np.maximum(total, 1.0)
    return value, total > 0.5 * step * step


def _inversion_score(picture: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """``(2H - 1, 2W - 1)``: correlation of the picture with its inversion about the point (index / 2).

    Means are those of the overlap: with one mean for all, a bright corner would be like itself anywhere in it.
    """
    shape = tuple(2 * side - 1 for side in picture.shape)
    fast = tuple(scipy.fft.next_fast_len(side, real=True) for side in shape)
    weight = trusted.astype(np.float64)
    mean = float((picture * weight).sum() / max(weight.sum(), 1.0))
    centred = (picture - mean) * weight
    first, second, seen = (scipy.fft.rfft2(part, fast) for part in (centred, centred**2, weight))
    product, total, energy, overlap = (
        scipy.fft.irfft2(part, fast)[: shape[0], : shape[1]]
        for part in (first**2, first * seen, second * seen, seen**2)
    )
    shift = total**2 / np.maximum(overlap, 1.0)
    variance = energy - shift
    enough = (overlap >= LEAST_OVERLAP * weight.sum()) & (variance > 1e-9)
    enough &= variance >= LEAST_ENERGY * float((centred**2).sum())
    return np.where(enough, (product - shift) / np.where(enough, variance, 1.0), -1.0)


def _doubt(picture: np.ndarray, trusted: np.ndarray, score: np.ndarray, peak: tuple[int, int]) -> str:
    """Why the maximum of the score is no beam; nothing where it may be one."""
    height, width = picture.shape
    highest = float(score[peak])
    if highest < LEAST_SYMMETRY:
        return f"a correlation of {highest:.2f} at best with the pattern turned by 180 degrees"
    if score[max(0, peak[0] - 1) : peak[0] + 2, max(0, peak[1] - 1) : peak[1] + 2].min() <= -1:
        return "the best centre lies where too little of the pattern has an opposite side"
    rows, columns = np.ogrid[: score.shape[0], : score.shape[1]]
    away = np.hypot(rows - peak[0], columns - peak[1]) / 2 > max(2.0, APART * min(height, width))
    second = float(np.where(away, score, -1.0).max())
    if highest - second < LEAST_LEAD:
        return f"two centres of nearly the same symmetry ({highest:.2f} and {second:.2f})"
    centre = (peak[0] / 2, peak[1] / 2)
    return _beside_the_beamstop(picture, trusted, centre)


def _beside_the_beamstop(picture: np.ndarray, trusted: np.ndarray, centre: tuple[float, float]) -> str:
    """Whether a masked or dark patch amid strong scattering, as a beamstop is, lies elsewhere than the centre."""
    side = min(picture.shape)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(STOP_REACH * side) + 1,) * 2)
    filled = cv2.morphologyEx(np.where(trusted, picture, 0).astype(np.float32), cv2.MORPH_CLOSE, kernel)
    gaps = np.all(~trusted, axis=1, keepdims=True) | np.all(~trusted, axis=0, keepdims=True)
    wider = cv2.dilate(gaps.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    shadow = (filled - np.where(trusted, picture, 0) > SHADOW_DEPTH) & ~wider
    shadow &= filled > float(np.quantile(picture[trusted], STRONG))
    number, _, stats, _ = cv2.connectedComponentsWithStats(shadow.astype(np.uint8), connectivity=8)
    places: list[tuple[float, float, float]] = []
    for left, top, width, height, area in stats[1:number]:
        if area >= STOP_BLOCKS:
            middle = (top + (height - 1) / 2, left + (width - 1) / 2)
            beyond = (
                max(0.0, abs(at - middle_at) - (extent - 1) / 2)
                for at, middle_at, extent in zip(centre, middle, (height, width), strict=True)
            )
            places.append((float(np.hypot(*beyond)), middle[0], middle[1]))
    if not places or min(places)[0] <= APART * side:
        return ""
    down, across = (at / extent for at, extent in zip(min(places)[1:], picture.shape, strict=True))
    return f"the beamstop lies elsewhere, {down:.0%} from the top and {across:.0%} from the left"


def _offset(line: np.ndarray, maximum: int) -> float:
    """Sub-sample place of a maximum, from the parabola through it and its neighbours; in [-0.5, 0.5]."""
    if maximum in (0, len(line) - 1):
        return 0.0
    left, middle, right = (float(value) for value in line[maximum - 1 : maximum + 2])
    curvature = left - 2 * middle + right
    if curvature >= 0 or min(left, right) <= -1:
        return 0.0
    return max(-0.5, min(0.5, 0.5 * (left - right) / curvature))
