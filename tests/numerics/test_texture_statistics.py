"""Texture statistics against formulas and against the score functions of numerics.morphology."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.numerics import descriptors, morphology, spacing, straight_runs
from pairvae.numerics import texture_statistics as texture

PERIOD = 8


def stripes(height: int, width: int, period: int = PERIOD) -> Tensor:
    """Vertical lines, half bright: bright runs across them of ``period / 2`` px."""
    row = (torch.arange(width) % period < period // 2).float()
    return row.expand(1, 1, height, width).clone()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4).float()


def test_autocovariance_at_lag_0_is_p_1_minus_p() -> None:
    images = noise(3, 1, 48, 64)
    share = images.mean((1, 2, 3))
    for periodic in (True, False):
        found = texture.autocovariance(images, periodic=periodic, lags=8)[:, 0, 8]
        torch.testing.assert_close(found, share * (1 - share))


def test_autocovariance_of_a_cosine_is_half_a_cosine_of_the_lag() -> None:
    x = torch.arange(64)
    wave = torch.cos(2 * torch.pi * x / PERIOD).expand(1, 1, 64, 64)
    found = texture.autocovariance(wave, periodic=True, lags=16)[0]
    lag = torch.arange(-16, 17)
    expected = 0.5 * torch.cos(2 * torch.pi * lag / PERIOD)
    torch.testing.assert_close(found, expected.expand(17, 33), atol=1e-5, rtol=0)


def test_autocovariance_of_stripes_is_a_triangle_wave_across_and_constant_along() -> None:
    found = texture.autocovariance(stripes(64, 64), periodic=True, lags=16)[0]
    lag = torch.arange(-16, 17)
    triangle = 0.25 - (lag.remainder(PERIOD) - PERIOD / 2).abs().neg().add(PERIOD / 2) / PERIOD
    torch.testing.assert_close(found, triangle.expand(17, 33), atol=1e-5, rtol=0)


def test_both_estimators_agree_on_a_tiling_of_whole_periods() -> None:
    tile = noise(1, 1, 8, 8)
    image = tile.repeat(1, 1, 16, 16)
    periodic = texture.autocovariance(image, periodic=True, lags=8)
    overlap = texture.autocovariance(image, periodic=False, lags=8)
    torch.testing.assert_close(periodic, overlap, atol=0.01, rtol=0)
    assert periodic.abs().max() > 0.2


def test_autocovariance_is_the_mean_product_of_pixels_a_lag_apart() -> None:
    images = noise(2, 1, 40, 56)
    found = texture.autocovariance(images, periodic=False, lags=12).double().numpy()
    centred = (images - images.mean((2, 3), keepdim=True))[:, 0].double().numpy()
    np.testing.assert_allclose(found[:, 0, 12], centred.var((1, 2)), atol=1e-6)
    right = (centred[:, 3:, 7:] * centred[:, :-3, :-7]).mean((1, 2))
    left = (centred[:, 3:, :-7] * centred[:, :-3, 7:]).mean((1, 2))
    np.testing.assert_allclose(found[:, 3, [12 + 7, 12 - 7]].T, [right, left], atol=1e-6)


def test_autocovariance_is_padded_with_zeros_where_the_image_is_small() -> None:
    images = noise(1, 1, 16, 16)
    found = texture.autocovariance(images, periodic=False, lags=32)
    assert found.shape == (1, 33, 65)
    torch.testing.assert_close(
        found[:, :9, 24:41], texture.autocovariance(images, periodic=False, lags=8), atol=1e-6, rtol=0
    )
    assert found[:, 9:].abs().max() == 0


def paths_by_hand(image: np.ndarray, length: int, axis: int) -> float:
    windows = np.lib.stride_tricks.sliding_window_view(image, length, axis=axis)
    return float(windows.all(-1).mean())


def test_lineal_paths_are_the_share_of_runs_that_fit() -> None:
    image = noise(1, 1, 64, 72)
    smooth = (torch.nn.functional.avg_pool2d(image, 5, 1, 2) > 0.4).float()
    found = texture.lineal_paths(smooth).reshape(2, 2, -1)
    for phase in (0, 1):
        bright = smooth[0, 0].numpy() == 1 - phase
        for axis in (0, 1):
            expected = [paths_by_hand(bright, length, axis) for length in straight_runs.LENGTHS]
            np.testing.assert_allclose(found[phase, axis], expected, atol=1e-6)


def test_lineal_paths_of_stripes() -> None:
    found = texture.lineal_paths(stripes(64, 64)).reshape(2, 2, -1)[0]
    lengths = torch.tensor(straight_runs.LENGTHS)
    torch.testing.assert_close(found[0], torch.full((9,), 0.5), msg="along the lines no run ends")
    starts = 8 * (PERIOD // 2 + 1 - lengths).clamp_min(0)
    torch.testing.assert_close(found[1], starts / (65 - lengths))


def test_lineal_paths_and_the_score_function_count_the_same_runs() -> None:
    """A pixel at least L px from both ends is the middle of a run of 2 L - 1 px; even runs lie half-way between."""
    image = stripes(64, 64, 16)
    found = texture.lineal_paths(image).reshape(2, 2, -1)[0, 1]
    scored = morphology.lineal_path(image[:, 0].numpy(), "horizontal", bins=9)[0] * float(image.mean()) * 64
    for place, length in enumerate(straight_runs.LENGTHS[:4]):
        half = length // 2
        runs = 0.5 * (scored[half - 1] + scored[half])
        assert float(found[place]) * (65 - length) == pytest.approx(runs, abs=1e-4)


def test_lineal_paths_longer_than_the_image_are_0() -> None:
    found = texture.lineal_paths(torch.ones(1, 1, 32, 32)).reshape(4, -1)
    lengths = torch.tensor(straight_runs.LENGTHS)
    assert torch.equal(found[0], (lengths <= 32).float())
    assert torch.equal(found[2], torch.zeros(9))


def test_filters_sum_to_0_and_are_bounded() -> None:
    bank = texture.filter_bank()
    torch.testing.assert_close(bank.sum((1, 2, 3)), torch.zeros(14), atol=1e-5, rtol=0)
    torch.testing.assert_close(bank.abs().sum((1, 2, 3)), torch.full((14,), 2.0))
    assert bank.shape == (14, 1, 15, 15)


def test_filters_tell_lines_from_their_transpose_and_see_no_uniform_image() -> None:
    lines = stripes(64, 64)
    across = texture.filter_responses(lines)
    assert (across - texture.filter_responses(lines.mT)).abs().max() > 0.05
    uniform = texture.filter_responses(torch.ones(1, 1, 32, 32)).reshape(3, 14)
    torch.testing.assert_close(uniform, torch.tensor([[0.5], [0.0], [0.0]]).expand(3, 14), atol=1e-5, rtol=0)


def test_euler_number_of_0_1_images_is_that_of_the_scores() -> None:
    images = noise(3, 1, 48, 64)
    expected = texture.EULER_AREA * descriptors.euler_density(images[:, 0].numpy())
    np.testing.assert_allclose(texture.euler_numbers(images)[:, 0], expected, rtol=1e-4)


def test_euler_number_counts_dots_less_holes() -> None:
    dots = torch.zeros(1, 1, 41, 41)
    dots[..., 2::10, 2::10] = 1.0
    assert texture.euler_numbers(dots).item() == pytest.approx(texture.EULER_AREA * 16 / 40**2)
    assert texture.euler_numbers(1 - dots).item() < 0


def test_euler_number_of_grey_images_is_the_mean_over_thresholds() -> None:
    image = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    levels = [texture.euler_numbers((image > level).float()) for level in torch.arange(0.0005, 1, 0.001)]
    torch.testing.assert_close(texture.euler_numbers(image), torch.stack(levels).mean(0), atol=0.02, rtol=0)


@pytest.mark.parametrize(("period", "within"), [(6, 0.001), (12, 0.002), (24, 0.03)])
def test_wave_number_of_a_wave_is_one_over_its_period(period: int, within: float) -> None:
    """Of four periods the window makes a broad line, whose mean logarithm lies lower."""
    wave = 0.5 + 0.5 * torch.cos(2 * torch.pi * torch.arange(96.0) / period).expand(2, 1, 96, 96)
    for image in (wave, wave.mT):
        found = texture.wave_numbers(image)
        torch.testing.assert_close(found, torch.full((2, 1), -math.log(period)), atol=within, rtol=0)


def test_wave_number_follows_the_spacing_of_the_scores() -> None:
    """Isotropic textures of known period, whose images are of different sides, too."""
    rng = np.random.default_rng(3)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(192), np.fft.fftfreq(192)))
    images = np.stack([
        np.fft.ifft2(np.fft.fft2(rng.normal(size=(192, 192))) * np.exp(-(((radius * period - 1) / 0.15) ** 2))).real > 0
        for period in np.linspace(9, 13, 9)
    ])  # fmt: skip
    found = texture.wave_numbers(torch.from_numpy(images.astype(np.float32))[:, None])[:, 0].numpy()
    assert np.abs(found + np.log(spacing.domain_spacing(images))).max() < 0.06
    part = texture.wave_numbers(torch.from_numpy(images[:, :96, :96].astype(np.float32))[:, None])[
        :, 0
    ].numpy()
    assert np.abs(part - found).mean() < 0.06
    assert np.corrcoef(found, -np.log(spacing.domain_spacing(images)))[0, 1] > 0.95


def test_wave_number_of_a_uniform_image_is_the_least_and_has_a_gradient() -> None:
    image = torch.full((1, 1, 96, 96), 0.5, requires_grad=True)
    found = texture.wave_numbers(image)
    found.sum().backward()
    assert found.item() == pytest.approx(math.log(3 / 96), abs=0.01)
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()


def test_coherence_tells_large_grains_from_small_ones() -> None:
    """Chequers of lines along the rows and along the columns: alike in autocovariance, not in how far they run."""
    rows, columns = np.mgrid[:192, :192]

    def grains(side: int) -> np.ndarray:
        across = (rows // side + columns // side) % 2 == 0
        return np.where(across, columns % 12 < 6, rows % 12 < 6).astype(np.float32)

    images = torch.from_numpy(
        np.stack([columns % 12 < 6, grains(96), grains(24), grains(12)]).astype(np.float32)
    )
    found = texture.coherence(images[:, None])
    assert found.shape == (4, 4)
    torch.testing.assert_close(found[0], torch.ones(4), atol=0.02, rtol=0)
    assert (found[:-1] - found[1:]).mean(1).min() > 0.05
    assert (found[1:3, :-1] - found[1:3, 1:]).min() > 0.01  # the larger the window, the more grains in it
    scored = descriptors.coherence(images.numpy())
    torch.testing.assert_close(found[:, 2].double(), torch.from_numpy(scored), atol=0.12, rtol=0)
    torch.testing.assert_close(
        texture.coherence(images[:1, None, :20, :28]), torch.ones(1, 4), atol=0.02, rtol=0
    )
    soft = torch.full((1, 1, 96, 96), 0.5, requires_grad=True)
    texture.coherence(soft).sum().backward()
    assert soft.grad is not None and torch.isfinite(soft.grad).all()


@pytest.mark.parametrize("shape", [(96, 96), (70, 96), (40, 65)])
def test_coherence_averages_over_windows(shape: tuple[int, int]) -> None:
    images = torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(0))
    pooled = F.avg_pool2d(images, 4, stride=2)
    across = (pooled[..., 2:] - pooled[..., :-2])[..., 1:-1, :]
    down = (pooled[..., 2:, :] - pooled[..., :-2, :])[..., 1:-1]
    fields = torch.cat(
        [across.square() - down.square(), 2 * across * down, across.square() + down.square()], 1
    )
    for number, window in enumerate((4, 8, 16, 32)):
        sides = [min(window, side) for side in fields.shape[-2:]]
        first, second, power = F.avg_pool2d(fields, sides, stride=window // 4).square().mean((2, 3)).unbind(1)
        torch.testing.assert_close(texture.coherence(images)[:, number], (first + second) / power)


def test_filters_answer_the_same_with_a_gradient_and_without() -> None:
    images = torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    differentiated = texture.filter_responses(images.clone().requires_grad_())
    torch.testing.assert_close(differentiated.detach(), texture.filter_responses(images))


def test_images_that_were_written_into_are_measured_again() -> None:
    images = torch.zeros(1, 1, 16, 16)
    before = texture.statistics(images, names=["phase_fraction"])["phase_fraction"]
    assert texture.statistics(images, names=["phase_fraction"])["phase_fraction"] is before
    images.fill_(1.0)
    assert texture.statistics(images, names=["phase_fraction"])["phase_fraction"].item() == 1.0


def test_what_inference_mode_measured_is_measured_again_for_training() -> None:
    images = noise(1, 1, 16, 16)
    with torch.inference_mode():
        texture.statistics(images, names=["phase_fraction"])
    known = texture.statistics(images, names=["phase_fraction"])["phase_fraction"]
    weight = torch.ones(1, requires_grad=True)
    (weight * known).sum().backward()
    assert weight.grad is not None


def test_statistics_of_a_sample_differ_less_than_those_of_samples() -> None:
    wide, narrow = stripes(64, 64, 16), stripes(64, 64, 8)
    moved = wide.roll(3, dims=-1)
    found = texture.statistics(wide, periodic=True)
    assert set(found) == set(texture.NAMES)
    same = texture.discrepancy(texture.statistics(moved, periodic=True), found)
    other = texture.discrepancy(texture.statistics(narrow, periodic=True), found)
    for name in ("autocovariance", "lineal_path", "filters"):
        assert 4 * same[name] < other[name], name
    assert same["phase_fraction"] == other["phase_fraction"] == 0


def test_discrepancy_of_equal_statistics_is_0() -> None:
    found = texture.statistics(noise(2, 1, 48, 48))
    assert all(value == 0 for value in texture.discrepancy(found, found).values())


def test_gradients_are_finite_and_reach_every_kind() -> None:
    wanted = texture.statistics(stripes(64, 64), periodic=True)
    for name in texture.NAMES:
        images = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        parts = texture.discrepancy(texture.statistics(images, periodic=True, names=(name,)), wanted)
        parts[name].backward()
        assert images.grad is not None
        assert torch.isfinite(images.grad).all(), name
        assert images.grad.abs().max() > 0, name


def test_gradient_of_straight_runs_is_that_of_their_definition() -> None:
    generator = torch.Generator().manual_seed(3)
    values = torch.rand(2, 1, 20, 60, generator=generator, dtype=torch.float64, requires_grad=True)
    for axis in (2, 3):
        shares = straight_runs.shares(values, axis)
        plain = []
        for length in straight_runs.LENGTHS:
            if length > values.shape[axis]:
                plain.append(torch.zeros(2, dtype=torch.float64))
            else:
                plain.append(values.unfold(axis, length, 1).amin(-1).mean((1, 2, 3)))
        expected = torch.stack(plain, dim=1)
        torch.testing.assert_close(shares, expected, rtol=0, atol=1e-12)
        weights = torch.randn(shares.shape, generator=generator, dtype=torch.float64)
        found = torch.autograd.grad((shares * weights).sum(), values)[0]
        wanted = torch.autograd.grad((expected * weights).sum(), values)[0]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(40, 16), (16, 40)])
def test_lags_beyond_half_of_either_side_are_zero(shape: tuple[int, int]) -> None:
    images = noise(1, 1, *shape)
    for periodic in (True, False):
        found = texture.autocovariance(images, periodic=periodic, lags=32)
        near = texture.autocovariance(images, periodic=periodic, lags=8)
        assert found.shape == (1, 33, 65)
        torch.testing.assert_close(found[:, :9, 24:41], near, atol=1e-6, rtol=0)
        assert found[:, 9:].abs().max() == 0 and found[:, :, :24].abs().max() == 0


def test_filters_are_second_derivatives_of_gaussians() -> None:
    y, x = np.mgrid[-7:8, -7:8].astype(float)
    wanted = []
    for scale in (1.5, 3.0):
        envelope = np.exp(-(x**2 + y**2) / (2 * scale**2))
        turned = [(x * np.cos(angle) + y * np.sin(angle)) / scale for angle in np.pi * np.arange(6) / 6]
        wanted += [(1 - along**2) * envelope for along in turned]
        wanted.append((2 - (x**2 + y**2) / scale**2) * envelope)
    for kernel, own in zip(wanted, texture.filter_bank()[:, 0].numpy(), strict=True):
        level = kernel - kernel.mean()
        np.testing.assert_allclose(own, 2 * level / np.abs(level).sum(), atol=1e-6)
