"""What is to be known of the data before a model is trusted: for the terminal, the runs and the report."""

from __future__ import annotations

from pairvae.evaluation.leakage import Warnings, unseen_morphologies
from pairvae.stages.project import Project
from pairvae.store.prepared import Prepared


def data_warnings(project: Project, prepared: Prepared) -> Warnings:
    """What the check of the raw pairs found, and what the split leaves without a training pair."""
    return [*prepared.card.get("warnings", []), *split_warnings(project, prepared)]


def split_warnings(project: Project, prepared: Prepared) -> Warnings:
    """Morphologies that only validation pairs have."""
    split = project.split(prepared)
    return unseen_morphologies([pair.morphology for pair in prepared.pairs], split.train, split.validation)


def as_text(warnings: Warnings) -> str:
    """A line for each."""
    return "".join(f"{one['name']}: {one['text']}\n" for one in warnings)


def tell(warnings: Warnings) -> None:
    """Print them, a line each."""
    for line in as_text(warnings).splitlines():
        print(f"warning: {line}", flush=True)
