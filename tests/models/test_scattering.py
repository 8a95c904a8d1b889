"""The encoder of patterns reads the same from one pattern, whatever it was drawn with."""

from __future__ import annotations

import numpy as np
import torch

from pairvae.data.simulate import broad
from pairvae.models.scattering import ScatteringEncoder
from pairvae.numerics.scattering import harmonics


def _pattern(levels: np.ndarray, *, grey: bool) -> torch.Tensor:
    shown = np.repeat(levels[None], 3, axis=0)
    if not grey:
        pair = broad.broad_pair(0, 1, standard=True)
        shown = broad.coloured(broad.BroadPair(pair.grey, pair.phase, levels, pair.seen, pair.truth)) / 255
        shown = shown.transpose(2, 0, 1)
    return torch.from_numpy(shown.astype(np.float32))[None]


def test_colours_grey_levels_and_exposure_change_little() -> None:
    levels = broad.broad_pair(0, 1, standard=True).levels
    encoder = ScatteringEncoder(8, 4, 1)
    coloured, grey, dim = (
        encoder.features(_pattern(shown, grey=grey))
        for shown, grey in ((levels, False), (levels, True), (0.7 * levels, True))
    )
    rings = slice(harmonics.RADII)
    for other in (grey, dim):
        assert (coloured - other)[0, rings].abs().mean() < 0.05
    assert coloured[0, rings].abs().mean() > 0.5


def test_a_beamstop_and_gaps_are_filled_from_the_other_side() -> None:
    levels = broad.broad_pair(0, 1, standard=True).levels
    hidden = levels.copy()
    hidden[90:102, 90:] = 0
    hidden[20:30] = 0
    encoder = ScatteringEncoder(8, 4, 1)
    whole, part = (encoder.features(_pattern(shown, grey=True)) for shown in (levels, hidden))
    seen = slice(-harmonics.RADII - 1, -1)
    both = (whole[0, seen] > 0) & (part[0, seen] > 0)
    assert both.sum() > 20
    rings = slice(harmonics.RADII)
    assert (whole - part)[0, rings][both].abs().mean() < 0.1


def test_statistics_have_the_shape_of_the_latent_and_positive_widths() -> None:
    statistics = ScatteringEncoder(8, 4, 2)(torch.rand(3, 3, 64, 64))
    assert statistics.shape == (3, 8, 2, 2)
    assert (statistics[:, 4:] > 0).all()


def test_an_exported_program_takes_any_batch() -> None:
    encoder = ScatteringEncoder(8, 4, 1).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(encoder, (torch.rand(2, 3, 64, 64),), dynamic_shapes=({0: batch},)).module()
    patterns = torch.rand(5, 3, 64, 64)
    assert torch.allclose(program(patterns), encoder(patterns), atol=1e-5)
