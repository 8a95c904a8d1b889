"""The settings of a project: ``params.yaml``, laid over the values of its preset, parsed once and frozen.

Every default lives here or in the two preset files beside this module, nowhere else.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pairvae.errors import InputError
from pairvae.search_space import TuneSettings, nested, renamed, searchable
from pairvae.simulation_parameters import SimulationParameters

PARAMS_FILE = "params.yaml"
PARTS_OF_A_MODALITY = {"prepare", "network", "training"}  # a section with these is a modality's
PRESETS = ("fast", "paper", "gpu")
LARGEST_PARAMS_BYTES = 1_000_000
MOST_VALUES = 10_000

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
Pixel = Annotated[float, Field(ge=0, le=200_000, allow_inf_nan=False)]
BeamCentreOption = Literal["auto"] | Annotated[tuple[Pixel, Pixel], Strict(False)] | None


class Section(BaseModel):
    """A part of the settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SimulatedData(Section):
    """The built-in data: how many pairs, which seed, which physics."""

    pairs: Positive = Field(description="pairs to simulate")
    seed: Seed = Field(description="seed of the simulated samples")
    parameters: SimulationParameters = Field(description="physics of the samples, in nm and 1/nm")


class MdfData(Section):
    """The published data set on the Materials Data Facility."""

    base_url: str | None = Field(description="a mirror of the file server; null: the published one")
    archive: str | None = Field(description="a local archive of the pairs instead of the server")


class DataSettings(Section):
    """Where raw pairs come from."""

    source: str = Field(
        min_length=1, description="simulated, mdf, or the path of a folder in the data layout"
    )
    simulated: SimulatedData
    mdf: MdfData


class SaxsPrepare(Section):
    """SAXS preprocessing (paper, Method)."""

    size: int = Field(ge=32, le=1024, multiple_of=32, description="side of the prepared pattern, px")
    colormap: str | None = Field(
        description="colour map to undo (vge: the published one); null: the colours as they are, as in the paper"
    )
    beam_centre: BeamCentreOption = Field(
        description="row and column of the beam, px, or auto; the pattern is cropped to the square around it; "
        "null: left as it is",
    )


class SemPrepare(Section):
    """SEM preprocessing (paper, Method and Figure S2)."""

    rows: Positive | None = Field(
        description="image rows above the data bar, px; null: from metadata, else detected"
    )
    columns: Positive | None = Field(description="image columns, px; null: all of them")
    crop: int = Field(ge=32, le=1024, multiple_of=32, description="side of a crop, px")
    blur_px: int = Field(ge=1, le=31, description="side of the Gaussian kernel, px (odd)")
    blur_sigma: float = Field(gt=0, le=10, description="standard deviation of the blur, px")
    window_px: int = Field(ge=3, le=101, description="window of the adaptive mean threshold, px (odd)")
    offset: float = Field(ge=-50, le=50, description="grey levels subtracted from the local mean")
    nm_per_px: float | None = Field(
        gt=0, le=1000, description="bring all images to this pixel size; null: leave them as they are"
    )

    @model_validator(mode="after")
    def _odd_windows(self) -> Self:
        for name in ("blur_px", "window_px"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"an odd {name}")
        return self


class LatentSettings(Section):
    """The latent space that the modalities share: ``channels`` maps of ``grid`` x ``grid``."""

    channels: int = Field(ge=1, le=1024)
    grid: int = Field(ge=1, le=32)


class CompactNetwork(Section):
    """Principal components of the input, a small dense network, and back (preset ``fast``)."""

    architecture: Literal["compact"]
    components: int = Field(ge=1, le=512, description="principal components of the training inputs")
    width: int = Field(ge=4, le=4096, description="hidden units of the dense layers")
    pool: int = Field(ge=1, le=16, description="average pooling before the components, px")


