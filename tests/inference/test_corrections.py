"""What a run shows of the calibration."""

from __future__ import annotations

import csv
import io

from pairvae.calibration.correction import Correction
from pairvae.inference.corrections import log_corrections
from pairvae.tracking.runs.null import NullTracker


def test_a_calibration_is_a_table_of_its_run_and_no_chart_of_single_bars() -> None:
    step = Correction("posterior_mean", "squared error of left-out latents", "share of the regression")
    taken = step.taken("saxs", target=0.0, before=0.654261, after=0.418784, value=0.5)
    tracker = NullTracker()
    log_corrections(tracker, [taken, step.skipped("too few training pairs", "sem")])
    assert tracker.metrics == [] and set(tracker.texts) == {"calibration.csv"}
    first, second = csv.DictReader(io.StringIO(tracker.texts["calibration.csv"]))
    assert (first["before"], first["after"], first["value"], first["reason"]) == (
        "0.6543",
        "0.4188",
        "0.5",
        "",
    )
    assert (second["modality"], second["before"], second["reason"]) == ("sem", "", "too few training pairs")
