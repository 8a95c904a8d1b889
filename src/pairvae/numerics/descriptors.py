"""Descriptors of two-phase images in a few numbers: phase fraction, domain spacing, orientation, Euler number.

Every function takes binary images ``(N, H, W)`` of {0, 1} (bool, integer or float), where 1 is the bright
phase, and returns one result per image along the first axis; a single ``(H, W)`` image counts as N = 1.
Lengths are in px. They are densities and ratios that do not grow with the image, so that a crop and the whole
micrograph that it was cut from can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from pairvae.numerics.scattering import half_width

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
CHUNK = 8  # larger parts leave the processor's caches: half as fast
LEAST_PERIODS = 3
COHERENT = 32  # px; about three domains of the published micrographs
BAND = 0.12  # standard deviation of the smoothing along the logarithm of the frequency


def batch(images: NDArray[Any]) -> NDArray[Any]:
    """``(N, H, W)`` of images ``(N, H, W)`` or one ``(H, W)``."""
    return images[None] if images.ndim == 2 else images


def chunks(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Parts of ``(N, H, W)`` that fit the processor's caches."""
    for start in range(0, len(images), CHUNK):
        yield images[start : start + CHUNK]


def phase_fraction(images: NDArray[Any]) -> Floats:
    """Share of bright pixels, ``(N,)`` in [0, 1]."""
    return np.asarray(batch(images).mean(axis=(1, 2), dtype=np.float64))


@lru_cache(maxsize=8)
def _rings(height: int, width: int) -> tuple[Integers, Floats, Floats]:
    """Ring, radius (both in 1 / shorter side) and weight (2 where it stands for its mirror image, too) of each
    frequency of ``rfft2``, flat."""
    side = min(height, width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    twice = np.full(frequency.shape, 2.0)
    twice[:, 0] = 1.0
    if width % 2 == 0:
        twice[:, -1] = 1.0
    radius = (frequency * side).ravel()
    return np.rint(radius).astype(np.int64), radius, twice.ravel()


def radial_spectra(images: NDArray[Any]) -> tuple[Floats, Floats]:
    """Azimuthally averaged power spectra ``(N, K)`` in rings of 1 / shorter side, and where each ring's power lies.

    The second is the ring's mean radius weighted by the power, ``(N, K)`` in units of the ring's width: a line's
    position is known better than that. Each image's mean is removed and a Hann window applied, so that edges
    leave no cross; all 0 for a uniform image.
    """
    values = batch(images)
    height, width = values.shape[1:]
    bins = min(height, width) // 2 + 1
    ring, radius, twice = _rings(height, width)
    counts = np.maximum(np.bincount(ring, weights=twice), 1)
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]).astype(np.float32)
    sums, moments = [], []
    for part in chunks(values):
        single = part.astype(np.float32)
        mean = (single * window).sum(axis=(1, 2), keepdims=True) / window.sum()
        transformed = scipy.fft.rfft2((single - mean) * window)
        power = (transformed.real**2 + transformed.imag**2).reshape(len(part), -1)
        for spectrum in power * twice:
            sums.append(np.bincount(ring, weights=spectrum)[:bins])
            moments.append(np.bincount(ring, weights=spectrum * radius)[:bins])
    total, moment = np.stack(sums), np.stack(moments)
    # A uniform image's spectrum is rounding errors, and they have a peak, too.
    total[uniform(values)] = 0.0
    radius_px = np.divide(
        moment, total, out=np.tile(np.arange(float(bins)), (len(total), 1)), where=total > 0
    )
    energy = float((window.astype(np.float64) ** 2).sum())
    return total / (counts[:bins] * energy), radius_px


@lru_cache(maxsize=8)
def _band_average(bins: int) -> Floats:
    """Matrix that averages a spectrum ``(bins,)`` over ``BAND`` of the frequency's logarithm, one row a bin."""
    position = np.log(np.maximum(np.arange(bins), 0.5))
    width = np.hypot(BAND, 0.7 / np.maximum(np.arange(bins), 1))[:, None]  # at least about a bin
    weight = np.exp(-0.5 * ((position[None] - position[:, None]) / width) ** 2)
    return np.asarray(weight / weight.sum(1, keepdims=True))


def _top(smooth: Floats) -> int:
    """The bin with the peak that holds most of the variance in a smooth spectrum; 0 without one.

    It is sought in the variance per octave (squared frequency times power): uneven illumination and broad
    patches have more power in one bin, but far less variance.
    """
    octave = np.arange(len(smooth)) ** 2 * smooth
    octave[:LEAST_PERIODS] = 0.0
    crest = (octave[1:-1] > octave[:-2]) & (octave[1:-1] >= octave[2:])
    inner = np.flatnonzero(crest) + 1
    inner = inner[inner > LEAST_PERIODS]
    start = int(inner[np.argmax(octave[inner])]) if len(inner) else int(np.argmax(octave))
    low = max(LEAST_PERIODS, int(start / 1.4))
    top = low + int(np.argmax(smooth[low : start + 1]))
    return start if top == low else top  # else it is the flank of something broader


