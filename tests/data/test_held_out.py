import pytest

from pairvae.data.split import hold_out, split_pairs
from pairvae.errors import InputError
from pairvae.store.prepared import PreparedPair

PAIRS = [
    PreparedPair(str(k), group="wafer" if k < 4 else None, split="validation" if k > 17 else None)
    for k in range(20)
]


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("seed", range(4))
def test_held_out_pairs_are_training_pairs(share: float, seed: int) -> None:
    split = split_pairs(PAIRS, 14, 42)
    inner = hold_out(PAIRS, split.train, share, seed)
    assert set(inner.train) | set(inner.validation) == set(split.train)
    assert not set(inner.train) & set(inner.validation)
    assert not set(inner.validation) & set(split.validation)
    assert inner.train and inner.validation
    wafer = set(range(4))
    assert not (wafer & set(inner.train) and wafer & set(inner.validation)), "groups stay together"
    assert inner == hold_out(PAIRS, split.train, share, seed)


def test_share_is_met_and_the_seed_decides() -> None:
    free = [PreparedPair(str(k), split="train") for k in range(50)]
    found = [hold_out(free, range(10, 50), 0.2, seed) for seed in range(3)]
    assert [len(one.validation) for one in found] == [8, 8, 8]
    assert len({one.validation for one in found}) == 3


def test_one_pair_cannot_be_held_out() -> None:
    with pytest.raises(InputError, match="expected at least 2 training pairs, to hold one out, found 1"):
        hold_out(PAIRS, [5], 0.2, 0)
