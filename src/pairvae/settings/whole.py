"""The settings as a whole: the sections together, over the values of a preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from pairvae.errors import InputError
from pairvae.settings.faults import dotted, explain, unknown_key
from pairvae.settings.old_epochs import names_passes, warn_of_few_epochs, with_true_epochs
from pairvae.settings.old_names import new_names, with_new_names
from pairvae.settings.parsing import PARAMS_FILE, Section, Seed, assignments, flatten, read_params
from pairvae.settings.presets import (
    PRESETS,
    merge,
    modality_names,
    preset_values,
    published_area,
    with_grey_levels,
)
from pairvae.settings.search_space import TuneSettings, nested, renamed, searchable
from pairvae.settings.sections import (
    AssessSettings,
    BaselineSettings,
    DataSettings,
    DeviceSettings,
    GenerateSettings,
    LatentSettings,
    PairSettings,
    PretrainSettings,
    SplitSettings,
    StudySettings,
    TrackingSettings,
)
from pairvae.settings.techniques import (
    CroppedSettings,
    FurtherSettings,
    ModalitySettings,
    SaxsSettings,
    SemSettings,
)


class Settings(Section):
    """All settings of a project. Modalities besides ``saxs`` and ``sem`` are sections under their own names."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, FurtherSettings] = Field(init=False)

    preset: Literal["fast", "paper", "gpu"] = Field(
        description="the values of all settings that are not given"
    )
    seed: Seed = Field(description="of initial weights, crops, batches and sampled latents")
    modalities: tuple[str, ...] = Field(
        strict=False, description="the techniques that are trained together: two, or more"
    )
    data: DataSettings
    split: SplitSettings
    latent: LatentSettings
    saxs: SaxsSettings
    sem: SemSettings
    pretrain: PretrainSettings
    pair: PairSettings
    assess: AssessSettings
    baselines: BaselineSettings
    generate: GenerateSettings
    study: StudySettings
    tracking: TrackingSettings
    tune: TuneSettings
    device: DeviceSettings

    @model_validator(mode="after")
    def _directions_have_weights(self) -> Self:
        known = ["saxs", "sem", *(self.__pydantic_extra__ or {})]
        distinct = set(self.modalities)
        if not 2 <= len(distinct) == len(self.modalities) or not distinct <= set(known):
            raise ValueError(f"modalities: two or more different ones of {', '.join(known)}")
        required = {"similarity", *(f"{a}_{b}" for a in self.modalities for b in self.modalities)}
        if set(self.pair.training.weights) != required:
            raise ValueError(f"weights of exactly {', '.join(sorted(required))} in pair.training")
        return self

    @property
    def several(self) -> tuple[str, ...] | None:
        """The techniques where there are more than two, of which samples may lack some; None for a pair."""
        return self.modalities if len(self.modalities) > 2 else None

    def modality(self, name: str) -> SaxsSettings | CroppedSettings | ModalitySettings:
        """The section of one modality (``InputError`` where there is none)."""
        section = getattr(self, name, None)
        if not isinstance(section, SaxsSettings | CroppedSettings | ModalitySettings):
            raise InputError(
                expected=f"a modality: {', '.join(modality_names())}", found=repr(name), where=PARAMS_FILE
            )
        return section


def _weights_of_pair(values: dict[str, Any], chosen: object) -> dict[str, Any]:
    """A preset's ``values`` with the weights of its own directions named for the ``chosen`` techniques instead.

    A modality of both pairs keeps its weights; the other one's go to the other one of the chosen pair. Of more than
    two techniques, those that are drawn as crops have the weights of micrographs, the others those of patterns.
    """
    preset_pair = values["modalities"]
    strings = isinstance(chosen, list | tuple) and all(isinstance(name, str) for name in chosen)
    if not (strings and isinstance(chosen, list | tuple) and len(set(chosen)) >= len(preset_pair)):
        return values  # the model says what is wrong with it
    preset_weights = values["pair"]["training"]["weights"]
    if len(set(chosen)) > len(preset_pair):
        kinds = {name: _kind(values, name) for name in chosen}
        weights = {key: weight for key, weight in preset_weights.items() if key == "similarity"}
        weights |= {f"{a}_{b}": preset_weights[f"{kinds[a]}_{kinds[b]}"] for a in chosen for b in chosen}
        names = {
            kind: kind if kind in chosen else next((name for name in chosen if kinds[name] == kind), kind)
            for kind in preset_pair
        }
    else:
        left = [name for name in chosen if name not in preset_pair]
        names = {name: name if name in chosen else left.pop(0) for name in preset_pair}
        weights = {
            "_".join(names.get(part, part) for part in key.split("_")): weight
            for key, weight in preset_weights.items()
        }
    training = {**values["pair"]["training"], "weights": weights}
    tune = renamed(values["tune"], names)
    return {**values, "pair": {**values["pair"], "training": training}, "tune": tune}


