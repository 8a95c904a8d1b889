"""Descriptors with known numbers: gratings, discs, rings, lattices, and the same on crops as on whole images."""

import numpy as np
import pytest

from pairvae.numerics import descriptors, spacing
from pairvae.numerics.images import uniform


def grating(period: float, angle: float = np.pi / 2, shape: tuple[int, int] = (192, 192)) -> np.ndarray:
    """Lines along ``angle`` (counter-clockwise from the horizontal axis)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.cos(2 * np.pi * (columns * np.sin(angle) + rows * np.cos(angle)) / period) > 0


def lattice(step: int, cells: int, kind: str) -> np.ndarray:
    """Discs, or rings, on a square lattice of ``step`` px."""
    offset = np.arange(step) - step // 2
    radius = np.hypot(*np.meshgrid(offset, offset))
    cell = (radius <= 5) if kind == "discs" else (radius <= 7) & (radius >= 3.5)
    return np.tile(cell, (cells, cells))


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.6, 1.2, np.pi / 2])
@pytest.mark.parametrize("period", [5.3, 8.3, 10.0, 11.3, 14.7])
def test_spacing_of_gratings_in_nm(period: float, angle: float) -> None:
    measured = spacing.domain_spacing(grating(period, angle), nm_per_px=2.9)
    assert measured == pytest.approx([2.9 * period], rel=0.005)


def test_spacing_of_a_few_periods_is_right_within_three_percent() -> None:
    for angle in (0.0, 0.4, 1.1):
        assert spacing.domain_spacing(grating(40.0, angle)) == pytest.approx([40.0], rel=0.03)


@pytest.mark.parametrize("shape", [(24, 30), (31, 25)])
def test_radial_spectrum_is_the_mean_of_the_whole_transform_in_rings(shape: tuple[int, int]) -> None:
    """Against the transform with all its mirror images, ring by ring."""
    image = np.random.default_rng(3).random(shape)
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in shape))
    power = np.abs(np.fft.fft2((image - (image * window).sum() / window.sum()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])) * min(shape)
    spectra, places = spacing.radial_spectra(image)
    assert spectra.shape == places.shape == (1, min(shape) // 2 + 1)
    for ring, (found, place) in enumerate(zip(spectra[0], places[0], strict=True)):
        inside = np.rint(radius) == ring
        assert found == pytest.approx(power[inside].mean() / (window**2).sum(), rel=1e-4)
        assert place == pytest.approx(np.average(radius[inside], weights=power[inside]), rel=1e-4)


def test_a_flat_spectrum_stays_flat_when_it_is_smoothed() -> None:
    assert spacing._band_average(97) @ np.ones(97) == pytest.approx(np.ones(97))


def test_broad_patches_of_a_whole_image_do_not_hide_the_domains() -> None:
    """A micrograph that has no domains in parts: most power in one bin is that of the patches."""
    shape = (830, 1280)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    patches = np.sin(columns / 130) + np.cos(rows / 110 + columns / 300) > 0.4
    image = grating(11.3, 0.7, shape) & ~patches
    spectrum, _ = spacing.radial_spectra(image)
    assert spectrum[0].argmax() < 10
    assert spacing.domain_spacing(image) == pytest.approx([11.3], rel=0.02)


def test_spread_grows_with_disorder() -> None:
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:192, :192]
    phase = np.cumsum(generator.normal(scale=0.25, size=192))[None, :] + 0 * rows
    wavering = np.cos(2 * np.pi * columns / 11 + phase) > 0
    straight, disordered = spacing.spacing_and_spread(np.stack([grating(11), wavering]))[1]
    assert straight < 0.15 < disordered


def test_uniform_images_have_no_period_and_no_orientation() -> None:
    blank = np.stack([np.zeros((64, 64)), np.ones((64, 64)), grating(8, shape=(64, 64))])
    assert uniform(blank).tolist() == [True, True, False]
    found = descriptors.describe(blank.astype(np.uint8))
    assert np.isnan(found["spacing"]).tolist() == [True, True, False]
    assert np.isnan(found["spacing_spread"]).tolist() == [True, True, False]
    assert found["orientation_x"][:2].tolist() == [0, 0]
    assert found["euler_density"][:2].tolist() == [0, 0]


@pytest.mark.parametrize("angle", [-1.2, -0.5, 0.0, 0.7, np.pi / 2])
def test_orientation_tensor_of_rotated_gratings(angle: float) -> None:
    tensor = descriptors.orientation_tensor(grating(12, angle))[0]
    assert tensor == pytest.approx([np.cos(2 * angle), np.sin(2 * angle)], abs=0.06)
    found, order = descriptors.orientation(grating(12, angle))
    assert order == pytest.approx([np.hypot(*tensor)])
    assert np.exp(2j * found) == pytest.approx(np.exp([2j * angle]), abs=0.05)


def test_perpendicular_halves_have_no_orientation() -> None:
    image = np.concatenate([grating(12, 0.0, (96, 192)), grating(12, np.pi / 2, (96, 192))])
    assert np.hypot(*descriptors.orientation_tensor(image)[0]) < 0.05


def test_domains_that_run_alike_within_grains_are_coherent_wherever_the_grains_point() -> None:
    """Grains of 96 px hold whole windows, those of 16 px none; a window on a border counts as mixed."""

    def grains(side: int) -> np.ndarray:
        turned = (np.add.outer(np.arange(192) // side, np.arange(192) // side) % 2).astype(bool)
        return np.where(turned, grating(12, np.pi / 2), grating(12, 0.0))

    parallel, large, small = descriptors.coherence(np.stack([grating(12, 0.6), grains(96), grains(16)]))
    assert parallel > 0.95
    assert 0.6 < large < 0.9
    assert small < 0.2
    assert descriptors.coherence(lattice(20, 6, "discs"))[0] < 0.1
    assert descriptors.coherence(np.zeros((2, 20, 20))).tolist() == [0, 0]
    assert descriptors.coherence(grating(8, shape=(20, 24)))[0] > 0.95


def test_coherence_of_one_window_is_the_square_of_the_order() -> None:
    image = grating(11, 0.4, (64, 64)) ^ lattice(16, 5, "discs")[:64, :64].astype(bool)
    order = descriptors.orientation(image)[1]
    assert descriptors.coherence(image, window=64) == pytest.approx(order**2)


def test_roughness_counts_specks_and_ragged_edges() -> None:
    smooth = grating(12, 0.5)
    generator = np.random.default_rng(0)
    specks = np.zeros_like(smooth)
    specks[10:180:10, 10:180:10] = True
    ragged = smooth ^ (generator.random(smooth.shape) < 0.05)
    found = descriptors.edge_roughness(np.stack([smooth, specks, ragged]))
    assert found[0] < 0.005
    assert found[1] == pytest.approx(specks.mean())
    assert found[2] > 0.04


def test_euler_density_of_a_lattice_does_not_depend_on_the_window() -> None:
    image = lattice(20, 12, "discs")
    assert descriptors.euler_density(image[:121, :161]) == pytest.approx([1 / 400])
    windows = np.stack([image[r : r + 61, c : c + 61] for r in range(20) for c in range(20)])
    assert descriptors.euler_density(windows) == pytest.approx(np.full(400, 1 / 400))
    rings = lattice(20, 12, "rings")
    assert descriptors.euler_density(rings[:121, :161]) == pytest.approx([0], abs=1e-12)
    assert descriptors.euler_density(~rings[:121, :161]) == pytest.approx([0], abs=1e-12)


def test_all_descriptors_of_a_crop_are_those_of_the_whole() -> None:
    generator = np.random.default_rng(1)
    whole = grating(11, 1.0, (600, 800)) ^ (generator.random((600, 800)) < 0.02)
    crops = np.stack([whole[r : r + 192, c : c + 192] for r, c in generator.integers(0, 400, (12, 2))])
    one, several = descriptors.describe(whole), descriptors.describe(crops)
    assert set(one) == set(several)
    for name in set(one) - {"spacing_spread"}:
        tolerance = 3 * several[name].std() / np.sqrt(12) + 0.004 * abs(one[name][0])
        assert several[name].mean() == pytest.approx(one[name][0], abs=tolerance), name


def test_a_batch_is_its_images() -> None:
    images = np.stack([grating(8 + number, 0.1 * number, (64, 70)) for number in range(11)])
    together = descriptors.describe(images)
    for number in (0, 7, 10):
        alone = descriptors.describe(images[number])
        assert {name: values[0] for name, values in alone.items()} == pytest.approx(
            {name: values[number] for name, values in together.items()}, rel=1e-6, abs=1e-6
        )
