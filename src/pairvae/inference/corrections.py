"""The corrections of a calibrated pair: in its model folder, and in the run that trained it."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pairvae import store
from pairvae.calibration.correction import Correction
from pairvae.models.conditions import CARD_KEY, ConditionShift
from pairvae.models.joint import CARD_KEY as JOINT_KEY
from pairvae.models.joint import JointPosterior
from pairvae.store.model_folder import CARD, REMEDY, add_file, load_card
from pairvae.store.rows import TableWriter
from pairvae.tracking.runs.tracker import Tracker

FILE = "calibration.json"
COLUMNS = ("step", "modality", "statistic", "before", "after", "target", "knob", "value", "reason")


def write_conditions(folder: Path, shift: ConditionShift | None) -> None:
    """Add what conditions do to a posterior to the card of a model folder.

    Parameters
    ----------
    folder : Path
        The model folder.
    shift : ConditionShift or None
        None leaves the card as it is.
    """
    if shift is not None:
        store.write_json(folder / CARD, load_card(folder) | {CARD_KEY: shift.card()})


def write_joints(folder: Path, joints: Sequence[JointPosterior]) -> None:
    """Add posteriors of several techniques together to the card of a model folder.

    Parameters
    ----------
    folder : Path
        The model folder.
    joints : sequence of JointPosterior
        None leave the card as it is.
    """
    if joints:
        entries = [joint.card() for joint in joints]
        store.write_json(folder / CARD, load_card(folder) | {JOINT_KEY: entries})


def log_corrections(tracker: Tracker, corrections: Sequence[Correction]) -> None:
    """Log the steps as a table of the run, ``calibration.csv``: as metrics, each number would be a chart of one bar.

    Parameters
    ----------
    tracker : Tracker
        Of the run.
    corrections : sequence of Correction
        Those without numbers have a reason.
    """
    table = io.StringIO()
    writer = TableWriter(table, COLUMNS)
    writer.writeheader()
    for correction in corrections:
        row = {name: value for name, value in vars(correction).items() if value is not None}
        writer.writerow(
            {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in row.items()}
        )
    tracker.log_text(table.getvalue(), "calibration.csv")


def write_corrections(folder: Path, corrections: Sequence[Correction]) -> None:
    """Write ``calibration.json`` into a model folder.

    Parameters
    ----------
    folder : Path
        The model folder.
    corrections : sequence of Correction
        In the order in which they were made.
    """
    rows = [
        {key: value for key, value in dataclasses.asdict(correction).items() if value not in (None, "")}
        for correction in corrections
    ]
    store.write_json(folder / FILE, {"corrections": rows})
    add_file(folder, FILE)


def read_corrections(folder: Path) -> list[dict[str, Any]]:
    """The corrections of a model folder; none of a model that was trained before they were kept."""
    path = folder / FILE
    return list(store.read_json(path, "corrections", REMEDY)["corrections"]) if path.is_file() else []
