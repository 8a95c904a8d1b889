"""What a training tells its run after each epoch."""

from types import SimpleNamespace

import numpy as np
import pytest

from pairvae.stages import stage_run as runs
from pairvae.stages.stage_run import SNAPSHOTS, epoch_logger
from pairvae.tracking.runs.null import NullTracker


@pytest.mark.parametrize(
    ("epochs", "steps"),
    [(1, [0, 1]), (3, [0, 1, 2, 3]), (45, [0, 12, 24, 36, 45]), (400, [0, 100, 200, 300, 400])],
)
def test_pictures_begin_at_step_0_where_the_slider_stands_and_end_with_the_training(
    epochs: int, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "snapshot", lambda plan, samples: np.zeros((4, 6, 3), np.uint8))
    tracker, plan = NullTracker(), SimpleNamespace(epochs=epochs)
    log = epoch_logger(tracker, plan, {})  # type: ignore[arg-type] # all that is asked of a plan here
    for epoch in range(epochs):
        log(epoch, {"loss": 1.0})
    assert [step for _, step, _ in tracker.images] == steps
    assert len(steps) <= SNAPSHOTS
    assert [step for step, _ in tracker.metrics] == list(range(1, epochs + 1))


def test_a_training_that_goes_on_draws_no_first_picture_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "snapshot", lambda plan, samples: np.zeros((4, 6, 3), np.uint8))
    tracker = NullTracker()
    epoch_logger(tracker, SimpleNamespace(epochs=4), {}, begun=True)  # type: ignore[arg-type] # as above
    assert tracker.images == []
