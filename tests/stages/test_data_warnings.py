"""Warnings of the check are heard: by the terminal, the card, the runs and the scores; or stop the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from pairvae import store
from pairvae.errors import InputError
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import Project, data_warnings, open_project
from pairvae.stages.tracked_training import log_warnings
from pairvae.tracking.runs.null import NullTracker
from tiny_project import tiny_project

OWN = "data.source=mine"


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project of which one raw pattern has become grey."""
    project = tiny_project(tmp_path_factory.mktemp("warned"))
    picture = project.raw / "SAXS" / "00003.jpg"
    cv2.imwrite(str(picture), cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE))
    return project


def test_the_terminal_and_the_card_hold_them(spoilt: Project, capsys: pytest.CaptureFixture[str]) -> None:
    before = spoilt.prepared().digest
    preprocess(spoilt)
    assert "warning: colour: 00003: grey or raw counts where most patterns are colour-mapped\n" in (
        capsys.readouterr().out
    )
    card = json.loads((spoilt.prepared_folder / "card.json").read_text())
    assert "colour" in {one["name"] for one in card["warnings"]}
    assert card["digest"] != before  # the picture changed
    preprocess(spoilt)
    assert spoilt.prepared().digest == card["digest"]


def test_strict_data_stop_at_them_and_leave_what_was_prepared(spoilt: Project) -> None:
    before = store.file_digest(spoilt.prepared_folder / "card.json")
    strict = open_project(["data.strict=true"], folder=spoilt.folder, track=False)
    with pytest.raises(InputError, match=r"data.strict asks for, found .*colour: 00003: grey"):
        preprocess(strict)
    assert store.file_digest(spoilt.prepared_folder / "card.json") == before


def test_errors_in_a_folder_of_ones_own_stop_it(spoilt: Project, tmp_path: Path) -> None:
    project = tiny_project(tmp_path / "own")
    (project.raw / "SEM" / "00001.tif").write_bytes((project.raw / "SEM" / "00002.tif").read_bytes())
    preprocess(project)  # simulated pairs are as they are, and told
    assert any(one["name"] == "duplicate" for one in project.prepared().card["warnings"])
    own = open_project([OWN], folder=project.folder, track=False)
    with pytest.raises(InputError, match="duplicate: 00002: the same picture as SEM of pair 00001"):
        preprocess(own)


def test_runs_and_scores_get_them_with_what_the_split_leaves_out(spoilt: Project) -> None:
    preprocess(spoilt)
    row = spoilt.split(spoilt.prepared()).validation[0]
    prepared = spoilt.prepared()
    prepared.card["pairs"][row]["morphology"] = "seen by nobody"
    told = data_warnings(spoilt, prepared)
    assert {"colour", "unseen morphology"} <= {one["name"] for one in told}
    tracker = NullTracker()
    log_warnings(tracker, told)
    assert tracker.tags == {"data_warnings": str(len(told))}
    assert "unseen morphology: seen by nobody: none of the training pairs" in tracker.texts["warnings.txt"]


def test_a_card_of_before_has_none(spoilt: Project) -> None:
    prepared = spoilt.prepared()
    prepared.card.pop("warnings")
    assert [one for one in data_warnings(spoilt, prepared) if one["name"] != "unseen morphology"] == []
