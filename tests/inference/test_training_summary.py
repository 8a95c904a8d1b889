"""What is remembered of the training data: unlike inputs are told, usual ones are not, by any number of crops."""

import numpy as np
import pytest

from pairvae.inference.out_of_distribution import (
    OutOfDistributionScore,
    familiar_arrays,
    familiar_crops,
    pooled,
    spread_crops,
)
from pairvae.inference.summary_file import packed, unpacked
from pairvae.inference.training_distance import DistanceScale
from pairvae.inference.training_summary import TrainingSummary, scattering_of

PATTERN = (3, 64, 64)
CROP = (1, 64, 64)


def ring(radius: float, seed: int, turned: float = 0.0) -> np.ndarray:
    """A grey pattern with a ring and two arcs."""
    rows, columns = np.mgrid[-31.5:32, -31.5:32]
    distance, angle = np.hypot(rows, columns), np.arctan2(rows, columns)
    arcs = np.cos(angle - turned) ** 2
    light = 0.2 + 0.7 * arcs * np.exp(-0.5 * ((distance - radius) / 2) ** 2) + 0.3 * np.exp(-distance / 10)
    noise = np.random.default_rng(seed).normal(0, 0.01, light.shape)
    return np.repeat(np.clip(light + noise, 0, 1)[None], 3, axis=0).astype(np.float32)


def stripes(period: float, seed: int, shape: tuple[int, int] = (256, 320)) -> np.ndarray:
    """Wavy binary stripes of a period in px, ``(1, H, W)``."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    waves = sum(
        generator.normal() * np.sin(rows / generator.uniform(10, 30) + generator.uniform(0, 6))
        for _ in range(4)
    )
    phase = columns / period + 0.25 * waves + generator.uniform()
    return (np.sin(2 * np.pi * phase) > 0).astype(np.uint8)[None]


def domains(period: float, seed: int, count: int = 4) -> np.ndarray:
    """Random two-phase images ``(count, 64, 64)`` of a period in px, whose scattering is ``ring`` with its arcs."""
    rows, columns = np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64), indexing="ij")
    distance, angle = np.hypot(rows, columns), np.arctan2(rows, columns)
    passed = np.exp(-0.5 * ((distance - 1 / period) / 0.02) ** 2) * np.cos(angle) ** 2
    noise = np.random.default_rng(seed).normal(size=(count, 64, 64))
    return (np.fft.ifft2(np.fft.fft2(noise) * passed).real > 0).astype(np.uint8)


def usual_patterns(count: int, first: int) -> np.ndarray:
    generator = np.random.default_rng(first)
    return np.stack([ring(generator.normal(16, 1.0), first + one) for one in range(count)])


@pytest.fixture(scope="module")
def patterns() -> OutOfDistributionScore:
    found = familiar_arrays(usual_patterns(40, 0))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def images() -> OutOfDistributionScore:
    generator = np.random.default_rng(1)
    crops = [spread_crops(stripes(generator.normal(11, 0.6), seed), CROP)[:8, 0] for seed in range(24)]
    found = familiar_crops(crops)
    assert found is not None
    return found


def test_usual_patterns_are_not_told(patterns: OutOfDistributionScore) -> None:
    found = [patterns.confidence(one, PATTERN).out_of_distribution for one in usual_patterns(60, 1000)]
    assert np.mean(found) <= 0.1


@pytest.mark.parametrize(
    "strange",
    [
        np.random.default_rng(0).random(PATTERN, dtype=np.float32),
        np.zeros(PATTERN, np.float32),
        ring(24, 3),
        ring(16, 4, turned=np.pi / 2),
        np.tile(np.linspace(0, 1, 64, dtype=np.float32), (3, 64, 1)),
    ],
    ids=["noise", "black", "other spacing", "turned", "gradient"],
)
def test_strange_patterns_are_told(patterns: OutOfDistributionScore, strange: np.ndarray) -> None:
    assert patterns.confidence(strange, PATTERN).out_of_distribution


@pytest.mark.parametrize("shape", [(64, 64), (128, 192), (256, 320)])
def test_usual_images_of_any_size_are_not_told(
    images: OutOfDistributionScore, shape: tuple[int, int]
) -> None:
    generator = np.random.default_rng(5)
    found = [
        images.confidence(stripes(generator.normal(11, 0.6), 100 + seed, shape), CROP).out_of_distribution
        for seed in range(30)
    ]
    assert np.mean(found) <= 0.2


def test_strange_images_are_told(images: OutOfDistributionScore) -> None:
    noise = np.random.default_rng(2).integers(0, 2, (1, 256, 320), dtype=np.uint8)
    for strange in (noise, stripes(11, 3).swapaxes(1, 2), stripes(20, 4), np.ones((1, 256, 320), np.uint8)):
        assert images.confidence(strange, CROP).out_of_distribution


def test_fewer_crops_are_allowed_to_stray_farther() -> None:
    none = np.zeros(0, np.float32)
    one = OutOfDistributionScore(
        none, none, none, none, DistanceScale(4, 1.0, 2.0), crops=10, crop_threshold=4.0
    )
    assert one.threshold(1) == pytest.approx(4.0)
    assert one.threshold(10) == pytest.approx(2.0)
    assert one.threshold(1) > one.threshold(3) > one.threshold(30)


def test_pooling_averages_squares() -> None:
    array = np.arange(96 * 100, dtype=np.float32).reshape(1, 1, 96, 100)
    found = pooled(array).reshape(48, 33)
    assert found[0, 0] == pytest.approx(array[0, 0, :2, :3].mean())
    assert found[47, 32] == pytest.approx(array[0, 0, 94:96, 96:99].mean())


def test_too_few_training_inputs_say_nothing() -> None:
    assert familiar_arrays(usual_patterns(2, 0)) is None
    assert familiar_crops([np.zeros((2, 64, 64), np.uint8)] * 2) is None


def test_true_pairs_agree_and_strangers_do_not() -> None:
    """A period of p px in a 64 px image is a ring at 64 / p px of its spectrum, here at 128 / p of the pattern."""
    generator = np.random.default_rng(7)
    periods = generator.normal(8, 0.5, 12)
    crops = [domains(period, seed) for seed, period in enumerate(periods)]
    given = np.stack([ring(128 / period, seed) for seed, period in enumerate(periods)])
    facts = scattering_of(("sem", "saxs"), crops, given)
    found = facts.agreement(domains(8, 50), ring(16, 51))
    assert found.agrees and found.ring_ratio == pytest.approx(1, abs=0.1)
    assert not facts.agreement(domains(8, 52), ring(24, 53)).agrees


@pytest.mark.parametrize("images", [np.eye(9, dtype=np.uint8)[None], np.linspace(0, 1, 81).reshape(1, 9, 9)])
def test_kept_micrographs_are_read_as_they_were_to_8_bit(images: np.ndarray) -> None:
    found = unpacked(*packed(TrainingSummary(micrographs=images))).micrographs
    assert found is not None and found.dtype.kind == images.dtype.kind
    np.testing.assert_allclose(found, images, atol=0.5 / 255)
