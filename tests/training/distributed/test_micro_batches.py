"""Micro-batches: that they cover a batch, and that their noise is that of the whole."""

import pytest
import torch

from pairvae.training.distributed.micro_batches import MicroBatch, NoiseOfWholeBatch
from pairvae.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup


@pytest.mark.parametrize(("whole", "size"), [(16, 2), (5, 2), (7, 3), (3, 3)])
def test_shares_cover_a_batch_and_differ_by_one_at_most(whole: int, size: int) -> None:
    shares = [ProcessGroup(rank, size).share(whole) for rank in range(size)]
    assert [index for share in shares for index in range(share.start, share.stop)] == list(range(whole))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert sum(share.fraction for share in shares) == pytest.approx(1.0)


def test_a_single_process_has_all() -> None:
    assert SINGLE_PROCESS.share(7) == MicroBatch(0, 7, 7)
    assert SINGLE_PROCESS.is_rank_0 and SINGLE_PROCESS.is_single


def test_micro_batches_lie_in_the_one_that_was_split() -> None:
    outer = MicroBatch(3, 8, 10)
    assert outer.split(2) == [MicroBatch(3, 5, 10), MicroBatch(5, 7, 10), MicroBatch(7, 8, 10)]
    assert [part.within(outer) for part in outer.split(2)] == [slice(0, 2), slice(2, 4), slice(4, 5)]


def drawn(part: MicroBatch | None) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    count = 6 if part is None else len(part)

    def both() -> list[torch.Tensor]:
        first = torch.randn((count, 3), generator=generator)
        return [first, torch.randn((*first.shape[:1], 2, 2), generator=generator, dtype=torch.float64)]

    if part is None:
        return both()
    with NoiseOfWholeBatch(part):
        return both()


@pytest.mark.parametrize(
    "part", [MicroBatch(0, 6, 6), MicroBatch(0, 2, 6), MicroBatch(2, 5, 6), MicroBatch(5, 6, 6)]
)
def test_noise_of_a_part_is_that_of_its_rows_in_the_whole(part: MicroBatch) -> None:
    for own, whole in zip(drawn(part), drawn(None), strict=True):
        assert torch.equal(own, whole[part.rows])


def test_other_draws_are_left_alone() -> None:
    with NoiseOfWholeBatch(MicroBatch(0, 2, 6)):
        assert torch.randn((4,)).shape == (4,)
        assert torch.ones(3).sum() == 3


def test_noise_of_another_batch_is_refused() -> None:
    with (
        NoiseOfWholeBatch(MicroBatch(0, 2, 6)),
        pytest.raises(RuntimeError, match="noise of 3 samples for a micro-batch of 2"),
    ):
        torch.randn((3, 1), generator=torch.Generator())
