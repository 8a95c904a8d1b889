import cv2
import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.numerics import scattering
from pairvae.numerics.colormaps import invert_colormap
from pairvae.numerics.scattering import peaks
from real_files import real_file

SHAPE, CENTRE = (192, 192), (95.0, 97.0)


def polar() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    up, right = CENTRE[0] - rows, columns - CENTRE[1]
    return np.hypot(up, right), np.arctan2(up, right)


def ring_pattern(radius: float = 48.0, sigma: float = 5.0, halo: float = 5.0) -> np.ndarray:
    q = polar()[0]
    return np.exp(-((q - radius) ** 2) / (2 * sigma**2)) + halo * np.exp(-q / 8) + 0.05


def test_q_map_is_the_distance_from_the_centre() -> None:
    q = scattering.q_map((5, 7), (2, 3), q_per_px=0.1)
    assert q.shape == (5, 7)
    assert q[2, 3] == 0 and q[0, 3] == pytest.approx(0.2) and q[2, 6] == pytest.approx(0.3)


def test_azimuthal_average_of_a_constant_and_its_counts() -> None:
    profile = scattering.azimuthal_average(np.full(SHAPE, 3.0), CENTRE)
    assert len(profile.q) == 96
    assert np.allclose(profile.intensity, 3)
    assert profile.counts[0] == 1 and profile.counts[1] == 8  # the neighbours at 1 and sqrt(2) px
    assert profile.counts[:41].sum() == pytest.approx(np.pi * 40.5**2, rel=0.01)


def test_azimuthal_average_follows_the_intensity_and_the_scale() -> None:
    profile = scattering.azimuthal_average(polar()[0] ** 2, CENTRE, bins=48, q_per_px=0.01)
    assert np.allclose(profile.q, np.arange(48) * 0.02)
    assert np.allclose(np.sqrt(profile.intensity[3:]), profile.q[3:] / 0.01, rtol=0.02)


def test_masked_pixels_do_not_count() -> None:
    pattern, mask = ring_pattern(), np.zeros(SHAPE, bool)
    mask[:, 90:104] = True
    mask[85:105, 80:115] = True
    spoiled = np.where(mask, 1e6, pattern)
    clean = scattering.azimuthal_average(pattern, CENTRE)
    masked = scattering.azimuthal_average(spoiled, CENTRE, mask)
    assert np.isnan(masked.intensity[0]) and masked.counts[0] == 0
    assert np.allclose(masked.intensity[30:], clean.intensity[30:], rtol=0.03)


def test_azimuthal_profile_turns_counter_clockwise_from_the_right() -> None:
    phi = polar()[1]
    profile = scattering.azimuthal_profile(np.cos(phi - np.pi / 2), CENTRE, (30, 60))
    assert len(profile.phi) == 72
    assert np.allclose(profile.intensity, np.sin(profile.phi), atol=0.02)
    assert profile.phi[18] == pytest.approx(np.pi / 2)


@pytest.mark.parametrize("gap", [False, True])
def test_arcs_of_known_harmonics_even_behind_a_gap(gap: bool) -> None:
    phi = polar()[1]
    pattern = 2 * (1 + 0.3 * np.cos(2 * (phi - 0.4)) + 0.2 * np.cos(4 * (phi + 0.3)))
    mask = np.zeros(SHAPE, bool)
    mask[:, 85:110] = gap
    found = scattering.arcs(scattering.azimuthal_profile(pattern, CENTRE, (35, 60), mask=mask))
    assert found.contrast == pytest.approx(0.3, abs=0.01) and found.angle == pytest.approx(0.4, abs=0.02)
    assert found.fourfold_contrast == pytest.approx(0.2, abs=0.01)
    assert found.fourfold_angle == pytest.approx(-0.3, abs=0.02)


def test_arcs_need_data() -> None:
    empty = scattering.AzimuthalProfile(np.arange(8.0), np.full(8, np.nan))
    with pytest.raises(InputError, match="at least 5 directions, found 0"):
        scattering.arcs(empty)


@pytest.mark.parametrize("halo", [0.0, 2.0, 50.0])
def test_ring_is_found_beside_any_halo(halo: float) -> None:
    profile = scattering.azimuthal_average(ring_pattern(radius=47.6, halo=halo), CENTRE)
    ring = scattering.ring_peak(profile.q, profile.intensity)
    assert ring.position == pytest.approx(47.6, abs=0.5)
    assert ring.width == pytest.approx(2.355 * 5, rel=0.12)
    assert ring.height == pytest.approx(1, rel=0.1)


