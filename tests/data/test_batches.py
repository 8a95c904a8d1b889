"""Batches and crops: who is drawn when, and that a draw depends on its seed and round alone."""

from itertools import chain

import numpy as np
import pytest
import torch

from pairvae.data.batches import CropSchedule, batches, cut, noise_generator, steps_per_epoch, stream

SHAPES = [(40, 50), (32, 64), (100, 33)]


def drawn(count: int, batch: int, *, epochs: int = 1, seed: int = 0, number: int = 0) -> list[list[int]]:
    found = batches(count, batch, epochs=epochs, seed=seed, round_number=number)
    return [one.tolist() for one in found]


def test_each_epoch_covers_all_samples_once() -> None:
    found = drawn(12, 4, epochs=3)
    assert [len(one) for one in found] == [4] * 9
    for number in range(3):
        assert sorted(chain(*found[3 * number : 3 * number + 3])) == list(range(12))
    assert found[:3] != found[3:6], "each epoch has its own order"


def test_samples_that_fill_no_batch_are_left_out() -> None:
    found = drawn(10, 4, epochs=2)
    assert [len(one) for one in found] == [4, 4, 4, 4]
    assert len(set(chain(*found[:2]))) == 8


def test_batch_larger_than_the_data_is_cut() -> None:
    found = drawn(3, 8, epochs=2)
    assert [sorted(one) for one in found] == [[0, 1, 2], [0, 1, 2]]


def test_published_steps_at_48_pairs() -> None:
    assert steps_per_epoch(48, 8) == 6
    assert steps_per_epoch(64, 8) == 8


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 31])
@pytest.mark.parametrize("batch", [1, 4, 8, 100])
def test_steps_are_those_that_are_drawn(count: int, batch: int) -> None:
    steps = steps_per_epoch(count, batch)
    assert len(drawn(count, batch, epochs=3)) == 3 * steps
    assert steps > 0


def test_draw_depends_on_seed_and_round_alone() -> None:
    assert drawn(20, 4, seed=1, number=5) == drawn(20, 4, seed=1, number=5)
    assert drawn(20, 4, seed=1, number=5) != drawn(20, 4, seed=1, number=6)
    assert drawn(20, 4, seed=1, number=5) != drawn(20, 4, seed=2, number=5)


def test_streams_are_independent() -> None:
    assert stream(0, 1, 2).integers(2**60) == stream(0, 1, 2).integers(2**60)
    assert (
        len({int(stream(*key).integers(2**60)) for key in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (0, 1, 3)]}) == 4
    )


def test_noise_of_an_epoch_repeats_and_leaves_the_global_stream_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        torch.randn(5, generator=noise_generator(3, epoch, torch.device("cpu"))) for epoch in (4, 4, 5)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("shared", [True, False])
def test_crops_lie_inside_their_images(shared: bool) -> None:
    schedule = CropSchedule(32, 1000, shared, seed=0)
    found = np.array([schedule.positions(SHAPES, epoch) for epoch in range(200)])
    assert (found >= 0).all()
    assert (found + 32 <= np.array(SHAPES)).all()
    if not shared:
        assert (found.max(0) + 32 == np.array(SHAPES)).all(), "and reach the last row and column"
        assert (found.min(0) == 0).all()


def test_shared_position_is_one_for_all_images_of_a_round() -> None:
    schedule = CropSchedule(16, 10, True, seed=0)
    found = [schedule.positions(SHAPES, epoch, draw) for epoch in range(10) for draw in (0, 3)]
    assert all((one == one[0]).all() for one in found)
    assert all((first == second).all() for first, second in zip(found[::2], found[1::2], strict=True))
    assert len({tuple(one[0]) for one in found}) == 10, "and a new one each round"


def test_own_positions_differ_by_image_round_and_epoch() -> None:
    schedule = CropSchedule(8, 10, False, seed=0)
    shapes = [(500, 500)] * 4
    found = {
        (epoch, draw): schedule.positions(shapes, epoch, draw).tolist() for epoch in (0, 1) for draw in (0, 1)
    }
    assert len({str(one) for one in found.values()}) == 4
    assert len({str(one) for one in found[0, 0]}) == 4
    assert found[1, 1] == schedule.positions(shapes, 1, 1).tolist()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("random_rounds", [0, 1, 3])
def test_focused_rounds_stay_on_the_last_random_crops(shared: bool, random_rounds: int) -> None:
    schedule = CropSchedule(16, random_rounds, shared, seed=5)
    last = max(random_rounds - 1, 0)
    assert [schedule.focused(epoch) for epoch in range(5)] == [epoch > last for epoch in range(5)]
    for epoch in range(last, 6):
        for draw in (0, 2) if epoch > last else (0,):
            np.testing.assert_array_equal(
                schedule.positions(SHAPES, epoch, draw), schedule.positions(SHAPES, last)
            )


def test_cut_takes_the_named_window_of_each_image() -> None:
    images = [np.arange(30).reshape(5, 6), 100 + np.arange(16).reshape(4, 4)]
    found = cut(images, np.array([1, 0]), np.array([[1, 2], [0, 1]]), 3)
    assert found.dtype == torch.float32
    assert found.shape == (2, 1, 3, 3)
    assert found[0, 0, 0].tolist() == [101, 102, 103]
    assert found[1, 0, 0].tolist() == [8, 9, 10]
