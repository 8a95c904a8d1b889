"""What an ensemble is worth: its mean curve, its coverage of the truth, and its diversity.

One pattern belongs to endlessly many micrographs, so several images are drawn for each: latents from the
posterior, and fresh noise. Shapes: N samples, K images drawn for each, C true crops of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pairvae.evaluation.scores.definitions import morphology
from pairvae.models.vae import VAE, decode_in_chunks
from pairvae.numerics.images import micrographs

LEVEL = 0.9
LAGS = (4, 8, 16, 32)
REPEATED = 0.98
LEAST_VARIANCE = 1e-12
IMAGES = 20  # pairs of antithetic draws; 19 are the fewest whose range is a 90 % interval


@dataclass(frozen=True)
class Described:
    """What images are like.

    Parameters
    ----------
    s2 : ndarray
        S(r) ``(N, K, bins)``.
    numbers : dict of str to ndarray
        ``(N, K)`` by name; nan where an image has none.
    """

    s2: np.ndarray
    numbers: dict[str, np.ndarray]


@torch.no_grad()
def draw_images(
    source: VAE,
    target: VAE,
    inputs: Tensor,
    images: int,
    seed: int,
    shift: Tensor | None = None,
    *,
    grey: bool = False,
) -> np.ndarray:
    """Draw micrographs of one modality for arrays of another.

    Parameters
    ----------
    source, target : VAE
        Of the inputs' and of the images' modality.
    inputs : Tensor
        ``(N, channels, H, W)`` in [0, 1].
    images : int
        For each input, each decoded from its own draw of the posterior.
    seed : int
        The draws of one input depend on it and on the input's position.
    shift : Tensor, optional
        ``(N, C, g, g)``, added to the means of the posteriors.
    grey : bool
        Whether they are grey levels.

    Returns
    -------
    ndarray
        ``(N, images, h, w)``, see :func:`pairvae.numerics.images.micrographs`.
    """
    drawn = []
    for row, single in enumerate(torch.split(inputs, 1)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((seed + 1) * 1_000_003 + row)
            latents = source.posterior(single).repeated(0, images).antithetic_samples()
            if shift is not None:
                latents = latents + shift[row]
            decoded = decode_in_chunks(target.decoder, latents)
        drawn.append(micrographs(decoded.numpy(), grey=grey))
    return np.stack(drawn)


def describe(images: np.ndarray, estimator: str) -> Described:
    """S(r), phase fraction, domain spacing (px), S at ``LAGS`` px and Euler number per 10^4 px.

    Of grey levels mean and contrast in place of phase fraction and Euler number.

    Parameters
    ----------
    images : ndarray
        ``(N, K, h, w)`` of 0 and 1, or floating-point grey levels.
    estimator : str
        Of S(r), see :func:`pairvae.numerics.morphology.two_point_correlation`.

    Returns
    -------
    Described
        Of all images.
    """
    return described(morphology(images, estimator))


def described(properties: Mapping[str, np.ndarray]) -> Described:
    """The same of images whose properties ``(N, K, ...)`` are known."""
    s2 = properties["s2"]
    if "contrast" in properties:
        numbers = {name: properties[name] for name in ("mean_level", "contrast")}
        numbers["domain_spacing"] = properties["spacing"]
    else:
        numbers = {
            "phase_fraction": properties["phase_fraction"],
            "domain_spacing": properties["spacing"],
            "euler_density": 1e4 * properties["euler_density"],
        }
    return Described(s2, numbers | {f"s2_at_{lag}": s2[..., lag] for lag in LAGS if lag < s2.shape[-1]})


def mean_curve_errors(drawn: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    """Mean absolute error of the mean of curves against true ones.

    Parameters
    ----------
    drawn, true : ndarray
        ``(N, K, bins)`` and ``(N, C, bins)``. A regression of the curve is scored with its prediction as ``(N, 1,
        bins)``.

    Returns
    -------
    dict of str to ndarray
        ``per_crop`` ``(N, C)``: against each true crop, whose own scatter is in it; ``per_sample`` ``(N,)``: against
        the mean over the sample's crops.
    """
    centre = drawn.mean(1)
    return {
        "per_crop": np.abs(centre[:, None] - true).mean(-1),
        "per_sample": np.abs(centre - true.mean(1)).mean(-1),
    }


def coverage(drawn: np.ndarray, true: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Share of the central interval of draws that holds each true value.

    Of draws and true values of one distribution, the rank of a true value among the K draws is uniform over K + 1
    places. The interval takes the central ``level`` of these places, the two at its edges
    in part, so that the mean is ``level`` for any K, not only in the limit; equal values share their places.
    With fewer than 19 draws the outermost places lie inside the interval in part.

    Parameters
    ----------
    drawn, true : ndarray
        ``(N, K)`` and ``(N, C)``. Draws that are not finite do not count (none left: not covered).
    level : float
        In (0, 1).

    Returns
    -------
    ndarray
        ``(N, C)`` in [0, 1]; nan where a true value is not finite.
    """
    usable = np.isfinite(drawn)[:, None, :]
    count = usable.sum(-1)
    below = ((drawn[:, None, :] < true[..., None]) & usable).sum(-1)
    equal = ((drawn[:, None, :] == true[..., None]) & usable).sum(-1)
    tail = 0.5 * (1.0 - level)
    first, last = below / (count + 1), (below + equal + 1) / (count + 1)
    inside = np.clip(np.minimum(last, 1.0 - tail) - np.maximum(first, tail), 0.0, None)
    share = np.where(count > 0, inside / (last - first), 0.0)
    return np.asarray(np.where(np.isfinite(true), share, np.nan))