class TextureNetwork(Section):
    """Texture statistics in, a noise-driven convolutional texture out (preset ``fast``)."""

    architecture: Literal["texture"]
    components: int = Field(ge=1, le=512, description="principal components of the texture statistics")
    width: int = Field(ge=4, le=4096, description="hidden units of the dense layers")
    noise_channels: int = Field(ge=1, le=512, description="noise maps that the decoder starts from")
    block_widths: tuple[Positive, ...] = Field(
        strict=False,
        min_length=2,
        max_length=5,
        description="channels of the blocks, the coarsest first; each doubles the side",
    )


class PaperNetwork(Section):
    """The published networks: frozen ResNet-50, dense head, transposed convolutions (preset ``paper``)."""

    architecture: Literal["paper"]
    filters: int = Field(ge=1, le=512, description="channels of the decoder's hidden layers")
    kernel: int = Field(ge=3, le=31, description="side of the decoder's kernels, px (odd)")
    collapsed: bool = Field(description="the last layer as one channel with the mean kernel (exact)")
    hidden: int = Field(ge=1, le=4096, description="units of the dense layer of the encoder's head")


Network = Annotated[CompactNetwork | TextureNetwork | PaperNetwork, Field(discriminator="architecture")]


class Optimisation(Section):
    """Adam and its schedule."""

    batch: int = Field(ge=1, le=4096, description="samples a step")
    drop_remainder: bool = Field(description="leave out the last, smaller batch of an epoch")
    learning_rate: Rate = Field(description="Adam's step size at its highest")
    beta1: float = Field(ge=0, lt=1, description="Adam's decay of the mean gradient")
    beta2: float = Field(ge=0, lt=1, description="Adam's decay of the squared gradient")
    epsilon: float = Field(gt=0, le=1, description="Adam's guard against a division by zero")
    schedule: Literal["constant", "cosine"]
    warmup: float = Field(ge=0, lt=1, description="share of the training over which the rate rises from 0")
    gradient_clip: NonNegative = Field(description="largest norm of the gradient; 0: no clipping")
    passes: Positive = Field(description="passes over the training pairs an epoch")


class SoloTraining(Optimisation):
    """Training of one VAE alone."""

    epochs: Positive
    kl_weight: NonNegative = Field(description="weight of the divergence from the unit normal")
    input_noise: NonNegative = Field(description="noise on the encoder's components, in standard deviations")


