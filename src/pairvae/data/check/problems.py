"""Problems of a folder of pairs, and the report of them as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pairvae.data.check.file_summary import FileSummary
from pairvae.data.pairs.sample import PAIRS_FILE, Pair
from pairvae.errors import InputError, number_of, printable
from pairvae.settings import BeamCentreOption, SemPrepare

MOST_NAMES = 5
NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")
Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    pair : str
        The pair's id, or nothing.
    file : str
        The file or folder, or nothing.
    kind : str
        In a few words.
    message : str
        What to know.
    severity : {"error", "warning"}
        How bad it is.
    """

    pair: str
    file: str
    kind: str
    message: str
    severity: Severity


@dataclass(frozen=True)
class Limits:
    """What preprocessing needs.

    Parameters
    ----------
    images : mapping of str to SemPrepare
        How the images of each technique that has any are prepared.
    beam_centre : BeamCentreOption
        Where the settings say that the beam is.
    """

    images: Mapping[str, SemPrepare]
    beam_centre: BeamCentreOption = None


class Rule(Protocol):
    """A rule of the check."""

    def __call__(
        self, pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits
    ) -> list[Problem]:
        """Look for one kind of problem.

        Parameters
        ----------
        pairs : sequence of Pair
            All pairs of the folder.
        summaries : sequence of FileSummary
            Of their readable files.
        limits : Limits
            What preprocessing needs.

        Returns
        -------
        list of Problem
            None where all is well.
        """
        ...


def error_text(error: InputError) -> str:
    """An error's message without its location, which has its own column."""
    advice = f" - {error.remedy}" if error.remedy else ""
    line = (error.where or "").partition(f"{PAIRS_FILE}, ")[2]
    prefix = f"{line}: " if line else ""
    return " ".join(f"{prefix}expected {error.expected}, found {error.found}{advice}".split())


def problem_of(summary: FileSummary, kind: str, message: str, severity: Severity = "error") -> Problem:
    """A problem of one file.

    Parameters
    ----------
    summary : FileSummary
        Of the file.
    kind, message, severity
        As of :class:`Problem`.

    Returns
    -------
    Problem
        With pair and file.
    """
    return Problem(summary.pair, summary.file, kind, message, severity)


def copy_of(pair: Pair, other: Pair, file: str, content: str) -> Problem:
    """The problem that a file holds the same as that of another pair.

    Parameters
    ----------
    pair, other : Pair
        The file's pair, and the other one.
    file : str
        The file.
    content : str
        What is the same, in words.

    Returns
    -------
    Problem
        An error.
    """
    text = f"the same {content} of pair {other.id}"
    if {pair.split, other.split} == {"train", "validation"}:
        text += ", across train and validation"
    return Problem(
        pair.id, file, "duplicate", f"{text} - give both pairs one group, or take one out", "error"
    )


@dataclass(frozen=True)
class CheckReport:
    """What is wrong with a folder, and what it holds.

    Parameters
    ----------
    folder : str
        The folder.
    problems : tuple of Problem
        Errors first.
    notes : tuple of str
        On what the files hold.
    counts : dict of str to int
        Pairs, files, errors and warnings.
    proposals : tuple of str
        Lines for ``params.yaml``.
    """

    folder: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    counts: dict[str, int]
    proposals: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether there is no problem of severity error."""
        return self.counts["errors"] == 0


def summarised(
    report: CheckReport, severities: Sequence[Severity] = ("error", "warning")
) -> list[dict[str, str]]:
    """The problems in a line for each kind of message, however many files have it.

    Parameters
    ----------
    report : CheckReport
        Of a folder.
    severities : sequence of {"error", "warning"}
        Which problems.

    Returns
    -------
    list of dict
        ``name`` and ``text`` of each.
    """
    lines: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for problem in report.problems:
        if problem.severity in severities:
            key = (
                problem.kind,
                NUMBER.sub("#", problem.message),
            )  # messages that differ in their numbers alone
            where = problem.pair or _short(problem.file, report.folder)
            lines.setdefault(key, (problem.message, []))[1].append(where)
    return [
        {"name": kind, "text": message if names == ["."] else f"{_named(names)}: {message}"}
        for (kind, _), (message, names) in lines.items()
    ]


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} of them ({some_of(names)}), the first"


def some_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def render(report: CheckReport) -> str:
    """The report as plain text: a table of the problems, then the remarks, then a line of counts."""
    lines: list[str] = []
    if report.problems:
        head = ("severity", "pair", "problem", "file", "what to know")
        rows = [
            head,
            *(
                tuple(
                    map(
                        printable,
                        (p.severity, p.pair or "-", p.kind, _short(p.file, report.folder), p.message),
                    )
                )
                for p in report.problems
            ),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        table = [_line(row, widths) for row in rows]
        lines += [table[0], "-" * len(table[0]), *table[1:]]
        lines.append("")
    lines += [printable(f"note: {note}") for note in report.notes]
    lines += map(printable, report.proposals)
    counts = report.counts
    totals = f"{number_of(counts['errors'], 'error')}, {number_of(counts['warnings'], 'warning')}"
    lone = (
        f" and {number_of(counts['unpaired'], 'sample')} without a partner" if counts.get("unpaired") else ""
    )
    read = f"{number_of(counts['pairs'], 'pair')}{lone}, {number_of(counts['files'], 'file')} read"
    lines.append(f"{report.folder}: {read}, {totals if report.problems else 'no problems'}")
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
    return printable("  ".join([*cells, *row[len(widths) :]]))


def _short(file: str, folder: str) -> str:
    return file.removeprefix(folder).lstrip("/") or "."
