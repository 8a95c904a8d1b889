"""Stopping early: the best weights are kept, and a killed training stops where it would have."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pairvae.data.sources import WholeArrays
from pairvae.training.early import EPOCH, HELD_OUT, EarlyStop, best_epoch, exhausted, held_out_loss
from pairvae.training.loop import Checkpointing, train
from pairvae.training.plans import SoloPlan
from tiny_plans import DEVICE, NOWHERE, KilledError, assert_same, solo_plan


def plans(patience: int = 3) -> tuple[SoloPlan, EarlyStop]:
    """A training whose rate is far too high to get better for long, and its judge on samples of its own."""
    plan = solo_plan(epochs=60, learning_rate=0.3, schedule="constant", warmup=0.0)
    arrays = np.random.default_rng(9).random((5, 3, 8, 8), dtype=np.float32)
    judge = replace(plan, source=WholeArrays(arrays[:5], plan.vae.encoder))
    return plan, EarlyStop(judge, patience)


@pytest.mark.parametrize(("losses", "best", "ended"), [
    ([3.0], 5, False), ([3, 2, 1], 15, False), ([1, 2, 3], 5, True), ([2, 1, 1, 1], 10, True), ([2, 1, 3], 10, False),
])  # fmt: skip
def test_patience_counts_epochs_since_the_first_best(losses: list[float], best: int, ended: bool) -> None:
    history = [{EPOCH: 5.0 * number, HELD_OUT: float(loss)} for number, loss in enumerate(losses, 1)]
    for patience in (6, 10):  # looked at every 5 epochs
        assert (best_epoch(history), exhausted(history, patience)) == (best, ended)
    assert not exhausted([], 2)


def test_training_ends_and_leaves_the_weights_of_the_best_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    plan, stop = plans()
    history = train(plan, DEVICE, label="solo", checkpointing=NOWHERE, early_stop=stop)
    ran, kept = history[-1][EPOCH], best_epoch(history)
    assert 4 < ran < 60
    assert ran - kept == 4, "a patience of 3 epochs is looked at every 2"
    (best,) = (row for row in history if row[EPOCH] == kept)
    assert held_out_loss(stop.plan, DEVICE) == pytest.approx(best[HELD_OUT])
    assert f"{ran} of 60 epochs; kept epoch {kept}, of least held-out loss" in capsys.readouterr().err


def test_judging_leaves_the_training_as_it_is() -> None:
    plan, stop = plans(patience=1000)
    alone, _ = plans()
    judged = train(plan, DEVICE, label="solo", checkpointing=NOWHERE, early_stop=stop)
    plain = train(alone, DEVICE, label="solo", checkpointing=NOWHERE)
    assert [{key: value for key, value in row.items() if key != HELD_OUT} for row in judged] == plain


def test_killed_training_ends_as_the_undisturbed_one(tmp_path: Path) -> None:
    plan, stop = plans()
    expected = train(plan, DEVICE, label="whole", checkpointing=NOWHERE, early_stop=stop)

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == expected[-1][EPOCH]:  # the best epoch lies behind
            raise KilledError

    keeping = Checkpointing(tmp_path, 0.0)
    killed, judge = plans()
    with pytest.raises(KilledError):
        train(killed, DEVICE, label="k", checkpointing=keeping, early_stop=judge, on_round=kill)
    for _ in range(2):  # and once more when all is done
        resumed, judge = plans()
        found = train(resumed, DEVICE, label="r", checkpointing=keeping, early_stop=judge)
        assert found == expected
        assert_same(resumed.module, plan.module)
        assert not torch.is_grad_enabled() or not resumed.module.training
