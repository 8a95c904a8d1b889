"""`pairvae study`: trainings over sizes, splits and variants of the settings (Figure 6, Table S2, Figure S3)."""

from __future__ import annotations

from pairvae.commands.study.grid import Grid, draw, study
from pairvae.commands.study.summary import Outcome
from pairvae.commands.study.variants import protocols, read_variants, shipped_variants

__all__ = ["Grid", "Outcome", "draw", "protocols", "read_variants", "shipped_variants", "study"]
