"""`pairvae tune`: a search over settings with Optuna, by several processes, shown as a tree of runs."""

from __future__ import annotations

from pairvae.commands.tune.coordinator import Search, apply, tune

__all__ = ["Search", "apply", "tune"]
