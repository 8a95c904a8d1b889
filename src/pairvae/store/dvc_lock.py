"""What DVC wrote of the stages in ``dvc.lock``: hashes of their inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def _read_yaml(path: Path) -> dict[str, object]:
    """A YAML mapping; an absent or half-written file is an empty one."""
    try:
        value = YAML(typ="safe", pure=True).load(path)
    except (OSError, YAMLError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _stages(root: Path, file: str) -> dict[str, dict[str, object]]:
    stages = _read_yaml(root / file).get("stages")
    if not isinstance(stages, dict):
        return {}
    return {str(name): stage for name, stage in stages.items() if isinstance(stage, dict)}


def _listed(stage: Mapping[str, object], key: str) -> list[object]:
    entries = stage.get(key)
    return entries if isinstance(entries, list) else []


def output_hashes(root: Path) -> Iterator[tuple[str, str]]:
    """Path and md5 of every output in dvc.lock; the md5 of a folder ends with ``.dir``."""
    yield from ((path, md5) for _, path, md5 in _locked(root, "outs"))


def locked_inputs(root: Path) -> Iterator[tuple[str, str, str]]:
    """Stage, path and md5 of everything in dvc.lock that a stage was made from."""
    return _locked(root, "deps")


def _locked(root: Path, key: str) -> Iterator[tuple[str, str, str]]:
    for name, stage in _stages(root, "dvc.lock").items():
        for entry in _listed(stage, key):
            if isinstance(entry, dict) and "md5" in entry:
                yield name, str(entry.get("path", "")), str(entry["md5"])


def input_hashes(root: Path, stage: str) -> dict[str, str]:
    """Path -> md5 of each input of ``stage`` that an earlier stage made.

    Taken from the outputs in dvc.lock: DVC writes the inputs of a stage there only after it has run, so
    during the run those are the ones of the last time.
    """
    made = dict(output_hashes(root))
    hashes = {}
    for entry in _listed(_stages(root, "dvc.yaml").get(stage, {}), "deps"):
        path = str(next(iter(entry))) if isinstance(entry, dict) else str(entry)
        within = (str(folder) for folder in (PurePosixPath(path), *PurePosixPath(path).parents))
        owner = next((folder for folder in within if folder in made), None)
        if owner is not None:
            hashes[path] = made[owner]
    return hashes
