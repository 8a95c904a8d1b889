"""The sections of ``params.yaml`` that say how networks are trained."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pairvae.settings.parsing import NonNegative, Positive, Rate, Section, Seed

MOST_EPOCHS = 1_000_000


class Optimisation(Section):
    """Adam and its schedule."""

    batch: int = Field(
        ge=1, le=4096, description="samples per step; an epoch drops what does not fill a batch"
    )
    learning_rate: Rate = Field(description="Adam's step size at its highest")
    beta1: float = Field(ge=0, lt=1, description="Adam's decay of the mean gradient")
    beta2: float = Field(ge=0, lt=1, description="Adam's decay of the squared gradient")
    epsilon: float = Field(gt=0, le=1, description="Adam's guard against a division by zero")
    schedule: Literal["constant", "cosine"] = Field(
        description="the rate after the warm-up: kept, or falling to 0 as a cosine"
    )
    warmup: float = Field(ge=0, lt=1, description="share of the training over which the rate rises from 0")
    gradient_clip: NonNegative = Field(description="largest norm of the gradient; 0: no clipping")
    log_every: Positive = Field(
        description="epochs between two logged losses, held-out losses and checkpoints; another value draws other crops"
    )

    @property
    def parts(self) -> tuple[int, ...]:
        """Epochs of each part of the training."""
        raise NotImplementedError

    @property
    def logged_epochs(self) -> tuple[int, ...]:
        """The epochs, from 1, after which losses are logged: the ends of rounds of ``log_every`` epochs.

        The last round of a part is shorter where ``log_every`` does not divide the part. Rounds are what random streams
        are keyed by.
        """
        starts = itertools.accumulate(self.parts, initial=0)
        return tuple(
            start + min(done + self.log_every, part)
            for start, part in zip(starts, self.parts, strict=False)
            for done in range(0, part, self.log_every)
        )


class EarlyStopSettings(Section):
    """Ending a training when it no longer gets better on training pairs that are held out for this."""

    patience: int = Field(
        ge=0,
        description="epochs without a better held-out loss, looked at every log_every epochs; 0: never end early",
    )
    held_out: float = Field(gt=0, lt=1, description="share of the training pairs that is held out")


class SoloTraining(Optimisation):
    """Training of one VAE alone."""

    epochs: int = Field(gt=0, le=MOST_EPOCHS, description="epochs of the training: passes over its samples")
    kl_weight: NonNegative = Field(description="weight of the divergence from the unit normal")
    input_noise: NonNegative = Field(description="noise on the encoder's components, in standard deviations")
    start_from: str | None = Field(
        min_length=1,
        description="a model folder to start from (transfer), or prior (sem: docs/prior.md); null: seeded weights",
    )
    unpaired: bool = Field(
        description="train on samples without a partner too, here and with the pair (needs data.unpaired: use)"
    )
    early_stop: EarlyStopSettings

    @property
    def parts(self) -> tuple[int, ...]:
        """One part."""
        return (self.epochs,)


class PairTraining(Optimisation):
    """Training of the two VAEs as a pair (paper, Method: two-part protocol)."""

    random_epochs: int = Field(
        ge=0, le=MOST_EPOCHS, description="epochs on random crops: passes over the training pairs"
    )
    focused_epochs: int = Field(
        ge=0, le=MOST_EPOCHS, description="epochs on crops that stay, those of the last random epochs"
    )
    shared_position: bool = Field(
        description="one crop position for all images, a new one every log_every epochs"
    )
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
    weights: dict[str, NonNegative] = Field(description="similarity, and <from>_<to> for every direction")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.random_epochs + self.focused_epochs < 1:
            raise ValueError("random_epochs + focused_epochs of at least 1")
        return self

    @property
    def epochs(self) -> int:
        """All epochs of the two parts."""
        return self.random_epochs + self.focused_epochs

    @property
    def parts(self) -> tuple[int, ...]:
        """Random and focused epochs."""
        return self.random_epochs, self.focused_epochs

    @property
    def random_rounds(self) -> int:
        """Rounds of ``log_every`` epochs on random crops."""
        return -(-self.random_epochs // self.log_every)


class CalibrationSettings(Section):
    """Corrections in closed form that follow the training of the pair (see :mod:`pairvae.calibration`)."""

    length_scale: bool = Field(description="let decoded spacings vary as those of crops do")
    posterior_mean: float = Field(
        ge=0, le=1, description="share of a ridge regression in the pattern's posterior mean; 0: none"
    )
    posterior_covariance: bool = Field(
        description="let samples for a pattern vary together, as crops do around the prediction for left-out pairs"
    )
    variance_matching: bool = Field(
        description="let decoded phase fractions (contrasts of grey levels) vary as those of crops do"
    )
    cross_regression: bool = Field(
        description="blend patterns that are predicted from images with a ridge regression, as far as that helps"
    )
    crops: int = Field(ge=2, le=100, description="crops of each training image that the corrections look at")
    seed: Seed = Field(description="of these crops, and of the latents and the noise that are decoded")


class TextureLikelihood(Section):
    """Weights of the texture statistics that a sample's images share (see numerics/texture_statistics.py)."""

    autocovariance: NonNegative = Field(description="weight of the autocovariance at lags up to 32 px")
    phase_fraction: NonNegative = Field(description="weight of the phase fraction")
    lineal_path: NonNegative = Field(description="weight of the shares of straight runs within one phase")
    filters: NonNegative = Field(description="weight of the responses of oriented filters")
    euler: NonNegative = Field(description="weight of the Euler number per 100 px²")
    wave_number: NonNegative = Field(description="weight of the logarithm of the dominant wave number")
    coherence: NonNegative = Field(description="weight of how parallel domains run")
    histogram: NonNegative = Field(description="weight of the histogram of grey levels")
    joint_filters: NonNegative = Field(
        description="weight of oriented filters at three scales, and of where they respond together"
    )
    crop: int = Field(ge=32, le=4096, multiple_of=32, description="side of the images in training, px")
    target: Literal["crop", "image"] = Field(
        description="whose statistics an image has to show: those of the crop itself, or of its whole image"
    )


class AdversarialSettings(Section):
    """The adversarial loss of decoded textures (network and likelihood ``texture``)."""

    width: int = Field(
        ge=0, le=512, description="channels of the discriminator's first layer; 0: no adversarial loss"
    )
    weight: NonNegative = Field(description="weight of the generator loss; 0: no adversarial loss")


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
    adversarial: AdversarialSettings


class UNetSettings(Optimisation):
    """A U-Net trained directly from each modality to the other, as a baseline."""

    epochs: int = Field(
        ge=0,
        le=MOST_EPOCHS,
        description="epochs of each direction: passes over the training pairs; 0: leave this baseline out",
    )
    widths: tuple[Annotated[int, Field(ge=4, le=1024, multiple_of=4)], ...] = Field(
        strict=False, min_length=2, max_length=5, description="channels of the levels, the finest first"
    )

    @property
    def parts(self) -> tuple[int, ...]:
        """One part."""
        return (self.epochs,)
