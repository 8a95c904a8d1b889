"""The stage `preprocess`: raw files to prepared arrays and fixed evaluation crops, sample by sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pairvae import operating_system, store
from pairvae.data.check.folder import check_for, other_sections
from pairvae.data.check.problems import summarised
from pairvae.data.pairs.manifest import read_samples
from pairvae.data.pairs.sample import FOLDERS, Pair, with_scales
from pairvae.errors import InputError
from pairvae.evaluation.leakage import Warnings
from pairvae.modalities import MODALITIES, Modality, prepare_settings
from pairvae.modalities.calibration_files import with_files
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.numerics.images import seeded_crops
from pairvae.progress import Progress
from pairvae.settings import AssessSettings, Section, Settings
from pairvae.stages.project import Project, tell
from pairvae.store.prepared import UNPAIRED, PreparedPair, create_array, write_card

# A sample of one modality as its prepared array, and what was done to it
Prepare = Callable[[Pair, Modality, Section], tuple[np.ndarray, dict[str, Any]]]
PUBLIC = ("simulated", "mdf")  # sources that nobody here can mend


def preprocess(project: Project) -> None:
    """Prepare all pairs in ``data/raw`` and write ``data/prepared``, all or nothing."""
    prepare_folder(project.raw, project.prepared_folder, project.settings)


def prepare_folder(raw: Path, out: Path, settings: Settings) -> None:
    """Prepare the pairs of any folder in the data layout, and samples without a partner where they are wanted."""
    unpaired = settings.data.unpaired
    pairs, lone = read_samples(raw, unpaired, settings.modalities if unpaired == "use" else None)
    # Models keep the content of masks and geometries, to predict without the folder.
    filled = with_calibrations(settings, raw)
    warnings = checked(raw, filled)
    by_side = {
        name: [sample for sample in lone if {name, MODALITIES[name].instead} & {*sample.files}]
        for name in settings.modalities
    }
    _prepare_all(out, pairs, by_side, settings, filled, warnings, _from_file)


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


def _from_file(pair: Pair, modality: Modality, section: Section) -> tuple[np.ndarray, dict[str, Any]]:
    raw = raw_of(pair, modality)
    return modality.prepare(raw, section), modality.record(raw, section)


def _write(
    folder: Path,
    samples: Sequence[Pair],
    sections: Mapping[str, Section],
    settings: Settings,
    known: Mapping[str, Any],
    warnings: Warnings,
    prepare: Prepare,
) -> str:
    """Arrays of the modalities ``sections`` of all samples, and their card; returns its digest."""
    named = {name: prepare_settings(settings, name) for name in sections}
    written: dict[str, Written] = {}
    files: list[str] = []
    for name, section in sections.items():
        modality = MODALITIES[name]
        write = _write_cropped if modality.cropped else _write_whole
        each = _prepared(modality, samples, section, prepare)
        written[name] = write(folder, modality, samples, section, settings.assess, each)
        files += [f"{name}.npy", *([f"{name}-crops.npy"] if modality.cropped else [])]
    facts: dict[str, Any] = {
        "pairs": [_known(pair, index, written) for index, pair in enumerate(samples)],
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


def checked(raw: Path, settings: Settings) -> Warnings:
    """What is wrong with raw pairs, told on the terminal, too; kept in the card for the report and the runs.

    ``InputError`` for errors in a folder of one's own, with ``data.strict`` for warnings as well. Simulated and
    published pairs are as they are.
    """
    sides = [name for name in settings.modalities if name in FOLDERS]
    others = {name: one for name, one in other_sections(settings).items() if name in settings.modalities}
    report = check_for(raw, settings.sem.prepare, settings.saxs.prepare, sides, others)
    if settings.data.unpaired == "use":
        kept = [one for one in report.problems if one.kind != "missing partner"]
        report = dataclasses.replace(report, problems=tuple(kept))
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


def _known(pair: Pair, index: int, written: Mapping[str, Written]) -> dict[str, Any]:
    """What is known of a pair; scales are those of the prepared arrays."""
    names = [field.name for field in dataclasses.fields(PreparedPair)]
    known = {name: getattr(pair, name) for name in names}
    if not known["conditions"]:
        del known["conditions"]
    if "sem" in written:
        known["sem_nm_per_px"] = written["sem"].done[index]["nm_per_px"]
    if "saxs" in written:
        known["saxs_q_per_px_inv_nm"] = written["saxs"].done[index]["q_per_px_inv_nm"]
    return known


def raw_of(pair: Pair, modality: Modality) -> RawImage:
    """The pair's file of a modality, or of the one that may stand in for it, with the scales of pairs.csv."""
    reader = (
        modality if modality.name in pair.files or modality.instead is None else MODALITIES[modality.instead]
    )
    file = pair.files.get(reader.name)
    if file is None:
        raise InputError(
            expected=f"a file of {modality.title} for pair {pair.id}",
            found="none",
            where="pairs.csv",
            remedy=f"add {modality.folder}/{pair.id}.<ext>, or the column {modality.name}",
        )
    return with_scales(reader.read(file), pair, modality.name)


