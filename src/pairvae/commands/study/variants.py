"""The variants of a study, and the protocols of the paper's Figure S3, as settings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pairvae.errors import InputError
from pairvae.settings import LARGEST_PARAMS_BYTES, PairTraining, Settings, flatten, parse_yaml, with_values

Changes = dict[str, Any]
NAME = r"[A-Za-z0-9][\w.-]{0,59}"
PUBLISHED_EPOCHS = 1100
PUBLISHED_RANDOM = (100, 10, 1)  # the default first; besides these, all of them
RANDOM, FOCUSED, SOLO = (f"pair.training.{name}" for name in ("random_epochs", "focused_epochs", "from_solo"))


def read_variants(path: Path, settings: Settings) -> dict[str, Changes]:
    """Variants in a YAML file: ``name: {setting: value}`` by dotted keys; ``InputError`` where one does not fit."""
    if not path.is_file():
        raise InputError(expected="a file of variants", found="none", where=str(path))
    if path.stat().st_size > LARGEST_PARAMS_BYTES:
        raise InputError(expected="a file of variants under 1 MB", found="a larger one", where=str(path))
    try:
        return checked(parse_yaml(path.read_text("utf-8"), str(path)), settings, str(path))
    except UnicodeDecodeError as error:
        raise InputError(expected="UTF-8 text", found="other bytes", where=str(path)) from error


def shipped_variants(name: str, settings: Settings) -> dict[str, Changes]:
    """Variants that come with the package (``ablation``)."""
    file = resources.files("pairvae") / "commands" / "study" / "lists" / f"{name}.yaml"
    return checked(parse_yaml(file.read_text("utf-8"), f"{name}.yaml"), settings, f"{name}.yaml")


def checked(values: Mapping[str, Any], settings: Settings, where: str) -> dict[str, Changes]:
    """``values`` as variants, each tried on ``settings`` before anything is trained."""
    if not values:
        raise InputError(
            expected="variants", found="none", where=where, remedy="write `name: {setting: value}`"
        )
    found: dict[str, Changes] = {}
    for name, changes in values.items():
        if not re.fullmatch(NAME, str(name)):
            raise InputError(expected="names of letters, digits, - and _", found=repr(name), where=where)
        if not isinstance(changes, Mapping):
            raise InputError(
                expected="a mapping of settings to values ({} for none)",
                found=repr(changes),
                where=f"{where}, variant {name}",
            )
        flat = flatten(changes)
        with_values(settings, flat, f"{where}, variant {name}")
        found[str(name)] = flat
    return found


def protocols(training: PairTraining) -> dict[str, dict[str, Any]]:
    """Training of the pair without solo weights, and with 100, 10, 1 or only epochs of random crops, of 1,100 in all.

    With another number of epochs the random ones keep their place on a logarithmic scale from 1 to all: of 13
    epochs 5, 2 and 1. What coincides then stands once.
    """
    total = training.epochs
    default = _random(PUBLISHED_RANDOM[0], total)
    found = {"direct": {SOLO: False, **_parts(default, total)}}
    for random in (*(_random(one, total) for one in PUBLISHED_RANDOM), total):
        name = "random-all" if random == total else f"random-{random}"
        found[name] = {SOLO: True, **_parts(random, total)}
    return found


def _random(published: int, total: int) -> int:
    place = math.log(published) / math.log(PUBLISHED_EPOCHS)
    return max(1, round(math.exp(place * math.log(total))))


def _parts(random: int, total: int) -> dict[str, int]:
    return {RANDOM: random, FOCUSED: total - random}
