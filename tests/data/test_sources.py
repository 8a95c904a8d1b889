"""Sources: cached features are those that would be computed, from memory maps as from arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pairvae.data.batches import CropSchedule
from pairvae.data.sources import FIT_SAMPLES, CroppedImages, WholeArrays


class Counting:
    """A featuriser that remembers how many samples it saw."""

    def __init__(self) -> None:
        self.seen = 0

    def features(self, inputs: Tensor) -> Tensor:
        self.seen += len(inputs)
        weights = torch.linspace(-1, 1, inputs[0].numel())
        return torch.stack([inputs.flatten(1) @ weights, inputs.flatten(1).sum(1)], dim=1)


def patterns(count: int = 10) -> np.ndarray:
    return np.random.default_rng(0).random((count, 3, 8, 8), dtype=np.float32)


def images() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.integers(0, 2, shape, dtype=np.uint8) for shape in [(40, 50), (33, 60), (64, 32)]]


def cropped(schedule: CropSchedule) -> CroppedImages:
    return CroppedImages(images(), Counting(), schedule)


def test_whole_arrays_may_come_from_several_files() -> None:
    arrays = patterns()
    source = WholeArrays([arrays[7], arrays[2], arrays[5]], Counting())
    assert len(source) == 3
    np.testing.assert_array_equal(source.inputs(np.array([2, 0])).numpy(), arrays[[5, 7]])


def test_features_of_whole_arrays_are_computed_once() -> None:
    encoder = Counting()
    source = WholeArrays(patterns(47), encoder)
    first = source.features(np.array([3, 1, 3]))
    assert encoder.seen == 47
    assert torch.equal(first, source.features(np.array([3, 1, 3]), round_number=9, draw=2))
    assert encoder.seen == 47
    torch.testing.assert_close(first, Counting().features(source.inputs(np.array([3, 1, 3]))))


def test_memory_mapped_patterns_work_and_are_not_written(tmp_path: Path) -> None:
    arrays = patterns()
    np.save(tmp_path / "saxs.npy", arrays)
    source = WholeArrays(np.load(tmp_path / "saxs.npy", mmap_mode="r"), Counting())
    given = source.inputs(np.array([4]))
    np.testing.assert_array_equal(given.numpy(), arrays[[4]])
    given.zero_()
    np.testing.assert_array_equal(source.inputs(np.array([4])).numpy(), arrays[[4]])
    assert source.features(np.arange(10)).shape == (10, 2)


def test_examples_of_few_patterns_are_all_of_them() -> None:
    arrays = patterns()
    source = WholeArrays(arrays, Counting())
    np.testing.assert_array_equal(source.examples(3).numpy(), arrays)


def test_examples_of_many_are_a_seeded_choice() -> None:
    arrays = np.arange(FIT_SAMPLES + 50, dtype=np.float32).reshape(-1, 1, 1, 1)
    source = WholeArrays(arrays, Counting())
    first, again, other = source.examples(0), source.examples(0), source.examples(1)
    assert len(first) == len(set(first.ravel().tolist())) == FIT_SAMPLES
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_crops_are_zeros_and_ones_of_the_asked_images() -> None:
    source = cropped(CropSchedule(16, 5, False, 0))
    found = source.inputs(np.array([2, 0]), round_number=1, draw=0)
    assert found.shape == (2, 1, 16, 16)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    (row, column) = source.schedule.positions([image.shape[:2] for image in source.images], 1, 0)[2]
    np.testing.assert_array_equal(found[0, 0].numpy(), source.images[2][row : row + 16, column : column + 16])


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("epoch", [0, 1, 2, 3, 7])
def test_features_belong_to_the_inputs_of_the_same_step(epoch: int, shared: bool) -> None:
    source = cropped(CropSchedule(16, 2, shared, 0))
    for indices in (np.array([0, 2]), np.array([1]), np.array([2, 1, 0])):
        for draw in (0, 1):
            inputs = source.inputs(indices, epoch, draw)
            torch.testing.assert_close(source.features(indices, epoch, draw), Counting().features(inputs))


def test_features_of_focused_epochs_are_computed_once_a_sample() -> None:
    encoder = Counting()
    source = CroppedImages(images(), encoder, CropSchedule(16, 2, True, 0))
    for epoch in range(2, 20):
        source.features(np.array([epoch % 3]), epoch)
        source.features(np.array([0, 1, 2]), epoch)
    assert encoder.seen == 3


def test_resumed_source_gives_the_same_focused_features() -> None:
    schedule = CropSchedule(16, 2, False, 0)
    whole, resumed = cropped(schedule), cropped(schedule)
    for epoch in range(5):
        whole.features(np.arange(3), epoch)
    assert torch.equal(whole.features(np.arange(3), 5), resumed.features(np.arange(3), 5))


def test_memory_mapped_images_work() -> None:
    flat = np.concatenate([image.ravel() for image in images()])
    flat.flags.writeable = False
    source = CroppedImages([flat[:2000].reshape(40, 50)], Counting(), CropSchedule(16, 2, False, 0))
    assert source.features(np.array([0])).shape == (1, 2)


def test_examples_hold_several_crops_of_each_image() -> None:
    source = cropped(CropSchedule(16, 2, True, 0))
    first = source.examples(0)
    assert first.shape == (24, 1, 16, 16)
    assert len(torch.unique(first.flatten(1), dim=0)) == 24
    assert torch.equal(first, source.examples(0))


class OnDevice(nn.Module):
    """Features on whatever device the weights lie."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, device=device))

    def features(self, inputs: Tensor) -> Tensor:
        assert inputs.device == self.weight.device
        return inputs.mean((2, 3)) * self.weight


def test_inputs_go_to_the_device_of_the_encoder() -> None:
    source = WholeArrays(patterns(), OnDevice("meta"))
    assert source.features(np.array([1, 2])).device.type == "meta"
    crops = CroppedImages(images(), OnDevice("meta"), CropSchedule(16, 1, True, 0))
    for epoch in (0, 3):
        assert crops.features(np.array([0, 1]), epoch).device.type == "meta"


def test_features_beyond_the_memory_bound_are_computed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    import pairvae.data.sources as module

    class Counting:
        calls = 0

        def features(self, inputs: torch.Tensor) -> torch.Tensor:
            Counting.calls += len(inputs)
            return inputs.flatten(1)[:, :2]

    arrays = np.random.default_rng(0).random((6, 1, 4, 4), dtype=np.float32)
    images = [np.random.default_rng(k).integers(0, 2, (9, 9), dtype=np.uint8) for k in range(6)]
    order = np.array([5, 0, 3])
    whole = module.WholeArrays(arrays, Counting())
    cropped = module.CroppedImages(images, Counting(), CropSchedule(4, 1, False, 0))
    kept = [
        whole.features(order),
        cropped.features(order, round_number=2),
        cropped.features(order, round_number=2),
    ]
    monkeypatch.setattr(module, "KEPT_BYTES", 1)
    fresh_whole = module.WholeArrays(arrays, Counting())
    fresh_cropped = module.CroppedImages(images, Counting(), CropSchedule(4, 1, False, 0))
    assert torch.equal(fresh_whole.features(order), kept[0])
    assert torch.equal(fresh_cropped.features(order, round_number=2), kept[1])
    assert torch.equal(fresh_cropped.features(order, round_number=2), kept[2])
    assert fresh_whole._features is None
    assert not fresh_cropped._kept
