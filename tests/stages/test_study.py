"""The repetition study on eight pairs: its table, its runs, and going on after a kill."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from small_project import make_project, run_pairvae


def table(project: Path) -> list[dict[str, str]]:
    with (project / "reports" / "study.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def project(finished_project: Path, tmp_path: Path) -> Path:
    folder = make_project(tmp_path / "project")
    for name in ("data", "models"):
        shutil.copytree(finished_project / name, folder / name)
    return folder


def test_study_fills_a_tidy_table_and_goes_on_where_it_was(project: Path) -> None:
    run_pairvae("study", "--sizes", "4,5", "--seeds", "42", cwd=project)
    rows = table(project)
    assert {(row["train_pairs"], row["split_seed"]) for row in rows} == {("4", "42"), ("5", "42")}
    chosen = [
        row
        for row in rows
        if (row["split"], row["model"], row["direction"], row["score"])
        == ("validation", "pair", "saxs_sem", "s2_mae")
    ]
    assert [int(row["n"]) for row in chosen] == [(8 - 4) * 2, (8 - 5) * 2]
    assert {"baseline retrieval", "floor", "solo"} <= {row["model"] for row in rows}
    cells = sorted((project / ".pairvae" / "study").glob("*/*/reports/metrics.json"))
    assert len(cells) == 2
    times = [cell.stat().st_mtime_ns for cell in cells]
    cells[0].unlink()  # as if that cell had been killed before it was scored
    run_pairvae("study", "--sizes", "4,5", "--seeds", "42", cwd=project)
    assert table(project) == rows
    assert cells[1].stat().st_mtime_ns == times[1]


def test_study_shows_as_one_run_with_a_child_for_each_cell(project: Path) -> None:
    from pairvae.tracking.store import connect

    run_pairvae("study", "--sizes", "5", "--seeds", "42", cwd=project)
    client = connect(project)
    experiment = client.get_experiment_by_name("pairvae")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["stage"] == "study"]
    (child,) = [run for run in runs if run.data.tags["stage"] == "study-cell"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert "validation.pair.saxs_sem.s2_mae" in child.data.metrics


@pytest.mark.parametrize("option", [("--sizes", "8"), ("--sizes", "4,x"), ("--seeds", "1,1")])
def test_study_refuses_what_cannot_be_in_one_line(project: Path, option: tuple[str, str]) -> None:
    done = run_pairvae("study", *option, cwd=project, check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
