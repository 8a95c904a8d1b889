"""The stage `raw`: pairs in the data layout, from whichever source the settings name."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from pairvae import store
from pairvae.errors import InputError
from pairvae.stages.outputs import named_place
from pairvae.stages.project import Project

SOURCE_RECORD = "source.json"
GROWING = re.compile(r"\.raw-[0-9a-f]{16}")  # a simulation that is not finished


def make_raw(project: Project) -> None:
    """Simulate, download or copy the raw pairs into ``data/raw``."""
    data = project.settings.data
    if data.source == "simulated":
        simulate_raw(project)
    elif data.source == "mdf":
        from pairvae.data.fetch import fetch, published_identifiers

        # A download that was cut off resumes in a folder of our own
        archive = None if data.mdf.archive is None else project.folder / data.mdf.archive
        cache = project.root / ".pairvae" / "downloads" / store.digest([data.mdf.base_url, str(archive)])
        fetch(cache, identifiers=published_identifiers(), base_url=data.mdf.base_url, archive=archive)
        copy_folder(cache, project.raw)
    else:
        copy_folder(source_folder(project), project.raw)


def simulate_raw(project: Project) -> None:
    """Simulate beside ``data/raw``, where a killed simulation goes on, and put the finished folder in its place."""
    from pairvae.data.simulate import simulate

    data = project.settings.data.simulated
    name = store.digest(data.model_dump(mode="json"))
    growing = project.raw.with_name(f".{project.raw.name}-{name}")
    for other in project.raw.parent.glob(f".{project.raw.name}-*"):
        if other != growing and GROWING.fullmatch(other.name):
            shutil.rmtree(other)
    simulate(growing, pairs=data.pairs, seed=data.seed, parameters=data.parameters)
    store.replace_folder(growing, project.raw)


def source_folder(project: Project) -> Path:
    """The user's own folder (``InputError`` when it is not there)."""
    folder = named_place(project.folder, project.settings.data.source, "data.source").resolve()
    if not folder.is_dir():
        raise InputError(
            expected="simulated, mdf, or a folder with SAXS and SEM in it",
            found=repr(project.settings.data.source),
            where="data.source",
        )
    listing = folder / "pairs.csv"
    if listing.is_symlink() and not listing.exists():
        raise InputError(expected="a table of pairs", found="a broken link", where=str(listing))
    return folder


def copy_folder(folder: Path, target: Path) -> None:
    """Copy the pairs of ``folder`` into the data layout at ``target``, all or none."""
    from pairvae.data.manifest import read_pairs
    from pairvae.modalities.readers import file_part

    files = sorted({file_part(path) for pair in read_pairs(folder) for path in pair.files.values()})
    with store.atomic_folder(target) as temporary:
        for file in files:
            place = temporary / file.resolve().relative_to(folder.resolve())
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        listing = folder / "pairs.csv"
        if listing.is_file():
            shutil.copyfile(listing, temporary / "pairs.csv")
        store.write_json(temporary / SOURCE_RECORD, fingerprint(folder))


def fingerprint(folder: Path) -> dict[str, str]:
    """Sizes and times of all files of a folder, in one digest: cheap enough to compare before every run."""
    facts = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            facts.append([str(path.relative_to(folder)), *_size_and_time(path)])
    return {"folder": str(folder), "fingerprint": store.digest(facts)}


def _size_and_time(path: Path) -> tuple[int, int]:
    """Of the file that a link leads to; of the link itself where it leads nowhere (in no pair: that is refused)."""
    try:
        status = path.stat()
    except OSError:
        status = path.lstat()
    return status.st_size, status.st_mtime_ns


def raw_is_stale(project: Project) -> bool:
    """Whether the user's own folder has changed since it was copied (DVC does not watch it)."""
    if project.settings.data.source in ("simulated", "mdf"):
        return False
    record = project.raw / SOURCE_RECORD
    return not record.is_file() or store.read_json(record) != fingerprint(source_folder(project))
