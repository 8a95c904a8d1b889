"""Where `pairvae ui` opens, and what a plain `mlflow ui` shows of the experiment."""

from __future__ import annotations

import json
from pathlib import Path

from pairvae.reports.validation_scores import SCORE
from pairvae.tracking.database import connect, page_with_runs, prepare_store
from pairvae.tracking.view import COLUMNS, SHARED


def test_the_page_opens_at_the_runs_the_best_first(ready_root: Path) -> None:
    opened = page_with_runs(ready_root, "pairvae")
    number = prepare_store(ready_root, "pairvae")
    page = f"#/experiments/{number}/runs?viewStateShareKey=pairvae&workflowType=machine_learning"
    made = connect(ready_root).get_experiment(number).tags  # what a plain `mlflow ui` has to go by
    assert made["mlflow.experimentKind"] == "custom_model_development"
    assert made["mlflow.note.content"].startswith(
        f"**[Table of runs]({page})**: the best pair has the lowest"
    )
    state = json.loads(made[SHARED])
    assert (state["orderByKey"], state["orderByAsc"]) == (f"metrics.`{SCORE}`", True)
    assert state["selectedColumns"] == list(COLUMNS) and state["orderByKey"] in COLUMNS
    assert page_with_runs(ready_root, "pairvae") == opened == page


def test_names_of_scores_differ_where_a_column_of_the_table_ends() -> None:
    shown = [column.partition("`")[2].rstrip("`")[:15] for column in COLUMNS]
    assert len(set(shown)) == len(shown), shown


def test_an_older_experiment_gets_the_view_and_keeps_its_description(ready_root: Path) -> None:
    number = prepare_store(ready_root, "pairvae")
    client = connect(ready_root)
    client.set_experiment_tag(number, SHARED, "{}")
    client.set_experiment_tag(number, "mlflow.note.content", "films of June")
    page_with_runs(ready_root, "pairvae")
    tags = client.get_experiment(number).tags
    assert json.loads(tags[SHARED])["selectedColumns"] == list(COLUMNS)
    assert tags["mlflow.note.content"] == "films of June"


def test_with_a_faulty_store_it_opens_at_the_start(root: Path) -> None:
    (root / "mlflow.db").write_text("no database")
    assert page_with_runs(root, "pairvae") == ""
