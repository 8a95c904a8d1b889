"""Networks from settings: a dict of builders, one per architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter
from torch import nn

from pairvae.errors import InputError, reason
from pairvae.models.compact import CompactDecoder, CompactEncoder
from pairvae.models.discriminator import PatchDiscriminator, split_discriminator
from pairvae.models.levels import LevelDecoder
from pairvae.models.pair import PairVAE
from pairvae.models.texture import TextureDecoder, TextureEncoder
from pairvae.models.vae import VAE, ScoreRegression
from pairvae.settings import (
    CompactNetwork,
    LatentSettings,
    LevelsNetwork,
    Network,
    PaperNetwork,
    TextureNetwork,
)

Shape = tuple[int, int, int]
TOWARD = "encoder.toward."  # begins the names of regressions toward other techniques
SCALE_TRIL = "encoder.scale_tril"  # among the weights of a VAE whose posterior covariance was calibrated
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


def _levels(network: LevelsNetwork, latent: LatentSettings, shape: Shape) -> VAE:
    if shape[0] != 3:
        raise InputError(
            expected="a pattern of three channels", found=f"{shape[0]}", where="network.architecture"
        )
    encoder = CompactEncoder(
        shape, network.pool, network.components, network.width, latent.channels, latent.grid
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
        if isinstance(network, LevelsNetwork):
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


def trained(description: Mapping[str, Any], weights: Mapping[str, torch.Tensor], where: str) -> VAE:
    """The VAE that a card describes, with its weights.

    Sizes are compared before any memory is taken: a card may claim a network of any size.

    Parameters
    ----------
    description : mapping
        As :func:`describe` returns it.
    weights : mapping of str to Tensor
        Of any version of pairvae.
    where : str
        The model, for the message.

    Returns
    -------
    VAE
        In training mode.

    Raises
    ------
    InputError
        Where a weight does not fit, or is not finite.
    """
    try:
        with torch.device("meta"):
            plan = from_description(description, where)
    except (RuntimeError, MemoryError, OverflowError, TypeError) as error:  # sizes that no tensor can have
        raise InputError(
            expected="the description of a network", found=reason(error, lines=3), where=where
        ) from error
    weights, _ = split_discriminator(weights)  # pairvae 0.1 kept one among them
    _make_room(plan, weights, description)
    check_weights(plan, weights, where)
    for name, values in weights.items():
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise InputError(expected="finite weights", found=f"NaN or infinity in {name}", where=where)
    vae = from_description(description, where)
    _make_room(vae, weights, description)
    vae.load_state_dict(dict(weights))
    return vae


def _make_room(vae: VAE, weights: Mapping[str, torch.Tensor], description: Mapping[str, Any]) -> None:
    """Give an untrained VAE what the calibration added to its encoder: a covariance, regressions toward others."""
    if SCALE_TRIL in weights:
        channels = description["latent"]["channels"]
        vae.encoder.scale_tril = torch.zeros(channels, channels, device=next(vae.parameters()).device)
    if isinstance(vae.encoder, TextureEncoder):
        for key in sorted(key for key in weights if key.startswith(TOWARD) and key.endswith(".weight")):
            name, weight = key[len(TOWARD) : -len(".weight")], weights[key]
            if name.isidentifier() and not hasattr(vae.encoder.toward, name) and weight.ndim == 2:
                empty = weight.new_zeros(len(weight), vae.encoder.components, device=vae.encoder.mean.device)
                vae.encoder.toward[name] = ScoreRegression(empty, empty[:, 0].clone())


def load_weights(module: nn.Module, weights: Mapping[str, torch.Tensor], where: str) -> None:
    """Put weights into a module.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    weights : mapping of str to Tensor
        All of them.
    where : str
        The model, for the message.

    Raises
    ------
    InputError
        It names the first that does not fit.
    """
    check_weights(module, weights, where)
    module.load_state_dict(dict(weights))


def check_weights(module: nn.Module, weights: Mapping[str, torch.Tensor], where: str) -> None:
    """Refuse weights that do not fit into a module.

    Parameters
    ----------
    module, weights, where
        As for :func:`load_weights`.

    Raises
    ------
    InputError
        It names the first that is missing, unknown or of another shape.
    """
    known = module.state_dict()
    for name in [*known, *weights]:
        if name not in weights or name not in known:
            problem = "missing" if name not in weights else "unknown"
            raise InputError(expected="the weights of this network", found=f"{problem} {name}", where=where)
        if known[name].shape != weights[name].shape:
            raise InputError(
                expected=f"{name} of shape {tuple(known[name].shape)}",
                found=str(tuple(weights[name].shape)),
                where=where,
            )


def pair_from_descriptions(descriptions: Mapping[str, Mapping[str, Any]]) -> PairVAE:
    """The untrained pair that a card describes, modalities in the card's order."""
    return PairVAE({name: from_description(description) for name, description in descriptions.items()})
