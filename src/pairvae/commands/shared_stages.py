"""Many trainings of one data set: the stages before the pair are run once for all that determines them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pairvae import store
from pairvae.settings import Settings
from pairvae.stages.pretrain import pretrain
from pairvae.stages.project import SOLO_STAGES, Project, stage_module
from pairvae.stages.train_solo import train_solo
from pairvae.store.code import code_digest
from pairvae.store.locks import locked
from pairvae.store.model_folder import CARD

PREPARED = "prepared"


@dataclass(frozen=True)
class SharingProject(Project):
    """The project of one training among many: ``shared`` holds the prepared pairs and the stages before the pair.

    All that share it train on the same pairs.
    """

    shared: Path = Path()

    @property
    def prepared_folder(self) -> Path:
        """Prepared arrays."""
        return self.shared / PREPARED

    def model(self, stage: str) -> Path:
        """The model folder of a stage: shared stages are named by everything that determines them."""
        if not _shared(stage):
            return self.folder / "models" / stage
        return self.shared / "models" / f"{stage}-{store.digest(_determining(self.settings, stage))}"


def _shared(stage: str) -> bool:
    return stage == "pretrain" or stage.removeprefix("train-") in SOLO_STAGES


def _determining(settings: Settings, stage: str) -> dict[str, Any]:
    name = stage.removeprefix("train-")
    sections: dict[str, Any] = {"pretrain": settings.pretrain}
    if name in SOLO_STAGES:
        sections |= {"latent": settings.latent, "network": settings.modality(name)}
    plain = {
        key: section.model_dump(mode="json")
        for key, section in sections.items()
        if isinstance(section, BaseModel)
    }
    facts = {"modalities": settings.modalities, "precision": settings.device.precision}
    return {"stage": stage, "seed": settings.seed, "code": code_digest(stage_module(stage)), **plain, **facts}


def solo_stages(settings: Settings) -> list[str]:
    """The solo stages of the pair that are shared."""
    return [f"train-{name}" for name in settings.modalities if name in SOLO_STAGES]


def train_once(project: SharingProject, stage: str) -> None:
    """A shared stage, unless another training has run it; a process that needs it at the same time waits."""
    folder = project.model(stage)
    with locked(folder.with_name(f"{folder.name}.lock")):
        if (folder / CARD).is_file():
            return
        own = dataclasses.replace(project, folder=project.shared, root=project.shared)
        if stage == "pretrain":
            pretrain(own)
        else:
            train_solo(own, stage.removeprefix("train-"))


def with_own_backbone(settings: Settings, folder: Path) -> Settings:
    """``settings`` whose backbone file, named from ``folder`` on, is found from elsewhere too."""
    if settings.pretrain.backbone is None:
        return settings
    file = str(folder / settings.pretrain.backbone)
    return settings.model_copy(update={"pretrain": settings.pretrain.model_copy(update={"backbone": file})})
