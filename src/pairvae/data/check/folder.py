"""Check a folder of pairs and report all problems at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pairvae.data.check.file_contents import Preparation, detector_look, inspect
from pairvae.data.check.file_summary import FileSummary
from pairvae.data.check.partners import partners
from pairvae.data.check.picture_digests import curve_digest
from pairvae.data.check.problems import (
    MOST_NAMES,
    CheckReport,
    Limits,
    Problem,
    copy_of,
    error_text,
    some_of,
)
from pairvae.data.check.rules import RULES, reader_warnings
from pairvae.data.pairs.file_names import has_suffix, is_leftover, modality_files, modality_folders
from pairvae.data.pairs.manifest import FOLDERS, OTHER_FOLDERS, PAIRS_FILE, Pair, collect, read_manifest
from pairvae.data.pairs.sample import LOOKED_AT
from pairvae.errors import InputError, number_of
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.readers.image import FORMATS, file_part
from pairvae.modalities.readers.instruments import sidecars
from pairvae.progress import track
from pairvae.settings import Section, SemPrepare, Settings
from pairvae.store.file_cache import FileCache

AT_ONCE = 2  # images in memory


def prepare_sections(settings: Settings, names: Iterable[str] = tuple(MODALITIES)) -> dict[str, Section]:
    """The sections ``prepare`` of micrographs, patterns and the modalities ``names``."""
    return {name: prepare_settings(settings, name) for name in (*FOLDERS, *names)}


def check_folder(
    folder: Path,
    sections: Mapping[str, Section],
    names: Sequence[str] = tuple(FOLDERS),
    kept: FileCache | None = None,
    several: Sequence[str] | None = None,
) -> CheckReport:
    """Read every file of a folder in the data layout and list all problems.

    Parameters
    ----------
    folder : Path
        The folder.
    sections : mapping of str to Section
        The preprocessing that the settings ask for, by modality (:func:`prepare_sections`).
    names : sequence of str
        Modalities whose pictures are looked at.
    kept : FileCache, optional
        Where what is found in files is kept.
    several : sequence of str, optional
        The techniques of a sample, where there are more than two.

    Returns
    -------
    CheckReport
        Every problem.
    """
    pairs, faults = collect(folder, several)
    problems = [
        Problem(fault.pair, fault.file, fault.kind, error_text(fault.error), "error") for fault in faults
    ]
    problems += _leftovers(folder, several)
    patterns = [pair for pair in pairs if "saxs" in pair.files and "saxs" in names]
    preparation = Preparation(sections, *detector_look(patterns, sections["saxs"], kept), kept)
    summaries, unreadable = _inspect_all(pairs, preparation, names)
    faults_of_others, remarks, curves = _read_others(pairs, sections, names)
    problems += unreadable + faults_of_others
    remarks += [(MODALITIES[summary.side].folder, note) for summary in summaries for note in summary.notes]
    for rule in (*RULES, partners):
        problems += rule(pairs, summaries, _limits(preparation))
    problems += _refused(summaries, problems)
    problems.sort(key=lambda problem: (problem.severity != "error", problem.kind, problem.pair, problem.file))
    counts = Counter(problem.severity for problem in problems)
    return CheckReport(
        folder=str(folder),
        problems=tuple(problems),
        notes=(*_notes(pairs, summaries), *_reading_notes(remarks)),
        counts={
            "pairs": len(pairs),
            "files": len(summaries) + len(unreadable) + curves,
            "errors": counts["error"],
            "warnings": counts["warning"],
        },
    )


def _limits(preparation: Preparation) -> Limits:
    images = {
        name: section for name, section in preparation.sections.items() if isinstance(section, SemPrepare)
    }
    return Limits(images, getattr(preparation.sections["saxs"], "beam_centre", None))


def _inspect_all(
    pairs: Sequence[Pair], preparation: Preparation, names: Sequence[str]
) -> tuple[list[FileSummary], list[Problem]]:
    """Facts of every readable file, a problem for every other; at most ``AT_ONCE`` images are in memory."""
    jobs = [(pair, side) for pair in pairs for side in pair.files if side in names]
    summaries: list[FileSummary] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(lambda job: inspect(job[0], job[1], preparation), jobs)
        for (pair, side), result in zip(jobs, track(results, len(jobs), "check"), strict=True):
            if isinstance(result, InputError):
                problems.append(
                    Problem(pair.id, str(pair.files[side]), "unreadable", error_text(result), "error")
                )
            else:
                summaries.append(result)
    return summaries, problems


def _refused(summaries: Sequence[FileSummary], problems: Sequence[Problem]) -> list[Problem]:
    """Files that preprocessing refuses for a reason that no rule has reported."""
    named = {problem.file for problem in problems if problem.severity == "error"}
    return [
        Problem(summary.pair, summary.file, "preprocessing", error_text(summary.refused), "error")
        for summary in summaries
        if summary.refused is not None and summary.file not in named
    ]


def _read_others(
    pairs: Sequence[Pair], sections: Mapping[str, Section], looked_at: Sequence[str]
) -> tuple[list[Problem], list[tuple[str, str]], int]:
    """Of files of further modalities: problems and warnings, notes with their folder, and how many files there are."""
    jobs = {
        (name, str(file)): pair
        for pair in pairs
        for name, file in pair.others.items()
        if name not in looked_at
    }
    problems: list[Problem] = []
    warnings: list[tuple[str, str, str]] = []
    notes: list[tuple[str, str]] = []
    first: dict[tuple[str, str], Pair] = {}
    for (name, file), pair in jobs.items():
        modality = MODALITIES[name]
        try:
            raw = modality.read(file)
        except InputError as error:
            problems.append(Problem(pair.id, file, "unreadable", error_text(error), "error"))
            continue
        section = sections.get(name)
        record = {"notes": raw.notes, "warnings": raw.warnings}
        record = record if section is None else modality.record(raw, section)
        warnings += [(pair.id, file, line) for line in record.get("warnings", ())]
        notes += [(modality.folder, line) for line in record.get("notes", ())]
        other = first.setdefault((name, curve_digest(raw.pixels)), pair) if raw.format == "curve" else pair
        if other is not pair and (pair.group is None or pair.group != other.group):
            problems.append(copy_of(pair, other, file, f"curve as {modality.folder}"))
    return problems + reader_warnings(warnings), notes, len(jobs)


def _leftovers(folder: Path, several: Sequence[str] | None) -> list[Problem]:
    """Files that lie in the folder and are of no sample."""
    problems: list[Problem] = []
    table = (folder / PAIRS_FILE).exists()
    kind = f"not in {PAIRS_FILE}" if table else "in no pair"
    manifest = read_manifest(folder, several)
    samples = [*manifest.pairs, *manifest.unpaired, *(manifest.left_out if table else ())]
    used = {file_part(file).resolve() for sample in samples for file in sample.files.values()}
    for name in (*FOLDERS, *OTHER_FOLDERS):
        readable = modality_files(folder, name)
        unnamed = [path.name for path in readable if path.resolve() not in used]
        beside = {sidecar for path in readable for sidecar in sidecars(path)}
        for sub in modality_folders(folder, name):
            visible = [
                path for path in sorted(sub.iterdir()) if path.is_file() and not is_leftover(path.name)
            ]
            suffixes = MODALITIES[name].suffixes
            foreign = [path.name for path in visible if not has_suffix(path, suffixes) and path not in beside]
            if foreign:
                wanted = FORMATS if name in LOOKED_AT else "a curve file"
                text = f"{some_of(foreign)} left out: not {wanted}"
                problems.append(Problem("", str(sub), "other files", text, "warning"))
        if unnamed and (table or name in OTHER_FOLDERS):
            modality_folder = str(folder / MODALITIES[name].folder)
            problems.append(Problem("", modality_folder, kind, f"{some_of(unnamed)} left out", "warning"))
    return problems


def _notes(pairs: Sequence[Pair], summaries: Sequence[FileSummary]) -> list[str]:
    """What the files hold, in a few lines: data bars, pixel sizes, formats, beam centre, split."""
    notes: list[str] = []
    areas = [(summary.side, summary.area) for summary in summaries if summary.area is not None]
    words = {
        "metadata": "from metadata",
        "settings": "from the settings",
        "detected": "detected in the pixels",
        "none": "whole file, no data bar detected",
    }
    for (side, source, rows), number in sorted(Counter((s, a.source, a.rows) for s, a in areas).items()):
        folder = MODALITIES[side].folder
        notes.append(f"{folder} image rows: {rows}, {words[source]} ({number_of(number, 'file')})")
    known = {pair.id: pair for pair in pairs}
    sizes = Counter(
        (s.side, known[s.pair].nm_per_px(s.side) or s.nm_per_px) for s in summaries if s.area is not None
    )
    for (side, size), number in sizes.items():
        text = "unknown" if size is None else f"{size:.4g} nm"
        notes.append(f"{MODALITIES[side].folder} pixel size: {text} ({number_of(number, 'file')})")
    for side in LOOKED_AT:
        name = MODALITIES[side].folder
        kinds = Counter((f.format, f.shape, f.dtype) for f in summaries if f.side == side)
        for (form, shape, dtype), number in sorted(kinds.items(), key=lambda item: -item[1])[:MOST_NAMES]:
            notes.append(
                f"{name} files: {form}, {' x '.join(map(str, shape))}, {dtype} ({number_of(number, 'file')})"
            )
    centres = [summary.centre for summary in summaries if summary.centre is not None]
    if centres:
        rows_at, columns_at = (sorted(values)[len(centres) // 2] for values in zip(*centres, strict=True))
        notes.append(
            f"SAXS beam centre, by symmetry: {rows_at:.1%} from the top, {columns_at:.1%} from the left"
        )
    splits = Counter(pair.split for pair in pairs if pair.split is not None)
    if splits:
        notes.append(
            "split column: " + ", ".join(f"{number} {name}" for name, number in sorted(splits.items()))
        )
    return notes


def _reading_notes(remarks: Sequence[tuple[str, str]]) -> list[str]:
    """Notes of the readers, each once with the number of files."""
    return [
        f"{side}: {note} ({number_of(number, 'file')})" for (side, note), number in Counter(remarks).items()
    ]
