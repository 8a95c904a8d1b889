"""One MLflow run for each training stage or trial."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils import mlflow_tags
from mlflow.utils.validation import (
    MAX_DATASET_DIGEST_SIZE,
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
    MAX_TAG_VAL_LENGTH,
)
from numpy.typing import NDArray

from pairvae.tracking.store import connect, prepare_store
from pairvae.tracking.tracker import Tracker

T = TypeVar("T")


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _tag(key: str, value: object) -> RunTag:
    return RunTag(key, str(value)[:MAX_TAG_VAL_LENGTH])


class MlflowTracker:
    """A ``Tracker`` that writes to one MLflow run; it ends with the ``start_run`` that gave it."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client, self._run_id = client, run_id

    @property
    def run_id(self) -> str:
        """MLflow's name of the run, 32 hexadecimal digits."""
        return self._run_id

    def log_params(self, params: Mapping[str, object]) -> None:
        """Settings. MLflow never changes one: where a resumed run differs, a tag ``resumed.<key>`` tells."""
        values = {key: str(value)[:MAX_PARAM_VAL_LENGTH] for key, value in params.items()}
        known = self._client.get_run(self._run_id).data.params
        new = [Param(key, value) for key, value in values.items() if key not in known]
        for batch in _batches(new, MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self._run_id, params=batch)
        changed = {key: value for key, value in values.items() if known.get(key, value) != value}
        self.set_tags({f"resumed.{key}": value for key, value in changed.items()})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Numbers at ``step`` (an epoch; 0 when None), in one transaction."""
        now = int(time.time() * 1000)
        entries = [Metric(key, float(value), now, step or 0) for key, value in metrics.items()]
        for batch in _batches(entries, MAX_METRICS_PER_BATCH):
            self._client.log_batch(self._run_id, metrics=batch)

    def log_image(self, image: NDArray[np.uint8], name: str, step: int) -> None:
        """``(H, W)`` or ``(H, W, 3)`` in [0, 255]; ``ValueError`` for other arrays."""
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise ValueError(f"expected uint8 (H, W) or (H, W, 3), found {image.dtype} {image.shape}")
        self._client.log_image(self._run_id, image, key=name, step=step)

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """A copy of a file or of a folder's content, under ``folder``."""
        if path.is_dir():
            self._client.log_artifacts(self._run_id, str(path), folder or None)
        else:
            self._client.log_artifact(self._run_id, str(path), folder or None)

    def log_text(self, text: str, name: str) -> None:
        """``text`` as the artifact ``name``."""
        self._client.log_text(self._run_id, text, name)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Tags, cut to MLflow's 8000 characters."""
        for batch in _batches((_tag(*item) for item in tags.items()), MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self._run_id, tags=batch)

    def log_dataset(
        self, name: str, source: str, digest: str, context: str, counts: Mapping[str, int]
    ) -> None:
        """The data used, in the UI's column "Dataset"."""
        data = Dataset(
            name=name,
            digest=digest[:MAX_DATASET_DIGEST_SIZE],
            source_type="local",
            source=json.dumps({"uri": source}),
            profile=json.dumps(dict(counts)),
        )
        tags = [InputTag(mlflow_tags.MLFLOW_DATASET_CONTEXT, context)]
        self._client.log_inputs(self._run_id, [DatasetInput(data, tags)])


def _user() -> str:
    """The login name; a container may run under a number that has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid-{os.getuid()}"


def _own_tags(parent: str | None, description: str) -> dict[str, str]:
    tags = {
        mlflow_tags.MLFLOW_USER: _user(),
        mlflow_tags.MLFLOW_SOURCE_NAME: Path(sys.argv[0]).name,
        mlflow_tags.MLFLOW_SOURCE_TYPE: "LOCAL",
    }
    if parent:
        tags[mlflow_tags.MLFLOW_PARENT_RUN_ID] = parent
    if description:
        tags[mlflow_tags.MLFLOW_RUN_NOTE] = description
    return tags


def _reopen(client: MlflowClient, experiment_id: str, run_id: str) -> bool:
    """Set an earlier run of this experiment to RUNNING; False when it is gone (deleted, another database)."""
    try:
        info = client.get_run(run_id).info
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    if info.lifecycle_stage != "active" or str(info.experiment_id) != experiment_id:
        return False
    client.update_run(run_id, status="RUNNING")
    return True


@contextmanager
def start_run(
    root: Path,
    experiment: str,
    name: str,
    *,
    tags: Mapping[str, str] | None = None,
    parent: str | None = None,
    resume: str | None = None,
    description: str = "",
) -> Iterator[Tracker]:
    """A run of ``experiment`` that ends with the block: FINISHED, FAILED on an exception, KILLED on Ctrl-C.

    ``resume``: the id of a run whose process was killed; it goes on, or a new one begins if it is gone.
    ``parent``: the id of the run that this one is shown under. ``InputError`` as ``prepare_store``.
    """
    experiment_id = prepare_store(root, experiment)
    client = connect(root)
    all_tags = {**_own_tags(parent, description), **(tags or {})}
    if resume and _reopen(client, experiment_id, resume):
        tracker = MlflowTracker(client, resume)
        tracker.set_tags(all_tags)
    else:
        run = client.create_run(experiment_id, run_name=name, tags=all_tags)
        tracker = MlflowTracker(client, run.info.run_id)
    status = "FAILED"
    try:
        yield tracker
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        client.set_terminated(tracker.run_id, status)


def annotate_run(
    root: Path, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, object] | None = None
) -> None:
    """Add final scores and tags to an earlier run; status and times stay. ``MlflowException`` if unknown."""
    tracker = MlflowTracker(connect(root), run_id)
    tracker.log_metrics(metrics)
    tracker.set_tags(tags or {})
