"""The stage `pretrain`: the frozen backbone of the paper's networks, where the preset asks for it."""

from __future__ import annotations

from pairvae import store
from pairvae.stages.project import Project


def pretrain(project: Project) -> None:
    """Write ``models/pretrain``: a backbone, or a card that says that none is needed."""
    if not project.settings.pretrain.enabled:
        with store.atomic_folder(project.model("pretrain")) as folder:
            store.write_json(
                folder / "card.json",
                {"stage": "pretrain", "backbone": None, "preset": project.settings.preset},
            )
        return
    from pairvae.stages.backbone import pretrain_backbone

    pretrain_backbone(project)