def _centroid(spectrum: Floats, radius_px: Floats, height: float, top: int) -> float:
    """Position in rings of the peak around ``top``: the centroid of what exceeds half of its ``height``."""
    band = slice(max(LEAST_PERIODS - 1, int(top / 1.3)), int(np.ceil(top * 1.3)) + 2)
    excess = np.maximum(spectrum[band] - height / 2, 0.0)
    return float((excess * radius_px[band]).sum() / excess.sum())


def spacing_and_spread(images: NDArray[Any]) -> tuple[Floats, Floats]:
    """Both of :func:`domain_spacing` (px) and :func:`spacing_spread`, ``(N,)`` each, from one spectrum."""
    spectra, radius_px = radial_spectra(images)
    smooth = spectra @ _band_average(spectra.shape[1]).T
    narrow = scipy.ndimage.convolve1d(spectra, [0.25, 0.5, 0.25], axis=1)
    rings, side = np.arange(float(spectra.shape[1])), min(images.shape[-2:])
    spacing, spread = np.full(len(spectra), np.nan), np.full(len(spectra), np.nan)
    for index in np.flatnonzero(spectra.any(axis=1)):
        top = _top(smooth[index])
        position = _centroid(spectra[index], radius_px[index], smooth[index, top], top)
        band = slice(max(top // 2, 1), min(2 * top, len(rings)))
        spacing[index] = side / position
        spread[index] = half_width(rings[band], narrow[index, band]) / position
    return spacing, spread


def domain_spacing(images: NDArray[Any], nm_per_px: float = 1.0) -> Floats:
    """Dominant period of the morphology, ``(N,)`` in px (in nm with ``nm_per_px``); nan for a uniform image.

    Where the azimuthally averaged power spectrum has the peak with the most variance per octave, to a part of a
    bin. Periods longer than a third of the shorter side do not count.
    """
    return nm_per_px * spacing_and_spread(images)[0]


def spacing_spread(images: NDArray[Any]) -> Floats:
    """Full width at half maximum of the spectrum's peak over its position, ``(N,)``; nan without a peak.

    Small for a well-ordered pattern, limited by the window to about 3 periods / side; about 1 without any
    order.
    """
    return spacing_and_spread(images)[1]


def orientation_tensor(images: NDArray[Any], sigma: float = 1.0) -> Floats:
    """Order times (cos, sin) of twice the direction along the domains, ``(N, 2)`` in the unit disc.

    From the structure tensor of the image smoothed by ``sigma`` px, averaged over the image. (1, 0) are
    horizontal lines, (-1, 0) vertical ones, (0, 0) no preferred direction: unlike the angle, it does not jump
    where there is hardly any order.
    """
    return _order(images, COHERENT, sigma)[0]


def coherence(images: NDArray[Any], window: int = COHERENT, sigma: float = 1.0) -> Floats:
    """How parallel domains run, ``(N,)`` in [0, 1]: 1 where they are parallel within every ``window`` px.

    Mean square order of the structure tensor within square windows of ``window`` px, weighted by the square of the
    edges in each; as in :func:`orientation_tensor`, but grains count wherever they point. Small grains and dots
    have little. 0 for a uniform image; an image that is smaller than a window is one.
    """
    return _order(images, window, sigma)[1]


def _order(images: NDArray[Any], window: int, sigma: float) -> tuple[Floats, Floats]:
    """:func:`orientation_tensor` and :func:`coherence`, by sums over windows of the structure tensor."""
    tensors, coherences = [], []
    for part in chunks(batch(images)):
        smooth = np.stack([_smoothed(image, sigma) for image in part])
        down, right = np.gradient(smooth, axis=(1, 2))
        along_rows, along_columns = np.square(right), np.square(down)
        fields = np.stack([along_rows + along_columns, along_columns - along_rows, 2 * right * down])
        sums = np.stack([[cv2.integral(image, sdepth=cv2.CV_64F) for image in field] for field in fields])
        energy, difference, product = (sums[field, :, -1, -1] for field in range(3))
        scale = np.divide(1.0, energy, out=np.zeros_like(energy), where=energy > 0)
        tensors.append(np.stack([difference * scale, product * scale], axis=1))
        squares = np.square(_windows(sums, window)).sum((2, 3))
        coherences.append(
            np.divide(squares[1] + squares[2], squares[0], out=np.zeros_like(energy), where=squares[0] > 0)
        )
    return np.concatenate(tensors), np.concatenate(coherences)


def _windows(sums: Floats, window: int) -> Floats:
    """Integrals ``(..., H + 1, W + 1)`` over square windows that fit in, a quarter of ``window`` px apart."""
    high, wide = (min(window, side - 1) for side in sums.shape[-2:])
    step = max(window // 4, 1)
    rows, columns = (
        np.arange(0, side - reach, step) for side, reach in zip(sums.shape[-2:], (high, wide), strict=True)
    )
    top, bottom, left, right = rows[:, None], rows[:, None] + high, columns, columns + wide
    corners = [sums[..., row, column] for row in (top, bottom) for column in (left, right)]
    return np.asarray(corners[3] - corners[1] - corners[2] + corners[0])


def edge_roughness(images: NDArray[Any]) -> Floats:
    """Share of the pixels that a 3 x 3 median filter changes, ``(N,)`` in [0, 1].

    Specks of one or two pixels and ragged edges: smooth domains that are wider than 3 px have hardly any.
    """
    bright = (batch(images) > 0.5).astype(np.uint8)
    changed = [np.count_nonzero(cv2.medianBlur(image, 3) != image) / image.size for image in bright]
    return np.asarray(changed, dtype=np.float64)


def _smoothed(image: NDArray[Any], sigma: float) -> NDArray[np.float32]:
    single = np.ascontiguousarray(image, dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(single, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def orientation(images: NDArray[Any], sigma: float = 1.0) -> tuple[Floats, Floats]:
    """Direction along the domains, ``(N,)`` rad in (-pi/2, pi/2], and its order, ``(N,)`` in [0, 1].

    0 is horizontal, pi/2 vertical, positive angles turn counter-clockwise as seen on the image. Order is the
    difference of the structure tensor's eigenvalues over their sum, 1 for parallel lines and 0 without a
    preferred direction.
    """
    tensor = orientation_tensor(images, sigma)
    angle = np.arctan2(tensor[:, 1], tensor[:, 0]) / 2
    return np.where(angle <= -np.pi / 2, np.pi / 2, angle), np.hypot(tensor[:, 0], tensor[:, 1])


def euler_number(images: NDArray[Any]) -> Integers:
    """Bright domains minus the holes in them, ``(N,)``; pixels touching at corners only are not connected.

    Pixels - neighbouring pairs + full 2 x 2 blocks (the vertices, edges and faces of the bright phase).
    """
    bright = batch(images) > 0.5
    below, beside = bright[:, 1:] & bright[:, :-1], bright[:, :, 1:] & bright[:, :, :-1]
    blocks = below[:, :, 1:] & below[:, :, :-1]
    pixels, pairs, squares = (
        np.count_nonzero(bright, (1, 2)),
        np.count_nonzero(below, (1, 2)) + np.count_nonzero(beside, (1, 2)),
        np.count_nonzero(blocks, (1, 2)),
    )
    return np.asarray(pixels - pairs + squares, dtype=np.int64)


def euler_density(images: NDArray[Any]) -> Floats:
    """Euler number per px^2 of the pattern that the image is a window of, ``(N,)``, without edge effects.

    Each vertex counts with the edges and the face towards larger rows and columns, and only where all of these
    lie inside: the mean over windows is that of the unbounded pattern, however small they are, whereas
    :func:`euler_number` counts every domain that the edge cuts off.
    """
    bright = batch(images) > 0.5
    here, below, beside = bright[:, :-1, :-1], bright[:, 1:, :-1], bright[:, :-1, 1:]
    down, right = here & below, here & beside
    face = down & right & bright[:, 1:, 1:]
    count = [np.count_nonzero(part, (1, 2)) for part in (here, down, right, face)]
    sites = max(here.shape[1] * here.shape[2], 1)
    return np.asarray((count[0] - count[1] - count[2] + count[3]) / sites, dtype=np.float64)


def uniform(images: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether an image is all black or all white, ``(N,)``."""
    flat = batch(images).reshape(len(batch(images)), -1)
    return np.asarray(flat.max(axis=1) == flat.min(axis=1))


def describe(images: NDArray[Any]) -> dict[str, Floats]:
    """All descriptors ``(N,)`` by name.

    ``phase_fraction`` in [0, 1], ``spacing`` in px and its relative ``spacing_spread`` (nan for uniform images),
    ``orientation_x`` and ``orientation_y`` (:func:`orientation_tensor`), ``euler_density`` per px^2,
    ``coherence`` and ``edge_roughness`` in [0, 1].
    """
    spacing, spread = spacing_and_spread(images)
    tensor, coherent = _order(images, COHERENT, 1.0)
    return {
        "phase_fraction": phase_fraction(images),
        "spacing": spacing,
        "spacing_spread": spread,
        "orientation_x": tensor[:, 0],
        "orientation_y": tensor[:, 1],
        "euler_density": euler_density(images),
        "coherence": coherent,
        "edge_roughness": edge_roughness(images),
    }
