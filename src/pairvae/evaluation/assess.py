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
    """What is assessed: patterns ``(N, 3, H, W)``, crops ``(N, K, h, w)`` of 0 and 1, which samples train.

    ``names`` are the modalities of the two. Where the second is no binary image either, ``crops`` holds its
    arrays as they are, ``(N, channels, H, W)`` float32.
    """

    patterns: np.ndarray
    crops: np.ndarray
    train: Sequence[int]
    validation: Sequence[int]
    morphologies: Sequence[str | None]
    estimator: str
    seed: int
    names: tuple[str, str] = ("saxs", "sem")

    def array(self, name: str) -> np.ndarray:
        """The patterns or the crops, by the name of their modality."""
        return self.patterns if name == self.names[0] else self.crops

    def cropped(self, name: str) -> bool:
        """Whether a modality is assessed on binary crops."""
        return name == self.names[1] and self.crops.dtype == np.uint8

    def inputs(self, name: str) -> Tensor:
        """What the encoder of a modality sees: ``(N, channels, H, W)``, or all crops as ``(N K, 1, h, w)``."""
        return self.crop_tensor() if self.cropped(name) else torch.from_numpy(self.array(name))

    def crop_tensor(self) -> Tensor:
        """All crops as ``(N K, 1, h, w)`` float32."""
        n, k, h, w = self.crops.shape
        return torch.from_numpy(self.crops.reshape(n * k, 1, h, w).astype(np.float32))


@dataclass(frozen=True)
class Reconstructions:
    """Decoded images: patterns ``(N, ...)`` or ``(N, K, ...)``, binary crops ``(N, K, h, w)`` of 0 and 1."""

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
    latents = {name: encode(vaes[name], what.inputs(name)) for name in what.names if name in vaes}
    images: dict[str, np.ndarray] = {}
    for source, latent in latents.items():
        for target, vae in vaes.items():
            each_crop = what.cropped(target) and not what.cropped(source)
            decoded = decode(vae, latent.repeat_interleave(k, dim=0) if each_crop else latent, what.seed)
            if what.cropped(target):
                decoded = binary(decoded)
            shape = (n, k) if what.cropped(source) or what.cropped(target) else (n,)
            images[f"{source}_{target}"] = decoded.reshape(*shape, *decoded.shape[1:])
    return Reconstructions(images, {name: latent.numpy() for name, latent in latents.items()})


class Truth:
    """The true patterns and the curves of the true crops (none where no crops are binary), computed once."""

    def __init__(self, what: Evaluated) -> None:
        self.what = what
        self.curves: dict[str, np.ndarray] = {}
        if not what.cropped(what.names[1]):
            return
        n, k, h, w = what.crops.shape
        flat = curves(what.crops.reshape(n * k, h, w), what.estimator)
        self.curves = {name: curve.reshape(n, k, -1) for name, curve in flat.items()}

    def errors(self, target: str, images: np.ndarray) -> Errors:
        """Errors of images or arrays of modality ``target``."""
        return self.crops(images) if self.what.cropped(target) else self.whole(target, images)

    def crops(self, images: np.ndarray) -> Errors:
        """Errors ``(N, K)`` of binary images ``(N, K, h, w)`` against the crops of the same number."""
        n, k, h, w = images.shape
        found = curves(images.reshape(n * k, h, w), self.what.estimator)
        return self.against({name: curve.reshape(n, k, -1) for name, curve in found.items()})

    def against(self, found: Mapping[str, np.ndarray]) -> Errors:
        """Errors ``(N, K)`` of curves ``(N, K, bins)``."""
        return curve_errors(found, {name: self.curves[name] for name in found})

    def whole(self, target: str, images: np.ndarray) -> Errors:
        """Errors ``(N,)`` or ``(N, K)`` of arrays ``(N, [K,] channels, H, W)``, per element."""
        true = self.what.array(target)
        if images.ndim == true.ndim:
            return saxs_errors(images, true)
        per_crop = [saxs_errors(images[:, crop], true)["mae"] for crop in range(images.shape[1])]
        return {"mae": np.stack(per_crop, axis=1)}


def model_errors(truth: Truth, images: Mapping[str, np.ndarray]) -> dict[str, Errors]:
    """Errors of each direction's reconstructions."""
    return {
        direction: truth.errors(direction.partition("_")[2], decoded) for direction, decoded in images.items()
    }


def baseline_errors(truth: Truth) -> dict[str, dict[str, Errors]]:
    """Errors of retrieval, of the mean, and of a direct regression of S(r) from the pattern."""
    what, (first, second) = truth.what, truth.what.names
    across = ((first, second), (second, first))
    found = {
        "retrieval": {f"{a}_{b}": _of_retrieved(truth, a, b) for a, b in across},
        "mean": {f"{a}_{b}": _of_mean(truth, b) for a, b in across}
        | {f"{name}_{name}": _of_mean(truth, name) for name in what.names if not what.cropped(name)},
    }
    if what.cropped(second):
        regressed = baselines.gaussian_process(what.patterns, _features(truth, second), what.train)
        found["regression"] = {f"{first}_{second}": truth.against({"s2": _every_crop(truth, regressed)})}
        found |= _other_images(truth)
    return found


def _features(truth: Truth, name: str) -> np.ndarray:
    """What samples are compared by: whole arrays, or the mean S(r) of a sample's crops."""
    return truth.curves["s2"].mean(1) if truth.what.cropped(name) else truth.what.array(name)


def _every_crop(truth: Truth, curve: np.ndarray) -> np.ndarray:
    return np.repeat(curve[:, None], truth.what.crops.shape[1], axis=1)


def _of_retrieved(truth: Truth, source: str, target: str) -> Errors:
    """Errors of the target of the training sample whose source is nearest."""
    chosen = baselines.retrieval(_features(truth, source), truth.what.train)
    if truth.what.cropped(target):
        return truth.against({name: curve[chosen] for name, curve in truth.curves.items()})
    return truth.whole(target, truth.what.array(target)[chosen])


def _of_mean(truth: Truth, target: str) -> Errors:
    """Errors of the training samples' mean S(r), or mean array."""
    values = _features(truth, target)
    mean = np.broadcast_to(values[np.asarray(truth.what.train)].mean(0), values.shape)
    if truth.what.cropped(target):
        return truth.against({"s2": _every_crop(truth, mean)})
    return truth.whole(target, mean)


def _other_images(truth: Truth) -> dict[str, dict[str, Errors]]:
    """Errors of a crop of another sample: of the same morphology, and of another one (where known)."""
    names = np.array([name or "" for name in truth.what.morphologies])
    if "" in names or len(set(names)) < 2:
        return {}
    generator = np.random.default_rng(truth.what.seed)
    direction = "_".join(truth.what.names)
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
        found[label] = {direction: truth.against(chosen)}
    return found


def floor_errors(truth: Truth) -> dict[str, Errors]:
    """Errors of the next crop of the same image: what no prediction of a single image can beat on average."""
    name = truth.what.names[1]
    if not truth.what.cropped(name):
        return {}
    rolled = {kind: np.roll(curve, 1, axis=1) for kind, curve in truth.curves.items()}
    return {f"{name}_{name}": truth.against(rolled)}


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
