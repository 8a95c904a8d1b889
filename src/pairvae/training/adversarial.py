"""The adversarial loss of decoded textures: a discriminator trained beside the decoder, and the two losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pairvae.models.discriminator import PatchDiscriminator

GENERATOR, DISCRIMINATOR = "generator", "discriminator"  # endings of the names of the two losses
# Nothing to Adam, which divides by the gradient's size; but it keeps the discriminator's gradient a small part of the
# norm by which all gradients are clipped together.
DISCRIMINATOR_WEIGHT = 0.1


@dataclass(frozen=True)
class AdversarialLoss:
    """Hinge losses of a discriminator and of the decoder whose images it judges (Lim and Ye 2017).

    Parameters
    ----------
    discriminator : PatchDiscriminator
        Trained with the decoder, by the same optimiser.
    weight : float
        Weight of the generator loss relative to the reconstruction loss of the same images.
    two_phases : bool
        Whether the images are binary, not grey levels.
    """

    discriminator: PatchDiscriminator
    weight: float
    two_phases: bool = True

    def __call__(self, decoded: Tensor, true: Tensor, latent: Tensor) -> dict[str, Tensor]:
        """Generator and discriminator loss.

        Of a decoded image with two phases the discriminator sees these, as everybody does who uses it; the gradient
        flows as if it saw the grey values.

        Parameters
        ----------
        decoded, true : Tensor
            ``(B, 1, N, N)`` and ``(B, 1, M, M)`` in [0, 1]; the larger ones are cropped to the smaller.
        latent : Tensor
            ``(B, C, g, g)``; no gradient reaches it from here.

        Returns
        -------
        dict
            ``generator``: -D(decoded), its gradient reaches ``decoded`` alone; ``discriminator``: max(0, 1 - D(true)) +
            max(0, 1 + D(decoded)), its gradient reaches the discriminator alone. Both are means over patches.
        """
        side = min(decoded.shape[-1], true.shape[-1])
        true, decoded = true[..., :side, :side], decoded[..., :side, :side]
        latent = latent.detach()
        if self.two_phases:
            decoded = decoded + ((decoded >= 0.5).to(decoded.dtype) - decoded).detach()
        images, latents = torch.cat([true.to(decoded.dtype), decoded.detach()]), torch.cat([latent, latent])
        true_scores, decoded_scores = self.discriminator(images, latents).chunk(2)
        discriminator = F.relu(1.0 - true_scores).mean() + F.relu(1.0 + decoded_scores).mean()
        generator = -self.discriminator(decoded, latent, frozen=True).mean()
        return {GENERATOR: generator, DISCRIMINATOR: discriminator}


def is_adversarial(term: str) -> bool:
    """Whether a term of the loss is one of the two adversarial losses.

    Parameters
    ----------
    term : str
        Its name, such as ``saxs_sem_generator``.

    Returns
    -------
    bool
    """
    return term.endswith((f"_{GENERATOR}", f"_{DISCRIMINATOR}"))


def with_discriminators(model: nn.Module, adversarial: Mapping[str, AdversarialLoss]) -> nn.Module:
    """All that an adversarial training moves.

    Parameters
    ----------
    model : Module
        What is trained.
    adversarial : mapping of str to AdversarialLoss
        By modality; may be empty.

    Returns
    -------
    Module
        ``model``, or a container of it and its discriminators by modality.
    """
    if not adversarial:
        return model
    discriminators = {name: loss.discriminator for name, loss in adversarial.items()}
    return nn.ModuleDict({"model": model, "discriminators": nn.ModuleDict(discriminators)})
