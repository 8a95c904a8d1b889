"""Which code each stage runs, as files that DVC compares: written by the stage `raw` below ``.pairvae/code``."""

from __future__ import annotations

import hashlib
import shutil
import sys
from functools import cache
from importlib import resources
from pathlib import Path

from pairvae import store
from pairvae.operating_system import link_folder
from pairvae.settings import parse_yaml, preset_values, value_at
from pairvae.stages.project import Project, stage_module
from pairvae.store.code import PACKAGE, code_digest
from pairvae.store.dvc_lock import locked_inputs

FOLDER = ".pairvae/code"
LINK = ".pairvae/package"  # to the installed package, which the stage `raw` depends on


def write_code_digests(project: Project) -> None:
    """One file for each stage: the digest of its code, and of the preset's values that it starts from."""
    with store.atomic_folder(project.folder / FOLDER) as folder:
        for stage in stages():
            (folder / stage).write_text(_content(project, stage), encoding="utf-8")


def made_by_other_code(project: Project) -> list[str]:
    """Stages whose results, according to dvc.lock, come from other code or another preset than today's."""
    found = []
    for stage, path, md5 in locked_inputs(project.folder):
        if path == f"{FOLDER}/{stage}" and stage in stages():
            today = hashlib.md5(_content(project, stage).encode(), usedforsecurity=False).hexdigest()
            found += [stage] if md5 != today else []
    return found


def warn_of_other_code(project: Project, stage: str) -> None:
    """One line on the terminal where a stage that is run alone reads results of other code (DVC makes them anew)."""
    known = [*stages()]
    earlier = known[: known.index(stage)] if stage in known else known
    other = [name for name in made_by_other_code(project) if name in earlier]
    if other:
        line = f"{stage}: results of {', '.join(other)} were made by other code; `pairvae repro` makes them again"
        print(line, file=sys.stderr)


def _content(project: Project, stage: str) -> str:
    values = preset_values(project.settings.preset)
    sections = store.digest([value_at(values, key) for key in stages()[stage]])
    return f"{code_digest(stage_module(stage))}\n{sections}\n"


@cache
def stages() -> dict[str, list[str]]:
    """The stages of the pipeline in their order, each with the keys of params.yaml that it depends on."""
    text = (resources.files("pairvae") / "template" / "dvc.yaml").read_text("utf-8")
    return {name: stage["params"] for name, stage in parse_yaml(text, "dvc.yaml")["stages"].items()}


def refresh_link(folder: Path) -> None:
    """Renew the link of a project made by `pairvae init`, which may have been copied from another machine."""
    if LINK in (folder / "dvc.yaml").read_text("utf-8"):
        link_package(folder)


def link_package(folder: Path) -> None:
    """Let ``.pairvae/package`` of a project lead to the package that runs, so that DVC notices another version.

    The repository's own dvc.yaml names its sources instead, and has no link.
    """
    link = folder / LINK
    if link.is_symlink() and link.readlink() == PACKAGE:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    elif (link / "store" / "code.py").is_file():
        shutil.rmtree(link)  # a copy of the project that followed the link: the package itself
    link_folder(link, PACKAGE)
