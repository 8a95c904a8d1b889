"""All four directions of a trained pair against the truth, beside baselines and the crop-to-crop floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairvae.evaluation import baselines
from pairvae.evaluation.scores import curve_errors, curves, saxs_errors, summary
from pairvae.models.vae import VAE

Errors = dict[str, np.ndarray]
CHUNK = 40
CURVES = ("s2", "lineal_vertical", "lineal_horizontal")


@dataclass(frozen=True)
class Evaluated:
    """What is assessed: patterns ``(N, 3, H, W)``, crops ``(N, K, h, w)`` of 0 and 1, which samples train."""

    patterns: np.ndarray
    crops: np.ndarray
    train: Sequence[int]
    validation: Sequence[int]
    morphologies: Sequence[str | None]
    estimator: str
    seed: int

    def crop_tensor(self) -> Tensor:
        """All crops as ``(N K, 1, h, w)`` float32."""
        n, k, h, w = self.crops.shape
        return torch.from_numpy(self.crops.reshape(n * k, 1, h, w).astype(np.float32))


@dataclass(frozen=True)
class Reconstructions:
    """Decoded images: patterns ``(N, ...)`` or ``(N, K, ...)``, SEM ``(N, K, h, w)`` of 0 and 1."""

    images: dict[str, np.ndarray]
    latents: dict[str, np.ndarray]


@torch.no_grad()
def encode(vae: VAE, inputs: Tensor) -> Tensor:
    """Posterior means ``(B, C, g, g)`` of prepared inputs, in chunks."""
    return torch.cat([vae.posterior(part).mean for part in torch.split(inputs, CHUNK)])


@torch.no_grad()
def decode(vae: VAE, latents: Tensor, seed: int) -> np.ndarray:
    """Images ``(B, channels, H, W)`` float32 in [0, 1]; the noise of a stochastic decoder is seeded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.cat([vae.decoder(part) for part in torch.split(latents, CHUNK)]).numpy()


def binary(images: np.ndarray) -> np.ndarray:
    """Bernoulli mode ``(B, h, w)`` uint8 of probabilities ``(B, 1, h, w)``."""
    return (images[:, 0] >= 0.5).astype(np.uint8)


def reconstruct(vaes: Mapping[str, VAE], what: Evaluated) -> Reconstructions:
    """Every direction that ``vaes`` allow, keyed ``<source>_<target>``; each image has its own noise."""
    n, k = what.crops.shape[:2]
    latents: dict[str, Tensor] = {}
    if "saxs" in vaes:
        latents["saxs"] = encode(vaes["saxs"], torch.from_numpy(what.patterns))
    if "sem" in vaes:
        latents["sem"] = encode(vaes["sem"], what.crop_tensor())
    images: dict[str, np.ndarray] = {}
    for source, latent in latents.items():
        for target, vae in vaes.items():
            if target == "sem":
                repeated = latent if source == "sem" else latent.repeat_interleave(k, dim=0)
                decoded = binary(decode(vae, repeated, what.seed))
                images[f"{source}_{target}"] = decoded.reshape(n, k, *decoded.shape[1:])
            else:
                decoded = decode(vae, latent, what.seed)
                shape = (n, k) if source == "sem" else (n,)
                images[f"{source}_{target}"] = decoded.reshape(*shape, *decoded.shape[1:])
    return Reconstructions(images, {name: latent.numpy() for name, latent in latents.items()})


class Truth:
    """The true patterns and the curves of the true crops, computed once."""

    def __init__(self, what: Evaluated) -> None:
        self.what = what
        n, k, h, w = what.crops.shape
        flat = curves(what.crops.reshape(n * k, h, w), what.estimator)
        self.curves = {name: curve.reshape(n, k, -1) for name, curve in flat.items()}

    def sem(self, images: np.ndarray) -> Errors:
        """Errors ``(N, K)`` of binary images ``(N, K, h, w)`` against the crops of the same number."""
        n, k, h, w = images.shape
        found = curves(images.reshape(n * k, h, w), self.what.estimator)
        return self.against({name: curve.reshape(n, k, -1) for name, curve in found.items()})

    def against(self, found: Mapping[str, np.ndarray]) -> Errors:
        """Errors ``(N, K)`` of curves ``(N, K, bins)``."""
        return curve_errors(found, {name: self.curves[name] for name in found})

    def saxs(self, images: np.ndarray) -> Errors:
        """Errors ``(N,)`` or ``(N, K)`` of patterns ``(N, [K,] 3, H, W)``."""
        patterns = self.what.patterns
        if images.ndim == patterns.ndim:
            return saxs_errors(images, patterns)
        per_crop = [saxs_errors(images[:, crop], patterns)["mae"] for crop in range(images.shape[1])]
        return {"mae": np.stack(per_crop, axis=1)}


