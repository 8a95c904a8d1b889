"""Where a training starts from: the weights of another project's model, for transfer to few pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pairvae.errors import InputError
from pairvae.models.build import OBSOLETE
from pairvae.models.discriminator import split_discriminator
from pairvae.models.posterior import LEAST_STD
from pairvae.models.texture import TextureEncoder
from pairvae.models.vae import VAE
from pairvae.models.weights import SCALE_TRIL, TOWARD, load_weights, trained
from pairvae.numerics.ridge import ridge
from pairvae.settings import flatten
from pairvae.store.model_folder import PRIOR, load_discriminators, load_model, prior_folder

# How files are read, and what a network no longer has: weights mean the same
IRRELEVANT = {"prepare.q_unit", *(f"network.{key}" for key in OBSOLETE)}
MEASURED = "measured."
CHUNK = 32  # crops encoded at a time


@dataclass(frozen=True)
class Start:
    """Weights ``{name: tensor}`` of one modality's VAE, its frozen parts included, and the digest of their file."""

    weights: dict[str, Tensor]
    digest: str


def starting_weights(folder: Path, name: str, description: Mapping[str, Any], key: str) -> Start:
    """The weights of modality ``name`` in a model folder of any project.

    ``description`` says what is to be trained: its network, latent space, shape and preprocessing; ``InputError``
    where the model's differ, since its weights would mean something else; ``key`` is the setting at fault.
    """
    stored = load_model(folder)
    described = stored.card["modalities"].get(name)
    if described is None:
        raise InputError(
            expected=f"a model of {name}",
            found=", ".join(stored.card["modalities"]) or "a left out one",
            where=str(folder),
            remedy=f"change {key} in params.yaml",
        )
    wanted, found = flatten(dict(description)), flatten(described)
    for part in sorted(wanted.keys() | found.keys()):
        if (
            part not in IRRELEVANT
            and not part.startswith(MEASURED)
            and _plain(wanted.get(part)) != _plain(found.get(part))
        ):
            raise InputError(
                expected=f"a model with {name} {part} {wanted.get(part)}",
                found=str(found.get(part)),
                where=str(folder),
                remedy=f"change {key} in params.yaml, or the settings of {name}",
            )
    weights, _ = split_discriminator(_of_modality(stored.weights, name))
    for key in [one for one in weights if one == SCALE_TRIL or one.startswith(TOWARD)]:
        del weights[key]  # calibrated on other training pairs
    return Start(weights, stored.card["weights_sha256"])


def begin_from(
    project_folder: Path,
    vae: VAE,
    name: str,
    model: str | None,
    description: Mapping[str, Any],
    key: str,
    discriminator: nn.Module | None = None,
) -> str | None:
    """Put the weights of ``model``, a path from the project's folder, into a VAE; returns their digest, if any.

    The ``discriminator`` goes on from the model's, as :func:`continue_discriminator` says.
    """
    if model is None:
        return None
    start = starting_weights(project_folder / model, name, description, key)
    load_weights(vae, start.weights, model)
    continue_discriminator(discriminator, project_folder / model, name)
    return start.digest


def begin_from_prior(
    vae: VAE, name: str, crops: Tensor, key: str, discriminator: nn.Module | None = None
) -> str:
    """Put what the prior knows into an untrained VAE of micrographs, and tell the digest of its weights.

    The decoder and the discriminator become those of the prior. The encoder keeps components of its own, learned from
    the training crops: a ridge regression gives them the prior's latents.

    Parameters
    ----------
    vae : VAE
        Of textures, its closed-form parts fitted.
    name : str
        Its modality.
    crops : Tensor
        ``(N, 1, H, W)`` of 0 and 1: training crops.
    key : str
        The setting that asks for the prior.
    discriminator : nn.Module or None
        That of the training, where it has one.

    Raises
    ------
    InputError
        The prior has no network for this modality, or another decoder.
    """
    stored = load_model(prior_folder())
    described = stored.card["modalities"].get(name)
    if described is None or not isinstance(vae.encoder, TextureEncoder):
        raise InputError(
            expected="a model folder, or null",
            found=f"no prior of {name}",
            where=key,
            remedy=f"set {key} to null",
        )
    weights, _ = split_discriminator(_of_modality(stored.weights, name))
    prior = trained(described, weights, PRIOR).eval()
    assert isinstance(prior.encoder, TextureEncoder)
    theirs, ours = prior.decoder.state_dict(), vae.decoder.state_dict()
    same = {part: value.shape for part, value in theirs.items()} == {
        part: value.shape for part, value in ours.items()
    }
    if not same or prior.encoder.dense.shape != vae.encoder.dense.shape:
        raise InputError(
            expected=f"the decoder and the latent of the prior: {name}.network and latent as in the preset fast",
            found="another one",
            where=f"{name}.network",
            remedy=f"set {key} to null",
        )
    vae.decoder.load_state_dict(theirs)
    continue_discriminator(discriminator, prior_folder(), name)
    _imitate(vae.encoder, prior, crops)
    return str(stored.card["weights_sha256"])


@torch.no_grad()
def _imitate(encoder: TextureEncoder, prior: VAE, crops: Tensor) -> None:
    """Give an encoder the latents that the prior gives to training crops, as well as its components tell them."""
    parts = torch.split(crops, CHUNK)
    posteriors = [prior.posterior(part) for part in parts]
    mean, std = (torch.cat([getattr(one, part).flatten(1) for one in posteriors]) for part in ("mean", "std"))
    features = torch.cat([encoder.features(part) for part in parts])
    weight, bias = ridge(features.double().numpy(), mean.double().numpy()).affine()
    encoder.dense.blend(torch.from_numpy(weight), torch.from_numpy(bias), 1.0)
    wide = (std.mean(0) - LEAST_STD).clamp_min(1e-3)
    encoder.dense.output.bias[len(bias) :] = torch.log(torch.expm1(wide))


def continue_discriminator(discriminator: nn.Module | None, folder: Path, name: str) -> None:
    """Put the weights of the discriminator that the training of the model in ``folder`` ended with into another one.

    It stays as it is where that training left none, or one of another width.
    """
    if discriminator is None:
        return
    known, kept = discriminator.state_dict(), _of_modality(load_discriminators(folder), name)
    if not kept:
        _, kept = split_discriminator(_of_modality(load_model(folder).weights, name))
    if {key: value.shape for key, value in kept.items()} == {
        key: value.shape for key, value in known.items()
    }:
        discriminator.load_state_dict(kept)


def _of_modality(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {label.removeprefix(prefix): value for label, value in weights.items() if label.startswith(prefix)}


def _plain(value: object) -> object:
    """As JSON has it: a tuple is a list."""
    return list(value) if isinstance(value, tuple) else value
