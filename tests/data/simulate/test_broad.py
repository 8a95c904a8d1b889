"""The broad world: one physics, seeded, of many kinds, and in the data layout where it is asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from pairvae.data.simulate import broad, broad_samples, broad_structures, simulated_folder
from pairvae.numerics.scattering import harmonics
from pairvae.settings.simulation import SimulationParameters


@pytest.mark.parametrize("index", range(len(broad_structures.KINDS)))
def test_a_pair_depends_on_its_index_and_seed_alone_and_is_what_was_drawn(index: int) -> None:
    first, again, other = (broad.broad_pair(index, seed) for seed in (3, 3, 4))
    assert np.array_equal(first.grey, again.grey)
    assert np.array_equal(first.levels, again.levels)
    assert not np.array_equal(first.phase, other.phase)
    assert first.truth.kind == list(broad_structures.KINDS)[index]
    assert abs(first.phase.mean() - first.truth.phase_fraction) < 0.02
    assert first.levels.min() >= 0
    assert first.levels.max() <= 1
    assert not first.levels[~first.seen].any()


def test_the_ring_lies_where_the_spacing_of_the_image_puts_it() -> None:
    found = []
    for index in range(0, 64, 8):  # waves
        pair = broad.broad_pair(index, 0)
        spectrum = np.abs(np.fft.fft2(pair.phase - pair.phase.mean())) ** 2
        wave = np.hypot(*np.meshgrid(*(np.fft.fftfreq(broad_structures.SIDE),) * 2, indexing="ij"))
        true = np.average(wave[wave > 0.02], weights=spectrum[wave > 0.02] ** 1.5)
        standard = broad.broad_pair(index, 0, standard=True)
        axis = (np.arange(broad.PATTERN) + 0.5 - broad.PATTERN / 2) / (broad.PATTERN / 2) * broad.Q_EDGE
        q = np.hypot(axis[:, None], axis[None, :])
        intensity = np.expm1(standard.levels * np.log1p(80 / 0.12))
        inside = (q > 0.02 * 2 * np.pi) & (q < broad.Q_EDGE)
        seen = np.average(q[inside], weights=intensity[inside] ** 1.5) / (2 * np.pi)
        if true < 0.8 * broad.Q_EDGE / (2 * np.pi):
            found.append(seen / true)
    assert len(found) >= 4
    assert np.median(np.abs(np.log(found))) < 0.1


def test_a_family_may_be_left_out() -> None:
    kinds = {broad.broad_pair(index, 0, frozenset({"spheres"})).truth.kind for index in range(8)}
    assert kinds == set(broad_structures.KINDS) - {"spheres"}


def test_it_is_written_in_the_data_layout_and_a_killed_run_goes_on(tmp_path: Path) -> None:
    physics = SimulationParameters(sem_nm_per_px=2.0)
    simulated_folder.simulate(tmp_path / "all", pairs=3, seed=1, parameters=physics, world="broad", workers=1)
    simulated_folder.write_first(tmp_path / "some", 1, physics, "broad")
    simulated_folder.simulate(
        tmp_path / "some", pairs=3, seed=1, parameters=physics, world="broad", workers=1
    )
    for name in ("pairs.csv", "truth.csv", "SEM/00002.tif", "SAXS/00000.jpg"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "some" / name).read_bytes()
    with (tmp_path / "all" / "pairs.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    edge = broad.broad_pair(0, 1).truth.q_edge_per_px
    assert float(row["saxs_q_per_px_inv_nm"]) * 96 * 2.0 == pytest.approx(edge, rel=1e-6)


def test_curves_turn_as_their_pattern_does() -> None:
    pair = broad.broad_pair(2, 5, standard=True)
    edge = torch.tensor([pair.truth.q_edge_per_px])
    straight = harmonics.curves_of_levels(torch.from_numpy(pair.levels)[None], edge)
    for turn in (1, 2, 3):
        levels = np.ascontiguousarray(broad_samples.turned_images(pair.levels, turn))
        expected = harmonics.curves_of_levels(torch.from_numpy(levels)[None], edge)
        turned = broad_samples.turned(straight, turn)
        assert (turned - expected).abs().max() < 0.02
        assert (straight - expected).abs().max() > 0.2  # of an oriented structure, so that the signs count


def test_curves_are_free_of_scale_offset_and_q_range() -> None:
    pair = broad.broad_pair(0, 5, standard=True)
    levels, seen = torch.from_numpy(pair.levels)[None], torch.ones(1, 192, 192)
    edge = torch.tensor([broad.Q_EDGE])
    plain = harmonics.radial_harmonics(levels, seen, edge)
    assert torch.allclose(harmonics.radial_harmonics(0.3 * levels + 0.2, seen, edge), plain, atol=1e-3)
    middle = levels[:, 48:-48, 48:-48]  # half of the q range
    half = harmonics.radial_harmonics(middle, seen[:, :96, :96], edge / 2)
    visible = half[0, -harmonics.RADII :] > 0
    rings = slice(harmonics.RADII)
    assert 0 < visible.sum() < (plain[0, -harmonics.RADII :] > 0).sum()
    both = torch.stack([half[0, rings][visible], plain[0, rings][visible]])
    assert torch.corrcoef(both)[0, 1] > 0.999


def test_samples_of_the_prior_are_kept_and_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broad_samples, "CHUNK", 3)
    made = broad_samples.broad_samples(tmp_path, 6, 0, workers=1)
    assert made.crops.shape == (6, 4, 192 * 192 // 8)
    assert made.curves.shape == (6, harmonics.SIZE)
    assert "spheres" not in set(made.kinds)
    monkeypatch.setattr(broad_samples, "broad_pair", None)  # a pair made anew would fail
    again = broad_samples.broad_samples(tmp_path, 6, 0, workers=1)
    assert np.array_equal(made.crops, again.crops)
