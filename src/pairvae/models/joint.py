"""The posterior of several measurements of one sample, for the decoder of another technique."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.posterior import Posterior

CARD_KEY = "joint"  # of a model card


@dataclass(frozen=True)
class JointPosterior:
    """Posteriors of several techniques as one, with a covariance of its own.

    Its mean is a regression on the features of all techniques, where there is one; else a weighted mean of their
    means. The errors of two techniques of one sample are correlated, so that a product of their posteriors would be too
    narrow. All is fitted to left-out samples instead, which counts the prior once
    (:mod:`pairvae.calibration.joint_posterior`).

    Parameters
    ----------
    sources : tuple of str
        The techniques that are given.
    target : str
        The technique that is decoded.
    weights : ndarray
        ``(S,)`` of the S sources, which add up to 1.
    scale_tril : ndarray or None
        ``(C, C)``, lower triangular: of the error of the mean, in units of the square root of the mean width. None: as
        wide as the posteriors are on average.
    slopes : mapping of str to ndarray
        ``(C, K)`` of each source with K features: the regression; empty without one.
    bias : ndarray, optional
        ``(C,)``, added to that.
    """

    sources: tuple[str, ...]
    target: str
    weights: np.ndarray
    scale_tril: np.ndarray | None
    slopes: Mapping[str, np.ndarray] = field(default_factory=dict)
    bias: np.ndarray | None = None

    def of(self, posteriors: Mapping[str, Posterior]) -> Posterior:
        """The joint posterior.

        Parameters
        ----------
        posteriors : mapping of str to Posterior
            Of the sources, ``(B, C, g, g)`` each.

        Returns
        -------
        Posterior
            ``(B, C, g, g)``, for the decoder of the target.
        """
        chosen = [posteriors[name] for name in self.sources]
        weights = [float(weight) for weight in self.weights]
        mean = self._regressed(posteriors)
        if mean is None:
            mean = torch.stack([w * one.mean for w, one in zip(weights, chosen, strict=True)]).sum(0)
        width = torch.stack([w * one.std for w, one in zip(weights, chosen, strict=True)]).sum(0)
        told = [one.toward[self.target] for one in chosen if self.target in one.toward]
        toward = {self.target: torch.stack(told).mean(0)} if told else {}
        if self.scale_tril is None:
            return Posterior(mean, width, chosen[0].correlation, toward)
        tril = torch.from_numpy(self.scale_tril).to(mean)
        std = (width * tril.square().sum(1)[:, None, None]).sqrt()
        return Posterior(mean, std, F.normalize(tril, dim=1), toward)

    def _regressed(self, posteriors: Mapping[str, Posterior]) -> Tensor | None:
        """The regression's mean ``(B, C, 1, 1)``; None without one."""
        if self.bias is None:
            return None
        mean = torch.from_numpy(self.bias)
        for name, slope in self.slopes.items():
            features = posteriors[name].features
            assert features is not None
            mean = mean.to(features) + features @ torch.from_numpy(slope.T).to(features)
        return mean[:, :, None, None]

    def card(self) -> dict[str, Any]:
        """Its entry in a model card, once it is fitted."""
        assert self.scale_tril is not None
        regression: dict[str, Any] = {}
        if self.bias is not None:
            slopes = {name: np.round(slope, 7).tolist() for name, slope in self.slopes.items()}
            regression = {"slopes": slopes, "bias": np.round(self.bias, 7).tolist()}
        return regression | {
            "sources": list(self.sources),
            "target": self.target,
            "weights": np.round(self.weights, 7).tolist(),
            "scale_tril": np.round(self.scale_tril, 7).tolist(),
        }


def joints_of_card(card: Mapping[str, Any]) -> dict[tuple[frozenset[str], str], JointPosterior]:
    """The joint posteriors of a model card.

    Parameters
    ----------
    card : mapping
        The model's card.

    Returns
    -------
    dict
        By the set of sources and the target; empty for a model of two techniques.

    Raises
    ------
    ValueError
        Where numbers do not fit the latent space, or are not finite.
    """
    joints: dict[tuple[frozenset[str], str], JointPosterior] = {}
    for entry in card.get(CARD_KEY, ()):
        sources, target = tuple(map(str, entry["sources"])), str(entry["target"])
        channels = card["modalities"][target]["latent"]["channels"]
        weights, tril = (np.array(entry[key], np.float64) for key in ("weights", "scale_tril"))
        fits = weights.shape == (len(sources),) and tril.shape == (channels, channels)
        known = {*sources, target} <= set(card["modalities"])
        if not (fits and known and np.isfinite(weights).all() and np.isfinite(tril).all()):
            raise ValueError(f"the joint posterior of {' and '.join(sources)} does not fit")
        slopes = {str(name): np.array(slope, np.float64) for name, slope in entry.get("slopes", {}).items()}
        bias = np.array(entry["bias"], np.float64) if slopes else None
        if bias is not None:
            shapes = {slope.shape[:-1] for slope in slopes.values()} | {bias.shape}
            numbers = np.concatenate([bias, *(slope.ravel() for slope in slopes.values())])
            if set(slopes) != set(sources) or shapes != {(channels,)} or not np.isfinite(numbers).all():
                raise ValueError(f"the regression of {' and '.join(sources)} does not fit")
        joints[frozenset(sources), target] = JointPosterior(sources, target, weights, tril, slopes, bias)
    return joints


def equal_joint(sources: Sequence[str], target: str) -> JointPosterior:
    """The plain mean of posteriors, for techniques that no training sample has together.

    Parameters
    ----------
    sources : sequence of str
        The techniques that are given.
    target : str
        The technique that is decoded.

    Returns
    -------
    JointPosterior
        Of equal weights.
    """
    return JointPosterior(tuple(sources), target, np.full(len(sources), 1.0 / len(sources)), None)
