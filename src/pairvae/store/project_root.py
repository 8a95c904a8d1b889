"""Where a project lies, also when DVC runs a stage in a temporary copy of it."""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pairvae.errors import InputError
from pairvae.settings import read_params

MARKERS = ("params.yaml", "dvc.yaml")
EXPERIMENT_COPIES = (".dvc", "tmp", "exps")
ARTIFACTS = "mlruns"
DATABASE = "mlflow.db"
OWN_FILES = ".pairvae"
PREPARED_FILES = "files"  # the folder in it with what was made of raw files
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
USER_PART = re.compile(r"(?<=://)[^@/\s]*@")
NOT_IN_AN_ADDRESS = re.compile(r"\?|%[0-9A-Fa-f]{2}")  # of a database: the rest is read as text
HTTP = ("http://", "https://")
SQLITE = "sqlite:///"
PAIR = "pairvae"  # the registered pair, unless tracking.models names it
OWN_PAIR = re.compile(r"(models:/)pairvae(?=[@/])")


def _is_root(folder: Path) -> bool:
    return any((folder / marker).is_file() for marker in MARKERS)


def checkout_root(start: Path | None = None) -> Path:
    """The nearest folder at or above ``start`` (default: the working folder) with params.yaml or dvc.yaml.

    In a ``dvc exp run --queue`` this is the temporary copy, whose dvc.lock and commit belong to the run.
    Raises ``InputError`` when no folder above qualifies.
    """
    begin = (start or Path.cwd()).resolve()
    for folder in (begin, *begin.parents):
        if _is_root(folder):
            return _usable(folder)
    raise InputError(
        expected="a project folder with params.yaml or dvc.yaml",
        found="none here nor above",
        where=str(begin),
        remedy="change into the folder of the project",
    )


def _usable(folder: Path) -> Path:
    """``folder`` itself; ``InputError`` where the address of its database would name another file."""
    match = NOT_IN_AN_ADDRESS.search(str(folder))
    if match is None:
        return folder
    raise InputError(
        expected="a project folder whose path has neither ? nor % before two digits",
        found=repr(match[0]),
        where=str(folder),
        remedy="rename the folder: MLflow would open another file than the project's database",
    )


def _outer_root(inner: Path) -> Path | None:
    parts = inner.parts
    width = len(EXPERIMENT_COPIES)
    for index in range(len(parts) - width, 0, -1):
        if parts[index : index + width] != EXPERIMENT_COPIES:
            continue
        base, below = Path(*parts[:index]), parts[index + width :]
        # The copy is of the whole git repository: a project in a sub-folder lies at the end of its path.
        candidates = [base.joinpath(*below[skip:]) for skip in range(1, len(below) + 1)]
        return next((folder for folder in candidates if _is_root(folder)), base)
    return None


def project_root(start: Path | None = None) -> Path:
    """The project's folder, in which runs, checkpoints and caches outlive a stage.

    ``checkout_root``, or for a temporary ``dvc exp run`` copy (which DVC deletes) the root it was copied
    from: DVC names it in ``DVC_ROOT``; it lies in that one's ``.dvc/tmp/exps``. Raises as ``checkout_root``.
    """
    named = os.environ.get("DVC_ROOT")
    if start is None and named and os.environ.get("DVC_EXP_NAME") and _is_root(Path(named)):
        return Path(named).resolve()
    inner = checkout_root(start)
    return _outer_root(inner) or inner


def _tracking_setting(root: Path, key: str) -> str | None:
    """A value of the section ``tracking`` in the project's params.yaml, where there is one."""
    path = root / MARKERS[0]
    try:
        status = path.stat()
        section = _params(path, status.st_mtime_ns, status.st_size).get("tracking")
    except (OSError, InputError):  # reported where the settings are read
        return None
    value = section.get(key) if isinstance(section, dict) else None
    return value if isinstance(value, str) and value else None


@lru_cache(maxsize=8)
def _params(path: Path, modified_ns: int, size: int) -> dict[str, Any]:
    return read_params(path)


def pair_name(root: Path) -> str:
    """The name of the project's registered pair, ``tracking.models``: projects that share a store have one each."""
    return _tracking_setting(root, "models") or PAIR


