"""What a training tells its run after each round."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pairvae.stages import tracked_training as runs
from pairvae.stages.tracked_training import SNAPSHOTS, round_logger
from pairvae.tracking.runs.null import NullTracker
from pairvae.training import snapshots
from pairvae.training.snapshots import live_picture


@pytest.mark.parametrize(
    ("logged", "steps"),
    [
        ([1], [0, 1]),
        (range(1, 4), [0, 1, 2, 3]),
        (range(1, 46), [0, 12, 24, 36, 45]),
        ([*range(10, 400, 10), 395], [0, 100, 200, 300, 395]),
    ],
)
def test_pictures_begin_at_step_0_where_the_slider_stands_and_end_with_the_training(
    logged: Sequence[int], steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "snapshot", lambda plan, samples: np.zeros((4, 6, 3), np.uint8))
    tracker, plan = NullTracker(), SimpleNamespace(epochs=logged[-1], logged_epochs=logged)
    log = round_logger(tracker, plan, {})  # type: ignore[arg-type] # all that is asked of a plan here
    for epoch in logged:
        log(epoch, {"loss": 1.0})
    assert [step for _, step, _ in tracker.images] == steps
    assert len(steps) <= SNAPSHOTS
    assert [step for step, _ in tracker.metrics] == list(logged)


def test_a_training_that_goes_on_draws_no_first_picture_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "snapshot", lambda plan, samples: np.zeros((4, 6, 3), np.uint8))
    tracker = NullTracker()
    round_logger(tracker, SimpleNamespace(epochs=4, logged_epochs=range(1, 5)), {}, begun=True)  # type: ignore[arg-type] # as above
    assert tracker.images == []


def test_the_live_picture_is_drawn_after_the_first_epoch_and_then_only_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[int] = []

    def snapshot(plan: object, samples: object) -> np.ndarray:
        drawn.append(1)
        return np.zeros((4, 6, 3), np.uint8)

    monkeypatch.setattr(snapshots, "snapshot", snapshot)
    draw = live_picture(tmp_path / "reports", "train-sem", SimpleNamespace(), {"sem": None})  # type: ignore
    for _ in range(3):
        draw()
    assert len(drawn) == 1
    monkeypatch.setattr(snapshots, "LIVE_SECONDS", 0.0)
    draw()
    assert len(drawn) == 2
    assert cv2.imread(str(tmp_path / "reports" / "training.png")).shape == (4, 6, 3)
    told = capsys.readouterr().out
    assert told.count("look at reports/training.png") == 1


def test_a_live_picture_that_cannot_be_written_does_not_end_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(snapshots, "snapshot", lambda plan, samples: np.zeros((4, 6, 3), np.uint8))
    monkeypatch.setattr(snapshots, "LIVE_SECONDS", 0.0)
    (tmp_path / "reports").write_text("no folder")
    draw = live_picture(tmp_path / "reports", "train-sem", SimpleNamespace(), {"sem": None})  # type: ignore
    for _ in range(2):
        draw()
    assert capsys.readouterr().out.count("train-sem: no picture while it trains: ") == 1
    assert (tmp_path / "reports").read_text() == "no folder"
