"""Levels and colours: known numbers, the way there and back, and the patterns whose map is not known."""

import numpy as np
import pytest
import torch

from colour_samples import apply_colormap
from pairvae.numerics.colormaps import coloured, known_colormap, levels


def intensities(count: int = 2) -> np.ndarray:
    """Smooth patterns ``(count, 6, 8)`` in [0, 1]."""
    return np.random.default_rng(0).random((count, 6, 8))


def in_colour(intensity: np.ndarray) -> np.ndarray:
    return np.moveaxis(apply_colormap(intensity, "vge"), -1, 1).astype(np.float32)


def test_colours_tell_their_map() -> None:
    assert known_colormap(in_colour(intensities())) == "vge"


def test_grey_and_foreign_colours_have_none() -> None:
    grey = np.repeat(intensities()[:, None], 3, axis=1).astype(np.float32)
    assert known_colormap(grey) is None
    assert known_colormap(in_colour(intensities())[:, ::-1]) is None, "red for blue"


def test_levels_undo_the_colours() -> None:
    found = levels(in_colour(intensities()), "vge")
    assert found.shape == (2, 6, 8)
    assert found == pytest.approx(intensities(), abs=1 / 255)


def test_levels_of_a_grey_pattern_are_the_mean_of_its_channels() -> None:
    pattern = np.stack([np.full((4, 5), value, np.float32) for value in (0.1, 0.2, 0.6)])[None]
    found = levels(pattern, None)
    assert found.dtype == np.float64
    assert found == pytest.approx(np.full((1, 4, 5), 0.3))


def test_levels_become_the_colours_of_a_table() -> None:
    table = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.5], [1.0, 1.0, 1.0]])
    given = torch.tensor([[[-1.0, 0.0, 0.25], [0.5, 0.75, 1.0]]])
    found = coloured(given, table)
    assert found.shape == (1, 3, 2, 3)
    red, green, blue = found[0]
    assert torch.allclose(red, torch.tensor([[0.0, 0.0, 0.5], [1.0, 1.0, 1.0]]))
    assert torch.allclose(green, torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.5, 1.0]]))
    assert torch.allclose(blue, torch.tensor([[0.0, 0.0, 0.25], [0.5, 0.75, 1.0]]))


def test_colours_lead_a_gradient_back_to_the_levels() -> None:
    table = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.5], [1.0, 1.0, 1.0]])
    given = torch.tensor([[[0.2, 0.7]]], requires_grad=True)
    coloured(given, table).sum().backward()
    assert given.grad is not None
    assert torch.allclose(
        given.grad, torch.tensor([[[3.0, 3.0]]])
    )  # 1.5 in colour for half a level, both times
