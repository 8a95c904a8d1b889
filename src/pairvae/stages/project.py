"""A project on disk: where its files lie, and its settings. Stages get their paths from here alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pairvae import store
from pairvae.data.split import Split, split_pairs, training_pairs
from pairvae.errors import InputError
from pairvae.evaluation.leakage import Warnings, unseen_morphologies
from pairvae.modalities import check_modalities, main_pair, prepare_settings
from pairvae.modalities.readers.linked_folders import declare_roots
from pairvae.settings import PARAMS_FILE, Settings, SplitSettings, load_settings
from pairvae.store.code import code_digest
from pairvae.store.file_cache import FileCache
from pairvae.store.prepared import REMEDY, Prepared, open_prepared
from pairvae.store.project_root import OWN_FILES, PREPARED_FILES, project_root

SOLO_STAGES = ("saxs", "sem")  # modalities whose solo training is a stage in dvc.yaml


@dataclass(frozen=True)
class Project:
    """``folder`` holds params.yaml and the stages' files; ``root`` the runs and checkpoints.

    They differ inside ``dvc exp run --queue``, whose folder is deleted afterwards.
    """

    folder: Path
    root: Path
    settings: Settings
    track: bool = True

    @property
    def raw(self) -> Path:
        """Raw pairs in the data layout."""
        return self.folder / "data" / "raw"

    @property
    def prepared_folder(self) -> Path:
        """Prepared arrays."""
        return self.folder / "data" / "prepared"

    @property
    def reports(self) -> Path:
        """Scores, figures and the page."""
        return self.folder / "reports"

    def model(self, stage: str) -> Path:
        """The model folder of a stage."""
        return self.folder / "models" / stage

    def solo(self, name: str) -> Path:
        """The model folder of a modality's VAE alone: of its stage, else inside the folder of the pair."""
        stage = f"train-{name}"
        return self.model(stage) if name in SOLO_STAGES else self.model("train-pair") / stage

    def prepared(self) -> Prepared:
        """The prepared arrays of the pair (``InputError``: none, damaged, or prepared with other settings)."""
        prepared = open_prepared(self.prepared_folder)
        prepared.verify()
        missing = [name for name in self.settings.modalities if name not in prepared.card["shapes"]]
        if missing:
            raise InputError(
                expected=f"prepared data of {', '.join(self.settings.modalities)}",
                found=f"none of {missing[0]}",
                where=str(self.prepared_folder),
                remedy=REMEDY,
            )
        self._refuse_other_settings(prepared)
        return prepared

    def prepared_pairs(self) -> Prepared:
        """The samples that both techniques of the main pair measured: those that the report is about."""
        prepared = self.prepared()
        return prepared.having(main_pair(self.settings.modalities))

    def _refuse_other_settings(self, prepared: Prepared) -> None:
        """A training on arrays of another crop size or threshold would end in a wrong number, or far from the cause."""
        settings = self.settings
        wanted = {f"{name}.prepare": prepare_settings(settings, name) for name in settings.modalities}
        made = {
            f"{name}.prepare": prepared.card.get("prepare", {}).get(name, {}) for name in settings.modalities
        }
        crops = {key: getattr(settings.assess, key) for key in ("crops", "crop_seed")}
        pairs = [(key, section.model_dump(mode="json"), made[key]) for key, section in wanted.items()]
        for section, values, found in [*pairs, ("assess", crops, prepared.card.get("assess", {}))]:
            for key, value in values.items():
                if found.get(key, value) != value:
                    raise InputError(
                        expected=f"data prepared with {section}.{key}: {value}",
                        found=f"{found[key]}",
                        where=str(self.prepared_folder),
                        remedy="run `pairvae repro`, which prepares them again, or take the setting back",
                    )

    def split(self, prepared: Prepared) -> Split:
        """Training and validation pairs, as numbers of rows."""
        section = self.settings.split
        split = split_pairs(prepared.full.pairs, section.train, section.seed)
        if prepared.full is prepared:
            return split
        places = {row: place for place, row in enumerate(prepared.rows)}
        train, validation = (
            tuple(places[row] for row in rows if row in places) for rows in (split.train, split.validation)
        )
        return Split(train, validation)

    def resolved_split(self, prepared: Prepared) -> SplitSettings:
        """The section ``split`` with the number of training pairs that ``auto`` stands for."""
        section = self.settings.split
        return section.model_copy(update={"train": training_pairs(prepared.full.pairs, section.train)})

    @property
    def file_cache(self) -> FileCache:
        """What was made of raw files by this and earlier commands."""
        return FileCache(self.root / OWN_FILES / PREPARED_FILES)

    def checkpoints(self, stage: str, params: object, data: str, *, bfloat16: bool) -> Path:
        """Folder of a stage's checkpoint, named by all that decides what it becomes: a change starts afresh."""
        inputs = {"params": params, "data": data, "bfloat16": bfloat16}
        name = store.digest({"stage": stage, "inputs": inputs, "code": code_digest(stage_module(stage))})
        return self.root / OWN_FILES / "checkpoints" / name


def open_project(overrides: Sequence[str] = (), *, folder: Path | None = None, track: bool = True) -> Project:
    """The project in ``folder`` (the current one by default), with ``--set`` assignments applied."""
    place = (folder or Path.cwd()).resolve()
    settings = check_modalities(load_settings(place / PARAMS_FILE, overrides))
    declare_roots(place / Path(root).expanduser() for root in settings.data.roots)
    return Project(place, project_root(place), settings, track)


def stage_module(stage: str) -> str:
    """The module whose function a stage of dvc.yaml runs (see :func:`pairvae.store.code.code_digest`)."""
    if stage == "train-pair":
        return "stages.train_pair"
    return "stages.train_solo" if stage.startswith("train-") else f"stages.{stage}"


def data_warnings(project: Project, prepared: Prepared) -> Warnings:
    """What the check of the raw pairs found, and what the split leaves without a training pair."""
    return [*prepared.card.get("warnings", []), *split_warnings(project, prepared)]


def split_warnings(project: Project, prepared: Prepared) -> Warnings:
    """Morphologies that only validation pairs have."""
    split = project.split(prepared)
    return unseen_morphologies([pair.morphology for pair in prepared.pairs], split.train, split.validation)


def as_text(warnings: Warnings) -> str:
    """A line for each."""
    return "".join(f"{warning['name']}: {warning['text']}\n" for warning in warnings)


def tell(warnings: Warnings) -> None:
    """Print them, a line each."""
    for line in as_text(warnings).splitlines():
        print(f"warning: {line}", flush=True)
