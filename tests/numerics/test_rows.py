import numpy as np
import pytest

from pairvae.numerics.series import evenly_spread


@pytest.mark.parametrize(
    ("count", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (7, 5), (9, 5), (1000, 7), (257, 256)]
)
def test_places_are_distinct_within_the_rows_and_as_many_as_wanted(count: int, most: int) -> None:
    places = evenly_spread(count, most)
    assert len(places) == min(count, most)
    assert (np.diff(places) > 0).all()
    assert set(places.tolist()) <= set(range(count))


def test_few_rows_are_all_taken_and_many_from_end_to_end() -> None:
    assert evenly_spread(4, 9).tolist() == [0, 1, 2, 3]
    assert evenly_spread(101, 5).tolist() == [0, 25, 50, 75, 100]
    assert evenly_spread(12, 1).tolist() == [0]
