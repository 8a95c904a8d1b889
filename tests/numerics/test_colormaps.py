import numpy as np
import pytest

from colour_samples import apply_colormap
from pairvae.errors import InputError
from pairvae.numerics import colormaps


def test_table_runs_from_black_to_white_through_blue() -> None:
    table = colormaps.colormap_table("vge")
    assert table.shape == (256, 3)
    stops = [[0, 0, 0], [0, 0, 254], [188, 2, 107], [254, 55, 0], [254, 254, 0], [254, 254, 254]]
    assert np.allclose(table[::51] * 255, stops)


def test_inversion_returns_the_intensity() -> None:
    intensity = np.random.default_rng(0).random((4, 20, 30))
    found, residual = colormaps.invert_colormap(apply_colormap(intensity, "vge"), "vge")
    assert found.shape == residual.shape == intensity.shape
    assert np.abs(found - intensity).max() < 1 / 255
    assert residual.max() < 0.01


@pytest.mark.parametrize("name", list(colormaps.COLORMAPS))
def test_nearest_colour_is_the_nearest_of_all(name: str) -> None:
    """Of colours anywhere in RGB, and of the map's own: by lines as by looking at each of the 256."""
    table = colormaps.colormap_table(name)
    points = np.concatenate([np.random.default_rng(0).random((500, 3)), table])
    apart = np.linalg.norm(points[:, None] - table[None], axis=2)
    found, residual = colormaps.invert_colormap(points, name)
    np.testing.assert_allclose(apart[np.arange(len(points)), np.rint(255 * found).astype(int)], apart.min(1))
    np.testing.assert_allclose(residual, apart.min(1), atol=1e-7)


def test_foreign_colours_leave_a_residual() -> None:
    grey = np.repeat(np.linspace(0.2, 0.8, 50)[:, None], 3, axis=1)
    assert colormaps.invert_colormap(grey, "vge")[1].mean() > 0.1
    assert colormaps.invert_colormap(grey, np.repeat(np.linspace(0, 1, 64)[:, None], 3, 1))[1].max() < 0.02


def test_values_beyond_the_range_are_clipped() -> None:
    assert np.allclose(apply_colormap(np.array([-1.0, 2.0]), "vge"), [[0, 0, 0], [254 / 255] * 3])


def test_unknown_map_is_told() -> None:
    with pytest.raises(InputError, match="colour map among vge, found 'jet'"):
        colormaps.colormap_table("jet")
