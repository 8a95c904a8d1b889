"""The values of the presets, and how values are laid over one another."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from pairvae.settings.parsing import parse_yaml
from pairvae.settings.plugins import broken, preset_texts

PARTS_OF_A_MODALITY = {"prepare", "network", "training"}  # a section with these is a modality's
PRESETS = ("fast", "paper", "gpu")
KEEP_GREY = "none"  # the threshold of micrographs that keep their grey levels


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``over`` on ``base``, mapping by mapping; a changed ``architecture`` replaces its whole mapping."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            changed = "architecture" in value and value["architecture"] != old.get("architecture")
            merged[key] = dict(value) if changed else merge(old, value)
        elif isinstance(old, Mapping) and value is None:
            continue  # an empty section in the file: nothing is overridden
        else:
            merged[key] = value
    return merged


def preset_values(preset: str) -> dict[str, Any]:
    """The values of a preset: ``fast`` in full, the others as changes to it."""
    folder = resources.files("pairvae") / "presets"
    base = parse_yaml((folder / "fast.yaml").read_text("utf-8"), "preset fast")
    base = _with_plugins(base, "fast")
    if preset == "fast":
        return base
    values = merge(base, parse_yaml((folder / f"{preset}.yaml").read_text("utf-8"), f"preset {preset}"))
    return _with_plugins(values, preset)


def _with_plugins(values: dict[str, Any], preset: str) -> dict[str, Any]:
    """``values`` and the sections of techniques of other packages, with network and training of the one they are like.

    Raises
    ------
    InputError
        It names the package whose defaults are none.
    """
    for name, (entry, text) in preset_texts(preset).items():
        section = parse_yaml(text, f"{entry.module}, preset {preset}").get(name) if text else {}
        if not isinstance(section, dict):
            raise broken(entry, f"a section {name} in presets/{preset}.yaml", "none")
        if preset == "fast" and name in values:
            raise broken(entry, "a name that no technique of pairvae has", repr(name))
        model = values.get(section.get("like", ""), {}) if preset == "fast" else values[name]
        own = {key: part for key, part in section.items() if key != "like"}
        parts = {key: part for key, part in model.items() if key in ("network", "training")}
        values = {**values, name: merge({**values.get(name, {}), **parts}, own)}
        if not set(values[name]) >= PARTS_OF_A_MODALITY:
            raise broken(
                entry, f"{name}.prepare, and like, or network and training", ", ".join(section) or "nothing"
            )
    return values


@cache
def modality_names() -> tuple[str, ...]:
    """All modalities: the sections of the preset that have the three parts of one."""
    values = preset_values("fast")
    return tuple(
        name for name, part in values.items() if isinstance(part, dict) and set(part) >= PARTS_OF_A_MODALITY
    )


def with_grey_levels(base: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's values, where images of a technique keep their grey levels: ``overrides`` or the preset ask for it."""
    text = (resources.files("pairvae") / "presets" / "grey.yaml").read_text("utf-8")
    changes = parse_yaml(text, "grey levels")
    for name in [name for name, part in base.items() if _threshold({name: part}, name) is not None]:
        if (_threshold(overrides, name) or _threshold(base, name)) != KEEP_GREY:
            continue
        fitting = {key: part for key, part in changes.items() if key != "network"}
        if base[name]["network"]["architecture"] == "texture":
            fitting = changes
        base = merge(base, {name: fitting})
    return base


def _threshold(values: Mapping[str, Any], name: str) -> Any:
    """The setting ``<name>.prepare.threshold``, None where there is none."""
    found: Any = values
    for key in (name, "prepare", "threshold"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def published_area() -> dict[str, Any]:
    """The image area of the published micrographs, which `data.source: mdf` and the preset `paper` have."""
    prepare = preset_values("paper")["sem"]["prepare"]
    return {"sem": {"prepare": {name: prepare[name] for name in ("rows", "columns")}}}
