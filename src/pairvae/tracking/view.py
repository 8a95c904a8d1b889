"""The default view of MLflow's table of runs: its columns, newest runs first."""

from __future__ import annotations

import json
from pathlib import Path

from mlflow.exceptions import MlflowException

from pairvae.errors import InputError
from pairvae.tracking.database import KIND, connect, has_store

# MLflow keeps a shared view in a tag of the experiment, and names it in the address
SHARED = "mlflow.sharedViewState.pairvae"
# Without these two the page shows the menus of language models
MENUS = "workflowType=machine_learning"
COLUMNS = (
    "attributes.`Dataset`",
    "attributes.`Duration`",
    "tags.`stage`",
    "tags.`preset`",
    "metrics.`validation.saxs_sem.s2_mae`",
    "metrics.`validation.saxs_sem.lineal_path_mae`",
    "metrics.`validation.sem_saxs.mae`",
    "metrics.`saxs_sem.s2_mae`",  # of a trial, on held-out training pairs
    "metrics.`sem_saxs.mae`",
    "metrics.`loss`",
    "metrics.`seconds`",
    "params.`split.train`",
)
STATE = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": list(COLUMNS),
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runsHiddenMode": "FIRST_10_RUNS",
    "groupBy": None,
    "groupsExpanded": {},
    "viewMaximized": False,
    "runListHidden": False,
    "autoRefreshEnabled": True,
}


def page_of(root: Path, experiment: str) -> str:
    """The part of the UI's address that opens the experiment in the default view; "" without an experiment."""
    if not has_store(root):
        return ""
    try:
        client = connect(root)
        entry = client.get_experiment_by_name(experiment)
        if entry is None:
            return ""
        for key, value in {SHARED: json.dumps(STATE), **KIND}.items():
            if entry.tags.get(key) != value:
                client.set_experiment_tag(entry.experiment_id, key, value)
    except (InputError, MlflowException):
        return ""  # the page itself reports problems of the store
    share = SHARED.rpartition(".")[2]
    return f"#/experiments/{entry.experiment_id}/runs?viewStateShareKey={share}&{MENUS}"
