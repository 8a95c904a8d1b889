"""Power spectra of images, and whether they agree with a scattering pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from pairvae.numerics.scattering.arcs import arc_distribution, turned_by
from pairvae.numerics.scattering.peaks import parabolic_peak, ring_peak
from pairvae.numerics.scattering.profiles import Centre, Floats, Mask, azimuthal_average


@dataclass(frozen=True)
class Calibration:
    """What pairs of a data set show of the agreement between image and pattern.

    Parameters
    ----------
    ratio : float
        The usual ring ratio. 1 where both scales are known and intensities are not compressed; colour scales are
        logarithmic and shift the ring by some percent, and unknown scales make it any number.
    ratio_tolerance : float
        How far the ratio strays, relative to the usual one.
    angle_tolerance : float
        How far arcs stray, degrees.
    """

    ratio: float = 1.0
    ratio_tolerance: float = 0.1
    angle_tolerance: float = 15.0


@dataclass(frozen=True)
class PhysicalCheck:
    """Whether images agree with a pattern.

    Parameters
    ----------
    ring_ratio : float
        Radius of the images' ring over that of the pattern.
    arc_angle_deg : float
        Between their arcs, 0 to 90.
    agrees : bool
        Whether both are within the tolerances.
    """

    ring_ratio: float
    arc_angle_deg: float
    agrees: bool


def physical_check(
    images: NDArray[Any],
    pattern: NDArray[Any],
    nm_per_px: float | None,
    q_per_px: float | None,
    *,
    mask: Mask | None = None,
    calibration: Calibration | None = None,
) -> PhysicalCheck:
    """Whether the power spectrum of images has the ring and the arcs of a given pattern; no reference is needed.

    Spectra are averaged over the central squares of the images; their arcs are those of the amplitude, since the
    levels of a pattern are compressed, too.

    Parameters
    ----------
    images : ndarray
        ``(S, H, W)``, binary.
    pattern : ndarray
        ``(h, w)``: intensity, or levels that keep its order, the beam at the middle.
    nm_per_px, q_per_px : float or None
        Pixel size of the images (nm), and q per pixel of the pattern (1/nm). Without one of them the ratio is rad/px
        of the images over px of the pattern, which only a ``calibration`` makes sense of.
    mask : ndarray, optional
        ``(h, w)``, True where the pattern shows nothing.
    calibration : Calibration, optional
        The usual ratio and the tolerances of true pairs.

    Returns
    -------
    PhysicalCheck
        The ratio of the rings, the angle between the arcs, and whether both are within the tolerances.
    """
    usual = calibration or Calibration()
    in_units = nm_per_px is not None and q_per_px is not None
    side = min(images.shape[1:])
    top, left = (images.shape[1] - side) // 2, (images.shape[2] - side) // 2
    decoded = scattering_of_images(images[:, top : top + side, left : left + side])
    given = scattering_of_pattern(pattern, mask)
    scale = (nm_per_px * q_per_px) if in_units and nm_per_px and q_per_px else 1.0
    ratio = decoded.ring / (given.ring * scale)
    angle = float(turned_by(decoded.arcs[None], given.arcs[None])[0])
    agrees = abs(ratio / usual.ratio - 1) <= usual.ratio_tolerance and angle <= usual.angle_tolerance
    return PhysicalCheck(float(ratio), angle, bool(agrees))


@dataclass(frozen=True)
class RingAndArcs:
    """A ring, and where on it the intensity lies.

    Parameters
    ----------
    ring : float
        Its radius, of images in rad/px and of a pattern in px; nan without one.
    arcs : ndarray
        ``(90,)``, as of :func:`arc_distribution`.
    """

    ring: float
    arcs: Floats


def scattering_of_images(images: NDArray[Any]) -> RingAndArcs:
    """Ring and arcs of the mean power spectrum of images.

    Parameters
    ----------
    images : ndarray
        ``(S, side, side)``.

    Returns
    -------
    RingAndArcs
        The radius in rad/px.
    """
    return scattering_of_spectrum(power_spectrum(images).mean(0))


def scattering_of_spectrum(spectrum: NDArray[Any]) -> RingAndArcs:
    """Ring and arcs of a power spectrum.

    The arcs are those of the amplitude, since the levels of a pattern are compressed, too.

    Parameters
    ----------
    spectrum : ndarray
        ``(side, side)``, the zero frequency at ``side // 2``.

    Returns
    -------
    RingAndArcs
        The radius in rad/px.
    """
    side = spectrum.shape[0]
    origin = (float(side // 2), float(side // 2))
    ring = _ring(spectrum, origin, None)
    return RingAndArcs(ring * 2 * np.pi / side, arc_distribution(np.sqrt(spectrum), origin, ring)[0])


def scattering_of_pattern(pattern: NDArray[Any], mask: Mask | None = None) -> RingAndArcs:
    """Ring and arcs of a pattern.

    Parameters
    ----------
    pattern : ndarray
        ``(h, w)``: intensity, or levels that keep its order, the beam at the middle.
    mask : ndarray, optional
        ``(h, w)``, True where the pattern shows nothing.

    Returns
    -------
    RingAndArcs
        The radius in px.
    """
    middle = ((pattern.shape[0] - 1) / 2, (pattern.shape[1] - 1) / 2)
    ring = _ring(pattern, middle, mask)
    return RingAndArcs(ring, arc_distribution(pattern, middle, ring, mask)[0])


def _ring(pattern: NDArray[Any], centre: Centre, mask: Mask | None) -> float:
    profile = azimuthal_average(pattern, centre, mask)
    position = ring_peak(profile.q, profile.intensity).position
    return position if position > 0 else float("nan")  # a fit that left the data


def calibrate(checks: Sequence[PhysicalCheck], quantile: float = 0.95, margin: float = 1.25) -> Calibration:
    """Usual ratio and tolerances, from checks of true training pairs.

    Parameters
    ----------
    checks : sequence of PhysicalCheck
        Of the pairs. Those without a ring are left out.
    quantile : float
        Share of the checks that keep the tolerances before the margin.
    margin : float
        Factor on both tolerances.

    Returns
    -------
    Calibration
        The median ratio and the tolerances; the defaults where no check has a ring.
    """
    ratios = np.array([check.ring_ratio for check in checks])
    angles = np.array([check.arc_angle_deg for check in checks])[np.isfinite(ratios)]
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return Calibration()
    middle = float(np.median(ratios))
    strays = np.abs(ratios / middle - 1)
    return Calibration(
        middle, margin * float(np.quantile(strays, quantile)), margin * float(np.quantile(angles, quantile))
    )


def power_spectrum(images: NDArray[Any]) -> Floats:
    """|FFT|^2 of images over the energy of a Hann window.

    Each image's mean is removed before the window is applied, so that edges leave no cross.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``.

    Returns
    -------
    ndarray
        ``(N, H, W)``, zero frequency at row H // 2, column W // 2. For a random image, the mean over all
        frequencies is its variance.
    """
    values = np.asarray(images, dtype=np.float64)
    window = np.outer(np.hanning(values.shape[1] + 2)[1:-1], np.hanning(values.shape[2] + 2)[1:-1])
    mean = (values * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    spectrum = scipy.fft.fft2((values - mean) * window)
    power = (spectrum.real**2 + spectrum.imag**2) / (window**2).sum()
    return np.asarray(np.fft.fftshift(power, axes=(1, 2)))


def horizontal_period(images: NDArray[Any]) -> Floats:
    """Period along the rows: that of a grating whose lines run vertically.

    Where the power on the horizontal axis of the spectrum (three rows of frequencies) peaks, times the squared
    frequency; periods of a third of the width or more do not count.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``.

    Returns
    -------
    ndarray
        ``(N,)`` px; nan for a uniform image.
    """
    power = power_spectrum(images)
    row, column = power.shape[1] // 2, power.shape[2] // 2
    line = power[:, row - 1 : row + 2, column:].mean(1)
    frequency = np.arange(line.shape[1], dtype=np.float64)
    octave = np.where(frequency > 3, line * frequency**2, 0.0)
    peaks = np.array([parabolic_peak(frequency, profile) for profile in octave])
    return np.asarray(power.shape[2] / peaks)
