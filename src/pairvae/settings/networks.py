"""The sections of ``params.yaml`` that say which networks are built."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pairvae.settings.parsing import Section


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


class ScatteringNetwork(Section):
    """Radial curves of patterns of any detector in, levels of patterns of one look out (the prior)."""

    architecture: Literal["scattering"]
    components: int = Field(ge=1, le=512, description="principal components of decoded patterns")
    width: int = Field(ge=4, le=4096, description="hidden units of the dense layers")


class TextureNetwork(Section):
    """Texture statistics in, a noise-driven convolutional texture out (preset ``fast``)."""

    architecture: Literal["texture"]
    components: int = Field(ge=1, le=512, description="principal components of the texture statistics")
    width: int = Field(ge=4, le=4096, description="hidden units of the dense layers")
    noise_channels: int = Field(ge=1, le=512, description="noise maps that the decoder starts from")
    block_widths: tuple[Annotated[int, Field(gt=0, le=4096)], ...] = Field(
        strict=False,
        min_length=2,
        max_length=5,
        description="channels of the blocks, the coarsest first; each doubles the side",
    )
    # The defaults are for cards that were written before these settings were; presets name them all.
    stretch: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="largest change of length that the latent may ask for, along each axis, as a share; 0: none",
    )
    smooth: int = Field(
        default=0,
        ge=0,
        le=8,
        description="runs of a binomial filter over what the decoder draws, for smooth edges; 0: none",
    )
    encoded: tuple[
        Literal[
            "autocovariance",
            "phase_fraction",
            "lineal_path",
            "euler",
            "wave_number",
            "coherence",
            "histogram",
            "joint_filters",
        ],
        ...,
    ] = Field(
        default=("autocovariance", "phase_fraction", "lineal_path"),
        strict=False,
        min_length=1,
        description="texture statistics that the encoder sees",
    )


class PaperNetwork(Section):
    """The published networks: frozen ResNet-50, dense head, transposed convolutions (preset ``paper``)."""

    architecture: Literal["paper"]
    filters: int = Field(ge=1, le=512, description="channels of the decoder's hidden layers")
    kernel: int = Field(ge=3, le=31, description="side of the decoder's kernels, px (odd)")
    collapsed: bool = Field(description="the last layer as one channel with the mean kernel (exact)")
    hidden: int = Field(ge=1, le=4096, description="units of the dense layer of the encoder's head")


Network = Annotated[
    CompactNetwork | LevelsNetwork | ScatteringNetwork | TextureNetwork | PaperNetwork,
    Field(discriminator="architecture"),
]
