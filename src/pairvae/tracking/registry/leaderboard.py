"""List and compare the versions of a pair; promote and demote the champion."""

from __future__ import annotations

import getpass
import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pairvae.errors import InputError
from pairvae.tracking.database import connect, has_store, plainly, store_lock
from pairvae.tracking.registry.aliases import (
    BEFORE_TAG,
    CHAMPION,
    DATA_TAG,
    Version,
    as_version,
    beats,
    comparable,
    version_for_alias,
)

PROGRAMS_TAG = "programs"
FORCE = "to promote it anyway: --force --why TEXT"
VERSIONS = "pairvae register --list shows the versions"


@dataclass(frozen=True)
class LeaderboardEntry:
    """A version, its aliases and the time of its registration (UTC)."""

    version: Version
    aliases: tuple[str, ...]
    registered: datetime


def leaderboard(root: Path, name: str) -> list[LeaderboardEntry]:
    """All versions of the model ``name``, newest first; empty without a store or such a model."""
    if not has_store(root):
        return []
    client = connect(root)
    with plainly(root):
        aliases = _aliases(client, name)
        entries = client.search_model_versions(f"name='{name}'")
    rows = [
        LeaderboardEntry(
            as_version(entry),
            tuple(sorted(alias for alias, number in aliases.items() if number == int(entry.version))),
            datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC),
        )
        for entry in entries
    ]
    return sorted(rows, key=lambda entry: -entry.version.number)


def _aliases(client: MlflowClient, name: str) -> dict[str, int]:
    try:
        return {key: int(number) for key, number in client.get_registered_model(name).aliases.items()}
    except MlflowException:
        return {}


def version_named(root: Path, name: str, asked: str) -> Version:
    """A version by its number or alias (``InputError`` where there is none)."""
    for entry in leaderboard(root, name):
        if asked == str(entry.version.number) or asked in entry.aliases:
            return entry.version
    raise InputError(expected=f"a version of {name}, or an alias", found=repr(asked), remedy=VERSIONS)


def registered_together(root: Path, version: Version) -> dict[str, int]:
    """The versions that were registered together: of the pair itself and of its programs.

    They are read from a tag; older versions without this tag are found by their run.
    """
    if PROGRAMS_TAG in version.tags:
        return {**json.loads(version.tags[PROGRAMS_TAG]), version.name: version.number}
    together = {version.name: version.number}
    with plainly(root):
        for model in connect(root).search_registered_models():
            same = [
                other.version
                for other in leaderboard(root, model.name)
                if other.version.run_id == version.run_id
            ]
            if model.name.startswith(f"{version.name}-") and version.run_id and same:
                together[model.name] = same[0].number
    return together


def promote(root: Path, version: Version, *, why: str = "") -> Version | None:
    """Make ``version`` and what was registered with it champion; returns the champion before.

    Without a reason ``why`` only a better score on the same validation data does (``InputError``); with one, any;
    who did it, when and why are kept as tags of the version.
    """
    with store_lock(root), plainly(root):
        before = version_for_alias(root, version.name, CHAMPION)
        if before is not None and before.number == version.number:
            return before
        if not why and not beats(version.score, version.tags.get(DATA_TAG, ""), [before]):
            assert before is not None  # without a champion, any version is promoted
            same_validation(version, before, FORCE)
            raise InputError(
                expected=f"a validation score below {before.score:.4g}, that of the champion (version {before.number})",
                found=f"{version.score:.4g}",
                where=f"version {version.number}",
                remedy=FORCE,
            )
        client = connect(root)
        for name, number in registered_together(root, version).items():
            client.set_registered_model_alias(name, CHAMPION, str(number))
        if before is not None:
            client.set_model_version_tag(version.name, str(version.number), BEFORE_TAG, str(before.number))
        _sign(client, version, "promoted", why)
    return before


def demote(root: Path, name: str, *, why: str = "") -> tuple[Version, Version | None]:
    """Demote the champion and restore the champion before it, if that version is known and still there.

    Returns both. ``InputError`` without a champion.
    """
    with store_lock(root), plainly(root):
        champion = version_for_alias(root, name, CHAMPION)
        if champion is None:
            raise InputError(expected=f"a champion of {name}", found="none", remedy=VERSIONS)
        client = connect(root)
        numbers = {entry.version.number: entry.version for entry in leaderboard(root, name)}
        before = numbers.get(int(champion.tags.get(BEFORE_TAG, "0")))
        for member in registered_together(root, champion):
            client.delete_registered_model_alias(member, CHAMPION)
        if before is not None:
            for member, number in registered_together(root, before).items():
                client.set_registered_model_alias(member, CHAMPION, str(number))
        _sign(client, champion, "demoted", why)
    return champion, before


def _sign(client: MlflowClient, version: Version, deed: str, why: str) -> None:
    """Record user, time and reason as tags."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {
        "by": f"{getpass.getuser()}@{platform.node()}",
        "at": moment,
        "why": why or "better validation score",
    }
    if deed == "demoted":
        facts["why"] = why or "no reason given"
    for key, value in facts.items():
        client.set_model_version_tag(version.name, str(version.number), f"{deed}_{key}", value)


def same_validation(
    first: Version,
    second: Version,
    remedy: str = "their scores say nothing about each other; train both on the same data",
) -> None:
    """``InputError`` if two versions were scored on different pairs or estimators, or this is unknown."""
    if not comparable(first.tags.get(DATA_TAG, ""), second):
        raise InputError(
            expected="two versions with the same training and validation pairs and estimator",
            found=f"data {first.tags.get(DATA_TAG, 'unknown')[:8]} and {second.tags.get(DATA_TAG, 'unknown')[:8]}",
            where=f"versions {first.number} and {second.number}",
            remedy=remedy,
        )
