"""Settings that a check proposes, as lines to paste and as one command."""

from __future__ import annotations

import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap


@dataclass(frozen=True)
class Proposal:
    """A value for one key of ``params.yaml``.

    Parameters
    ----------
    key : str
        Dotted key.
    value : object
        Anything that YAML can hold.
    why : str
        The reason.
    """

    key: str
    value: Any
    why: str


def lines(proposals: Sequence[Proposal]) -> list[str]:
    """The proposals as a fragment of ``params.yaml``, reasons as comments, and as one command."""
    if not proposals:
        return []
    document = CommentedMap()
    for proposal in proposals:
        *parents, last = proposal.key.split(".")
        section = document
        for parent in parents:
            section = section.setdefault(parent, CommentedMap())
        section[last] = proposal.value
        section.yaml_add_eol_comment(" ".join(proposal.why.split()), last)
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 1000
    yaml.representer.add_representer(
        type(None), lambda it, _: it.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    yaml.representer.add_representer(
        list, lambda it, value: it.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
    )
    yaml.dump(document, text)
    settings = " ".join(f"--set {shlex.quote(f'{p.key}={_flow(p.value)}')}" for p in proposals)
    return [
        "params.yaml needs, in the sections that are there:",
        *(f"    {line}" for line in text.getvalue().splitlines()),
        "or:",
        f"    pairvae repro {settings}",
    ]


def _flow(value: object) -> str:
    if value is None:
        return "null"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def nested(proposals: Sequence[Proposal]) -> dict[str, Any]:
    """The proposals as nested dictionaries of settings."""
    values: dict[str, Any] = {}
    for proposal in proposals:
        *parents, last = proposal.key.split(".")
        section = values
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = proposal.value
    return values
