"""Fit the posterior of several measurements of one sample, for the decoder of another technique."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch

from pairvae.calibration.correction import Correction, SeveralData
from pairvae.calibration.joint_mean import JointMean, regressed, weighted
from pairvae.calibration.latents import (
    LEAST_GROUPS,
    Latents,
    feature_weights,
    flat,
    left_out_by_network,
    values_of_images,
)
from pairvae.calibration.posterior_covariance import scale_tril_of
from pairvae.calibration.variance_matching import widened
from pairvae.models.joint import JointPosterior
from pairvae.models.pair import PairVAE
from pairvae.settings import CalibrationSettings

LARGEST = 256  # samples of a regression: more train a network well enough
MOST_SOURCES = 3  # techniques that are given at once: their subsets are many
STEP = Correction(
    "joint_posterior",
    "mean squared error of the posterior mean of left-out samples, of the best technique alone and of all together",
    "weight of the first technique",
)


@dataclass(frozen=True)
class Encoded:
    """What the calibrated model says of the M samples that one technique measured; latents have C channels at P places.

    Parameters
    ----------
    rows : ndarray
        ``(M,)``: their numbers.
    mean, std : ndarray
        ``(M, C, P)``: posteriors of whole arrays, or of all crops together.
    features : ndarray
        ``(M, F)``: these, as a joint regression sees them; F is 0 where they have places.
    hidden : ndarray
        ``(M, H)``: these, as the last layer of the encoder sees them.
    crop_mean, crop_std : ndarray
        ``(M, K, C, P)``: posteriors of the crops, or of the whole array (K = 1).
    values : ndarray or None
        ``(M, K)``: of crops, the number by which those of one sample differ most; None for whole arrays.
    grey : bool
        Whether crops are grey levels.
    """

    rows: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    features: np.ndarray
    hidden: np.ndarray
    crop_mean: np.ndarray
    crop_std: np.ndarray
    values: np.ndarray | None
    grey: bool

    @property
    def target(self) -> np.ndarray:
        """``(M, C, P)``: what other techniques have to predict."""
        return np.asarray(self.crop_mean.mean(1))

    def of(self, rows: np.ndarray) -> Encoded:
        """Some of the samples, by their numbers."""
        chosen = np.isin(self.rows, rows)
        parts: dict[str, Any] = {
            name: part[chosen] for name, part in vars(self).items() if isinstance(part, np.ndarray)
        }
        return replace(self, **parts)


def fit_joints(
    pair: PairVAE,
    data: SeveralData,
    corrected: Mapping[str, Latents],
    settings: CalibrationSettings,
    seed: int,
) -> tuple[list[JointPosterior], list[Correction]]:
    """Fit joint posteriors for every technique from every few others that enough samples have together.

    One technique alone has its own posterior. Only from crops to the crops of another technique it gets a joint one,
    too: no step before fits the width of that.

    Parameters
    ----------
    pair : PairVAE
        The model, after the steps for each two of its techniques.
    data : SeveralData
        Its training samples.
    corrected : mapping of str to Latents
        By technique without crops, what those steps know of left-out samples.
    settings : CalibrationSettings
        Whether variances of phase fractions are matched.
    seed : int
        Of what is decoded.

    Returns
    -------
    tuple of list of JointPosterior and list of Correction
        One of each for every set of techniques.
    """
    encoded = {name: _encode(pair, data, name) for name in data.arrays}
    joints: list[JointPosterior] = []
    corrections: list[Correction] = []
    for sources, target in _directions(data):
        common = set.intersection(*(set(encoded[name].rows.tolist()) for name in (*sources, target)))
        rows = np.array(sorted(common), int)
        if len({data.groups[row] for row in rows}) < LEAST_GROUPS:
            continue
        parts = {name: encoded[name].of(rows) for name in (*sources, target)}
        groups = [data.groups[row] for row in rows]
        mean = _regressed(pair, parts, target, groups)
        if mean is None:
            known = {name: _known(corrected, name, target, data) for name in sources}
            unseen = {
                name: _left_out(parts[name], parts[target], data, rows, known[name]) for name in sources
            }
            mean = weighted(unseen, parts[target].target)
        joint, correction = _fit(pair, parts, mean, sources, target, settings, seed)
        joints.append(joint)
        corrections.append(correction)
    return joints, corrections


def _directions(data: SeveralData) -> Iterator[tuple[tuple[str, ...], str]]:
    for target in data.arrays:
        others = [name for name in data.arrays if name != target]
        for count in range(1, min(len(others), MOST_SOURCES) + 1):
            for sources in combinations(others, count):
                if count > 1 or {sources[0], target} <= set(data.cropped):
                    yield sources, target


@torch.inference_mode()
def _encode(pair: PairVAE, data: SeveralData, name: str) -> Encoded:
    vae, arrays = pair.vae(name), data.arrays[name]
    device = next(vae.parameters()).device
    found: list[list[np.ndarray]] = [[] for _ in range(6)]
    for array in arrays:
        features = vae.encoder.features(torch.from_numpy(np.array(array, np.float32)).to(device))
        pooled = features.mean(0, keepdim=True)
        crops, together = vae.posterior_of(features), vae.posterior_of(pooled)
        hidden = vae.encoder.last_hidden(pooled).flatten()
        seen = pooled.flatten() if pooled.ndim == 2 else pooled.new_empty(0)
        both = (together.mean[0], together.std[0], seen, hidden, crops.mean, crops.std)
        for part, tensor in zip(found, both, strict=True):
            flattened = tensor if tensor.ndim == 1 else tensor.flatten(-2)
            part.append(flattened.double().cpu().numpy())
    mean, std, seen_, hidden_, crop_mean, crop_std = (np.stack(part) for part in found)
    shift, rows = pair.condition_shift, data.rows[name]
    if shift is not None and shift.modality == name and data.conditions:
        moved = shift.of([data.conditions[row] for row in rows]).flatten(-2).double().numpy()
        mean = mean + moved
    values, grey = None, name in data.grey
    if name in data.cropped:
        crops_of_all = (torch.from_numpy(np.array(array, np.float32)) for array in arrays)
        values = np.stack(
            [values_of_images(crops_of_one, grey=grey).numpy() for crops_of_one in crops_of_all]
        )
    return Encoded(rows, mean, std, seen_, hidden_, crop_mean, crop_std, values, grey)


def _known(corrected: Mapping[str, Latents], name: str, target: str, data: SeveralData) -> np.ndarray | None:
    """Left-out centres by number of the sample, nan where there are none; None where no step made any."""
    if name not in corrected or corrected[name].cropped != target:
        return None
    centres = corrected[name].left_out_centre
    known = np.full((len(data.groups), *centres.shape[1:]), np.nan)
    known[np.intersect1d(data.rows[name], data.rows[target])] = centres
    return known


def _left_out(
    source: Encoded, target: Encoded, data: SeveralData, rows: np.ndarray, known: np.ndarray | None
) -> np.ndarray:
    """``(N, C, P)``: means that the model would give to the samples ``rows`` if it had not seen them."""
    if known is not None:
        return np.asarray(known[rows])
    share = min(1.0, len(rows) / data.pairs)
    groups = [data.groups[row] for row in rows]
    unseen = left_out_by_network(source.hidden, flat(source.mean), flat(target.target), groups, share)
    return unseen.reshape(source.mean.shape)


def _regressed(
    pair: PairVAE, parts: Mapping[str, Encoded], target: str, groups: Sequence[str]
) -> JointMean | None:
    """The mean by a regression, from techniques with features to the latents of crops; else None."""
    true, sources = parts[target], [name for name in parts if name != target]
    whole = true.values is None or true.mean.shape[2] > 1 or pair.condition_shift is not None
    if whole or len(groups) > LARGEST or not all(parts[name].features.shape[1] for name in sources):
        return None
    scales = {name: feature_weights(pair.vae(name).encoder) for name in sources}
    return regressed({name: parts[name].features for name in sources}, scales, true.target, groups)


def _fit(
    pair: PairVAE,
    parts: Mapping[str, Encoded],
    mean: JointMean,
    sources: tuple[str, ...],
    target: str,
    settings: CalibrationSettings,
    seed: int,
) -> tuple[JointPosterior, Correction]:
    true, centre = parts[target], mean.left_out
    width = np.tensordot(mean.weights, np.stack([parts[name].std for name in sources]), 1)
    tril = scale_tril_of(true.crop_mean - centre[:, None], true.crop_std, width)
    if settings.variance_matching and true.values is not None:
        features = np.concatenate([flat(parts[name].mean) for name in sources], axis=1)
        latents = _as_latents(target, true, true.values, features, centre, width)
        rounds, _ = widened(pair.vae(target), latents, tril, seed)
        tril = rounds[-1].factor
    correction = STEP.taken(
        f"{'+'.join(sources)}_{target}",
        target=0.0,
        before=mean.before,
        after=mean.after,
        value=float(mean.weights[0]),
    )
    return JointPosterior(sources, target, mean.weights, tril, mean.slopes, mean.bias), correction


def _as_latents(
    target: str,
    true: Encoded,
    values: np.ndarray,
    features: np.ndarray,
    centre: np.ndarray,
    width: np.ndarray,
) -> Latents:
    """The inputs of the step that matches variances."""
    none = np.zeros((len(centre), 0))
    return Latents(
        "", target, features, none, none, centre, width, centre, centre, true.crop_mean, true.crop_std,
        values, true.grey, [str(row) for row in true.rows], len(centre),
    )  # fmt: skip
