"""The sections of ``params.yaml``: strict, frozen, and bounded."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pairvae.settings.parsing import NonNegative, Positive, Rate, Section, Seed
from pairvae.settings.simulation import SimulationParameters, World
from pairvae.settings.training import (
    CalibrationSettings,
    PairTraining,
    UNetSettings,
)


class SimulatedData(Section):
    """The built-in data: how many pairs, which seed, which physics."""

    pairs: Positive = Field(description="pairs to simulate")
    seed: Seed = Field(description="seed of the simulated samples")
    # The default is for cards that were written before this setting was; presets name it all the same.
    world: World = Field(
        default="film", description="film, or broad: structures of many kinds (docs/prior.md)"
    )
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
    strict: bool = Field(description="stop at what the check of the raw pairs warns of")
    # The default is for cards that were written before this setting was; presets name it all the same.
    unpaired: Literal["error", "use"] = Field(
        default="error",
        description="samples of one file: error refuses them; use trains on them, and keeps them out of scores",
    )
    roots: tuple[str, ...] = Field(
        strict=False, description="folders elsewhere that files of the data may link to (Eiger master files)"
    )
    simulated: SimulatedData
    mdf: MdfData


class LatentSettings(Section):
    """The latent space that the modalities share: ``channels`` maps of ``grid`` x ``grid``."""

    channels: int = Field(ge=1, le=1024, description="latent maps of each modality")
    grid: int = Field(ge=1, le=32, description="side of a latent map, elements")


class PretrainSettings(Section):
    """Backbone of the paper's networks and its self-supervised pre-training (paper, reference 38)."""

    enabled: bool = Field(description="run the pre-training stage")
    backbone: str | None = Field(description="a ResNet-50 weight file (safetensors or torchvision .pth)")
    epochs: int = Field(ge=0, description="epochs of pre-training; 0: random weights, said loudly")
    batch: Positive = Field(description="images a step")
    learning_rate: Rate = Field(description="SGD's step size at its highest")
    decay_steps: Positive = Field(description="steps over which the rate falls to 0 as a cosine")
    redundancy: NonNegative = Field(description="weight of the off-diagonal terms (Barlow Twins)")
    projector: tuple[Positive, Positive, Positive] = Field(
        strict=False, description="units of the three dense layers behind the backbone"
    )


class PairSettings(Section):
    """The pair."""

    conditions: tuple[str, ...] = Field(
        strict=False,
        description="columns of pairs.csv that move the posterior mean of the pattern, such as pitch_nm; []: none",
    )
    training: PairTraining
    calibration: CalibrationSettings


class SplitSettings(Section):
    """Training and validation pairs."""

    train: Positive | Literal["auto"] = Field(
        description="training pairs; auto: two thirds of the pairs, at least four for validation"
    )
    seed: Seed = Field(description="seed of the draw of training pairs")


class AssessSettings(Section):
    """Scores."""

    estimator: Literal["unbiased", "periodic"] = Field(description="estimator of S(r)")
    crops: int = Field(ge=2, le=100, description="evaluation crops per image")
    crop_seed: Seed = Field(description="seed of the first evaluation crop; the others follow it")
    realism: bool | Literal["study"] = Field(
        default="study",
        description="train classifiers to distinguish predicted images from true crops, which takes minutes; "
        "study: only in `pairvae study`",
    )
    realism_steps: Positive = Field(
        default=800,
        description="training steps of each classifier of realism; it learns nothing for some 300",
    )


class BaselineSettings(Section):
    """Baselines that have to be fitted; retrieval, mean and floor always stand beside the scores."""

    fft: bool = Field(
        description="the power spectrum of the image as the pattern, the detector's look fitted"
    )
    ridge: bool = Field(description="ridge regression of the pattern on the image's autocovariance map")
    dual_vae: bool = Field(description="the solo VAEs and a ridge regression between their latents")
    unet: UNetSettings


class GenerateSettings(Section):
    """Ensembles (paper, Figures 7, S7, S8)."""

    samples: Positive = Field(description="images per morphology")
    scales: tuple[NonNegative, ...] = Field(
        strict=False, min_length=1, description="scales of the latent variance"
    )


class StudySettings(Section):
    """The grid of `pairvae study`."""

    sizes: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        strict=False, min_length=1, description="training pairs of the repetition study"
    )
    seeds: tuple[Seed, ...] = Field(strict=False, min_length=1, description="its split seeds")

    @model_validator(mode="after")
    def _all_differ(self) -> Self:
        for name in ("sizes", "seeds"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"{name} that all differ")
        return self


class TrackingSettings(Section):
    """MLflow."""

    experiment: str = Field(
        min_length=1, pattern=r"^[^\s/][^/]*$", description="name of the experiment that holds the runs"
    )
    models: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$",
        description="name of the registered pair, with which those of its encoders and decoders begin",
    )
    store: str | None = Field(
        description="address of a tracking store that projects share; null: the project's own mlflow.db. "
        "MLFLOW_TRACKING_URI goes before it"
    )
    system_metrics_seconds: float = Field(
        ge=0, le=3600, description="seconds between measurements of processor and memory on a run; 0: none"
    )
    patience_seconds: float = Field(
        ge=0, le=86400, description="how long a finished training waits for a server that does not answer, s"
    )


class DeviceSettings(Section):
    """Where and how the networks run."""

    kind: Literal["auto", "cpu", "cuda", "mps"] = Field(
        description="where to run; auto: a CUDA device where there is one; mps: the GPU of a Mac (untested)"
    )
    precision: Literal["auto", "fastest", "float32", "bfloat16"] = Field(
        description="of convolutions and matrix products; auto: bfloat16 on a GPU, float32 on the CPU; "
        "fastest: bfloat16 also on a CPU with matrix units (AMX)"
    )
    threads: int = Field(ge=0, le=1024, description="CPU threads of torch; 0: all cores")
    checkpoint_seconds: NonNegative = Field(description="least time between two checkpoints, s")