def diversity(drawn: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Spread of images over that of true crops; 1 is right.

    Parameters
    ----------
    drawn, true : ndarray
        Numbers ``(N, K)`` and ``(N, C)``, or curves ``(N, K, bins)`` and ``(N, C, bins)``, whose variances are
        averaged over the bins.

    Returns
    -------
    dict of str to float
        ``same_sample``: root mean variance within samples; ``pooled``: standard deviation over all images of all
        samples. Left out where the true crops do not vary.
    """
    ratios = {}
    for name, variance in (("same_sample", _within), ("pooled", _pooled)):
        true_variance = variance(true)
        if true_variance > LEAST_VARIANCE:
            ratios[name] = (variance(drawn) / true_variance) ** 0.5
    return ratios


def _within(values: np.ndarray) -> float:
    """Mean variance within samples."""
    counted = np.isfinite(values).sum(1)
    usable = values[counted.min(-1) > 1 if counted.ndim > 1 else counted > 1]
    return float(np.nanvar(usable, axis=1, ddof=1).mean()) if len(usable) else 0.0


def _pooled(values: np.ndarray) -> float:
    """Variance over the images of all samples."""
    flat = values.reshape(-1, *values.shape[2:])
    usable = flat[np.isfinite(flat).reshape(len(flat), -1).all(1)]
    return float(usable.var(axis=0, ddof=1).mean()) if len(usable) > 1 else 0.0


def repeated(images: np.ndarray, limit: float = REPEATED) -> int:
    """Pairs of one sample's images that are nearly the same.

    Parameters
    ----------
    images : ndarray
        ``(N, K, h, w)``.
    limit : float
        Correlation of pixels above which they are.

    Returns
    -------
    int
        Over all samples.
    """
    count = 0
    for ensemble in images:
        flat = ensemble.reshape(len(ensemble), -1).astype(np.float32)
        flat = flat - flat.mean(1, keepdims=True)
        norms = np.linalg.norm(flat, axis=1)
        uniform = norms == 0
        unit = flat / np.where(uniform, 1.0, norms)[:, None]
        similar = (unit @ unit.T > limit) | (uniform[:, None] & uniform[None])
        count += int(np.triu(similar, 1).sum())
    return count


def uncertainty(drawn: Described, true: Described) -> dict[str, dict[str, dict[str, float]]]:
    """Coverage of the central 90 % interval and diversity of every number and of S(r).

    Parameters
    ----------
    drawn, true : Described
        Of N samples each.

    Returns
    -------
    dict
        ``{"coverage": {name: {"value", "lowest_sample"}}, "diversity": {name: {"same_sample", "pooled"}}}``; value is
        the share over all true crops, lowest_sample that of the sample whose crops are covered worst. What no true
        crop has, or in what none differ, is left out.
    """
    covered: dict[str, dict[str, float]] = {}
    spreads = {"s2": diversity(drawn.s2, true.s2)}
    for name, values in true.numbers.items():
        inside = coverage(drawn.numbers[name], values)
        by_sample = [row[np.isfinite(row)].mean() for row in inside if np.isfinite(row).any()]
        if by_sample:
            covered[name] = {"value": float(np.nanmean(inside)), "lowest_sample": float(min(by_sample))}
        spreads[name] = diversity(drawn.numbers[name], values)
    return {"coverage": covered, "diversity": {name: ratio for name, ratio in spreads.items() if ratio}}