class PairTraining(Optimisation):
    """Training of the two VAEs as a pair (paper, Method: two-part protocol)."""

    random_epochs: int = Field(ge=0, description="epochs with new random crops")
    focused_epochs: int = Field(ge=0, description="epochs on the crops of the last random epoch")
    shared_position: bool = Field(description="one crop position for all images of an epoch")
    from_solo: bool = Field(description="start from the solo-trained weights")
    similarity: Literal["barlow", "simclr", "distance"]
    redundancy: NonNegative = Field(description="weight of the off-diagonal terms (barlow)")
    temperature: Rate = Field(description="temperature of the contrast (simclr)")
    kl_weight: NonNegative
    input_noise: NonNegative
    weights: dict[str, NonNegative] = Field(
        description="similarity, and <from>_<to> for the four directions of the pair"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.random_epochs + self.focused_epochs < 1:
            raise ValueError("random_epochs + focused_epochs of at least 1")
        return self

    @property
    def epochs(self) -> int:
        """All epochs of the two parts."""
        return self.random_epochs + self.focused_epochs


class TextureLikelihood(Section):
    """Weights of the texture statistics that a sample's images share (see numerics/texture.py)."""

    autocovariance: NonNegative
    phase_fraction: NonNegative
    lineal_path: NonNegative
    filters: NonNegative
    crop: int = Field(ge=32, le=1024, multiple_of=32, description="side of the images in training, px")


class SaxsTraining(SoloTraining):
    """Training of the SAXS VAE; the likelihood is that of the pair, too."""

    likelihood: Literal["mse", "mae"]


class SemTraining(SoloTraining):
    """Training of the SEM VAE; the likelihood is that of the pair, too."""

    likelihood: Literal["bernoulli", "texture"]
    texture: TextureLikelihood


class SaxsSettings(Section):
    """Everything about the SAXS side."""

    prepare: SaxsPrepare
    network: Network
    training: SaxsTraining


class SemSettings(Section):
    """Everything about the SEM side."""

    prepare: SemPrepare
    network: Network
    training: SemTraining

    @model_validator(mode="after")
    def _likelihood_fits(self) -> Self:
        if self.training.likelihood == "texture" and self.network.architecture != "texture":
            raise ValueError("network.architecture texture for training.likelihood texture")
        return self


class ModalitySettings(Section):
    """Everything about a further modality; its own class in ``pairvae.modalities`` checks ``prepare``."""

    prepare: dict[str, Any]
    network: CompactNetwork
    training: SaxsTraining


class PretrainSettings(Section):
    """Backbone of the paper's networks and its self-supervised pre-training (paper, reference 38)."""

    enabled: bool = Field(description="run the pre-training stage")
    backbone: str | None = Field(description="a ResNet-50 weight file (safetensors or torchvision .pth)")
    epochs: int = Field(ge=0, description="epochs of pre-training; 0: random weights, said loudly")
    batch: Positive
    learning_rate: Rate
    decay_steps: Positive
    redundancy: NonNegative
    projector: tuple[Positive, Positive, Positive] = Field(strict=False)


class PairSettings(Section):
    """The pair."""

    training: PairTraining


class SplitSettings(Section):
    """Training and validation pairs."""

    train: Positive = Field(description="training pairs; the rest are validation pairs")
    seed: Seed


class AssessSettings(Section):
    """Scores."""

    estimator: Literal["unbiased", "periodic"] = Field(description="estimator of S(r)")
    crops: int = Field(ge=2, le=100, description="evaluation crops per image")
    crop_seed: Seed = Field(description="seed of the first evaluation crop; the others follow it")


class GenerateSettings(Section):
    """Ensembles (paper, Figures 7, S7, S8)."""

    samples: Positive = Field(description="images per morphology")
    scales: tuple[NonNegative, ...] = Field(
        strict=False, min_length=1, description="scales of the latent variance"
    )


class TrackingSettings(Section):
    """MLflow."""

    experiment: str = Field(min_length=1, pattern=r"^[^\s/][^/]*$")


class DeviceSettings(Section):
    """Where and how the networks run."""

    kind: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: int = Field(ge=0, le=1024, description="CPU threads of torch; 0: all cores")
    checkpoint_seconds: NonNegative = Field(description="least time between two checkpoints, s")


class Settings(Section):
    """All settings of a project. Modalities besides ``saxs`` and ``sem`` are sections under their own names."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, ModalitySettings] = Field(init=False)

    preset: Literal["fast", "paper", "gpu"]
    seed: Seed = Field(description="of initial weights, crops, batches and sampled latents")
    modalities: tuple[str, str] = Field(strict=False, description="the pair that is trained")
    data: DataSettings
    split: SplitSettings
    latent: LatentSettings
    saxs: SaxsSettings
    sem: SemSettings
    pretrain: PretrainSettings
    pair: PairSettings
    assess: AssessSettings
    generate: GenerateSettings
    tracking: TrackingSettings
    tune: TuneSettings
    device: DeviceSettings

    @model_validator(mode="after")
    def _pair_is_complete(self) -> Self:
        known = ["saxs", "sem", *(self.__pydantic_extra__ or {})]
        if len(set(self.modalities)) != 2 or not set(self.modalities) <= set(known):
            raise ValueError(f"modalities: two different ones of {', '.join(known)}")
        wanted = {"similarity", *(f"{a}_{b}" for a in self.modalities for b in self.modalities)}
        if set(self.pair.training.weights) != wanted:
            raise ValueError(f"weights of exactly {', '.join(sorted(wanted))} in pair.training")
        return self

    def modality(self, name: str) -> SaxsSettings | SemSettings | ModalitySettings:
        """The section of one modality (``InputError`` where there is none)."""
        section = getattr(self, name, None)
        if not isinstance(section, SaxsSettings | SemSettings | ModalitySettings):
            raise InputError(
                expected=f"a modality: {', '.join(modality_names())}", found=repr(name), where=PARAMS_FILE
            )
        return section


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``over`` on ``base``, mapping by mapping; a changed ``architecture`` replaces its whole mapping."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            changed = "architecture" in value and value["architecture"] != old.get("architecture")
            merged[key] = dict(value) if changed else merge(old, value)
        elif isinstance(old, Mapping) and value is None:
            continue  # an empty section in the file: nothing is overridden
        else:
            merged[key] = value
    return merged


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """Parse a YAML mapping without any tag that could build an object (``InputError`` otherwise)."""
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}, line {mark.line + 1}" if mark is not None else where
        problem = getattr(error, "problem", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(expected="YAML", found=problem, where=place, remedy="mend the line") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(expected="a mapping of keys to values", found=type(value).__name__, where=where)
    _require_few_values(value, where)
    return value


def _require_few_values(value: object, where: str) -> None:
    """``InputError`` where aliases multiply, or contain themselves: a few bytes can stand for endless values."""
    waiting, seen = [value], 0
    while waiting:
        item = waiting.pop()
        waiting.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        seen += 1
        if seen > MOST_VALUES:
            raise InputError(
                expected=f"at most {MOST_VALUES} values",
                found="more",
                where=where,
                remedy="remove aliases (*name) that contain themselves",
            )


def preset_values(preset: str) -> dict[str, Any]:
    """The values of a preset: ``fast`` in full, the others as changes to it."""
    folder = resources.files("pairvae") / "presets"
    base = parse_yaml((folder / "fast.yaml").read_text("utf-8"), "preset fast")
    if preset == "fast":
        return base
    return merge(base, parse_yaml((folder / f"{preset}.yaml").read_text("utf-8"), f"preset {preset}"))


@cache
def modality_names() -> tuple[str, ...]:
    """All modalities: the sections of the preset that have the three parts of one."""
    values = preset_values("fast")
    return tuple(
        name for name, part in values.items() if isinstance(part, dict) and set(part) >= PARTS_OF_A_MODALITY
    )


def _weights_of_pair(values: dict[str, Any], chosen: object) -> dict[str, Any]:
    """A preset's ``values`` with the weights of its own directions named for the ``chosen`` pair instead.

    A modality of both pairs keeps its weights; the other one's go to the other one of the chosen pair.
    """
    own = values["modalities"]
    strings = isinstance(chosen, list | tuple) and all(isinstance(name, str) for name in chosen)
    if not (strings and isinstance(chosen, list | tuple) and len(set(chosen)) == len(own)):
        return values  # the model says what is wrong with it
    left = [name for name in chosen if name not in own]
    names = {name: name if name in chosen else left.pop(0) for name in own}
    weights = {
        "_".join(names.get(part, part) for part in key.split("_")): weight
        for key, weight in values["pair"]["training"]["weights"].items()
    }
    training = {**values["pair"]["training"], "weights": weights}
    tune = renamed(values["tune"], names)
    return {**values, "pair": {**values["pair"], "training": training}, "tune": tune}


def _refuse_unknown_sections(values: Mapping[str, Any], where: str) -> None:
    known = set(Settings.model_fields) | set(modality_names())
    unknown = [key for key in values if isinstance(key, str) and key not in known]
    if unknown:
        raise _unknown_key(unknown[0], where)


def resolve(overrides: Mapping[str, Any], where: str = PARAMS_FILE) -> Settings:
    """Settings from a preset's values and ``overrides``; ``InputError`` names the key at fault."""
    preset = overrides.get("preset", "fast")
    if preset not in PRESETS:
        raise InputError(expected="preset fast, paper or gpu", found=repr(preset), where=where)
    base = preset_values(preset)
    values = merge(_weights_of_pair(base, overrides.get("modalities", base["modalities"])), overrides)
    values["preset"] = preset
    tune = overrides.get("tune")
    if isinstance(tune, Mapping) and isinstance(tune.get("space"), Mapping):
        values["tune"]["space"] = tune["space"]  # a space is declared as a whole, not laid over another
    _refuse_unknown_sections(values, where)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise explain(error, values, where) from error
    for key, value in settings.tune.extremes():
        with_values(settings, {key: value}, f"{where}, key tune.space.{key}")
    return settings


def with_values(settings: Settings, changes: Mapping[str, Any], where: str) -> Settings:
    """``settings`` with other values of ``tune.space`` (dotted keys); ``InputError`` where one is not allowed."""
    values = settings.model_dump()
    values["tune"]["space"] = {}
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


def _unknown_key(key: str, where: str) -> InputError:
    known = set().union(*(_keys(preset_values(preset)) for preset in PRESETS)) | {"preset"}
    close = difflib.get_close_matches(key.rpartition(".")[2], sorted(known), n=1)
    remedy = f"did you mean {close[0]}?" if close else "remove it; `pairvae params` prints the known keys"
    return InputError(expected="known keys", found=f"unknown key {key}", where=where, remedy=remedy)


def explain(error: ValidationError, values: Mapping[str, Any], where: str, prefix: str = "") -> InputError:
    """The first fault of ``values`` in one line that names its key; ``prefix`` goes before the key."""
    first = error.errors()[0]
    key = f"{prefix}{_dotted(first['loc'], values)}".rstrip(".")
    if first["type"] == "extra_forbidden":
        return _unknown_key(key, where)
    if first["type"] == "missing":
        return InputError(expected=f"a value for {key}", found="none", where=where)
    place = f"{where}, key {key}" if key else where
    if first["type"] == "union_tag_invalid":
        return InputError(
            expected=f"architecture {first['ctx']['expected_tags']}",
            found=repr(first["ctx"]["tag"]),
            where=place,
        )
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    found = "other values" if first["type"] == "value_error" else f"{first['input']!r}"[:80]
    return InputError(expected=message, found=found, where=place)


def _dotted(location: Sequence[int | str], values: Mapping[str, Any]) -> str:
    """Dotted key of a place in ``values``, without the architecture that pydantic puts into its locations."""
    place: Any = values
    parts = []
    for number, part in enumerate(location):
        inside = (
            part in place
            if isinstance(place, Mapping)
            else isinstance(place, list) and part in range(len(place))
        )
        if inside or number + 1 == len(location):
            parts.append(str(part))
        if inside:
            place = place[part]
    return ".".join(parts)


def _keys(values: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for key, value in values.items():
        found.add(str(key))
        if isinstance(value, Mapping):
            found |= _keys(value)
    return found


def assignments(pairs: Sequence[str]) -> dict[str, Any]:
    """``["saxs.training.epochs=5"]`` as a nested mapping; values are YAML."""
    nested: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not all(part for part in key.split(".")):
            raise InputError(
                expected="key=value", found=repr(pair), where="--set", remedy="--set split.train=32"
            )
        *parents, last = key.strip().split(".")
        place = nested
        for parent in parents:
            if not isinstance(place.setdefault(parent, {}), dict):
                place[parent] = {}
            place = place[parent]
        place[last] = parse_yaml(f"value: {text}", f"--set {key}")["value"]
    return nested


def read_params(path: Path) -> dict[str, Any]:
    """The raw mapping in ``params.yaml`` (``InputError`` when absent, too large, or not YAML)."""
    if not path.is_file():
        raise InputError(
            expected="a settings file", found="none", where=str(path), remedy="run inside a pairvae project"
        )
    if path.stat().st_size > LARGEST_PARAMS_BYTES:
        raise InputError(expected="a settings file under 1 MB", found="a larger one", where=str(path))
    try:
        return parse_yaml(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(expected="UTF-8 text", found="other bytes", where=str(path)) from error


def load_settings(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """Settings from ``params.yaml`` at ``path`` and ``--set`` assignments."""
    return resolve(merge(read_params(path), assignments(overrides)), where=str(path))


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat
