"""Statistics of grey levels against numbers worked out by hand."""

import itertools

import numpy as np
import pytest
import torch

from pairvae.numerics.descriptors import describe, grey_quantiles
from pairvae.numerics.grey_statistics import histogram, joint_filters
from pairvae.numerics.images import micrographs
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.texture_statistics import filter_bank, statistics

DARK, BRIGHT = 0.2, 0.7


def phases(side: int = 48) -> np.ndarray:
    """(2, side, side) uint8 of 0 and 1: stripes of 12 px across and down."""
    stripes = np.tile(np.repeat([1, 1, 0], 4), (side, side // 12))
    return np.stack([stripes, stripes.T]).astype(np.uint8)


def grey(binary: np.ndarray) -> np.ndarray:
    return (DARK + (BRIGHT - DARK) * binary).astype(np.float32)


def test_correlation_of_two_grey_levels_follows_from_that_of_the_phases() -> None:
    binary = phases()
    share, step = 2 / 3, BRIGHT - DARK
    expected = (
        DARK**2 + 2 * DARK * step * share + step**2 * two_point_correlation(binary, estimator="periodic")
    )
    assert np.allclose(two_point_correlation(grey(binary), estimator="periodic"), expected, atol=1e-6)


def test_correlation_of_grey_levels_is_the_mean_product_over_pairs_of_pixels() -> None:
    image = np.random.default_rng(0).random((6, 7))
    products: dict[int, dict[tuple[int, int], list[float]]] = {}
    places = list(itertools.product(range(6), range(7)))
    for (y, x), (v, u) in itertools.product(places, places):
        lag = (v - y, u - x)
        if lag[1] > 0 or (lag[1] == 0 and lag[0] >= 0):
            ring = products.setdefault(int(np.hypot(*lag)), {})
            ring.setdefault(lag, []).append(image[y, x] * image[v, u])
    expected = [np.mean([np.mean(pairs) for pairs in products[r].values()]) for r in range(3)]
    assert np.allclose(two_point_correlation(image, bins=3)[0], expected, atol=1e-12)
    assert expected[0] == pytest.approx((image**2).mean())


def test_descriptors_of_grey_levels_are_those_without_phases() -> None:
    binary = phases(96)
    two, levels = describe(binary), describe(grey(binary))
    assert set(two) - set(levels) == {"phase_fraction", "euler_density", "edge_roughness"}
    assert levels["mean_level"] == pytest.approx(DARK + (BRIGHT - DARK) * 2 / 3)
    assert levels["contrast"] == pytest.approx((BRIGHT - DARK) * np.sqrt(2 / 9))
    for name in set(two) & set(levels):
        assert np.allclose(levels[name], two[name], atol=1e-3), name


def test_quantiles_differ_by_the_wasserstein_distance() -> None:
    image = grey(phases())
    quantiles = grey_quantiles(image)
    assert set(np.round(quantiles[0], 6)) == {0.2, 0.7}
    assert np.mean(quantiles[0] == np.float32(DARK)) == pytest.approx(1 / 3, abs=1 / 64)
    assert np.abs(grey_quantiles(image + 0.1) - quantiles).mean() == pytest.approx(0.1)


def test_histogram_is_cumulative_and_its_mean_is_the_mean_level() -> None:
    levels = torch.tensor([[[[0.0, 0.25], [0.5, 1.0]]]])
    found = histogram(levels)[0]
    assert found.tolist() == [0.75] * 4 + [0.5] * 4 + [0.25] * 8
    images = torch.rand(3, 1, 20, 20)
    assert torch.allclose(histogram(images).mean(1), images.mean((1, 2, 3)), atol=1e-6)


def test_joint_filters_do_not_depend_on_the_contrast_but_for_their_strength() -> None:
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    bank = filter_bank()
    weak, strong = joint_filters(0.5 * images, bank), joint_filters(images, bank)
    count = 3 * len(bank) // 2
    assert weak.shape == (2, 3 * count + count * (count - 1) // 2)
    assert torch.allclose(2 * weak[:, :count], strong[:, :count], rtol=1e-3)
    assert torch.allclose(weak[:, count:], strong[:, count:], atol=2e-3)
    inverted = joint_filters(1 - images, bank)
    skew = slice(2 * count, 3 * count)
    assert torch.allclose(inverted[:, skew], -strong[:, skew], atol=1e-4)
    assert torch.allclose(inverted[:, 3 * count :], strong[:, 3 * count :], atol=1e-4)


def test_joint_filters_tell_dots_from_lines_of_the_same_histogram() -> None:
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    lines = (torch.sin(2 * torch.pi * x / 8) + 1) / 2
    order = torch.argsort((torch.sin(2 * torch.pi * x / 8) * torch.sin(2 * torch.pi * y / 8)).flatten())
    dots = torch.empty(96 * 96)
    dots[order] = lines.flatten().sort().values
    first, second = (
        statistics(part.view(1, 1, 96, 96), names=["histogram", "joint_filters"]) for part in (lines, dots)
    )
    assert torch.allclose(first["histogram"], second["histogram"], atol=1e-6)
    assert (first["joint_filters"] - second["joint_filters"]).abs().mean() > 0.1


def test_a_uniform_image_has_finite_statistics_and_gradients() -> None:
    blank = torch.full((1, 1, 64, 64), 0.5, requires_grad=True)
    total = sum(part.sum() for part in statistics(blank, names=["histogram", "joint_filters"]).values())
    assert isinstance(total, torch.Tensor)
    total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert blank.grad is not None and torch.isfinite(blank.grad).all()


def test_micrographs_are_grey_levels_or_the_mode() -> None:
    decoded = np.array([[[[0.2, 0.6]]]], np.float32)
    assert micrographs(decoded, grey=True).tolist() == [[[pytest.approx(0.2), pytest.approx(0.6)]]]
    phases_of = micrographs(decoded, grey=False)
    assert phases_of.tolist() == [[[0, 1]]] and phases_of.dtype == np.uint8
