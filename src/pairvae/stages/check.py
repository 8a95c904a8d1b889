"""`pairvae data check` with the project's settings: what preprocessing would refuse, and which settings it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from pairvae.data.check import CheckReport, check_for
from pairvae.data.check_rules import Problem, told
from pairvae.data.manifest import read_manifest
from pairvae.data.pairs import Pair
from pairvae.data.proposals import Measured, Proposal, lines, no_common_range, propose
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.raw import RawImage
from pairvae.modalities.sem import image_area
from pairvae.progress import track
from pairvae.settings import PARAMS_FILE, Section, SemPrepare, Settings
from pairvae.stages.preprocess import raw_of

WORKERS = 2


def check_project(folder: Path, settings: Settings) -> CheckReport:
    """The check of a folder, with what preprocessing would refuse under ``settings``, and proposals for them.

    A file that preprocessing would refuse is an error of the report, also where the file itself is sound.
    """
    report = check_for(folder, settings.sem.prepare)
    pairs = read_manifest(folder).pairs if folder.is_dir() else []
    modalities, proposals = _modalities(pairs, settings)
    problems = [_settings_problem(one) for one in proposals]
    measured = _measure_all(pairs, modalities, settings)
    known = {problem.file for problem in report.problems if problem.severity == "error"}
    refused = [one for one in measured if one.refused is not None and one.file not in known]
    problems += [
        Problem(one.pair, one.file, "preprocessing", told(one.refused), "error")
        for one in refused
        if one.refused is not None
    ]
    apart = no_common_range(measured)
    if apart is not None:
        problems.append(Problem("", "", "q range", apart, "error"))
    chosen = settings.model_copy(update={"modalities": modalities})
    proposals += propose(measured, chosen, len(pairs))
    if proposals and not _is_source(folder, settings):
        proposals.insert(0, Proposal("data.source", str(folder), "the folder that was checked"))
    return _extended(report, problems, lines(proposals))


def _modalities(pairs: Sequence[Pair], settings: Settings) -> tuple[tuple[str, str], list[Proposal]]:
    """The two modalities to prepare: those that are set, or those that the files make pairs of."""
    if not pairs or all(_has(pair, name) for pair in pairs for name in settings.modalities):
        return settings.modalities, []
    for one, other in (("saxs", "sem"), ("iq", "sem"), ("saxs", "iq")):
        if all(name in pair.files for pair in pairs for name in (one, other)):
            return (one, other), [Proposal("modalities", [one, other], "the files that are there")]
    return settings.modalities, []


def _has(pair: Pair, name: str) -> bool:
    return name in pair.files or MODALITIES[name].instead in pair.files


def _settings_problem(proposal: Proposal) -> Problem:
    text = f"{proposal.key} has to be [{', '.join(proposal.value)}]: {proposal.why}"
    return Problem("", PARAMS_FILE, "settings", text, "error")


def _is_source(folder: Path, settings: Settings) -> bool:
    """Whether the project reads this folder already: as its source, or as its copy."""
    source = Path(settings.data.source).expanduser()
    return folder.resolve() in (source.resolve(), Path("data/raw").resolve())


def _measure_all(pairs: Sequence[Pair], modalities: Sequence[str], settings: Settings) -> list[Measured]:
    sections = {name: prepare_settings(settings, name) for name in modalities}
    jobs: dict[tuple[str, str], tuple[Pair, str]] = {}
    for pair in pairs:
        for name in modalities:
            file = pair.files.get(name) or pair.files.get(MODALITIES[name].instead or "")
            if file is not None:
                jobs.setdefault((name, str(file)), (pair, name))
    with ThreadPoolExecutor(WORKERS) as pool:
        done = pool.map(lambda job: _measure(job[0], job[1], sections[job[1]]), jobs.values())
        return list(track(done, len(jobs), "try to prepare"))


def _measure(pair: Pair, name: str, section: Section) -> Measured:
    """Prepare one file as preprocessing would, and keep its numbers alone."""
    modality = MODALITIES[name]
    file = pair.files.get(name) or pair.files.get(modality.instead or "")
    measured = Measured(pair.id, name, str(file))
    try:
        raw = raw_of(pair, modality)
        measured = replace(measured, **_facts(raw, name, section))
        array = modality.prepare(raw, section)
    except InputError as error:
        return replace(measured, refused=error)
    if modality.binary and array.min() == array.max():
        constant = InputError(expected="an image of two phases", found="a single grey level", where=str(file))
        return replace(measured, refused=constant)
    return measured


def _facts(raw: RawImage, name: str, section: Section) -> dict[str, Any]:
    if isinstance(section, SemPrepare):
        height, width = image_area(raw, section).shape[:2]
        return {"area": (height, width), "size": raw.pixels.shape[:2], "scale": raw.nm_per_px}
    if raw.format == "curve":
        q, intensity = raw.pixels[:, 0], raw.pixels[:, 1]
        usable = q[(intensity > 0) & (q > 0)]
        if not usable.size:
            return {}
        described: Mapping[str, Any] = MODALITIES[name].describe(raw, section)
        per_nm = float(described["q_range_inv_nm"][1]) / float(q[-1])
        known = getattr(raw, "q_unit", None) is not None
        return {"q_range": (float(usable[0]) * per_nm, float(usable[-1]) * per_nm), "unit_known": known}
    if name == "iq" and raw.q_per_px is not None:
        # from the second ring to the last that lies within the picture
        rings = min(raw.pixels.shape[:2]) // 2
        return {"q_range": (2 * raw.q_per_px, (rings - 1) * raw.q_per_px)}
    return {"scale": MODALITIES[name].describe(raw, section).get("q_per_px_inv_nm")}


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
