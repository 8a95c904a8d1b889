"""Why a prediction is what it is: which part of one measurement moves the descriptors of what is predicted from it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from pairvae.errors import InputError
from pairvae.evaluation.attribution import (
    Describe,
    Parts,
    likeness,
    occlusion,
    polar_parts,
    shares,
    shuffled,
    square_parts,
)
from pairvae.inference.out_of_distribution import LARGEST_SIDE
from pairvae.inference.predictions import measured, nm_per_px
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.numerics.descriptors import euler_density
from pairvae.numerics.scattering import horizontal_period

WORDS = {
    "spacing_nm": "domain spacing", "domain_spacing_px": "domain spacing", "grating_pitch": "grating pitch",
    "phase_fraction": "phase fraction", "orientation_deg": "orientation", "euler_density": "defect density",
    "contrast": "contrast", "ring_q_inv_nm": "ring", "ring_px": "ring",
}  # fmt: skip
DRAWS = 2  # images of a posterior mean, whose noise differs
DOUBTFUL = 0.5  # correlation with that of a randomised model from which an explanation is doubted
MAIN_SHARE = 0.5  # of the changes, that the parts named in words make up


@dataclass(frozen=True)
class Attribution:
    """Which parts of one measurement move the descriptors of what is predicted from it.

    Parameters
    ----------
    source, target : str
        The modality of the measurement, and the one that is predicted.
    given : ndarray
        The prepared measurement, ``(C, H, W)`` in [0, 1].
    parts : Parts
        P parts of it.
    changes : mapping of str to ndarray
        ``(P,)`` by descriptor, in its unit: with the part minus without it.
    values : mapping of str to float
        The predicted descriptors.
    q_per_px : float or None
        1/nm, where the measurement is a pattern and it is known.
    random : mapping of str to float
        Rank correlation with the explanation by randomised weights, by descriptor; empty where not tried.
    """

    source: str
    target: str
    given: np.ndarray
    parts: Parts
    changes: Mapping[str, np.ndarray]
    values: Mapping[str, float]
    q_per_px: float | None
    random: Mapping[str, float]

    @property
    def polar(self) -> bool:
        """Whether the parts are those of a pattern: rings of q and sectors of azimuth."""
        return bool(np.isfinite(self.parts.azimuths).all())

    def sentences(self) -> tuple[str, ...]:
        """A line for each descriptor: what moved it most, and whether the sanity check speaks against it."""
        return tuple(self._sentence(name) for name in self.changes)

    def _sentence(self, name: str) -> str:
        share = shares(self.changes[name])
        if not share.any():
            return f"{WORDS[name]}: no part of the measurement moves it"
        order = np.argsort(-share)
        main = order[: int(np.searchsorted(np.cumsum(share[order]), MAIN_SHARE)) + 1]
        doubt = ""
        if self.random.get(name, 0.0) > DOUBTFUL:
            doubt = "; doubtful: a model with random weights gives the same explanation"
        return f"{WORDS[name]}: {self._places(main, share)}{doubt}"

    def _places(self, main: np.ndarray, share: np.ndarray) -> str:
        percent = f"{100 * float(share[main].sum()):.0f} % of the changes"
        if not self.polar:
            return f"{percent} come from {len(main)} of {len(self.parts)} squares"
        scale, unit = (self.q_per_px, "1/nm") if self.q_per_px else (1.0, "px")
        digits = 2 if self.q_per_px else 0
        radii = self.parts.radii[main] * scale
        weights = share[main] / share[main].sum()
        middle = float(weights @ radii.mean(1))
        turn = (
            float(np.degrees(np.angle(weights @ np.exp(2j * np.radians(self.parts.azimuths[main])))) / 2)
            % 180
        )
        order = float(np.abs(weights @ np.exp(2j * np.radians(self.parts.azimuths[main]))))
        where = f"around {turn:.0f}° from the horizontal" if order > 0.5 else "in all directions"
        low, high = float(radii.min()), float(radii.max())
        return f"{percent} come from q {low:.{digits}f} to {high:.{digits}f} {unit} (mean {middle:.{digits}f}), {where}"


def attribute(
    predictor: Predictor,
    array: np.ndarray,
    source: str,
    seed: int = 0,
    check: bool = False,
    known: Acquisition = ANY,
    target: str | None = None,
) -> Attribution:
    """Explain the prediction from one prepared array by occlusion.

    Parameters
    ----------
    predictor : Predictor
        The model.
    array : ndarray
        ``(C, H, W)`` in [0, 1]; of a larger micrograph, its middle is explained.
    source : str
        Its modality.
    seed : int
        Of the noise of decoders, of shuffled pixels and of random weights.
    check : bool
        Whether to repeat it with randomised weights: it takes about a hundred predictions each time.
    known : Acquisition
        What is known of it besides, of which the conditions count.
    target : str, optional
        The modality that is predicted; by default the other one of the main pair.

    Returns
    -------
    Attribution
        Of the predicted descriptors.

    Raises
    ------
    InputError
        For curves, which have no parts here.
    """
    target = target or predictor.partner(source)
    if MODALITIES[source].coordinates is not None or MODALITIES[target].coordinates is not None:
        raise InputError(expected="patterns and images", found="curves", where=source)
    given = _middle(np.asarray(array, np.float32), predictor.shape(source))
    parts, baseline = _parts(predictor, source, given, seed)
    describe = descriptors_of(predictor, source, target, seed, known)
    changes = occlusion(given, baseline, parts, describe)
    random: dict[str, float] = {}
    if check:
        other = descriptors_of(randomised(predictor, seed), source, target, seed, known)
        effects = occlusion(given, baseline, parts, other)
        random = {name: likeness(changes[name], effects[name]) for name in changes}
    values = {name: float(numbers[0]) for name, numbers in describe(given[None]).items()}
    q = None if predictor.facts is None or MODALITIES[source].cropped else predictor.facts.q_per_px
    return Attribution(source, target, given, parts, changes, values, q, random)


def _parts(predictor: Predictor, source: str, given: np.ndarray, seed: int) -> tuple[Parts, np.ndarray]:
    """The parts of a pattern or a micrograph ``(C, H, W)``, and what takes their place."""
    if MODALITIES[source].cropped:
        parts = square_parts(given.shape[-2:])
        return parts, shuffled(given, parts, seed)
    return polar_parts(given.shape[-2:]), _usual(predictor, source, given)


def descriptors_of(
    predictor: Predictor, source: str, target: str, seed: int, known: Acquisition = ANY
) -> Describe:
    """What measures predictions, always with the same noise.

    Parameters
    ----------
    predictor : Predictor
        The model.
    source, target : str
        The modality of the arrays, and the one that is predicted.
    seed : int
        Of the noise of decoders.
    known : Acquisition
        What is known of the arrays besides.

    Returns
    -------
    callable
        Descriptors ``(N,)`` by name of what is predicted from prepared arrays ``(N, C, H, W)``.
    """

    def describe(arrays: np.ndarray) -> dict[str, np.ndarray]:
        rows: list[dict[str, float]] = []
        for array in arrays:
            posterior = predictor.encode(array, source, known)
            still = replace(posterior, std=torch.zeros_like(posterior.std))
            images = predictor.decode(still, target, DRAWS, seed)[0]
            rows.append({name: _mean(values) for name, values in _numbers(predictor, images, target).items()})
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    return describe


def _numbers(predictor: Predictor, images: np.ndarray, target: str) -> dict[str, np.ndarray]:
    descriptors = measured(predictor, images, target)
    if not MODALITIES[target].cropped:
        return {name: values for name, values in descriptors.items() if name in WORDS}
    nm = nm_per_px(predictor, target)
    if nm is not None:
        descriptors.pop("domain_spacing_px")
    descriptors["grating_pitch"] = horizontal_period(images) * (nm or 1.0)
    if predictor.is_binary(target):
        descriptors["euler_density"] = euler_density(images)
    return {name: descriptors[name] for name in WORDS if name in descriptors}


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _middle(array: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    top, left = ((have - want) // 2 for have, want in zip(array.shape[1:], shape[1:], strict=True))
    return array[:, top : top + shape[1], left : left + shape[2]]


def _usual(predictor: Predictor, source: str, given: np.ndarray) -> np.ndarray:
    """The mean training pattern ``(C, H, W)``; for a model that does not know it, the mean along each ring."""
    channels, height, width = given.shape
    if predictor.facts is not None and source in predictor.facts.familiar:
        sides = [side // -(-side // LARGEST_SIDE) for side in (height, width)]
        mean = predictor.facts.familiar[source].mean.reshape(channels, *sides)
        large = [cv2.resize(channel, (width, height), interpolation=cv2.INTER_LINEAR) for channel in mean]
        return np.asarray(np.stack(large).clip(0, 1), dtype=np.float32)
    rings = polar_parts((height, width), rings=min(height, width) // 2, sectors=1)
    baseline = given.copy()
    for ring in range(len(rings)):
        inside = rings.labels == ring
        baseline[:, inside] = given[:, inside].mean(1, keepdims=True)
    return baseline


def randomised(predictor: Predictor, seed: int) -> Predictor:
    """The same networks with the values of each weight matrix in random order, principal components included.

    Parameters
    ----------
    predictor : Predictor
        Left as it is.
    seed : int
        Of the order.

    Returns
    -------
    Predictor
        With what is known of the training data.
    """
    generator = torch.Generator().manual_seed(seed)
    vaes = {name: copy.deepcopy(vae) for name, vae in predictor.vaes.items()}
    with torch.no_grad():
        for vae in vaes.values():
            for tensor in (*vae.parameters(), *vae.buffers()):
                if tensor.ndim >= 2 and tensor.is_floating_point():
                    order = torch.randperm(tensor.numel(), generator=generator)
                    tensor.copy_(tensor.flatten()[order].view_as(tensor))
    return replace(predictor, vaes=vaes)
