from pathlib import Path

import numpy as np

from pairvae.tracking.runs.null import NullTracker
from pairvae.tracking.runs.tracker import Tracker


def test_what_was_told_stays_readable() -> None:
    kept = NullTracker()
    tracker: Tracker = kept
    tracker.log_params({"a": 1})
    tracker.log_metrics({"loss": 2.0}, step=3)
    tracker.log_image(np.zeros((4, 5), np.uint8), "saxs", step=3)
    tracker.log_artifact(Path("x"), "folder")
    tracker.log_text("hello", "a.txt")
    tracker.set_tags({"n": 1})
    tracker.describe("**first**")
    tracker.log_dataset("raw", "data", "abc", "training", {"pairs": 8})
    assert tracker.run_id is None
    assert kept == NullTracker(
        params={"a": 1},
        metrics=[(3, {"loss": 2.0})],
        images=[("saxs", 3, (4, 5))],
        artifacts=[(Path("x"), "folder")],
        texts={"a.txt": "hello"},
        tags={"n": "1"},
        description="**first**",
        datasets=[("raw", "data", "abc", "training", {"pairs": 8})],
    )
