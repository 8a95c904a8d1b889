"""Techniques, readers and scores of other packages, which their entry points name (docs/guides/new-modality.md)."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairvae.errors import InputError, reason

MODALITIES, READERS, SCORES = "pairvae.modalities", "pairvae.readers", "pairvae.scores"
NOUNS = {MODALITIES: "technique", READERS: "reader", SCORES: "score"}
PRESETS = "presets"  # the folder beside the modules of a package with its defaults


@cache
def plugins(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name, sorted (``InputError`` where two packages give one name)."""
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, package_of(entry))):
        other = found.setdefault(entry.name, entry)
        if package_of(other) != package_of(entry):
            raise InputError(
                expected=f"one package with the {NOUNS[group]} {entry.name}",
                found=f"{package_of(other)} and {package_of(entry)}",
                where="installed packages",
                remedy="uninstall one of them",
            )
    return found


def package_of(entry: EntryPoint) -> str:
    """Name and version of the package that declares an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.module


def load(entry: EntryPoint) -> Any:
    """What an entry point names (``InputError`` names the package where it cannot be imported)."""
    try:
        return entry.load()
    except InputError:
        raise
    except Exception as error:  # whatever the code of others raises while it is imported
        raise broken(entry, f"{entry.value} that can be imported", reason(error)) from error


def broken(entry: EntryPoint, expected: str, found: str) -> InputError:
    """The error for a package that does not keep to what the guide says.

    Parameters
    ----------
    entry : EntryPoint
        Of the package.
    expected, found : str
        As of :class:`~pairvae.errors.InputError`.

    Returns
    -------
    InputError
        It names the package.
    """
    where = f"package {package_of(entry)}, entry point {entry.group}: {entry.name}"
    return InputError(
        expected=expected, found=found, where=where, remedy="update the package, or uninstall it"
    )


def folder_of(entry: EntryPoint) -> Path:
    """The folder of the package with an entry point's module, which is not imported for it."""
    spec = find_spec(entry.module.partition(".")[0])
    if spec is None or not spec.submodule_search_locations:
        raise broken(entry, f"a package {entry.module.partition('.')[0]}", "none, or a single module")
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def preset_texts(preset: str) -> dict[str, tuple[EntryPoint, str]]:
    """By technique of another package its entry point and the text of its defaults; empty text where it has none.

    Raises
    ------
    InputError
        Where a package has no ``presets/fast.yaml``.
    """
    texts = {}
    for name, entry in plugins(MODALITIES).items():
        file = folder_of(entry) / PRESETS / f"{preset}.yaml"
        if not file.is_file() and preset == "fast":
            raise broken(entry, f"defaults in {PRESETS}/fast.yaml of the package", "none")
        texts[name] = (entry, file.read_text("utf-8") if file.is_file() else "")
    return texts


@cache
def code_files() -> tuple[Path, ...]:
    """The modules and presets of all packages with entry points of pairvae: what they do decides results."""
    folders = {
        folder_of(entry) for group in (MODALITIES, READERS, SCORES) for entry in plugins(group).values()
    }
    return tuple(
        file
        for folder in sorted(folders)
        for file in sorted(folder.rglob("*"))
        if file.suffix in (".py", ".yaml")
    )
