"""The reference of params.yaml, from the settings models and the presets: key, default, unit, range, meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pairvae.modalities import MODALITIES
from pairvae.settings import PRESETS, Settings, flatten, preset_values

HEAD = """# params.yaml

Made from the settings models and the presets of the package. `params.yaml` needs only what differs from its preset;
`pairvae params` prints every value in force, `--set KEY=VALUE` changes one. An unknown key, a wrong type or a value
out of range stops at once, in one line that names the key. *Default* is the preset `fast`; where `paper` or `gpu`
differ, it is said.
"""
UNIT = re.compile(r",\s(px|nm|1/nm|s|m|mm|%)(?=$|[ ;,:.(])")
UNITS_BY_NAME = {
    "epochs": "epochs",
    "random_epochs": "epochs",
    "focused_epochs": "epochs",
    "patience": "epochs",
    "log_every": "epochs",
    "train": "pairs",
    "pairs": "pairs",
    "sizes": "pairs",
    "batch": "samples",
    "decay_steps": "steps",
    "relaxation_steps": "steps",
    "input_noise": "std. dev.",
    "offset": "grey levels",
    "bins": "values",
    "decades": "decades",
}
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One key: its dotted name, the defaults by preset, unit, allowed values and meaning."""

    key: str
    default: str
    unit: str
    allowed: str
    meaning: str


def page() -> str:
    """Markdown of all settings, one table for each section."""
    schema = Settings.model_json_schema()
    lines = [HEAD]
    tops: dict[str, Schema] = dict(schema["properties"])
    for name in MODALITIES:
        if name not in tops:
            tops[name] = {"$ref": f"#/$defs/{'Cropped' if MODALITIES[name].cropped else 'Modality'}Settings"}
    for top, part in tops.items():
        resolved = _resolved(part, schema["$defs"])
        lines += [f"## {top}", "", resolved.get("description", ""), "", '<div class="wide" markdown>', ""]
        lines += ["| key | default | unit | allowed | meaning |", "| --- | --- | --- | --- | --- |"]
        lines += [_line(row) for row in rows(top, part, schema["$defs"])]
        lines += ["", "</div>", ""]
    return "\n".join(lines)


def rows(key: str, part: Schema, defs: Schema) -> Iterator[Row]:
    """The rows of a section, its sub-sections included; of networks, one set for each architecture."""
    resolved = _resolved(part, defs)
    if "const" in resolved.get("properties", {}).get("architecture", {}):
        yield from _architecture(key, resolved, defs)
        return
    if "oneOf" in resolved:
        for choice in resolved["oneOf"]:
            yield from _architecture(key, _resolved(choice, defs), defs)
        return
    modality, _, rest = key.partition(".")
    if rest == "prepare" and "properties" not in resolved and modality in MODALITIES:
        section = MODALITIES[modality].settings.model_json_schema()
        yield from rows(key, section, section.get("$defs", {}))
        return
    if "properties" not in resolved:
        yield _row(key, {**resolved, **part}, defs)
        return
    for name, inner in resolved["properties"].items():
        yield from rows(f"{key}.{name}", inner, defs)


def _architecture(key: str, section: Schema, defs: Schema) -> Iterator[Row]:
    kind = section["properties"]["architecture"]["const"]
    used = any(_value(preset, f"{key}.architecture", kind) is not ABSENT for preset in PRESETS)
    if not used:  # its keys stand where a preset uses it
        about = f"`{kind}`: {section.get('description', '')}"
        yield Row(f"{key}.architecture ({kind})", "-", "", f"`{kind}`", about)
        return
    for name, inner in section["properties"].items():
        row = _row(f"{key}.{name}", {**_resolved(inner, defs), **inner}, defs, architecture=kind)
        shown = f"`{kind}`: {section.get('description', '')}" if name == "architecture" else row.meaning
        yield Row(
            row.key, row.default, row.unit, row.allowed if name != "architecture" else f"`{kind}`", shown
        )