def test_ring_is_found_behind_a_dark_beamstop_and_in_noise() -> None:
    pattern = np.random.default_rng(0).poisson(20 * ring_pattern()).astype(float)
    pattern[polar()[0] < 12] = 0
    profile = scattering.azimuthal_average(pattern, CENTRE)
    assert scattering.ring_peak(profile.q, profile.intensity).position == pytest.approx(48, abs=1)


@pytest.mark.parametrize("shape", [(0.0, -1.0, 1.0), (0.3, -0.5, -2.0), (-0.2, 0.4, 0.1)])
def test_slopes_of_the_fitted_profile_are_its_differences(shape: tuple[float, float, float]) -> None:
    x = np.linspace(-1.5, 1.5, 31)
    y = np.exp(-2 * (x - 0.1) ** 2) + 0.3 * np.exp(-x) + 0.1 * np.sin(7 * x)
    slopes = peaks._profile(shape, x, y).slopes
    for one, step in enumerate(1e-6 * np.eye(3)):
        above, below = (
            peaks._profile(tuple(np.array(shape) + sign * step), x, y).residual  # type: ignore[arg-type]  # of three
            for sign in (1, -1)
        )
        np.testing.assert_allclose(slopes[:, one], (above - below) / 2e-6, atol=1e-6)


def test_a_profile_of_two_equal_terms_is_fitted_by_their_sum() -> None:
    x = np.linspace(-1.5, 1.5, 31)
    found = peaks._profile((0.0, -1.0, 0.0), x, np.full(31, 2.0))  # a decay of 0 is a constant
    np.testing.assert_allclose(found.residual, 0, atol=1e-12)
    np.testing.assert_allclose(found.amounts, [0, 1, 1], atol=1e-12)


def test_no_ring_is_nan() -> None:
    q = np.arange(60.0)
    assert np.isnan(scattering.ring_peak(q, np.exp(-q / 9)).position)
    assert np.isnan(scattering.ring_peak(q, np.full(60, np.nan)).position)


def test_parabolic_peak_is_exact_for_a_gaussian() -> None:
    x = np.arange(20.0) * 0.5
    assert scattering.parabolic_peak(x, np.exp(-((x - 4.13) ** 2) / 3)) == pytest.approx(4.13, abs=1e-9)
    assert np.isnan(scattering.parabolic_peak(x, np.zeros(20)))


def test_half_width_of_a_triangle() -> None:
    x = np.arange(11.0)
    assert scattering.half_width(x, np.maximum(0, 4 - np.abs(x - 5))) == pytest.approx(4.0)


def test_spots_are_found_to_a_fraction_of_a_pixel() -> None:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pattern = ring_pattern()
    for column, height in ((56.3, 2.0), (138.8, 3.0)):
        pattern += height * np.exp(-((rows - 95.4) ** 2 + (columns - column) ** 2) / 4)
    spots = scattering.spot_positions(pattern, CENTRE, 2)
    assert spots == pytest.approx(np.array([[95.4, 138.8], [95.4, 56.3]]), abs=0.25)


def test_missing_spots_are_nan() -> None:
    assert np.isnan(scattering.spot_positions(np.zeros(SHAPE), CENTRE, 3)).all()


def test_gaps_are_dark_in_every_pattern() -> None:
    patterns = np.random.default_rng(0).uniform(0.0, 1.0, (6, 64, 64, 3))
    patterns[:, 20:26] = 0.02
    patterns[:, :, 30:36] = 0.02
    patterns[:5, 40:50, 40:50] = 0.0  # dark in five of six: weak signal
    expected = np.zeros((64, 64), bool)
    expected[20:26] = expected[:, 30:36] = True
    assert np.array_equal(scattering.gap_mask(patterns), expected)
    assert np.array_equal(scattering.gap_mask(patterns[..., 0]), expected)


def test_power_spectrum_keeps_the_variance() -> None:
    noise = np.random.default_rng(0).normal(2.0, 3.0, (20, 64, 48))
    spectra = scattering.power_spectrum(noise)
    assert spectra.shape == noise.shape
    assert spectra.mean() == pytest.approx(9.0, rel=0.03)
    assert np.allclose(spectra[:, 32, 24], 0, atol=1e-18)


