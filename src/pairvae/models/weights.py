"""Trained weights: compared with the network that a card describes, then put into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from pairvae.errors import InputError, reason
from pairvae.models.build import from_description
from pairvae.models.discriminator import split_discriminator
from pairvae.models.texture import TextureEncoder
from pairvae.models.vae import VAE, ScoreRegression

TOWARD = "encoder.toward."  # begins the names of regressions toward other techniques
SCALE_TRIL = "encoder.scale_tril"  # among the weights of a VAE whose posterior covariance was calibrated


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
                kind, device = weight.dtype, vae.encoder.mean.device
                slope = torch.zeros(len(weight), vae.encoder.components, dtype=kind, device=device)
                bias = torch.zeros(len(weight), dtype=kind, device=device)
                vae.encoder.toward[name] = ScoreRegression(slope, bias)


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
