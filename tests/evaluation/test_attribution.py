from __future__ import annotations

import numpy as np
import pytest

from pairvae.data.simulate.samples import sample_latents
from pairvae.data.simulate.saxs_pattern import colour_mapped, detect, expected_counts
from pairvae.data.simulate.structure import make_field
from pairvae.evaluation.attribution import likeness, occlusion, polar_parts, shares, shuffled, square_parts
from pairvae.numerics.ridge import ridge
from pairvae.settings.simulation import SimulationParameters

# Ladders alone: their grating spots lie far inside the ring, so that pitch and spacing show in different places.
PARAMETERS = SimulationParameters(
    sem_rows=208, sem_columns=240, saxs_px=96, saxs_window_nm=600, spacing_variation=0.03, pitch_variation=0.1
)
LADDERS, FILMS = 3, 60


def films() -> tuple[np.ndarray, np.ndarray]:
    """Patterns ``(N, 3, 96, 96)`` of simulated ladders, and their grating pitch and domain spacing, nm."""
    patterns, truth = [], []
    for index in range(LADDERS, 4 * FILMS, 4):
        latents = sample_latents(index, 5, PARAMETERS)
        rng = np.random.default_rng(index)
        expected = expected_counts(make_field(latents, PARAMETERS, rng), latents, PARAMETERS)
        patterns.append(
            np.moveaxis(colour_mapped(detect(expected, PARAMETERS, rng), PARAMETERS), -1, 0) / 255
        )
        truth.append((latents.pitch_nm, latents.spacing_nm))
    return np.array(patterns, np.float32), np.array(truth)


def test_explanations_point_to_the_grating_spots_for_the_pitch_and_to_the_ring_for_the_spacing() -> None:
    patterns, truth = films()
    model = ridge(patterns[:-4].reshape(len(patterns) - 4, -1), truth[:-4])

    def describe(arrays: np.ndarray) -> dict[str, np.ndarray]:
        found = model(arrays.reshape(len(arrays), -1)).astype(np.float64)
        return {"pitch": found[:, 0], "spacing": found[:, 1]}

    q_per_px = 2 * PARAMETERS.q_max_per_nm / PARAMETERS.saxs_px
    parts = polar_parts(patterns.shape[-2:], rings=12, sectors=6)
    share = {"pitch": np.zeros(len(parts)), "spacing": np.zeros(len(parts))}
    for one in range(len(patterns) - 4, len(patterns)):
        for name, changes in occlusion(patterns[one], patterns[:-4].mean(0), parts, describe).items():
            share[name] += shares(changes) / 4
    spot, ring = (2 * np.pi / (mean * q_per_px) for mean in truth.mean(0))

    def near(radius: float) -> np.ndarray:
        return (parts.radii[:, 0] - 4 < radius) & (radius < parts.radii[:, 1] + 4)

    horizontal = parts.azimuths == 0
    spots, around = (
        horizontal & (near(spot) | near(2 * spot)),
        ~horizontal & near(ring),
    )  # two orders of the grating
    assert share["pitch"][spots].mean() > 2 * share["pitch"][~spots].mean()
    assert share["pitch"][spots].sum() > 2 * share["spacing"][spots].sum()
    assert share["spacing"][around].mean() > 2 * share["spacing"][~around].mean()
    assert share["spacing"][around].sum() > 1.2 * share["pitch"][around].sum()


def test_parts_cover_a_pattern_with_opposite_sectors_together() -> None:
    parts = polar_parts((32, 32), rings=4, sectors=4)
    labels = parts.labels
    assert (labels == labels[::-1, ::-1]).all()
    assert len(parts) == 16 and set(np.unique(labels)) == set(range(-1, 16))
    assert parts.azimuths[labels[15, 31]] == 0 and parts.azimuths[labels[0, 15]] == 90
    painted = parts.painted(np.arange(16.0))
    assert painted[15, 31] == labels[15, 31] and np.isnan(painted[0, 0])


def test_only_the_part_that_matters_changes_the_number() -> None:
    image = np.zeros((1, 24, 24), np.float32)
    image[0, :4, :4] = np.eye(4)
    parts = square_parts((24, 24))
    corner = occlusion(image, 1 - image, parts, lambda arrays: {"corner": arrays[:, 0, 0, 0].astype(float)})
    assert corner["corner"][0] == 1 and not corner["corner"][1:].any()
    mixed = shuffled(image, parts, seed=0)
    assert mixed[0, :4, :4].sum() == 4 and not mixed[0, 4:].any()


def test_an_explanation_is_compared_with_that_of_another_model() -> None:
    changes = np.array([1.0, -5.0, 2.0, 0.0])
    assert likeness(changes, -changes) == pytest.approx(1)
    assert likeness(changes, np.zeros(4)) == 0
    assert not shares(np.zeros(3)).any()
