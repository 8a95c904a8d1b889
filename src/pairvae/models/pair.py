"""The pair: one VAE per modality, keyed by name, that share a latent space (paper, Figure 2B).

Its loss is put together in ``training/plans.py`` (:class:`~pairvae.training.plans.PairPlan`), from the terms of
``numerics/losses.py`` and ``models/likelihoods.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from pairvae.models.conditions import ConditionShift
from pairvae.models.posterior import Posterior
from pairvae.models.vae import VAE


class PairVAE(nn.Module):
    """VAEs keyed by modality; any of them decodes the latents of any other.

    Parameters
    ----------
    vaes : mapping of str to VAE
        By modality, with latents of one shape.

    Attributes
    ----------
    condition_shift : ConditionShift or None
        What conditions of a sample add to a posterior's mean, once that is calibrated.
    """

    def __init__(self, vaes: Mapping[str, VAE]) -> None:
        super().__init__()
        self.condition_shift: ConditionShift | None = None
        self.vaes = nn.ModuleDict(dict(vaes))

    def vae(self, modality: str) -> VAE:
        """The VAE of one modality."""
        module = self.vaes[modality]
        assert isinstance(module, VAE)
        return module

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, in order."""
        return tuple(self.vaes)

    def posterior(self, modality: str, inputs: Tensor) -> Posterior:
        """Posterior of prepared inputs of one modality.

        Parameters
        ----------
        modality : str
            One of ``modalities``.
        inputs : Tensor
            ``(B, channels, H, W)`` in [0, 1].

        Returns
        -------
        Posterior
            Of B inputs.
        """
        return self.vae(modality).posterior(inputs)

    def translate(self, inputs: Tensor, source: str, target: str) -> Tensor:
        """Predict one modality from another, by the posterior mean.

        Parameters
        ----------
        inputs : Tensor
            ``(B, channels, H, W)`` in [0, 1], of ``source``.
        source, target : str
            Two of ``modalities``, or one twice.

        Returns
        -------
        Tensor
            Images ``(B, channels', H', W')`` of ``target`` in [0, 1].
        """
        image: Tensor = self.vae(target).decoder(self.posterior(source, inputs).for_target(target).mean)
        return image
