"""The sections of ``params.yaml``: strict, frozen, and bounded."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from pairvae.simulation_parameters import SimulationParameters

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

    channels: int = Field(ge=1, le=1024, description="latent maps of each modality")
    grid: int = Field(ge=1, le=32, description="side of a latent map, elements")


class CompactNetwork(Section):
    """Principal components of the input, a small dense network, and back (preset ``fast``)."""

    architecture: Literal["compact"]
    components: int = Field(ge=1, le=512, description="principal components of the training inputs")
    width: int = Field(ge=4, le=4096, description="hidden units of the dense layers")
    pool: int = Field(ge=1, le=16, description="average pooling before the components, px")


class LevelsNetwork(Section):
    """As compact, but colour-mapped patterns are decoded as intensity levels (preset ``fast``)."""

    architecture: Literal["levels"]
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


Network = Annotated[
    CompactNetwork | LevelsNetwork | TextureNetwork | PaperNetwork, Field(discriminator="architecture")
]


class Optimisation(Section):
    """Adam and its schedule."""

    batch: int = Field(ge=1, le=4096, description="samples a step")
    drop_remainder: bool = Field(description="leave out the last, smaller batch of an epoch")
    learning_rate: Rate = Field(description="Adam's step size at its highest")
    beta1: float = Field(ge=0, lt=1, description="Adam's decay of the mean gradient")
    beta2: float = Field(ge=0, lt=1, description="Adam's decay of the squared gradient")
    epsilon: float = Field(gt=0, le=1, description="Adam's guard against a division by zero")
    schedule: Literal["constant", "cosine"] = Field(
        description="the rate after the warm-up: kept, or falling to 0 as a cosine"
    )
    warmup: float = Field(ge=0, lt=1, description="share of the training over which the rate rises from 0")
    gradient_clip: NonNegative = Field(description="largest norm of the gradient; 0: no clipping")
    passes: Positive = Field(description="passes over the training pairs an epoch")


class EarlyStopSettings(Section):
    """Ending a training when it no longer gets better on training pairs that are held out for this."""

    patience: int = Field(ge=0, description="epochs without a better held-out loss; 0: never end early")
    held_out: float = Field(gt=0, lt=1, description="share of the training pairs that is held out")


class SoloTraining(Optimisation):
    """Training of one VAE alone."""

    epochs: Positive = Field(description="epochs of the training")
    kl_weight: NonNegative = Field(description="weight of the divergence from the unit normal")
    input_noise: NonNegative = Field(description="noise on the encoder's components, in standard deviations")
    start_from: str | None = Field(
        min_length=1, description="a model folder to start from (transfer); null: seeded weights"
    )
    early_stop: EarlyStopSettings


class PairTraining(Optimisation):
    """Training of the two VAEs as a pair (paper, Method: two-part protocol)."""

    random_epochs: int = Field(ge=0, description="epochs with new random crops")
    focused_epochs: int = Field(ge=0, description="epochs on the crops of the last random epoch")
    shared_position: bool = Field(description="one crop position for all images of an epoch")
    from_solo: bool = Field(description="start from the solo-trained weights")
    start_from: str | None = Field(
        min_length=1, description="a model folder of a pair to start from instead (transfer)"
    )
    similarity: Literal["barlow", "simclr", "distance"] = Field(
        description="what draws the two latents of a sample together"
    )
    redundancy: NonNegative = Field(description="weight of the off-diagonal terms (barlow)")
    temperature: Rate = Field(description="temperature of the contrast (simclr)")
    kl_weight: NonNegative = Field(description="weight of the divergence from the unit normal")
    input_noise: NonNegative = Field(description="noise on the encoders' components, in standard deviations")
    early_stop: EarlyStopSettings
    match_weight: NonNegative = Field(
        description="weight of the divergence of the crops' posteriors from that of their pattern"
    )
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

    autocovariance: NonNegative = Field(description="weight of the autocovariance at lags up to 32 px")
    phase_fraction: NonNegative = Field(description="weight of the phase fraction")
    lineal_path: NonNegative = Field(description="weight of the shares of straight runs within one phase")
    filters: NonNegative = Field(description="weight of the responses of oriented filters")
    crop: int = Field(ge=32, le=1024, multiple_of=32, description="side of the images in training, px")
    target: Literal["crop", "image"] = Field(
        description="whose statistics an image has to show: those of the crop itself, or of its whole image"
    )


class SaxsTraining(SoloTraining):
    """Training of the SAXS VAE; the likelihood is that of the pair, too."""

    likelihood: Literal["mse", "mae", "components"] = Field(
        description="how well a decoded array explains the measured one"
    )


class SemTraining(SoloTraining):
    """Training of the SEM VAE; the likelihood is that of the pair, too."""

    likelihood: Literal["bernoulli", "texture"] = Field(
        description="each pixel (bernoulli), or statistics that all crops of a sample share (texture)"
    )
    texture: TextureLikelihood


class SaxsSettings(Section):
    """Everything about the SAXS side."""

    prepare: SaxsPrepare
    network: Network
    training: SaxsTraining

    @model_validator(mode="after")
    def _likelihood_fits(self) -> Self:
        if self.training.likelihood == "components" and self.network.architecture != "levels":
            raise ValueError("network.architecture levels for training.likelihood components")
        return self


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
    batch: Positive = Field(description="images a step")
    learning_rate: Rate = Field(description="SGD's step size at its highest")
    decay_steps: Positive = Field(description="steps over which the rate falls to 0 as a cosine")
    redundancy: NonNegative = Field(description="weight of the off-diagonal terms (Barlow Twins)")
    projector: tuple[Positive, Positive, Positive] = Field(
        strict=False, description="units of the three dense layers behind the backbone"
    )


class PairSettings(Section):
    """The pair."""

    training: PairTraining


class SplitSettings(Section):
    """Training and validation pairs."""

    train: Positive = Field(description="training pairs; the rest are validation pairs")
    seed: Seed = Field(description="seed of the draw of training pairs")


class AssessSettings(Section):
    """Scores."""

    estimator: Literal["unbiased", "periodic"] = Field(description="estimator of S(r)")
    crops: int = Field(ge=2, le=100, description="evaluation crops per image")
    crop_seed: Seed = Field(description="seed of the first evaluation crop; the others follow it")


class UNetSettings(Optimisation):
    """A U-Net trained directly from each modality to the other, as a baseline."""

    epochs: int = Field(ge=0, description="epochs of each direction; 0: leave this baseline out")
    widths: tuple[Annotated[int, Field(ge=4, le=1024, multiple_of=4)], ...] = Field(
        strict=False, min_length=2, max_length=5, description="channels of the levels, the finest first"
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


class DeviceSettings(Section):
    """Where and how the networks run."""

    kind: Literal["auto", "cpu", "cuda"] = Field(description="where to run; auto: a GPU where there is one")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        description="of convolutions and matrix products; auto: bfloat16 on a GPU, float32 on the CPU"
    )
    threads: int = Field(ge=0, le=1024, description="CPU threads of torch; 0: all cores")
    checkpoint_seconds: NonNegative = Field(description="least time between two checkpoints, s")
