"""Rounds of ``log_every`` epochs: what is logged when, and a last round that is shorter than the others."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pairvae.errors import InputError
from pairvae.settings import resolve
from pairvae.training.loop import Checkpointing, train
from pairvae.training.plans import PairPlan
from pairvae.training.protocol import Plan
from pairvae.training.rounds import LossTerms, epochs_before, epochs_of
from tiny_plans import DEVICE, NOWHERE, KilledError, assert_same, first_are_pairs, pair_plan, solo_plan


@pytest.mark.parametrize(
    ("epochs", "every", "logged"),
    [(30, 10, (10, 20, 30)), (25, 10, (10, 20, 25)), (3, 10, (3,)), (3, 1, (1, 2, 3))],
)
def test_losses_are_logged_every_so_many_epochs_and_after_the_last(
    epochs: int, every: int, logged: tuple[int, ...]
) -> None:
    training = {"epochs": epochs, "log_every": every}
    assert resolve({"sem": {"training": training}}).sem.training.logged_epochs == logged


def test_random_and_focused_epochs_share_no_round() -> None:
    training = {"random_epochs": 15, "focused_epochs": 25, "log_every": 10}
    found = resolve({"pair": {"training": training}}).pair.training
    assert found.logged_epochs == (10, 15, 25, 35, 40)
    assert found.random_rounds == 2
    assert [epochs_before(found.logged_epochs, number) for number in range(5)] == [0, 10, 15, 25, 35]
    assert [epochs_of(found.logged_epochs, number) for number in range(5)] == [10, 5, 10, 10, 5]


def drawn(plan: Plan, number: int) -> list[list[int]]:
    return [batch.indices.tolist() for batch in plan.batches(number)]


def test_a_shorter_last_round_draws_the_first_epochs_of_a_whole_one() -> None:
    short, whole = solo_plan(epochs=7, log_every=3), solo_plan(epochs=9, log_every=3)
    assert drawn(short, 1) == drawn(whole, 1)
    assert len(drawn(short, 2)) == short.steps()
    assert drawn(short, 2) == drawn(whole, 2)[: short.steps()]


def test_samples_without_a_partner_are_in_a_shorter_round_too() -> None:
    plan = replace(
        pair_plan(random_epochs=3, focused_epochs=0, log_every=2, batch=2), partners=first_are_pairs(7)
    )
    assert isinstance(plan, PairPlan)
    assert [len(drawn(plan, number)) for number in (0, 1)] == [2 * plan.steps(), plan.steps()]
    assert any(min(batch) >= 7 for batch in drawn(plan, 1))


def test_history_counts_epochs_and_the_schedule_ends_with_the_last() -> None:
    plan = solo_plan(epochs=7, log_every=3)
    history = train(plan, DEVICE, label="solo", checkpointing=NOWHERE)
    assert [row["epoch"] for row in history] == [3, 6, 7]
    last = [plan.learning_rate(epoch * plan.steps() - 1) for epoch in (3, 6, 7)]
    assert [row["learning_rate"] for row in history] == last
    assert last[-1] < 0.05 * plan.settings.learning_rate, "a cosine ends near 0"


def test_a_training_killed_before_a_shorter_last_round_resumes_bit_for_bit(tmp_path: Path) -> None:
    whole = solo_plan(epochs=7, log_every=3)
    expected = train(whole, DEVICE, label="whole", checkpointing=NOWHERE)

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == 7:
            raise KilledError

    keeping = Checkpointing(tmp_path, 0.0)
    with pytest.raises(KilledError):
        train(solo_plan(epochs=7, log_every=3), DEVICE, label="k", checkpointing=keeping, on_round=kill)
    resumed, logged = solo_plan(epochs=7, log_every=3), []
    again = train(
        resumed, DEVICE, label="r", checkpointing=keeping, on_round=lambda epoch, row: logged.append(epoch)
    )
    assert logged == [7]
    assert again == expected
    assert_same(resumed.module, whole.module)


def test_an_error_names_the_epoch_and_the_step_in_it(tmp_path: Path) -> None:
    plan, calls = solo_plan(epochs=7, log_every=3), []
    inner = plan.loss

    def loss(batch: object, generator: object) -> LossTerms:
        calls.append(1)
        terms = inner(batch, generator)  # type: ignore[arg-type]
        bad = len(calls) == 4 * plan.steps() + 2
        return replace(terms, total=terms.total * (torch.nan if bad else 1.0))

    object.__setattr__(plan, "loss", loss)
    with pytest.raises(
        InputError, match=r"^epoch 5, step 2: expected finite losses.*checkpoint is that of epoch 3"
    ):
        train(plan, DEVICE, label="bad", checkpointing=Checkpointing(tmp_path, 0.0))
