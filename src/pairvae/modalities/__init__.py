"""Facts about each characterization technique, and the readers of its raw files (level 1)."""

from __future__ import annotations

from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.saxs import SAXS
from pairvae.modalities.sem import SEM

MODALITIES: dict[str, Modality] = {modality.name: modality for modality in (SAXS, SEM)}

__all__ = ["MODALITIES", "Axis", "Modality"]
