"""Parts of a batch: that they cover it, and that their noise is that of the whole."""

import pytest
import torch

from pairvae.training.parts import NoiseOfWhole, Part
from pairvae.training.team import ALONE, Team


@pytest.mark.parametrize(("whole", "size"), [(16, 2), (5, 2), (7, 3), (3, 3)])
def test_shares_cover_a_batch_and_differ_by_one_at_most(whole: int, size: int) -> None:
    shares = [Team(rank, size).share(whole) for rank in range(size)]
    assert [index for one in shares for index in range(one.start, one.stop)] == list(range(whole))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert sum(one.share for one in shares) == pytest.approx(1.0)


def test_alone_has_all() -> None:
    assert ALONE.share(7) == Part(0, 7, 7)
    assert ALONE.first and ALONE.alone


def test_cut_parts_lie_in_their_outer_part() -> None:
    outer = Part(3, 8, 10)
    assert outer.cut(2) == [Part(3, 5, 10), Part(5, 7, 10), Part(7, 8, 10)]
    assert [part.within(outer) for part in outer.cut(2)] == [slice(0, 2), slice(2, 4), slice(4, 5)]


def drawn(part: Part | None) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    count = 6 if part is None else len(part)

    def both() -> list[torch.Tensor]:
        first = torch.randn((count, 3), generator=generator)
        return [first, torch.randn((*first.shape[:1], 2, 2), generator=generator, dtype=torch.float64)]

    if part is None:
        return both()
    with NoiseOfWhole(part):
        return both()


@pytest.mark.parametrize("part", [Part(0, 6, 6), Part(0, 2, 6), Part(2, 5, 6), Part(5, 6, 6)])
def test_noise_of_a_part_is_that_of_its_rows_in_the_whole(part: Part) -> None:
    for own, whole in zip(drawn(part), drawn(None), strict=True):
        assert torch.equal(own, whole[part.rows])


def test_other_draws_are_left_alone() -> None:
    with NoiseOfWhole(Part(0, 2, 6)):
        assert torch.randn((4,)).shape == (4,)
        assert torch.ones(3).sum() == 3


def test_noise_of_another_batch_is_refused() -> None:
    with NoiseOfWhole(Part(0, 2, 6)), pytest.raises(RuntimeError, match="noise of 3 samples for a part of 2"):
        torch.randn((3, 1), generator=torch.Generator())
