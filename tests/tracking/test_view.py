"""Where `pairvae ui` opens."""

from __future__ import annotations

import json
from pathlib import Path

from pairvae.tracking.database import connect, prepare_store
from pairvae.tracking.view import COLUMNS, SHARED, page_of


def test_the_page_opens_at_the_experiment_with_the_columns_that_compare(ready_root: Path) -> None:
    assert page_of(ready_root, "pairvae") == ""
    number = prepare_store(ready_root, "pairvae")
    made = connect(ready_root).get_experiment(number).tags  # what a plain `mlflow ui` has to go by
    assert made["mlflow.experimentKind"] == "custom_model_development"
    assert "lower is better" in made["mlflow.note.content"]
    page = f"#/experiments/{number}/runs?viewStateShareKey=pairvae&workflowType=machine_learning"
    assert page_of(ready_root, "pairvae") == page
    tags = connect(ready_root).get_experiment(number).tags
    assert json.loads(tags[SHARED])["selectedColumns"] == list(COLUMNS)
    assert "tags.`stage`" in COLUMNS


def test_without_runs_or_with_a_faulty_store_it_opens_at_the_start(root: Path) -> None:
    assert page_of(root, "pairvae") == ""
    (root / "mlflow.db").write_text("no database")
    assert page_of(root, "pairvae") == ""
