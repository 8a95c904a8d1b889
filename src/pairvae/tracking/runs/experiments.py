"""Check before a training that runs of an experiment and their files can be written."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Experiment

from pairvae.errors import InputError
from pairvae.store.project_root import artifacts_path, local_uri, store_name
from pairvae.tracking.relocate import local_path

DRIVERS = {  # distributions that MLflow writes artifacts with
    "s3": ("boto3",),
    "gs": ("google-cloud-storage",),
    "wasbs": ("azure-storage-blob",),
    "abfss": ("azure-storage-file-datalake",),
    "hdfs": ("pyarrow",),
    "sftp": ("pysftp",),
}


def _check_drivers(experiment: Experiment, where: str) -> None:
    """``InputError`` if the driver for the experiment's artifact location is not installed."""
    scheme = urlsplit(str(experiment.artifact_location)).scheme
    missing = [name for name in DRIVERS.get(scheme, ()) if not _is_installed(name)]
    if missing:
        raise InputError(
            expected=f"the package {missing[0]}, which writes to {scheme}://",
            found="none",
            where=where,
            remedy=f"run: pip install {missing[0]}, or let the MLflow server pass the files on (--serve-artifacts)",
        )


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def check_experiment(root: Path, uri: str, experiment: Experiment) -> None:
    """``InputError`` when runs of this experiment would not be written below the project, or cannot be written."""
    local = uri == local_uri(root)
    where = f"experiment {experiment.name!r} in {store_name(root, uri)}"
    if experiment.lifecycle_stage != "active":
        raise InputError(
            expected="an experiment in use",
            found="a deleted one",
            where=where,
            remedy=f"run: mlflow experiments restore -x {experiment.experiment_id}, or set another name as "
            "tracking.experiment in params.yaml",
        )
    _check_drivers(experiment, where)
    if not local:
        return
    if str(experiment.artifact_location).startswith("mlflow-artifacts:"):
        raise InputError(
            expected=f"artifacts under {artifacts_path(root)}",
            found="an experiment made in the MLflow UI, which only a server can write to",
            where=where,
            remedy="set another name as tracking.experiment in params.yaml",
        )
    location = local_path(experiment.artifact_location)
    if location is not None and not location.is_relative_to(root.resolve()):
        raise InputError(
            expected=f"artifacts under {artifacts_path(root)}",
            found=f"{location}: the project was moved or copied",
            where=where,
            remedy="run: pairvae doctor --fix-paths",
        )
