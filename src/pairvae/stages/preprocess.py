"""The stage `preprocess`: raw files to prepared arrays and fixed evaluation crops, sample by sample.

``data/prepare.py`` turns one file into an array; this module writes those of all samples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pairvae import operating_system, store
from pairvae.data.check.folder import check_folder, prepare_sections
from pairvae.data.check.problems import summarised
from pairvae.data.pairs.manifest import read_samples
from pairvae.data.pairs.sample import IMAGES, LOOKED_AT, Pair
from pairvae.data.prepare import prepare_file, refuse_single_phase
from pairvae.errors import InputError
from pairvae.evaluation.leakage import Warnings
from pairvae.modalities import MODALITIES, Modality, prepare_settings
from pairvae.modalities.calibration_files import with_files
from pairvae.numerics.images import seeded_crops
from pairvae.progress import Progress
from pairvae.settings import Section, Settings
from pairvae.stages.project import Project, tell
from pairvae.store.file_cache import FileCache
from pairvae.store.prepared import UNPAIRED, PreparedPair, create_array, write_card

# A sample of one modality as its prepared array, and what was done to it
Prepare = Callable[[Pair, Modality, Section], tuple[np.ndarray, dict[str, Any]]]
STORED = {True: "uint8", False: "float16"}  # of two phases and of grey levels, which it tells apart to 1/2048
PUBLIC = ("simulated", "mdf")  # sources that nobody here can mend


def preprocess(project: Project) -> None:
    """Prepare all pairs in ``data/raw`` and write ``data/prepared``, all or nothing."""
    prepare_folder(project.raw, project.prepared_folder, project.settings, project.file_cache)


def prepare_folder(raw: Path, out: Path, settings: Settings, kept: FileCache | None = None) -> None:
    """Prepare the pairs of any folder in the data layout, and samples without a partner where they are wanted.

    ``kept``: where files that were prepared before are looked up, and others are kept.
    """
    unpaired = settings.data.unpaired
    pairs, lone = read_samples(raw, unpaired, settings.modalities if unpaired == "use" else settings.several)
    # Models keep the content of masks and geometries, to predict without the folder.
    filled = with_calibrations(settings, raw)
    warnings = checked(raw, filled, kept)
    by_side = {name: [sample for sample in lone if sample.measured_by(name)] for name in settings.modalities}
    _prepare_all(out, pairs, by_side, settings, filled, warnings, partial(prepare_file, kept=kept))


def with_calibrations(settings: Settings, folder: Path) -> Settings:
    """The same settings, with the content of the masks and geometries beside pairs.csv in place of their names.

    ``InputError``: one is not there, or unreadable.
    """
    places = [folder, Path(settings.data.source).expanduser(), Path.cwd()]
    changes: dict[str, Section] = {}
    for name in settings.modalities:
        section = settings.modality(name)
        prepare = with_files(prepare_settings(settings, name), places)
        changes[name] = section.model_copy(update={"prepare": prepare})
    return settings.model_copy(update=changes)


def prepare_samples(
    out: Path,
    pairs: Sequence[Pair],
    lone: Mapping[str, Sequence[Pair]],
    settings: Settings,
    prepare: Prepare,
) -> None:
    """Prepare pairs that lie in no folder, and samples of each modality without a partner.

    ``prepare`` gives the array of each (shaped as by its modality).
    """
    _prepare_all(out, pairs, lone, settings, with_calibrations(settings, Path.cwd()), [], prepare)


def _prepare_all(
    out: Path,
    pairs: Sequence[Pair],
    lone: Mapping[str, Sequence[Pair]],
    settings: Settings,
    filled: Settings,
    warnings: Warnings,
    prepare: Prepare,
) -> None:
    """Write ``out``, all or nothing; ``filled``: the settings with the content of masks and geometries."""
    sections = {name: prepare_settings(filled, name) for name in settings.modalities}
    with store.atomic_folder(out) as folder:
        digests: dict[str, str] = {}
        for name in [name for name in settings.modalities if lone.get(name)]:
            place = folder / f"{UNPAIRED}{name}"
            place.mkdir()
            digests[name] = _write(place, lone[name], {name: sections[name]}, settings, {}, [], prepare)
        known = {"unpaired": digests} if digests else {}
        _write(folder, pairs, sections, settings, known, warnings, prepare)


def _write(
    folder: Path,
    samples: Sequence[Pair],
    sections: Mapping[str, Section],
    settings: Settings,
    known: Mapping[str, Any],
    warnings: Warnings,
    prepare: Prepare,
) -> str:
    """Arrays of the modalities ``sections`` of all samples, and their card; returns its digest.

    What was not measured of a sample is blank (see :class:`pairvae.store.prepared.PreparedPair`).
    """
    named = {name: prepare_settings(settings, name) for name in sections}
    written: dict[str, Written] = {}
    lacking: dict[str, list[bool]] = {}
    files: list[str] = []
    for name, section in sections.items():
        modality = MODALITIES[name]
        measured = [settings.several is None or sample.measured_by(name) for sample in samples]
        lacking[name] = [not known for known in measured]
        prepared = _prepared(modality, list(zip(samples, measured, strict=True)), section, prepare)
        files.append(f"{name}.npy")
        if modality.cropped:
            files.append(f"{name}-crops.npy")
            _, *sides = modality.prepared_shape(section)
            stored = STORED[modality.two_phases(section)]
            crops = create_array(folder, files[-1], (len(samples), settings.assess.crops, *sides), stored)
            written[name] = _write_cropped(folder, modality, crops, settings.assess.crop_seed, prepared)
        else:
            written[name] = _write_whole(folder, modality, len(samples), section, prepared)
    facts: dict[str, Any] = {
        "pairs": [_known(pair, index, written, lacking) for index, pair in enumerate(samples)],
        "shapes": {name: one.shapes for name, one in written.items()},
        "done": {name: one.done for name, one in written.items()},
        "prepare": {name: section.model_dump(mode="json") for name, section in named.items()},
        "with_files": {name: section.model_dump(mode="json") for name, section in sections.items()},
        "assess": settings.assess.model_dump(),
        **known,
    }
    hashes = {file: store.file_digest(folder / file) for file in files}
    digest = store.digest({**facts, "files": hashes})
    write_card(folder, {**facts, "warnings": warnings, "digest": digest}, files)
    return digest


def checked(raw: Path, settings: Settings, kept: FileCache | None = None) -> Warnings:
    """What is wrong with raw pairs, told on the terminal, too; kept in the card for the report and the runs.

    ``InputError`` for errors in a folder of one's own, with ``data.strict`` for warnings as well. Simulated and
    published pairs are as they are.
    """
    sides = [name for name in settings.modalities if name in LOOKED_AT]
    report = check_folder(raw, prepare_sections(settings, settings.modalities), sides, kept, settings.several)
    if settings.data.unpaired == "use":
        problems = tuple(problem for problem in report.problems if problem.kind != "missing partner")
        report = dataclasses.replace(report, problems=problems)
    found, errors = summarised(report), summarised(report, ("error",))
    stopping = found if settings.data.strict else [] if settings.data.source in PUBLIC else errors
    if stopping:
        more = f" (and {len(stopping) - 1} more problems)" if len(stopping) > 1 else ""
        raise InputError(
            expected="pairs without problems"
            if errors
            else "pairs without warnings, as data.strict asks for",
            found=f"{stopping[0]['name']}: {stopping[0]['text']}{more}",
            where=str(raw),
            remedy=f"`pairvae data check {raw}` lists every one",
        )
    tell(found)
    return found


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written of one modality: the arrays' shapes, and what was done to each file."""

    shapes: list[list[int]]
    done: list[dict[str, Any]]


