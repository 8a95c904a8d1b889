import numpy as np

from pairvae.numerics.thresholds import THRESHOLDS, binarise_sem, compare


def grating(drift: float) -> np.ndarray:
    """(120, 160) uint8: dark and bright stripes of 8 px on a background that rises by ``drift`` grey levels."""
    x = np.arange(160)
    row = 90 + 30 * np.sin(2 * np.pi * x / 16) + drift * x / 160
    return np.tile(np.clip(row, 0, 255), (120, 1)).astype(np.uint8)


def test_all_methods_find_half_of_an_even_grating() -> None:
    found = compare(grating(0), 5, 1.0, 64)
    assert set(found.binary) == set(THRESHOLDS)
    assert found.grey.shape == found.binary["otsu"].shape == (64, 64)
    for method in ("otsu", "li", "mean", "niblack"):
        assert abs(found.fractions[method] - 0.5) < 0.12, method


def test_an_uneven_background_misleads_global_levels_only() -> None:
    found = compare(grating(120), 5, 1.0, 120)
    assert abs(found.fractions["adaptive"] - 0.5) < 0.15
    assert (found.binary["otsu"][:, :16] == 0).all(), "a whole period is lost"
    assert 0.2 < found.binary["adaptive"][:, :16].mean() < 0.8


def test_the_adaptive_method_is_the_pipelines() -> None:
    image = grating(40)
    found = compare(image, 5, 1.0, 200)
    np.testing.assert_array_equal(found.binary["adaptive"], binarise_sem(image)[:, 20:140])
