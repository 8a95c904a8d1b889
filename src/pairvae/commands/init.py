"""`pairvae init DIR`: a project of one's own, from the installed package."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pairvae import store
from pairvae.commands.code_digests import LINK, link_package
from pairvae.commands.repro import write_params
from pairvae.errors import InputError
from pairvae.settings import PARAMS_FILE
from pairvae.store.project_root import DATABASE, SQLITE, checked_uri

TEMPLATE = "template"
PACKAGE = "PACKAGE"  # stands in the template of dvc.yaml for the folder of the code
PLOT = ".dvc/plots/pairvae_boxplot.json"
FILES = {
    PARAMS_FILE: "params.yaml",
    "dvc.yaml": "dvc.yaml",
    ".gitignore": "gitignore",
    ".dvcignore": "dvcignore",
    "README.md": "README.md",
    PLOT: "boxplot.json",
}
DVC_CONFIG = "[core]\n    analytics = false\n    check_update = false\n    autostage = false\n"


@dataclass(frozen=True)
class Made:
    """A new project: its folder, and whether git keeps its history."""

    folder: Path
    git: bool


def init(
    folder: Path, data: Path | None = None, store_at: str | None = None, cache: Path | None = None
) -> Made:
    """Make a project in ``folder``, which may hold other files, but none of a project.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.
    data : Path, optional
        The user's own pairs; becomes ``data.source``. The simulated pairs otherwise.
    store_at : str, optional
        A tracking store that several projects share: a folder, or an address as MLflow takes it. The project's
        experiment and registered models then have names of their own in it.
    cache : Path, optional
        A folder for DVC's cache that several projects share.

    Raises
    ------
    InputError
        There is a project already, or a file that would have to be replaced; ``data`` is no folder or lies where
        the pipeline writes. Nothing is written then.
    """
    folder = folder.expanduser().absolute()
    _refuse_existing(folder)
    source = None if data is None else _source(folder, data.expanduser().absolute())
    tracking = {} if store_at is None else _shared_store(folder, store_at)
    folder.mkdir(parents=True, exist_ok=True)
    git = _git(folder)
    for name, template in FILES.items():
        text = (resources.files("pairvae") / TEMPLATE / template).read_text("utf-8")
        store.write_text(folder / name, text.replace(PACKAGE, LINK) if name == "dvc.yaml" else text)
    config = DVC_CONFIG + ("" if git else "    no_scm = true\n")
    if cache is not None:
        config += f"[cache]\n    dir = {cache.expanduser().absolute()}\n"
    store.write_text(folder / ".dvc" / "config", config)
    link_package(folder)
    changes = ({} if source is None else {"data": {"source": source}}) | (
        {"tracking": tracking} if tracking else {}
    )
    if changes:
        write_params(folder / PARAMS_FILE, changes)
    return Made(folder, git)


def _refuse_existing(folder: Path) -> None:
    taken = [name for name in (*FILES, ".dvc/config", LINK) if (folder / name).exists()]
    if folder.exists() and not folder.is_dir():
        raise InputError(expected="a folder", found="a file", where=str(folder))
    if taken:
        raise InputError(
            expected="a folder without a project",
            found=f"{taken[0]} in it",
            where=str(folder),
            remedy="choose another folder; nothing was changed",
        )


def _source(folder: Path, data: Path) -> str:
    """What ``data.source`` names: relative inside the project, else the whole path."""
    if not data.is_dir():
        raise InputError(expected="a folder with SAXS and SEM in it", found=f"none at {data}", where="--data")
    inside = data.resolve().is_relative_to(folder.resolve())
    return data.resolve().relative_to(folder.resolve()).as_posix() if inside else str(data)


def _shared_store(folder: Path, place: str) -> dict[str, str]:
    """Settings of a project that shares the store at ``place``: names that no other project has, and the address.

    A folder is made; MLflow's database lies in it.
    """
    letters = re.sub(r"[^A-Za-z0-9]+", "-", folder.name).strip("-") or "project"
    name = f"{letters[:60]}-{store.digest([str(folder), socket.gethostname()])[:6]}"
    if "://" in place:
        return {"experiment": name, "models": name, "store": checked_uri(place)}
    shared = Path(place).expanduser().absolute()
    if shared.exists() and not shared.is_dir():
        raise InputError(expected="a folder or an address", found=f"a file at {shared}", where="--store")
    shared.mkdir(parents=True, exist_ok=True)
    return {"experiment": name, "models": name, "store": f"{SQLITE}{shared / DATABASE}"}


def _git(folder: Path) -> bool:
    """Whether git keeps the project: a repository above it, or a new one; none without git."""
    if shutil.which("git") is None:
        return False
    inside = subprocess.run(["git", "rev-parse", "--is-inside-work-tree"], cwd=folder, capture_output=True)
    if inside.returncode == 0:
        return True
    made = subprocess.run(["git", "init", "--quiet", "."], cwd=folder, capture_output=True)
    return made.returncode == 0