def own_model(root: Path, uri: str) -> str:
    """``models:/pairvae...`` as the address of this project's pair, whatever its name in the registry."""
    match = OWN_PAIR.match(uri)
    return f"{match[1]}{pair_name(root)}{uri[match.end() :]}" if match else uri


def tracking_uri(root: Path) -> str:
    """``MLFLOW_TRACKING_URI`` if set, else ``tracking.store`` of the settings, else ``<root>/mlflow.db``.

    The last is what a plain ``mlflow ui`` finds, too.

    ``InputError`` for the address of a server with a password in it, which would end up in MLflow's own messages,
    and where ``MLFLOW_REGISTRY_URI`` names another store: runs and the models that come from them stay together.
    """
    uri = checked_uri(
        _absolute(
            os.environ.get("MLFLOW_TRACKING_URI") or _tracking_setting(root, "store") or local_uri(root)
        )
    )
    registry = os.environ.get("MLFLOW_REGISTRY_URI")
    if registry and _absolute(registry).rstrip("/") != uri.rstrip("/"):
        raise InputError(
            expected=f"models in the store of the runs, {shown(uri)}",
            found=shown(registry),
            where="MLFLOW_REGISTRY_URI",
            remedy="unset MLFLOW_REGISTRY_URI, or set MLFLOW_TRACKING_URI to the same address",
        )
    return uri


def _absolute(uri: str) -> str:
    """``uri`` itself, or that of a SQLite file with the file's absolute path."""
    if not uri.startswith(SQLITE) or uri.startswith(f"{SQLITE}:") or "?" in uri:
        return uri
    return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).resolve()}"


def store_name(root: Path, uri: str | None = None) -> str:
    """The store at ``uri`` (the project's, ``tracking_uri``) as errors name it: a file, or an address."""
    address = uri or tracking_uri(root)
    return str(database_path(root)) if address == local_uri(root) else shown(address)


def how_to_register(root: Path) -> str:
    """What to do where the registry lacks a model: trained and assessed models only have to be registered."""
    ready = (root / "models" / "train-pair" / "card.json", root / "reports" / "metrics.json")
    return "run: pairvae register" if all(path.is_file() for path in ready) else "run: pairvae repro"


def local_uri(root: Path) -> str:
    """The project's own database, whatever the environment names."""
    return f"{SQLITE}{database_path(root).as_posix()}"


def is_server(uri: str) -> bool:
    """Whether ``uri`` is a tracking server, and not a database."""
    return uri.startswith(HTTP)


def checked_uri(uri: str) -> str:
    """``uri`` itself (``InputError`` where it is a server's and holds credentials)."""
    if is_server(uri) and urlsplit(uri).username is not None:
        raise InputError(
            expected="the address of a tracking server without name and password",
            found=shown(uri),
            where="MLFLOW_TRACKING_URI",
            remedy="give them in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        )
    return uri


def shown(text: str) -> str:
    """``text`` (an address, an error) as it may be shown: without credentials, on one line."""
    for name in SECRETS:
        if len(os.environ.get(name, "")) > 3:
            text = text.replace(os.environ[name], "***")
    return " ".join(USER_PART.sub("", text).split())


def database_path(root: Path) -> Path:
    """The project's own database of runs."""
    return root.resolve() / DATABASE


def artifacts_path(root: Path) -> Path:
    """The folder that holds the artifacts of the project's own runs and models."""
    return root.resolve() / ARTIFACTS


def is_local(root: Path) -> bool:
    """Whether runs go to the project's own database, not to a server or a shared database."""
    return tracking_uri(root) == local_uri(root)


def ui_command(root: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """The command that shows the runs at ``http://127.0.0.1:<port>``, and what to add to its environment.

    One worker and no job executor: it answers after about 5 s instead of 25 s. A tracking server has a page of its
    own, at its address (``is_server``).
    """
    uri = tracking_uri(root)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--port", str(port)]
    command += ["--workers", "1", "--default-artifact-root", artifacts_path(root).as_uri()]
    # A line for each request would bury the address that was printed
    command += ["--uvicorn-opts", "--log-level warning"]
    return command, {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
    }