def _kind(values: Mapping[str, Any], name: str) -> str:
    """The technique of the preset's pair whose weights a modality has: its arrays are crops, or whole."""
    return "sem" if "crop" in values.get(name, {}).get("prepare", {}) else "saxs"


def _simulated(base: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's values, with simulated images of the further techniques that ``modalities`` names."""
    names = overrides.get("modalities")
    names = names if isinstance(names, list | tuple) else ()
    wanted = {name: True for name in names if name in ("afm", "tem")}
    return merge(base, {"data": {"simulated": {"parameters": wanted}}}) if wanted else base


def _refuse_unknown_sections(values: Mapping[str, Any], where: str) -> None:
    known = set(Settings.model_fields) | set(modality_names())
    unknown = [key for key in values if isinstance(key, str) and key not in known]
    if unknown:
        raise unknown_key(unknown[0], where)


def resolve(overrides: Mapping[str, Any], where: str = PARAMS_FILE) -> Settings:
    """Settings from a preset's values and ``overrides``; ``InputError`` names the key at fault."""
    overrides = with_new_names(overrides, where)
    preset = overrides.get("preset", "fast")
    if preset not in PRESETS:
        raise InputError(expected="preset fast, paper or gpu", found=repr(preset), where=where)
    base = preset_values(preset)
    data = overrides.get("data")
    if isinstance(data, Mapping) and data.get("source") == "mdf":
        base = merge(base, published_area())
    base = with_grey_levels(_simulated(base, overrides), overrides)
    overrides = with_true_epochs(overrides, base, where)
    warn_of_few_epochs(overrides, base, where)
    values = merge(_weights_of_pair(base, overrides.get("modalities", base["modalities"])), overrides)
    values["preset"] = preset
    tune = overrides.get("tune")
    if isinstance(tune, Mapping) and isinstance(tune.get("space"), Mapping):
        values["tune"]["space"] = tune["space"]  # a space is declared as a whole, not laid over another
    _refuse_unknown_sections(values, where)
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        values = merge(values, _of_the_preset(error, values, base))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise explain(error, values, where) from error
    for key, value in settings.tune.extremes():
        with_values(settings, {key: value}, f"{where}, key tune.space.{key}")
    return settings


def _of_the_preset(
    error: ValidationError, values: Mapping[str, Any], base: Mapping[str, Any]
) -> dict[str, Any]:
    """The preset's values of networks, latent space and trainings for which null was given and is no value."""
    known = flatten(base)
    unset = (dotted(fault["loc"], values) for fault in error.errors() if fault["input"] is None)
    return nested({key: known[key] for key in unset if searchable(key) and key in known})


def with_values(settings: Settings, changes: Mapping[str, Any], where: str) -> Settings:
    """``settings`` with other values of ``tune.space`` (dotted keys); ``InputError`` where one is not allowed."""
    changes = {name: value for key, value in changes.items() for name in new_names(key, where)}
    values = settings.model_dump()
    values["tune"]["space"] = {}
    changes = flatten(with_true_epochs(nested(changes), values, where)) if names_passes(changes) else changes
    known = flatten(values)
    for key in changes:
        if key not in known or not searchable(key):
            raise InputError(
                expected="a setting of a network, the latent space or a training",
                found=repr(key),
                where=where,
                remedy="`pairvae params` prints the known keys",
            )
    changed = merge(values, nested(changes))
    try:
        return Settings.model_validate(changed)
    except ValidationError as error:
        raise explain(error, changed, where) from error


def load_settings(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """Settings from ``params.yaml`` at ``path`` and ``--set`` assignments."""
    return resolve(merge(read_params(path), assignments(overrides)), where=str(path))
