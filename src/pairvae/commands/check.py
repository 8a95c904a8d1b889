"""`pairvae data check` with the project's settings: what preprocessing would refuse, and which settings it needs."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from pairvae.data.check.folder import check_folder, prepare_sections
from pairvae.data.check.measure import measure_all
from pairvae.data.check.problems import CheckReport, Problem, error_text
from pairvae.data.check.proposals import calibrations, no_common_range, propose
from pairvae.data.check.proposed_settings import Proposal, lines
from pairvae.data.pairs.manifest import PAIRS_FILE, Manifest, no_pair, read_manifest
from pairvae.data.pairs.matching import contradiction
from pairvae.data.pairs.pairs_table import is_number
from pairvae.data.pairs.sample import FOLDERS, LOOKED_AT, Pair
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import file_part
from pairvae.settings import PARAMS_FILE, Settings
from pairvae.stages.preprocess import with_calibrations
from pairvae.store.file_cache import FileCache

MOST_WORDS = 5
LEAST_NUMBERED = 3  # pairs from which numbers in names tell anything


def check_project(folder: Path, settings: Settings, kept: FileCache | None = None) -> CheckReport:
    """The check of a folder, with what preprocessing would refuse under ``settings``, and proposals for them.

    A file that preprocessing would refuse is an error of the report, also where the file itself is sound. ``kept``:
    where prepared arrays and what was found in files are looked up and kept.
    """
    try:
        filled, absent = with_calibrations(settings, folder), []
    except InputError as error:
        # the files are looked at without them
        plain = settings.saxs.prepare.model_copy(update={"mask": None, "geometry": None})
        filled = settings.model_copy(update={"saxs": settings.saxs.model_copy(update={"prepare": plain})})
        absent = [Problem("", PARAMS_FILE, "settings", str(error), "error")]
    return _check_project(folder, filled, absent, kept)


def _check_project(
    folder: Path, settings: Settings, problems: Sequence[Problem], kept: FileCache | None
) -> CheckReport:
    sides = [name for name in settings.modalities if name in LOOKED_AT]
    report = check_folder(folder, prepare_sections(settings), sides or (*FOLDERS,), kept, settings.several)
    manifest = read_manifest(folder, settings.several)
    pairs = manifest.pairs
    if settings.data.unpaired == "use":
        report = _with_unpaired(report, manifest)
    modalities, proposals = _modalities(pairs, settings)
    problems = [*problems, *(_settings_problem(proposal) for proposal in proposals)]
    lone = manifest.unpaired if settings.data.unpaired == "use" else []
    measured = measure_all([*pairs, *lone], modalities, settings, kept)
    known = {problem.file for problem in report.problems if problem.severity == "error"}
    refused = [one for one in measured if one.refused is not None and one.file not in known]
    problems += [
        Problem(one.pair, one.file, "preprocessing", error_text(one.refused), "error")
        for one in refused
        if one.refused is not None
    ]
    apart = no_common_range(measured)
    if apart is not None:
        problems.append(Problem("", "", "q range", apart, "error"))
    chosen = settings.model_copy(update={"modalities": modalities})
    proposals += propose(measured, chosen, len(pairs))
    looked_at = [one for one in measured if not MODALITIES[one.modality].cropped and one.size is not None]
    names = [name for name in modalities if any(one.modality == name for one in looked_at)]
    proposals += calibrations(
        folder, names, settings, {one.size for one in looked_at if one.size is not None}
    )
    if proposals and not _is_source(folder, settings):
        proposals.insert(0, Proposal("data.source", str(folder), "the folder that was checked"))
    report = replace(report, notes=(*report.notes, *condition_notes([*pairs, *lone])))
    told_of = lines(proposals) if pairs else pairing_command(folder, report)
    return _extended(report, [*problems, *mixed_conditions(pairs), *crossed_names(pairs)], told_of)


def pairing_command(folder: Path, report: CheckReport) -> list[str]:
    """The command that pairs files of which no two have the same name."""
    if (folder / PAIRS_FILE).exists() or all(
        problem.kind != "missing partner" for problem in report.problems
    ):
        return []
    return ["pairs of other names are found by:", f"    pairvae data init {shlex.quote(str(folder))}"]


def _with_unpaired(report: CheckReport, manifest: Manifest) -> CheckReport:
    """The report of a project that uses samples without a partner: they are counted, and no problem."""
    expected = {fault.pair for fault in manifest.missing}
    kept = [p for p in report.problems if p.kind != "missing partner" or p.pair not in expected]
    if manifest.unpaired and not manifest.pairs:
        error = no_pair(Path(report.folder), manifest)
        kept.append(Problem("", report.folder, "no pairs", error_text(error), "error"))
    by_side = Counter(MODALITIES[name].folder for sample in manifest.unpaired for name in sample.files)
    listing = ", ".join(f"{number} {side}" for side, number in sorted(by_side.items()))
    note = f"samples without a partner: {len(manifest.unpaired)} ({listing}), for training alone, in no score"
    return replace(
        report,
        problems=tuple(kept),
        notes=(*report.notes, *([note] if manifest.unpaired else [])),
        counts={**report.counts, "unpaired": len(manifest.unpaired)},
    )


def crossed_names(pairs: Sequence[Pair]) -> list[Problem]:
    """One warning where the numbers in the names of partners differ, although other files have those numbers."""
    problems = []
    for one, other in combinations(MODALITIES, 2):
        both = [
            (file_part(p.files[one]), file_part(p.files[other])) for p in pairs if {one, other} <= {*p.files}
        ]
        if len(both) < LEAST_NUMBERED:
            continue
        wrong = contradiction(*zip(*both, strict=True))
        if wrong is not None:
            first, second, same = (file.name for file in wrong)
            text = f"{first} is paired with {second}, although there is {same} - look at the sheet"
            problems.append(Problem("", str(wrong[0]), "names", text, "warning"))
    return problems


def condition_notes(samples: Sequence[Pair]) -> list[str]:
    """Further columns of pairs.csv in a line each: the range of a number, the commonest words."""
    notes = []
    for name in dict.fromkeys(name for sample in samples for name in sample.conditions):
        values = [sample.conditions[name] for sample in samples if name in sample.conditions]
        numbers = [value for value in values if isinstance(value, float)]
        words = Counter(str(value) for value in values if not isinstance(value, float)).most_common(
            MOST_WORDS
        )
        told_of = f"{min(numbers):.6g} to {max(numbers):.6g}" if numbers else ""
        told_of += ", ".join(f"{word} ({number})" for word, number in words)
        notes.append(f"condition {name}: {told_of}, known of {len(values)} of {len(samples)} samples")
    return notes


def mixed_conditions(samples: Sequence[Pair]) -> list[Problem]:
    """Columns of which most cells are numbers and some are not: the unit belongs into the name."""
    problems = []
    for name in dict.fromkeys(name for sample in samples for name in sample.conditions):
        values = [sample.conditions[name] for sample in samples if name in sample.conditions]
        words = [value for value in values if isinstance(value, str) and not is_number(value)]
        if words and len(words) < len(values) and any(isinstance(v, str) and is_number(v) for v in values):
            text = f"column {name} holds numbers and words, as {words[0]!r}: all are taken as words"
            problems.append(Problem("", PAIRS_FILE, "condition", text, "warning"))
    return problems


def _modalities(pairs: Sequence[Pair], settings: Settings) -> tuple[tuple[str, ...], list[Proposal]]:
    """The modalities to prepare: those that are set, or the two that the files make pairs of."""
    if (
        not pairs
        or settings.several is not None
        or all(_has(pair, name) for pair in pairs for name in settings.modalities)
    ):
        return settings.modalities, []
    there = [name for name in MODALITIES if all(name in pair.files for pair in pairs)]
    best = sorted(there, key=lambda name: name not in settings.modalities)[:2]
    if len(best) < 2:
        return settings.modalities, []
    one, other = sorted(best, key=lambda name: MODALITIES[name].cropped)
    return (one, other), [Proposal("modalities", [one, other], "the files that are there")]


def _has(pair: Pair, name: str) -> bool:
    return name in pair.files or MODALITIES[name].instead in pair.files


def _settings_problem(proposal: Proposal) -> Problem:
    text = f"{proposal.key} has to be [{', '.join(proposal.value)}]: {proposal.why}"
    return Problem("", PARAMS_FILE, "settings", text, "error")


def _is_source(folder: Path, settings: Settings) -> bool:
    """Whether the project reads this folder already: as its source, or as its copy."""
    source = Path(settings.data.source).expanduser()
    return folder.resolve() in (source.resolve(), Path("data/raw").resolve())


def _extended(report: CheckReport, problems: Sequence[Problem], proposals: Sequence[str]) -> CheckReport:
    together = sorted(
        (*report.problems, *problems),
        key=lambda problem: (problem.severity != "error", problem.kind, problem.pair, problem.file),
    )
    counts = Counter(problem.severity for problem in together)
    return replace(
        report,
        problems=tuple(together),
        proposals=tuple(proposals),
        counts={**report.counts, "errors": counts["error"], "warnings": counts["warning"]},
    )