Each = Iterator[tuple[np.ndarray, dict[str, Any]]]


def _prepared(modality: Modality, pairs: Sequence[Pair], section: Section, prepare: Prepare) -> Each:
    """Prepared arrays in the order of ``pairs``, and what was done; a few are in memory at a time, on all cores."""
    cores = operating_system.cores()
    progress = Progress(len(pairs), f"preprocess {modality.name}")
    with ThreadPoolExecutor(cores) as pool:
        for start in range(0, len(pairs), 4 * cores):
            some = pairs[start : start + 4 * cores]
            for found in pool.map(lambda pair: prepare(pair, modality, section), some):
                progress.advance()
                yield found


def _write_whole(
    folder: Path,
    modality: Modality,
    pairs: Sequence[Pair],
    section: Section,
    assess: AssessSettings,
    each: Each,
) -> Written:
    shape = modality.prepared_shape(section)
    stacked = create_array(folder, f"{modality.name}.npy", (len(pairs), *shape), "float32")
    done: list[dict[str, Any]] = []
    for index, (array, facts) in enumerate(each):
        stacked[index] = array
        done.append(facts)
    stacked.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    return Written([list(shape)] * len(pairs), done)


def _write_cropped(
    folder: Path,
    modality: Modality,
    pairs: Sequence[Pair],
    section: Section,
    assess: AssessSettings,
    each: Each,
) -> Written:
    """Binary images, appended one by one since their sizes differ, and the fixed evaluation crops of each."""
    size = modality.prepared_shape(section)[1]
    fixed = create_array(
        folder, f"{modality.name}-crops.npy", (len(pairs), assess.crops, size, size), "uint8"
    )
    shapes: list[list[int]] = []
    done: list[dict[str, Any]] = []
    flat = folder / f"{modality.name}.flat"
    with flat.open("wb") as stream:
        for index, (array, facts) in enumerate(each):
            done.append(facts)
            image = array[0]
            shapes.append([int(side) for side in image.shape])
            stream.write(np.ascontiguousarray(image, np.uint8).tobytes())
            fixed[index] = seeded_crops(image, size, assess.crops, assess.crop_seed, index)
            _refuse_constant(image, pairs[index])
    fixed.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    total = sum(height * width for height, width in shapes)
    whole = create_array(folder, f"{modality.name}.npy", (total,), "uint8")
    source = np.memmap(flat, np.uint8, "r", shape=(total,))
    for start in range(0, total, 1 << 26):
        whole[start : start + (1 << 26)] = source[start : start + (1 << 26)]
    whole.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    del source
    flat.unlink()
    return Written(shapes, done)


def _refuse_constant(image: np.ndarray, pair: Pair) -> None:
    if image.min() == image.max():
        raise InputError(
            expected="an image of two phases",
            found="a single grey level",
            where=str(pair.sem),
            remedy="leave the pair out of pairs.csv",
        )
