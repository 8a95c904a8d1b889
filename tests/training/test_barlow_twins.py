import math

import numpy as np
import pytest
import torch

from pairvae.models.paper.resnet import ResNet50
from pairvae.settings import PretrainSettings, resolve
from pairvae.training.barlow_twins import BarlowTwins, PretrainPlan, colour_matrix, jitter, view

CPU = torch.device("cpu")


def published() -> PretrainSettings:
    return resolve({"preset": "paper"}).pretrain


def images(count: int = 6) -> list[np.ndarray]:
    """Colour patterns and binary micrographs, of different sizes."""
    rng = np.random.default_rng(0)
    colour = [rng.random((3, 64, 64), np.float32) for _ in range(count // 2)]
    binary = [(rng.random((1, 80, 100)) > 0.5).astype(np.uint8) for _ in range(count - count // 2)]
    return [*colour, *binary]


def plan(**changes: object) -> PretrainPlan:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        twins = BarlowTwins(ResNet50(), (16, 8, 32))
    settings = published().model_copy(update={"batch": 4, **changes})
    return PretrainPlan(twins, images(), 32, settings, seed=3, device=CPU)


def test_published_projector_and_schedule() -> None:
    settings = published()
    assert settings.projector == (128, 64, 1024)
    assert (settings.learning_rate, settings.decay_steps, settings.epochs) == (0.2, 1000, 200)


@pytest.mark.parametrize("seed", range(5))
def test_views_are_colour_images_in_range(seed: int) -> None:
    for image in images():
        seen = view(image, 32, np.random.default_rng(seed))
        assert seen.shape == (3, 32, 32) and seen.dtype == np.float32
        assert 0 <= seen.min() < seen.max() <= 1


def test_a_view_of_one_channel_stays_grey() -> None:
    for seed in range(5):
        seen = view(images()[-1], 32, np.random.default_rng(seed))
        assert np.array_equal(seen[0], seen[1]) and np.array_equal(seen[0], seen[2])


def test_a_view_shows_a_quarter_to_a_half_of_the_shorter_side() -> None:
    """On a ramp along the rows the range of a view tells its share, where contrast is left alone."""
    ramp = np.broadcast_to(np.linspace(0, 1, 200, dtype=np.float32)[None, :, None], (1, 200, 300))
    spans = np.array([np.ptp(view(ramp, 64, np.random.default_rng(seed))) for seed in range(400)])
    untouched = np.sort(spans)
    assert 0.04 < untouched[0] < 0.25 * 1.8 and untouched[-1] < 0.5 * 1.8 + 0.01
    assert np.median(spans) == pytest.approx(0.375, abs=0.05)


def test_jitter_keeps_the_mean_and_changes_the_contrast() -> None:
    grey = np.random.default_rng(1).uniform(0.4, 0.6, (16, 16, 1)).astype(np.float32)
    ratios = []
    for seed in range(200):
        changed = jitter(grey, np.random.default_rng(seed))
        assert changed.mean() == pytest.approx(grey.mean(), abs=1e-5)
        ratios.append(changed.std() / grey.std())
    assert 0.2 <= min(ratios) < 0.25 and 1.75 < max(ratios) <= 1.8001


def test_colour_matrix() -> None:
    red = np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(colour_matrix(0.0, 1.0), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(colour_matrix(2 * math.pi, 1.0), np.eye(3), atol=1e-12)
    grey = colour_matrix(0.3, 0.0) @ red
    np.testing.assert_allclose(grey, np.full(3, 0.299), atol=1e-3)  # no saturation leaves the luminance
    back = colour_matrix(-0.7, 1.0) @ colour_matrix(0.7, 1.0)
    np.testing.assert_allclose(back, np.eye(3), atol=1e-12)


def test_batches_repeat_for_an_epoch_and_differ_between_epochs_and_twins() -> None:
    one = plan()
    first, again, later = (list(one.batches(epoch)) for epoch in (0, 0, 1))
    assert len(first) == one.steps() == 1  # 6 images in batches of 4, the remainder dropped
    assert torch.equal(first[0].inputs["first"], again[0].inputs["first"])
    assert not torch.equal(first[0].inputs["first"], first[0].inputs["second"])
    assert not torch.equal(first[0].inputs["first"], later[0].inputs["first"])


@pytest.mark.parametrize(("step", "rate"), [(0, 0.2), (500, 0.1), (1000, 0.0), (5000, 0.0)])
def test_rate_falls_as_a_cosine_to_zero(step: int, rate: float) -> None:
    assert plan().learning_rate(step) == pytest.approx(rate, abs=1e-12)


def test_descent_on_one_batch_lowers_the_loss_and_moves_the_whole_backbone() -> None:
    one = plan(learning_rate=0.05)
    one.module.train()
    optimiser = one.make_optimiser()
    before = {name: value.clone() for name, value in one.twins.network.named_parameters()}
    batch, generator = next(one.batches(0)), torch.Generator()
    seen = []
    for _ in range(6):
        terms = one.loss(batch, generator)
        optimiser.zero_grad()
        terms.total.backward()
        optimiser.step()
        seen.append(float(terms.total.detach()))
    assert seen[-1] < 0.9 * seen[0]
    still = [name for name, value in one.twins.network.named_parameters() if torch.equal(value, before[name])]
    assert still == []
    # inference will use the images' own statistics
    assert one.twins.network.state_dict()["bn1.running_mean"].any()
