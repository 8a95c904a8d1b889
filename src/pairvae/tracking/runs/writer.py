"""Write the entries of a run to its store. An entry that arrives twice counts once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypeVar

import requests
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException, RestException
from mlflow.utils import mlflow_tags
from mlflow.utils.validation import (
    MAX_DATASET_DIGEST_SIZE,
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
    MAX_TAG_VAL_LENGTH,
)
from sqlalchemy.exc import SQLAlchemyError

from pairvae.tracking.runs.outbox import Entry, Outbox

T = TypeVar("T")
# Errors of a store or of the connection. OSError: requests' errors, and errors of files.
# ImportError: the driver for addresses such as s3:// is not installed.
FAULTS = (MlflowException, SQLAlchemyError, OSError, ImportError)
FINAL = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST")
GONE = "RESOURCE_DOES_NOT_EXIST"
PASSING = (401, 403, 404, 408, 429)  # credentials and the connection can be corrected


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of at most ``size``."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def is_final(error: Exception) -> bool:
    """Whether the store will reject the entry at every attempt."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = int(error.response.status_code)
        return 400 <= status < 500 and status not in PASSING
    if isinstance(error, MlflowException):
        # A 404 without MLflow's own answer comes from something between here and the server.
        return error.error_code in FINAL or (isinstance(error, RestException) and error.error_code == GONE)
    return False


class RunWriter:
    """Writes to one MLflow run, at once."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client, self._run_id = client, run_id
        self._kinds: dict[str, Callable[[Entry], None]] = {
            "params": lambda entry: self.params(entry.values["params"]),
            "metrics": lambda entry: self.metrics([entry.values]),
            "tags": lambda entry: self.tags(entry.values["tags"]),
            "files": lambda entry: self.files(entry.files),
            "dataset": lambda entry: self.dataset(entry.values),
            "status": lambda entry: self.status(entry.values["status"], entry.values.get("time")),
        }

    def deliver(self, outbox: Outbox) -> list[str]:
        """Send everything; one line for each entry that was refused for good and set aside.

        Raises one of ``FAULTS`` if the store is away: entries that arrived are deleted, the rest stays.
        """
        problems = []
        for group in _groups(outbox.entries()):
            try:
                self._send(group)
            except FAULTS as error:
                if not is_final(error):
                    raise
                problems += self._one_by_one(outbox, group)
            else:
                outbox.sent(group)
        return problems

    def _send(self, group: list[Entry]) -> None:
        if group[0].kind == "metrics":
            self.metrics([entry.values for entry in group])
        else:
            self._kinds[group[0].kind](group[0])

    def _one_by_one(self, outbox: Outbox, group: list[Entry]) -> list[str]:
        problems = []
        for entry in group:
            try:
                self._send([entry])
            except FAULTS as error:
                if not is_final(error):
                    raise
                reason = str(error).strip().partition("\n")[0]
                problems.append(f"{entry.kind} refused: {reason}; kept as {outbox.refuse(entry)}")
            else:
                outbox.sent([entry])
        return problems

    def params(self, params: Mapping[str, object]) -> None:
        """Settings. MLflow never changes one: a resumed run's changed value becomes the tag ``resumed.<key>``."""
        values = {key: str(value)[:MAX_PARAM_VAL_LENGTH] for key, value in params.items()}
        known = self._client.get_run(self._run_id).data.params
        new = [Param(key, value) for key, value in values.items() if key not in known]
        for batch in batches(new, MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self._run_id, params=batch)
        changed = {key: value for key, value in values.items() if known.get(key, value) != value}
        self.tags({f"resumed.{key}": value for key, value in changed.items()})

    def metrics(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows of ``metrics``, ``step`` and ``time`` (ms): the store drops what it has (key, step, time, value)."""
        entries = [
            Metric(key, float(value), int(row["time"]), int(row["step"]))
            for row in rows
            for key, value in row["metrics"].items()
        ]
        for batch in batches(entries, MAX_METRICS_PER_BATCH):
            self._client.log_batch(self._run_id, metrics=batch)

    def tags(self, tags: Mapping[str, object]) -> None:
        """Tags, cut to MLflow's 8000 characters."""
        entries = (RunTag(key, str(value)[:MAX_TAG_VAL_LENGTH]) for key, value in tags.items())
        for batch in batches(entries, MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self._run_id, tags=batch)

    def files(self, folder: Path) -> None:
        """A folder's content as artifacts."""
        if any(folder.iterdir()):
            self._client.log_artifacts(self._run_id, str(folder))

    def dataset(self, values: Mapping[str, Any]) -> None:
        """The data used, in the UI's column "Dataset"."""
        data = Dataset(
            name=values["name"],
            digest=values["digest"][:MAX_DATASET_DIGEST_SIZE],
            source_type="local",
            source=json.dumps({"uri": values["source"]}),
            profile=json.dumps(values["counts"]),
        )
        tags = [InputTag(mlflow_tags.MLFLOW_DATASET_CONTEXT, values["context"])]
        self._client.log_inputs(self._run_id, [DatasetInput(data, tags)])

    def status(self, status: str, time_ms: int | None) -> None:
        """RUNNING again, or how and when the run ended."""
        if status == "RUNNING":
            self._client.update_run(self._run_id, status=status)
        else:
            self._client.set_terminated(self._run_id, status, time_ms)


def _groups(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries that go in one call: metrics, past everything but a status; anything else by itself, in order.

    A call costs as much as the numbers of ten epochs, and nothing that is not a status depends on when they arrive.
    """
    for _, part in groupby(entries, key=lambda entry: entry.kind == "status"):
        together = list(part)
        if metrics := [entry for entry in together if entry.kind == "metrics"]:
            yield metrics
        yield from ([entry] for entry in together if entry.kind != "metrics")