def _known(
    pair: Pair, index: int, written: Mapping[str, Written], lacking: Mapping[str, Sequence[bool]]
) -> dict[str, Any]:
    """What is known of a pair; scales are those of the prepared arrays."""
    names = [field.name for field in dataclasses.fields(PreparedPair) if field.name != "lacks"]
    known = {name: getattr(pair, name) for name in names}
    if not known["conditions"]:
        del known["conditions"]
    if lacks := [name for name, absent in lacking.items() if absent[index]]:
        known["lacks"] = lacks
    sizes = {name: made.done[index].get("nm_per_px") for name, made in written.items() if name in IMAGES}
    if "sem" in sizes:
        known["sem_nm_per_px"] = sizes.pop("sem")
    known |= {"pixel_sizes": sizes}
    if not sizes:
        del known["pixel_sizes"]
    if "saxs" in written:
        known["saxs_q_per_px_inv_nm"] = written["saxs"].done[index].get("q_per_px_inv_nm")
    return known


Files = Iterator[tuple[Pair, np.ndarray | None, dict[str, Any]]]


def _prepared(
    modality: Modality, samples: Sequence[tuple[Pair, bool]], section: Section, prepare: Prepare
) -> Files:
    """Each pair with its prepared array and what was done; a few are in memory at a time, on all cores.

    None where it is not ``measured``, the second entry of a sample.
    """

    def one(sample: tuple[Pair, bool]) -> tuple[np.ndarray | None, dict[str, Any]]:
        pair, measured = sample
        return prepare(pair, modality, section) if measured else (None, {})

    cores = operating_system.cores()
    progress = Progress(len(samples), f"preprocess {modality.name}")
    with ThreadPoolExecutor(cores) as pool:
        for start in range(0, len(samples), 4 * cores):
            some = samples[start : start + 4 * cores]
            for (pair, _), (array, record) in zip(some, pool.map(one, some), strict=True):
                progress.advance()
                yield pair, array, record


