"""Rings without bias, and the agreement of images with patterns."""

import numpy as np
import pytest

from pairvae.numerics import scattering
from pairvae.numerics.scattering import Calibration, PhysicalCheck


def profile(radius: float, sigma: float, halo: float, speckle: int | None = None) -> tuple[np.ndarray, ...]:
    """I(q) of a 256 px spectrum: a ring over a halo and a constant, with the speckle of one image."""
    centre = (128.0, 128.0)
    q = scattering.q_map((256, 256), centre)
    image = np.exp(-((q - radius) ** 2) / (2 * sigma**2)) + halo * np.exp(-q / 6) + 0.05
    if speckle is not None:
        image = image * np.random.default_rng(speckle).exponential(1.0, image.shape)
    found = scattering.azimuthal_average(image, centre)
    return found.q, found.intensity


@pytest.mark.parametrize(
    ("radius", "sigma"), [(17.6, 3.0), (23.3, 2.0), (23.3, 3.5), (40.2, 4.0), (90.3, 6.0)]
)
@pytest.mark.parametrize("halo", [0.0, 5.0, 50.0])
def test_ring_has_no_bias_over_any_background(radius: float, sigma: float, halo: float) -> None:
    ring = scattering.ring_peak(*profile(radius, sigma, halo))
    assert ring.position == pytest.approx(radius, rel=0.01)
    assert ring.width == pytest.approx(2.355 * sigma, rel=0.07)


@pytest.mark.parametrize(("radius", "sigma", "halo"), [(23.3, 2.0, 0.0), (23.3, 3.5, 5.0), (40.2, 4.0, 50.0)])
def test_ring_has_no_bias_in_speckle(radius: float, sigma: float, halo: float) -> None:
    rings = [scattering.ring_peak(*profile(radius, sigma, halo, seed)).position for seed in range(12)]
    assert np.mean(rings) == pytest.approx(radius, rel=0.01)
    assert np.std(rings) < 0.02 * radius


def tilted_lines(period: float, angle: float, side: int = 192) -> np.ndarray:
    """Four images of lines with wavy edges, ``(4, side, side)`` of 0 and 1."""
    rows, columns = np.mgrid[:side, :side].astype(float)
    along = columns * np.cos(angle) - rows * np.sin(angle)
    across = columns * np.sin(angle) + rows * np.cos(angle)
    waves = [0.35 * np.sin(2 * np.pi * across / (37 + 5 * k) + k) for k in range(4)]
    return np.stack([np.cos(2 * np.pi * along / period + wave) > 0 for wave in waves]).astype(np.uint8)


def spots_pattern(radius: float, angle: float, side: int = 192) -> np.ndarray:
    middle = (side - 1) / 2
    up, right = middle - np.mgrid[:side, :side][0], np.mgrid[:side, :side][1] - middle
    image = np.zeros((side, side))
    for sign in (-1, 1):
        image += np.exp(
            -((right - sign * radius * np.cos(angle)) ** 2 + (up - sign * radius * np.sin(angle)) ** 2) / 30
        )
    return image + 0.05 + np.exp(-np.hypot(up, right) / 8)


def test_lines_agree_with_their_own_pattern_and_with_no_other() -> None:
    images, nm_per_px, q_per_px = tilted_lines(11.0, 0.4), 3.0, 0.004
    radius = 2 * np.pi / (11.0 * nm_per_px) / q_per_px
    own = scattering.physical_check(images, spots_pattern(radius, 0.4), nm_per_px, q_per_px)
    assert own.ring_ratio == pytest.approx(1, abs=0.02)
    assert own.arc_angle_deg < 8 and own.agrees
    wider = scattering.physical_check(images, spots_pattern(radius * 1.25, 0.4), nm_per_px, q_per_px)
    assert wider.ring_ratio == pytest.approx(0.8, abs=0.02) and not wider.agrees
    turned = scattering.physical_check(images, spots_pattern(radius, 0.4 + np.pi / 4), nm_per_px, q_per_px)
    assert turned.arc_angle_deg == pytest.approx(45, abs=8) and not turned.agrees


def test_unknown_scales_are_learned_from_pairs() -> None:
    checks = [
        scattering.physical_check(tilted_lines(period, 0.2), spots_pattern(600 / period, 0.2), None, 0.004)
        for period in (10.0, 11.0, 12.0)
    ]
    learned = scattering.calibrate(checks)
    assert learned.ratio == pytest.approx(2 * np.pi / 600, rel=0.02)  # rad/px of the images over px
    again = scattering.physical_check(
        tilted_lines(10.5, 0.2), spots_pattern(600 / 10.5, 0.2), None, None, calibration=learned
    )
    assert again.ring_ratio / learned.ratio == pytest.approx(1, abs=0.02)


def test_calibration_of_checks_without_a_ring_is_the_default() -> None:
    nothing = PhysicalCheck(float("nan"), 90.0, False)
    assert scattering.calibrate([nothing]) == Calibration()
    some = [PhysicalCheck(ratio, 4.0, True) for ratio in (0.9, 1.0, 1.1)]
    found = scattering.calibrate([*some, nothing], quantile=1.0, margin=2.0)
    assert found.ratio == 1.0 and found.ratio_tolerance == pytest.approx(0.2)
    assert found.angle_tolerance == pytest.approx(8.0)


def test_uniform_images_do_not_agree() -> None:
    found = scattering.physical_check(np.ones((2, 64, 64)), spots_pattern(50, 0.0), 3.0, 0.004)
    assert np.isnan(found.ring_ratio) and not found.agrees


def test_tolerances_of_uncalibrated_checks() -> None:
    assert Calibration() == Calibration(ratio=1.0, ratio_tolerance=0.1, angle_tolerance=15.0)
