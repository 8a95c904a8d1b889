"""Copy runs to another store: everything that a run holds; repeated calls copy it once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag, ViewType
from mlflow.utils import mlflow_tags
from mlflow.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH

from pairvae import store
from pairvae.tracking.relocate import local_path
from pairvae.tracking.runs.writer import batches

# On a copy: the run and the store it came from, and the digest of what had arrived when it was complete
SOURCE_RUN, SOURCE_STORE, COMPLETE = "sync.run", "sync.store", "sync.complete"
OPEN = ("RUNNING", "SCHEDULED")
PAGE = 1000


@dataclass(frozen=True)
class Files:
    """The artifacts of a run or model on this machine: path below ``folder`` -> size in bytes."""

    folder: Path | None
    sizes: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes in all."""
        return sum(self.sizes.values())


def files_at(location: str | None) -> Files:
    """The files below a ``file:`` address or path; empty if they are elsewhere or missing."""
    folder = local_path(location)
    if folder is None or not folder.is_dir():
        return Files(None, {})
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return Files(folder, {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths})


def all_runs(client: MlflowClient, experiments: Iterable[str], filter_string: str = "") -> Iterator[Run]:
    """Every active run, page by page."""
    ids, token = list(experiments), None
    while ids:
        page = client.search_runs(
            ids, filter_string, ViewType.ACTIVE_ONLY, PAGE, ["attributes.start_time ASC"], token
        )
        yield from page
        token = page.token
        if not token:
            return


def with_relatives(runs: list[Run], names: Iterable[str]) -> list[Run]:
    """The runs whose id begins with, or whose name is, one of ``names``, with those above and below them.

    A name without a run raises ``KeyError``.
    """
    parents = {run.info.run_id: parent_of(run) for run in runs}
    chosen: set[str] = set()
    for word in names:
        named = {
            run.info.run_id for run in runs if run.info.run_id.startswith(word) or run.info.run_name == word
        }
        if not named:
            raise KeyError(word)
        chosen |= named
    below = set(chosen)
    for run in runs:
        line = list(_line(run.info.run_id, parents))
        if below.intersection(line):
            chosen.update(line[: max(line.index(ancestor) for ancestor in below.intersection(line)) + 1])
    for run_id in list(below):
        chosen.update(_line(run_id, parents))
    return [run for run in runs if run.info.run_id in chosen]


def _line(run_id: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    """A run, its parent, and so on."""
    seen: set[str] = set()
    at: str | None = run_id
    while at is not None and at in parents and at not in seen:
        seen.add(at)
        yield at
        at = parents[at]


def parent_of(run: Run) -> str | None:
    """The id of the run that this one is shown under."""
    parent: str | None = run.data.tags.get(mlflow_tags.MLFLOW_PARENT_RUN_ID)
    return parent


def parents_first(runs: list[Run]) -> list[Run]:
    """Sorted so that no run comes before the one it is shown under."""
    parents = {run.info.run_id: parent_of(run) for run in runs}
    return sorted(runs, key=lambda run: (len(list(_line(run.info.run_id, parents))), run.info.start_time))


def content_digest(run: Run, files: Files) -> str:
    """Digest of a complete copy; it changes with everything that can be added to a run."""
    latest = {key: (repr(value)) for key, value in run.data.metrics.items()}
    return store.digest(
        [run.info.run_name, run.info.status, run.info.end_time, run.data.params, run.data.tags, latest,
         files.sizes, [data.dataset.digest for data in run.inputs.dataset_inputs]]
    )  # fmt: skip


def copies_in(client: MlflowClient, store_id: str) -> dict[str, Run]:
    """Source run -> its copy in the store of ``client``."""
    experiments = [
        experiment.experiment_id for experiment in client.search_experiments(view_type=ViewType.ACTIVE_ONLY)
    ]
    copies = all_runs(client, experiments, f"tags.`{SOURCE_STORE}` = '{store_id}'")
    return {run.data.tags[SOURCE_RUN]: run for run in copies}


@dataclass(frozen=True)
class Copier:
    """Copies runs from one store to another; ``store_id`` names the first."""

    source: MlflowClient
    target: MlflowClient
    store_id: str

    def copy(self, run: Run, files: Files, experiment_id: str, parent: str | None, copied: Run | None) -> str:
        """Bring the copy of ``run`` up to date, or make it; its id. ``parent``: the id in the target store."""
        tags = dict(run.data.tags)
        tags.pop(mlflow_tags.MLFLOW_PARENT_RUN_ID, None)
        if parent is not None:
            tags[mlflow_tags.MLFLOW_PARENT_RUN_ID] = parent
        tags |= {SOURCE_RUN: run.info.run_id, SOURCE_STORE: self.store_id}
        if copied is None:
            new = self.target.create_run(experiment_id, run.info.start_time, tags, run.info.run_name)
            run_id = str(new.info.run_id)
        else:
            run_id = str(copied.info.run_id)
            for batch in batches((RunTag(*item) for item in tags.items()), MAX_PARAMS_TAGS_PER_BATCH):
                self.target.log_batch(run_id, tags=batch)
        self._values(run, run_id)
        if run.inputs.dataset_inputs:
            self.target.log_inputs(run_id, run.inputs.dataset_inputs)
        # What arrived before an interruption is not sent again; a run that changed after that is.
        interrupted = copied is not None and COMPLETE not in copied.data.tags
        self._files(run_id, files, self._sizes(run_id) if interrupted else {})
        self.target.set_terminated(run_id, run.info.status, run.info.end_time)
        self.target.set_tag(run_id, COMPLETE, content_digest(run, files))
        return run_id

    def _values(self, run: Run, run_id: str) -> None:
        for params in batches((Param(*item) for item in run.data.params.items()), MAX_PARAMS_TAGS_PER_BATCH):
            self.target.log_batch(run_id, params=params)
        history = (
            Metric(entry.key, entry.value, entry.timestamp, entry.step)
            for key in sorted(run.data.metrics)
            for entry in self.source.get_metric_history(run.info.run_id, key)
        )
        for metrics in batches(history, MAX_METRICS_PER_BATCH):
            self.target.log_batch(run_id, metrics=metrics)

    def _sizes(self, run_id: str, folder: str | None = None) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for artifact in self.target.list_artifacts(run_id, folder):
            sizes |= (
                self._sizes(run_id, artifact.path)
                if artifact.is_dir
                else {artifact.path: int(artifact.file_size or 0)}
            )
        return sizes

    def _files(self, run_id: str, files: Files, known: Mapping[str, int]) -> None:
        if files.folder is None or not files.sizes:
            return
        if not known:
            self.target.log_artifacts(run_id, str(files.folder))
            return
        for name, size in files.sizes.items():
            if known.get(name) != size:
                folder = name.rpartition("/")[0] or None
                self.target.log_artifact(run_id, str(files.folder / name), folder)
