"""Facts about each characterization technique, and the readers of its raw files (level 1).

A module of this folder that holds a :class:`Modality` adds a technique; its section in the preset ``fast`` gives
the defaults. Nothing else has to know of it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from pydantic import ValidationError

from pairvae.modalities.base import Axis, Modality
from pairvae.settings import PARAMS_FILE, Section, Settings, explain, modality_names


def _declared() -> dict[str, Modality]:
    """The modalities of this folder's modules, in the order of the preset's sections."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    by_name = {
        value.name: value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Modality)
    }
    return {name: by_name[name] for name in modality_names()}


MODALITIES: dict[str, Modality] = _declared()

__all__ = ["MODALITIES", "Axis", "Modality", "check_modalities", "main_pair", "prepare_settings"]


def main_pair(names: Sequence[str]) -> tuple[str, str]:
    """The two techniques whose directions the report draws: one without crops, then one with crops where there are any.

    Examples
    --------
    >>> main_pair(["sem", "saxs"]), main_pair(["iq", "saxs", "sem"])
    (('saxs', 'sem'), ('saxs', 'sem'))
    """
    ordered = sorted(names, key=lambda name: MODALITIES[name].cropped)
    first = "saxs" if "saxs" in names and len(names) > 2 else ordered[0]
    rest = [name for name in ordered if name != first]
    cropped = [name for name in rest if MODALITIES[name].cropped]
    return first, "sem" if "sem" in cropped else (cropped or rest)[0]


def prepare_settings(settings: Settings, name: str) -> Section:
    """The section ``prepare`` of modality ``name``, checked by its own class (``InputError`` names the key)."""
    given = settings.modality(name).prepare
    if isinstance(given, Section):
        return given
    try:
        return MODALITIES[name].settings.model_validate(given)
    except ValidationError as error:
        raise explain(error, given, PARAMS_FILE, prefix=f"{name}.prepare.") from error


def check_modalities(settings: Settings) -> Settings:
    """The same settings, once the sections of all modalities are sound, the pair's and others (``InputError``)."""
    for name in MODALITIES:
        prepare_settings(settings, name)
    return settings