def test_power_spectrum_of_a_cosine_peaks_at_its_frequency() -> None:
    columns = np.cos(2 * np.pi * 8 * np.arange(64) / 64)
    spectrum = scattering.power_spectrum(np.tile(columns, (1, 64, 1)))[0]
    peaks = {tuple(index) for index in np.argwhere(spectrum > 0.5 * spectrum.max()).tolist()}
    assert peaks == {(32, 24), (32, 40)}


def test_stripes_of_30_nm_peak_at_their_q() -> None:
    nm_per_px, period_nm = 3.0, 30.0
    columns = np.cos(2 * np.pi * np.arange(200) * nm_per_px / period_nm)
    spectrum = scattering.power_spectrum(np.tile(columns, (1, 200, 1)))[0]
    q = scattering.q_map((200, 200), (100, 100), q_per_px=2 * np.pi / (200 * nm_per_px))
    assert q.ravel()[spectrum.argmax()] == pytest.approx(0.209, abs=5e-4)


def test_real_pattern() -> None:
    pattern = cv2.imread(str(real_file("true_saxs_b.png")))[..., ::-1] / 255
    intensity, residual = invert_colormap(pattern, "vge")
    assert residual.mean() < 0.03
    mask, centre = scattering.gap_mask(pattern[None]), (96.0, 96.5)
    assert np.flatnonzero(mask.mean(0) > 0.5).tolist() == list(range(89, 103))  # the beamstop's bar
    profile = scattering.azimuthal_average(intensity, centre, mask)
    ring = scattering.ring_peak(profile.q, profile.intensity)
    assert ring.position / 96 == pytest.approx(0.53, abs=0.03)
    spots = scattering.spot_positions(intensity, centre, 2, mask=mask)
    assert spots[:, 1] == pytest.approx([56, 137.5], abs=1)
    found = scattering.arcs(scattering.azimuthal_profile(intensity, centre, (40, 60), mask=mask))
    assert abs(found.fourfold_angle) == pytest.approx(np.pi / 4, abs=0.1)  # brighter arcs on the diagonals


def test_even_ring_lies_everywhere_and_does_not_vary() -> None:
    share, variation = scattering.arc_distribution(np.ones(SHAPE), CENTRE, 50.0)
    assert share == pytest.approx(np.full(90, 1 / 90))
    assert variation == pytest.approx(0.0, abs=1e-12)


def test_masked_pixels_make_no_spots_and_hold_none() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[:, 60:70] = True
    flat = np.full(SHAPE, 0.2)
    assert np.isnan(scattering.spot_positions(flat, CENTRE, 2, mask=mask, least_contrast=1e-6)).all()
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    hidden = flat + np.exp(-((rows - 95) ** 2 + (columns - 65) ** 2) / 30)
    found = scattering.spot_positions(hidden, CENTRE, 1, mask=mask)
    assert not 60 <= found[0, 1] < 70


@pytest.mark.parametrize("side", [3, 4])
def test_gaps_of_three_pixels_are_gaps_and_smaller_specks_are_not(side: int) -> None:
    patterns = np.full((2, 32, 40), 0.5)
    patterns[:, 5 : 5 + side, 10:13] = 0.0
    patterns[:, 20:23, 10 : 10 + side] = 0.0
    patterns[:, 5:7, 30:35] = 0.0
    patterns[:, 12:20, 30:32] = 0.0
    found = scattering.gap_mask(patterns)
    assert found[5 : 5 + side, 10:13].all() and found[20:23, 10 : 10 + side].all()
    assert found.sum() == 6 * side


def test_beamstop_is_left_out_where_it_ends_abruptly_in_a_halo() -> None:
    halo = np.exp(-np.arange(30) / 20)
    assert peaks._lit(np.concatenate([np.zeros(10), halo]), 10) == 9 + peaks.EDGE
    assert peaks._lit(halo, 0) == 0, "no darkness"
    assert peaks._lit(np.concatenate([np.zeros(10), np.linspace(0.1, 1, 20), halo]), 29) == 0, "no edge"
    assert peaks._lit(np.concatenate([np.zeros(10), np.exp(-np.arange(30) / 2)]), 10) == 0, "a ring, no halo"


def test_shoulder_of_the_halo_is_a_ring_where_there_is_no_peak() -> None:
    q = np.arange(80.0)
    profile = 40 * np.exp(-q / 9) + 0.35 * np.exp(-((q - 27) ** 2) / (2 * 5.0**2)) + 0.02
    assert (np.diff(profile) < 0).all()
    found = scattering.ring_peak(q, profile)
    assert found.position == pytest.approx(27, abs=1.0)
    assert found.width == pytest.approx(2.355 * 5, rel=0.2)