def model_errors(truth: Truth, images: Mapping[str, np.ndarray]) -> dict[str, Errors]:
    """Errors of each direction's reconstructions."""
    return {
        direction: truth.sem(decoded) if direction.endswith("_sem") else truth.saxs(decoded)
        for direction, decoded in images.items()
    }


def baseline_errors(truth: Truth) -> dict[str, dict[str, Errors]]:
    """Errors of retrieval, of the mean, and of a direct regression of S(r) from the pattern."""
    what = truth.what
    train = np.asarray(what.train)
    by_pattern = baselines.retrieval(what.patterns, what.train)
    sample_curves = truth.curves["s2"].mean(1)
    by_curve = baselines.retrieval(sample_curves, what.train)
    regressed = baselines.gaussian_process(what.patterns, sample_curves, what.train)
    crops = what.crops.shape[1]

    def every_crop(curve: np.ndarray) -> np.ndarray:
        return np.repeat(curve[:, None], crops, axis=1)

    mean_curve = np.broadcast_to(sample_curves[train].mean(0), sample_curves.shape)
    mean_pattern = np.broadcast_to(what.patterns[train].mean(0), what.patterns.shape)
    return {
        "retrieval": {
            "saxs_sem": truth.against({name: curve[by_pattern] for name, curve in truth.curves.items()}),
            "sem_saxs": truth.saxs(what.patterns[by_curve]),
        },
        "mean": {
            "saxs_sem": truth.against({"s2": every_crop(mean_curve)}),
            "sem_saxs": truth.saxs(mean_pattern),
            "saxs_saxs": truth.saxs(mean_pattern),
        },
        "regression": {"saxs_sem": truth.against({"s2": every_crop(regressed)})},
        **_other_images(truth),
    }


def _other_images(truth: Truth) -> dict[str, dict[str, Errors]]:
    """Errors of a crop of another sample: of the same morphology, and of another one (where known)."""
    names = np.array([name or "" for name in truth.what.morphologies])
    if "" in names or len(set(names)) < 2:
        return {}
    generator = np.random.default_rng(truth.what.seed)
    found: dict[str, dict[str, Errors]] = {}
    for label, wanted in (("same_morphology", True), ("other_morphology", False)):
        partners = []
        for index, name in enumerate(names):
            others = np.flatnonzero((names == name) == wanted)
            others = others[others != index]
            if len(others) == 0:
                return found
            partners.append(generator.choice(others))
        chosen = {key: curve[np.array(partners)] for key, curve in truth.curves.items()}
        found[label] = {"saxs_sem": truth.against(chosen)}
    return found


def floor_errors(truth: Truth) -> dict[str, Errors]:
    """Errors of the next crop of the same image: what no prediction of a single image can beat on average."""
    return {
        "sem_sem": truth.against({name: np.roll(curve, 1, axis=1) for name, curve in truth.curves.items()})
    }


def summarise(errors: Mapping[str, Any], members: Sequence[int]) -> dict[str, Any]:
    """Nested errors over all samples to nested summaries over ``members``."""
    chosen = np.asarray(members)
    return {
        key: summarise(value, members) if isinstance(value, Mapping) else summary(value[chosen])
        for key, value in errors.items()
    }


def listed(errors: Mapping[str, Any], members: Sequence[int]) -> dict[str, Any]:
    """As :func:`summarise`, but with all the numbers."""
    chosen = np.asarray(members)
    return {
        key: listed(value, members) if isinstance(value, Mapping) else value[chosen].ravel().tolist()
        for key, value in errors.items()
    }