def _row(key: str, part: Schema, defs: Schema, architecture: str | None = None) -> Row:
    meaning = str(part.get("description", ""))
    unit = UNIT.search(meaning)
    name = key.rpartition(".")[2]
    return Row(
        key=key if architecture is None else f"{key} ({architecture})",
        default=_defaults(key, part, architecture),
        unit=unit[1] if unit else UNITS_BY_NAME.get(name, ""),
        allowed=allowed(part, defs),
        meaning=meaning,
    )


def _resolved(part: Schema, defs: Schema) -> Schema:
    if "$ref" in part:
        return {
            **_resolved(defs[part["$ref"].rpartition("/")[2]], defs),
            **{name: value for name, value in part.items() if name == "description"},
        }
    return part


def _defaults(key: str, part: Schema, architecture: str | None) -> str:
    """The value in ``fast``, and in the other presets where it differs."""
    found = {preset: _value(preset, key, architecture) for preset in PRESETS}
    if key == "preset":
        return "`fast`"
    told = [f"`{_text(found['fast'])}`"] if found["fast"] is not ABSENT else []
    if not told and "default" in part:
        return f"`{_text(part['default'])}`"
    told += [
        f"{preset}: `{_text(value)}`"
        for preset, value in found.items()
        if preset != "fast" and value is not ABSENT and value != found["fast"]
    ]
    return "<br>".join(told) or "-"


ABSENT = object()


@cache
def _preset(preset: str) -> Schema:
    """The values of a preset, parsed once."""
    return preset_values(preset)


def _value(preset: str, key: str, architecture: str | None) -> Any:
    place: Any = _preset(preset)
    parts = key.split(".")
    for number, part in enumerate(parts):
        if not isinstance(place, Mapping) or part not in place:
            return ABSENT
        last = number + 1 == len(parts)
        if last and architecture is not None and place.get("architecture") != architecture:
            return ABSENT
        place = place[part]
    return place


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and len(flatten(value)) > 6:
        return f"{{{len(value)} entries}}"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value


def allowed(part: Schema, defs: Schema) -> str:
    """The values that a key may have, in words."""
    part = {**_resolved(part, defs), **{k: v for k, v in part.items() if k != "$ref"}}
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(allowed(choice, defs) for choice in part["anyOf"]))
    if "enum" in part:
        return ", ".join(f"`{_text(choice)}`" for choice in part["enum"])
    if "const" in part:
        return f"`{_text(part['const'])}`"
    kind = part.get("type", "")
    if kind == "array":
        return _array(part, defs)
    if kind in ("integer", "number"):
        return _number(part, "whole" if kind == "integer" else "")
    names = {"string": "text", "boolean": "`true`, `false`", "null": "`null`", "object": "a mapping"}
    return names.get(kind, "any value")


def _number(part: Schema, word: str) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [
        f"{sign} {part[name]:g}" if part[name] < 2**31 else f"{sign} 2³²"
        for name, sign in signs.items()
        if name in part
    ]
    multiple = [f"multiple of {part['multipleOf']:g}"] if "multipleOf" in part else []
    return ", ".join([*([word] if word else []), *bounds, *multiple]) or "number"


def _array(part: Schema, defs: Schema) -> str:
    if "prefixItems" in part:
        inner = dict.fromkeys(allowed(item, defs) for item in part["prefixItems"])
        return f"{len(part['prefixItems'])} values: {' / '.join(inner)}"
    least, most = part.get("minItems"), part.get("maxItems")
    count = f"{least} to {most}" if least and most else f"{least} or more" if least else "a list of"
    return f"{count} values: {allowed(part.get('items', {}), defs)}"


def _line(row: Row) -> str:
    key, _, architecture = row.key.partition(" (")
    shown = f"`{key}`" + (f" ({architecture}" if architecture else "")
    cells = [shown, row.default, row.unit or "–", row.allowed, row.meaning.replace("|", "\\|")]
    return "| " + " | ".join(cells) + " |"