def _write_whole(folder: Path, modality: Modality, count: int, section: Section, files: Files) -> Written:
    """Arrays of one shape in one file."""
    shape = modality.prepared_shape(section)
    stacked = create_array(folder, f"{modality.name}.npy", (count, *shape), "float32")
    done: list[dict[str, Any]] = []
    for index, (_, array, record) in enumerate(files):
        if array is not None:
            stacked[index] = array
        done.append(record)
    stacked.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    return Written([list(shape)] * count, done)


def _write_cropped(folder: Path, modality: Modality, crops: np.ndarray, seed: int, files: Files) -> Written:
    """Micrographs, appended one by one since their sizes differ, and the fixed evaluation ``crops`` of each."""
    shapes: list[list[int]] = []
    done: list[dict[str, Any]] = []
    flat = folder / f"{modality.name}.flat"
    with flat.open("wb") as stream:
        for index, (pair, array, record) in enumerate(files):
            image = np.zeros((1, 1)) if array is None else array[0]
            done.append(record)
            shapes.append([int(side) for side in image.shape])
            stream.write(np.ascontiguousarray(image, crops.dtype).tobytes())
            if array is None:
                continue
            refuse_single_phase(image, pair.files.get(modality.name))
            crops[index] = seeded_crops(image, crops.shape[-1], crops.shape[1], seed, index)
    crops.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    _store_flat(folder, modality.name, flat, sum(height * width for height, width in shapes), crops.dtype)
    return Written(shapes, done)


def _store_flat(folder: Path, name: str, flat: Path, total: int, dtype: np.dtype[Any]) -> None:
    """Turn a file of ``total`` numbers into the array of that modality, a part in memory at a time."""
    whole = create_array(folder, f"{name}.npy", (total,), dtype.name)
    source = np.memmap(flat, dtype, "r", shape=(total,))
    for start in range(0, total, 1 << 26):
        whole[start : start + (1 << 26)] = source[start : start + (1 << 26)]
    whole.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    del source
    flat.unlink()
