"""``params.yaml`` and ``--set`` as nested mappings: plain YAML, bounded, without any tag."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent

from pairvae.errors import InputError

PARAMS_FILE = "params.yaml"
LARGEST_PARAMS_BYTES = 1_000_000
MOST_VALUES = 10_000
DEEPEST = 100
Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """Parse a YAML mapping without any tag that could build an object (``InputError`` otherwise)."""
    try:
        _require_few_values(text, where)
        value = YAML(typ="safe", pure=True).load(text)
    except InputError:
        raise
    except (YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        location = f"{where}, line {mark.line + 1}" if mark is not None else where
        problem = getattr(error, "problem", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(expected="YAML", found=problem, where=location, remedy="correct the line") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(expected="a mapping of keys to values", found=type(value).__name__, where=where)
    return value


def _require_few_values(text: str, where: str) -> None:
    """``InputError`` for too many values, too deep ones, or aliases that multiply or contain themselves.

    Judged from the events, before anything is built: a few bytes can stand for endless values, merge keys (``<<``)
    among them.
    """
    sizes: dict[str, int] = {}  # values behind each anchor
    open_anchors: list[str | None] = []
    starts: list[int] = []
    seen = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, AliasEvent):
            endless = anchor in open_anchors
            seen += MOST_VALUES if endless else sizes.get(str(anchor), 1)
        elif isinstance(event, NodeEvent):
            seen += 1
            if isinstance(event, CollectionStartEvent):
                open_anchors.append(anchor)
                starts.append(seen)
            elif anchor is not None:
                sizes[anchor] = 1
        elif isinstance(event, CollectionEndEvent):
            closed, start = open_anchors.pop(), starts.pop()
            if closed is not None:
                sizes[closed] = seen - start + 1
        if seen > MOST_VALUES or len(starts) > DEEPEST:
            raise InputError(
                expected=f"at most {MOST_VALUES} values, {DEEPEST} deep",
                found="more",
                where=where,
                remedy="remove aliases (*name) that contain themselves",
            )


def assignments(pairs: Sequence[str]) -> dict[str, Any]:
    """``["saxs.training.epochs=5"]`` as a nested mapping; values are YAML."""
    nested: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not all(part for part in key.split(".")):
            raise InputError(
                expected="key=value", found=repr(pair), where="--set", remedy="--set split.train=32"
            )
        _require_one_value(text, f"--set {key}")
        *parents, last = key.strip().split(".")
        section = nested
        for parent in parents:
            if not isinstance(section.setdefault(parent, {}), dict):
                section[parent] = {}
            section = section[parent]
        section[last] = parse_yaml(f"value: {text}", f"--set {key}")["value"]
    return nested


def _require_one_value(text: str, where: str) -> None:
    """``InputError`` where YAML would take only a part of ``text``: a second line, a comment."""
    if len(text.strip().splitlines()) > 1:
        raise InputError(
            expected="one value on one line",
            found="several lines",
            where=where,
            remedy="give --set once for each key",
        )
    if re.search(r"(^|\s)#", re.sub(r"'[^']*'|\"[^\"]*\"", "", text)):
        raise InputError(
            expected="a value without a comment",
            found=repr(text),
            where=where,
            remedy="put a value with # in quotes: --set 'data.source=\"my #1\"'",
        )


def read_params(path: Path) -> dict[str, Any]:
    """The raw mapping in ``params.yaml`` (``InputError`` when absent, too large, or not YAML)."""
    if not path.is_file():
        raise InputError(
            expected="a settings file", found="none", where=str(path), remedy="run inside a pairvae project"
        )
    if path.stat().st_size > LARGEST_PARAMS_BYTES:
        raise InputError(expected="a settings file under 1 MB", found="a larger one", where=str(path))
    try:
        return parse_yaml(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(expected="UTF-8 text", found="other bytes", where=str(path)) from error


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def value_at(values: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key of nested mappings.

    Parameters
    ----------
    values : mapping
        Nested, as in params.yaml.
    key : str
        Such as ``"sem.prepare.crop"``.

    Returns
    -------
    object
        None where there is no such key.
    """
    value: Any = values
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


class Section(BaseModel):
    """A part of the settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
