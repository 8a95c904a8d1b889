"""`pairvae register --list`, `--promote`, `--demote`, `--compare`: registered versions as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pairvae.errors import InputError
from pairvae.reports.validation_scores import PREFIX
from pairvae.store.project_root import pair_name, project_root

SHOWN = {"saxs_sem.s2_mae": "SAXS-SEM S(r)", "sem_saxs.mae": "SEM-SAXS pixels"}


def list_versions(root: Path | None = None) -> list[str]:
    """A line for each version of the pair, the newest first."""
    from pairvae.tracking.registry.leaderboard import leaderboard

    root = project_root(root)
    entries = leaderboard(root, pair_name(root))
    if not entries:
        return [f"no versions of {pair_name(root)} are registered here; `pairvae repro` registers one"]
    head = ["version", "aliases", "registered (UTC)", "score", *SHOWN.values(), "preset", "data", "why"]
    rows = [head]
    for entry in entries:
        tags = entry.version.tags
        scores = [_short(tags.get(f"{PREFIX}{key}")) for key in SHOWN]
        why = tags.get("demoted_why") or tags.get("promoted_why", "")
        rows.append(
            [
                str(entry.version.number),
                ",".join(entry.aliases),
                entry.registered.strftime("%Y-%m-%d %H:%M"),
                _short(tags.get("validation_score")),
                *scores,
                tags.get("preset", ""),
                tags.get("data_digest", "")[:8],
                why,
            ]
        )
    return aligned(rows)


def promote_version(asked: str, *, force: bool = False, why: str = "", root: Path | None = None) -> list[str]:
    """Make a version champion, where its score is better, or by ``force`` for a reason ``why``."""
    from pairvae.tracking.registry.leaderboard import promote, version_named

    if force != bool(why.strip()):
        raise InputError(
            expected="--force and --why TEXT together",
            found="--force alone" if force else "--why alone",
            remedy="the reason is kept with the version",
        )
    root = project_root(root)
    version = version_named(root, pair_name(root), asked)
    before = promote(root, version, why=why.strip())
    if before is not None and before.number == version.number:
        return [f"version {version.number} is the champion already"]
    return [f"version {version.number} is the champion now (before: {before.number if before else 'none'})"]


def demote_champion(*, why: str = "", root: Path | None = None) -> list[str]:
    """Demote the champion; the champion before it is restored."""
    from pairvae.tracking.registry.leaderboard import demote

    root = project_root(root)
    lost, gained = demote(root, pair_name(root), why=why.strip())
    heir = f"version {gained.number} is the champion again" if gained else "there is no champion now"
    return [f"version {lost.number} is no longer the champion; {heir}"]


def compare_versions(asked: Sequence[str], root: Path | None = None) -> list[str]:
    """Scores of two versions beside each other (lower is better); ``InputError`` for other validation data."""
    from pairvae.tracking.registry.leaderboard import same_validation, version_named

    root = project_root(root)
    first, second = (version_named(root, pair_name(root), name) for name in asked)
    same_validation(first, second)
    keys = sorted(key for key in first.tags if key.startswith(PREFIX) and key in second.tags)
    rows = [["", f"version {first.number}", f"version {second.number}", "change", "better"]]
    for key in ["validation_score", *keys]:
        rows.append(
            [
                key.removeprefix(PREFIX),
                *_beside(first.tags.get(key), second.tags.get(key), first.number, second.number),
            ]
        )
    return aligned(rows)


def _beside(one: str | None, other: str | None, first: int, second: int) -> list[str]:
    try:
        a, b = float(one or "nan"), float(other or "nan")
    except ValueError:
        return [one or "", other or "", "", ""]
    change = f"{100 * (b / a - 1):+.1f} %" if a == a and b == b and a else ""
    better = "" if a == b or a != a or b != b else str(first if a < b else second)
    return [f"{a:.4g}", f"{b:.4g}", change, better]


def _short(value: str | None) -> str:
    try:
        return f"{float(value):.4g}" if value is not None else ""
    except ValueError:
        return value or ""


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with columns under each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
