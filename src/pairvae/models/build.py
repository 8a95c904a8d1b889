"""Untrained networks, from settings or from the card of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter

from pairvae.errors import InputError, reason
from pairvae.models.compact import CompactDecoder, CompactEncoder
from pairvae.models.discriminator import PatchDiscriminator
from pairvae.models.levels import LevelDecoder
from pairvae.models.scattering import ScatteringEncoder
from pairvae.models.texture import TextureDecoder, TextureEncoder
from pairvae.models.vae import VAE
from pairvae.settings import (
    CompactNetwork,
    LatentSettings,
    LevelsNetwork,
    Network,
    PaperNetwork,
    ScatteringNetwork,
    TextureNetwork,
)

Shape = tuple[int, int, int]
OBSOLETE = frozenset({"critic"})  # of a network in a card of pairvae 0.1: the width of the discriminator
LONGEST_SIDE = 16_384  # px of a prepared array
SHAPE: TypeAdapter[Shape] = TypeAdapter(
    tuple[
        Annotated[int, Field(ge=1, le=16)],
        Annotated[int, Field(ge=1, le=LONGEST_SIDE)],
        Annotated[int, Field(ge=1, le=LONGEST_SIDE)],
    ]
)


def _compact(network: CompactNetwork, latent: LatentSettings, shape: Shape) -> VAE:
    encoder = CompactEncoder(
        shape, network.pool, network.components, network.width, latent.channels, latent.grid
    )
    decoder = CompactDecoder(shape, network.components, network.width, latent.channels, latent.grid)
    return VAE(encoder, decoder)


def _levels(network: LevelsNetwork | ScatteringNetwork, latent: LatentSettings, shape: Shape) -> VAE:
    if shape[0] != 3:
        raise InputError(
            expected="a pattern of three channels", found=f"{shape[0]}", where="network.architecture"
        )
    encoder = (
        ScatteringEncoder(network.width, latent.channels, latent.grid)
        if isinstance(network, ScatteringNetwork)
        else CompactEncoder(
            shape, network.pool, network.components, network.width, latent.channels, latent.grid
        )
    )
    decoder = LevelDecoder(shape, network.components, network.width, latent.channels, latent.grid)
    return VAE(encoder, decoder)


def _texture(
    network: TextureNetwork, latent: LatentSettings, shape: Shape, discriminator_width: int
) -> tuple[VAE, PatchDiscriminator | None]:
    if shape[0] != 1:
        raise InputError(
            expected="a binary image", found=f"{shape[0]} channels", where="network.architecture"
        )
    encoder = TextureEncoder(network.components, network.width, latent.channels, latent.grid, network.encoded)
    # Drawn between encoder and decoder, so that a seed gives the weights that it gave in pairvae 0.1.
    discriminator = (
        PatchDiscriminator(discriminator_width, latent.channels, latent.grid) if discriminator_width else None
    )
    decoder = TextureDecoder(
        shape[1],
        latent.channels,
        network.noise_channels,
        network.block_widths,
        stretch=network.stretch,
        smooth=network.smooth,
    )
    return VAE(encoder, decoder), discriminator


def build_vae(network: Network, latent: LatentSettings, shape: Shape, seed: int) -> VAE:
    """An untrained VAE.

    Parameters
    ----------
    network : Network
        Settings of its architecture.
    latent : LatentSettings
        Size of the latent.
    shape : tuple of int
        ``(channels, H, W)`` of the prepared arrays.
    seed : int
        Draws its weights.

    Returns
    -------
    VAE
        On torch's default device.

    Raises
    ------
    InputError
        Where the architecture does not fit the arrays.
    """
    return build_trainable(network, latent, shape, seed, discriminator_width=0)[0]


def build_trainable(
    network: Network, latent: LatentSettings, shape: Shape, seed: int, discriminator_width: int
) -> tuple[VAE, PatchDiscriminator | None]:
    """An untrained VAE, and the discriminator of its textures where it has one.

    Parameters
    ----------
    network, latent, shape
        As for :func:`build_vae`.
    seed : int
        Draws the weights of both; the decoder's depend on the width.
    discriminator_width : int
        Channels of the discriminator's first convolution; 0: none. Only decoders of textures have one.

    Returns
    -------
    tuple of VAE and PatchDiscriminator
        None in place of the second where there is none.

    Raises
    ------
    InputError
        Where the architecture does not fit the arrays.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(network, CompactNetwork):
            return _compact(network, latent, shape), None
        if isinstance(network, LevelsNetwork | ScatteringNetwork):
            return _levels(network, latent, shape), None
        if isinstance(network, TextureNetwork):
            return _texture(network, latent, shape, discriminator_width)
        return _paper(network, latent, shape), None


def _paper(network: PaperNetwork, latent: LatentSettings, shape: Shape) -> VAE:
    from pairvae.models.paper.architecture import (
        build_paper_vae,  # the backbone is large: only where it is used
    )

    return build_paper_vae(network, latent, shape)


def describe(network: Network, latent: LatentSettings, shape: Shape) -> dict[str, Any]:
    """What a model card has to hold so that :func:`from_description` builds the same network.

    Parameters
    ----------
    network, latent, shape
        As for :func:`build_vae`.

    Returns
    -------
    dict
        Entries of JSON.
    """
    return {"network": network.model_dump(), "latent": latent.model_dump(), "shape": list(shape)}


def from_description(description: Mapping[str, Any], where: str = "card.json") -> VAE:
    """The untrained VAE that a card describes.

    Parameters
    ----------
    description : mapping
        As :func:`describe` returns it.
    where : str
        The card, for the message.

    Returns
    -------
    VAE
        Its weights are to be replaced.

    Raises
    ------
    InputError
        Where the card describes no network.
    """
    try:
        known = {key: value for key, value in description["network"].items() if key not in OBSOLETE}
        network: Network = TypeAdapter(Network).validate_python(known)
        latent = LatentSettings.model_validate(description["latent"])
        shape: Shape = SHAPE.validate_python(description["shape"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            expected="the description of a network", found=reason(error, lines=3), where=where
        ) from error
    return build_vae(network, latent, shape, seed=0)
