"""After all others: how many faults there were."""

import pytest

from faults.harness import Tally
from faults.stages import SHARE, STAGES

LEAST = 500


@pytest.mark.slow
def test_at_least_five_hundred_faults_were_injected(total: Tally) -> None:
    if SHARE < 1 or not {*STAGES, "damaged", "database"} <= total.kinds.keys():
        pytest.skip("not all of the long fault suite was run")
    assert total.counts["injected"] >= LEAST
    assert total.counts["lost"] == 0
