"""What MLflow shows of an experiment: its description, and the default view of its runs, the best first."""

from __future__ import annotations

import json

from mlflow.utils import mlflow_tags

# MLflow keeps a shared view in a tag of the experiment, and names it in the address
SHARED = "mlflow.sharedViewState.pairvae"
# Without these two the page shows the menus of language models
MENUS = "workflowType=machine_learning"
# MLflow sorts them by name within metrics and parameters, and shows some fifteen characters of each
COLUMNS = (
    "metrics.`saxs_sem.s2_mae`",  # of a trial, on held-out training pairs
    "metrics.`val/s2_mae.saxs_sem`",
    "metrics.`val/score`",
    "params.`split.seed`",
    "params.`split.train`",
)
STATE = {
    "searchFilter": "",
    "orderByKey": "metrics.`val/score`",
    "orderByAsc": True,
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
ABOUT = (
    "**[Table of runs]({page})**: the best pair has the lowest `val/score`, its errors relative to retrieval, on the "
    "validation pairs (below 1: better than the training pair that is most alike). A run is a stage of the pipeline, a "
    "trial or a cell of a study; its page says what was trained on what, and how good it is.\n\n"
    "`val/s2_mae.saxs_sem` is the S(r) error of SEM images predicted from SAXS patterns, `val/mae.sem_saxs` the pixel "
    "error of predicted patterns; lower is better."
)


def page_of(experiment_id: str) -> str:
    """The part of the UI's address that opens an experiment in the default view."""
    share = SHARED.rpartition(".")[2]
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={share}&{MENUS}"


def view_tags() -> dict[str, str]:
    """Tags of an experiment: its page opens at runs, not at the traces of language models, and has the default view."""
    return {"mlflow.experimentKind": "custom_model_development", SHARED: json.dumps(STATE)}


def description_tag(experiment_id: str) -> dict[str, str]:
    """The description of an experiment; it leads to the runs, where MLflow opens at its page for language models."""
    return {mlflow_tags.MLFLOW_RUN_NOTE: ABOUT.format(page=page_of(experiment_id))}
