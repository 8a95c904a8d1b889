"""Terms of the loss of latents: divergence from the prior, and similarity of the latents of a pair.

Plans (``training/plans.py``) add them up with the reconstruction losses of ``models/likelihoods.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_STD = 1e-6


def kl_to_unit_normal(mean: Tensor, std: Tensor) -> Tensor:
    """Kullback-Leibler divergence of independent normals from the unit normal (Kingma and Welling 2013, appendix B).

    Parameters
    ----------
    mean, std : Tensor
        ``(B, ...)``; the standard deviations are above 0.

    Returns
    -------
    Tensor
        ``(B,)``, nats, >= 0: the sum over all but the first axis.

    Examples
    --------
    >>> kl_to_unit_normal(torch.tensor([[0.0], [1.0]]), torch.ones(2, 1)).tolist()
    [0.0, 0.5]
    """
    per_element = 0.5 * (mean.square() + std.square() - 1.0) - std.log()
    return per_element.flatten(1).sum(1)


def standardise(features: Tensor) -> Tensor:
    """Features with mean 0 and standard deviation 1 over the batch.

    Parameters
    ----------
    features : Tensor
        ``(B, D)``.

    Returns
    -------
    Tensor
        ``(B, D)``; a feature that does not vary is 0.
    """
    centred = features - features.mean(0)
    return centred / (features.std(0, correction=0) + LEAST_STD)


def barlow_twins(first: Tensor, second: Tensor, redundancy: float = 0.005, *, summed: bool = False) -> Tensor:
    """Barlow Twins loss of two latents of the same samples (Zbontar et al. 2021): the similarity loss of the pair.

    Mean squared departure of the diagonal of the cross-correlation matrix from 1, plus ``redundancy`` times the mean
    square of its off-diagonal part, as in the paper's pair training.

    Parameters
    ----------
    first, second : Tensor
        Latents ``(B, ...)`` of the same B samples, which are standardised over the batch.
    redundancy : float
        Weight of the off-diagonal part.
    summed : bool
        Zbontar's own equation 1 divided by D: the squares of each row's off-diagonal elements are added up. Where
        nothing else holds the features apart, only this form does: with the mean, D equal features cost no more
        than ``redundancy``.

    Returns
    -------
    Tensor
        A scalar >= 0.

    Examples
    --------
    >>> latent = torch.tensor([[-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    >>> round(barlow_twins(latent, latent).item(), 6), round(barlow_twins(latent, -latent).item(), 3)
    (0.0, 4.0)
    """
    a, b = standardise(first.flatten(1)), standardise(second.flatten(1))
    correlation = a.T @ b / len(a)
    size = len(correlation)
    diagonal = torch.diagonal(correlation)
    matched = (diagonal - 1.0).square().mean()
    if size == 1:
        return matched
    crossed = (correlation.square().sum() - diagonal.square().sum()) / (size * (size - 1))
    return matched + redundancy * crossed * (size - 1 if summed else 1)


def simclr(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    """Contrastive loss of two latents of the same samples, both ways (SimCLR; Chen et al. 2020).

    Parameters
    ----------
    first, second : Tensor
        Latents ``(B, ...)`` of the same B samples.
    temperature : float
        Divides the cosine similarities; above 0.

    Returns
    -------
    Tensor
        A scalar >= 0: the mean cross entropy of finding the partner among B.
    """
    a, b = F.normalize(first.flatten(1), dim=1), F.normalize(second.flatten(1), dim=1)
    logits = a @ b.T / temperature
    partners = torch.arange(len(a), device=a.device)
    return 0.5 * (F.cross_entropy(logits, partners) + F.cross_entropy(logits.T, partners))


def latent_distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared distance of two latents of the same samples.

    Parameters
    ----------
    first, second : Tensor
        ``(B, ...)``.

    Returns
    -------
    Tensor
        A scalar >= 0.
    """
    return (first - second).square().mean()
