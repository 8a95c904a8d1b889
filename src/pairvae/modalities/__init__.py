"""Facts about each characterization technique, and the readers of its raw files (level 1).

A module of this folder that holds a :class:`Modality` adds a technique; its section in the preset ``fast`` gives
the defaults. Nothing else has to know of it. Another package adds one by an entry point ``pairvae.modalities``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from pydantic import ValidationError

from pairvae.modalities.base import Axis, Modality
from pairvae.settings import PARAMS_FILE, Section, Settings, explain, modality_names
from pairvae.settings.plugins import MODALITIES as PLUGINS
from pairvae.settings.plugins import broken, load, plugins


@cache
def _declared() -> dict[str, Modality]:
    """The modalities of this folder's modules and of other packages, in the order of the presets' sections."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    by_name = {
        value.name: value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Modality)
    }
    names = modality_names()
    for name, entry in plugins(PLUGINS).items():
        value = load(entry)
        if not isinstance(value, Modality) or value.name != name or not name.isalnum():
            found = f"{value.name!r}" if isinstance(value, Modality) else type(value).__name__
            raise broken(entry, f"a Modality named {name}, of letters and digits", found)
        by_name[name] = value
    return {name: by_name[name] for name in names}


MODALITIES: dict[str, Modality]


def __getattr__(name: str) -> object:
    """``MODALITIES``, once it is asked for: the module of another package may be imported before all of pairvae."""
    if name != "MODALITIES":
        raise AttributeError(name)
    globals()[name] = _declared()
    return globals()[name]


__all__ = ["MODALITIES", "Axis", "Modality", "check_modalities", "main_pair", "prepare_settings"]


def main_pair(names: Sequence[str]) -> tuple[str, str]:
    """The two techniques whose directions the report draws: one without crops, then one with crops where there are any.

    Examples
    --------
    >>> main_pair(["sem", "saxs"]), main_pair(["iq", "saxs", "sem"])
    (('saxs', 'sem'), ('saxs', 'sem'))
    """
    known = _declared()
    ordered = sorted(names, key=lambda name: known[name].cropped)
    first = "saxs" if "saxs" in names and len(names) > 2 else ordered[0]
    rest = [name for name in ordered if name != first]
    cropped = [name for name in rest if known[name].cropped]
    return first, "sem" if "sem" in cropped else (cropped or rest)[0]


def prepare_settings(settings: Settings, name: str) -> Section:
    """The section ``prepare`` of modality ``name``, checked by its own class (``InputError`` names the key)."""
    given = settings.modality(name).prepare
    if isinstance(given, Section):
        return given
    try:
        return _declared()[name].settings.model_validate(given)
    except ValidationError as error:
        raise explain(error, given, PARAMS_FILE, prefix=f"{name}.prepare.") from error


def check_modalities(settings: Settings) -> Settings:
    """The same settings, once the sections of all modalities are sound, the pair's and others (``InputError``)."""
    for name in _declared():
        prepare_settings(settings, name)
    return settings
