"""`pairvae register --list`, `--promote`, `--demote`, `--compare`: the registered versions, told as lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pairvae.errors import InputError
from pairvae.reports.validation_scores import PREFIX
from pairvae.store.project_root import pair_name, project_root

SHOWN = {"saxs_sem.s2_mae": "SAXS-SEM S(r)", "sem_saxs.mae": "SEM-SAXS pixels"}


def list_versions(root: Path | None = None) -> list[str]:
    """A line for each version of the pair, the newest first."""
    from pairvae.tracking.registry.leaderboard import standings

    place = project_root(root)
    found = standings(place, pair_name(place))
    if not found:
        return [f"no versions of {pair_name(place)} are registered here; `pairvae repro` registers one"]
    head = ["version", "aliases", "registered (UTC)", "score", *SHOWN.values(), "preset", "data", "why"]
    rows = [head]
    for one in found:
        tags = one.version.tags
        scores = [_short(tags.get(f"{PREFIX}{key}")) for key in SHOWN]
        why = tags.get("demoted_why") or tags.get("promoted_why", "")
        rows.append(
            [
                str(one.version.number),
                ",".join(one.aliases),
                one.registered.strftime("%Y-%m-%d %H:%M"),
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
    place = project_root(root)
    version = version_named(place, pair_name(place), asked)
    before = promote(place, version, why=why.strip())
    if before is not None and before.number == version.number:
        return [f"version {version.number} is the champion already"]
    return [f"version {version.number} is the champion now (before: {before.number if before else 'none'})"]


def demote_champion(*, why: str = "", root: Path | None = None) -> list[str]:
    """Take the title from the champion; the one before gets it back."""
    from pairvae.tracking.registry.leaderboard import demote

    place = project_root(root)
    lost, gained = demote(place, pair_name(place), why=why.strip())
    heir = f"version {gained.number} is the champion again" if gained else "there is no champion now"
    return [f"version {lost.number} is no longer the champion; {heir}"]


def compare_versions(asked: Sequence[str], root: Path | None = None) -> list[str]:
    """Scores of two versions beside each other (lower is better); ``InputError`` for other validation data."""
    from pairvae.tracking.registry.leaderboard import same_validation, version_named

    place = project_root(root)
    one, other = (version_named(place, pair_name(place), name) for name in asked)
    same_validation(one, other)
    keys = sorted(key for key in one.tags if key.startswith(PREFIX) and key in other.tags)
    rows = [["", f"version {one.number}", f"version {other.number}", "change", "better"]]
    for key in ["validation_score", *keys]:
        rows.append(
            [
                key.removeprefix(PREFIX),
                *_beside(one.tags.get(key), other.tags.get(key), one.number, other.number),
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
