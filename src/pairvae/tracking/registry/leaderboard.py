"""Versions of the whole pair beside each other: which is champion, and moving that title by hand."""

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
FORCE = "to promote it all the same: --force --why TEXT"
VERSIONS = "pairvae register --list shows the versions"


@dataclass(frozen=True)
class Standing:
    """A version with the aliases that stand for it, and when it was registered (UTC)."""

    version: Version
    aliases: tuple[str, ...]
    registered: datetime


def standings(root: Path, name: str) -> list[Standing]:
    """All versions of the model ``name``, the newest first; none without a store or such a model."""
    if not has_store(root):
        return []
    client = connect(root)
    with plainly(root):
        aliases = _aliases(client, name)
        found = client.search_model_versions(f"name='{name}'")
    made = [
        Standing(
            as_version(one),
            tuple(sorted(alias for alias, number in aliases.items() if number == int(one.version))),
            datetime.fromtimestamp(one.creation_timestamp / 1000, UTC),
        )
        for one in found
    ]
    return sorted(made, key=lambda one: -one.version.number)


def _aliases(client: MlflowClient, name: str) -> dict[str, int]:
    try:
        return {key: int(number) for key, number in client.get_registered_model(name).aliases.items()}
    except MlflowException:
        return {}


def version_named(root: Path, name: str, asked: str) -> Version:
    """A version by its number or alias (``InputError`` where there is none)."""
    for one in standings(root, name):
        if asked == str(one.version.number) or asked in one.aliases:
            return one.version
    raise InputError(expected=f"a version of {name}, or an alias", found=repr(asked), remedy=VERSIONS)


def members(root: Path, version: Version) -> dict[str, int]:
    """The versions that were registered together: of the pair itself and of its programs.

    Told by a tag; versions from before there was one are found by their run.
    """
    if PROGRAMS_TAG in version.tags:
        return {**json.loads(version.tags[PROGRAMS_TAG]), version.name: version.number}
    together = {version.name: version.number}
    with plainly(root):
        for one in connect(root).search_registered_models():
            same = [
                other.version for other in standings(root, one.name) if other.version.run_id == version.run_id
            ]
            if one.name.startswith(f"{version.name}-") and version.run_id and same:
                together[one.name] = same[0].number
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
            assert before is not None  # anything takes an empty title
            same_validation(version, before, FORCE)
            raise InputError(
                expected=f"a validation score below {before.score:.4g}, that of the champion (version {before.number})",
                found=f"{version.score:.4g}",
                where=f"version {version.number}",
                remedy=FORCE,
            )
        client = connect(root)
        for name, number in members(root, version).items():
            client.set_registered_model_alias(name, CHAMPION, str(number))
        if before is not None:
            client.set_model_version_tag(version.name, str(version.number), BEFORE_TAG, str(before.number))
        _sign(client, version, "promoted", why)
    return before


def demote(root: Path, name: str, *, why: str = "") -> tuple[Version, Version | None]:
    """Take the title from the champion and give it back to the one before, where that is known and still there.

    Returns both. ``InputError`` without a champion.
    """
    with store_lock(root), plainly(root):
        champion = version_for_alias(root, name, CHAMPION)
        if champion is None:
            raise InputError(expected=f"a champion of {name}", found="none", remedy=VERSIONS)
        client = connect(root)
        numbers = {one.version.number: one.version for one in standings(root, name)}
        before = numbers.get(int(champion.tags.get(BEFORE_TAG, "0")))
        for member in members(root, champion):
            client.delete_registered_model_alias(member, CHAMPION)
        if before is not None:
            for member, number in members(root, before).items():
                client.set_registered_model_alias(member, CHAMPION, str(number))
        _sign(client, champion, "demoted", why)
    return champion, before


def _sign(client: MlflowClient, version: Version, deed: str, why: str) -> None:
    """Who did it, when, and why."""
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
    one: Version,
    other: Version,
    remedy: str = "their scores say nothing about each other; train both on the same data",
) -> None:
    """``InputError`` where two versions were scored on different pairs, or in another way, or this is not known."""
    if not comparable(one.tags.get(DATA_TAG, ""), other):
        raise InputError(
            expected="two versions with the same training and validation pairs and estimator",
            found=f"data {one.tags.get(DATA_TAG, 'unknown')[:8]} and {other.tags.get(DATA_TAG, 'unknown')[:8]}",
            where=f"versions {one.number} and {other.number}",
            remedy=remedy,
        )
