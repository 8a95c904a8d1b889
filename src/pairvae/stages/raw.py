"""The stage `raw`: pairs in the data layout, from whichever source the settings name."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from pairvae import store
from pairvae.data.pairs.sample import Unpaired
from pairvae.errors import InputError
from pairvae.modalities import prepare_settings
from pairvae.modalities.calibration_files import calibration_paths
from pairvae.stages.project import Project
from pairvae.store.outputs import named_place

SOURCE_RECORD = "source.json"
GROWING = re.compile(r"\.raw-[0-9a-f]{16}")  # a simulation that is not finished


def make_raw(project: Project) -> None:
    """Simulate, download or copy the raw pairs into ``data/raw``."""
    data = project.settings.data
    if data.source == "simulated":
        simulate_raw(project)
    elif data.source == "mdf":
        from pairvae.data.published.fetch import fetch, published_identifiers

        # A download that was cut off resumes in a folder of our own
        archive = None if data.mdf.archive is None else project.folder / data.mdf.archive
        cache = project.root / ".pairvae" / "downloads" / store.digest([data.mdf.base_url, str(archive)])
        fetch(cache, identifiers=published_identifiers(), base_url=data.mdf.base_url, archive=archive)
        copy_folder(cache, project.raw)
    else:
        folder = source_folder(project)
        several = project.settings.several
        copy_folder(folder, project.raw, data.unpaired, calibrations(project, folder), several)


def calibrations(project: Project, folder: Path) -> list[Path]:
    """Masks and geometries that the settings name (``InputError``: one is in neither folder)."""
    sections = [prepare_settings(project.settings, name) for name in project.settings.modalities]
    return [path for section in sections for path in calibration_paths(section, [folder, project.folder])]


def simulate_raw(project: Project) -> None:
    """Simulate beside ``data/raw``, where a killed simulation goes on, and put the finished folder in its place."""
    from pairvae.data.simulate.simulated_folder import simulate

    data = project.settings.data.simulated
    name = store.digest(data.model_dump(mode="json"))
    growing = project.raw.with_name(f".{project.raw.name}-{name}")
    for other in project.raw.parent.glob(f".{project.raw.name}-*"):
        if other != growing and GROWING.fullmatch(other.name):
            shutil.rmtree(other)
    simulate(growing, pairs=data.pairs, seed=data.seed, parameters=data.parameters, world=data.world)
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


def copy_folder(
    folder: Path,
    target: Path,
    unpaired: Unpaired = "error",
    calibrations: Sequence[Path] = (),
    modalities: Sequence[str] | None = None,
) -> None:
    """Copy the samples of ``folder``, what belongs to their files, and ``calibrations`` to ``target``, all or none.

    ``modalities``: the techniques of a sample, where there are more than two.
    Files elsewhere stay where they are: they are opened there, where ``data.roots`` lets them be.
    """
    from pairvae.data.pairs.manifest import named_samples
    from pairvae.modalities.readers.image import companions, file_part
    from pairvae.modalities.readers.instruments import sidecars

    samples = named_samples(folder, unpaired, modalities)
    named = [path for sample in samples for path in sample.files.values()]
    further = [*(companion for path in named for companion in companions(path)), *calibrations]
    inside = {one for one in further if one.resolve().is_relative_to(folder.resolve())}
    own = set(map(file_part, named))
    files = sorted(own | inside | {beside for file in own for beside in sidecars(file)})
    with store.atomic_folder(target) as temporary:
        for file in files:
            start = folder if file.is_relative_to(folder) else folder.resolve()  # a link keeps its own name
            place = temporary / file.relative_to(start)
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
