"""Reference errors through the same scoring: what is looked up, the mean, a regression of S(r), the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pairvae.evaluation.baselines import retrieval as baselines
from pairvae.evaluation.scores.evaluate import Errors, Reference

NEIGHBOURS = 3  # patterns
CROPS = 20  # nearest to a pattern's latent


@dataclass(frozen=True)
class LookedUp:
    """Training crops that stand for a prediction.

    Parameters
    ----------
    samples, crops : ndarray
        ``(N, C)`` each: the samples that they are of, and their numbers among the sample's crops.
    """

    samples: np.ndarray
    crops: np.ndarray

    def of(self, properties: Mapping[str, np.ndarray]) -> Errors:
        """Their properties ``(N, C, ...)`` among those of all true crops ``(N, K, ...)``."""
        return {name: values[self.samples, self.crops] for name, values in properties.items()}

    def first(self, count: int) -> LookedUp:
        """The first ``count`` of each sample, from the beginning again where there are fewer."""
        columns = np.arange(count) % self.samples.shape[1]
        return LookedUp(self.samples[:, columns], self.crops[:, columns])


@dataclass(frozen=True)
class References:
    """What baselines give for every sample.

    Parameters
    ----------
    looked_up : mapping of str to LookedUp
        Measured crops by method.
    regression : ndarray
        S(r) ``(N, bins)``.
    """

    looked_up: Mapping[str, LookedUp]
    regression: np.ndarray


def references(reference: Reference, latents: Mapping[str, np.ndarray] | None = None) -> References:
    """:func:`looked_up` and a Gaussian process from the pattern to S(r), which draws no image.

    Parameters
    ----------
    reference, latents
        As for :func:`looked_up`.

    Returns
    -------
    References
        Of all samples.
    """
    data = reference.data
    curves = baselines.gaussian_process(data.patterns, _features(reference, data.names[1]), data.train)
    return References(looked_up(reference, latents), curves)


def looked_up(reference: Reference, latents: Mapping[str, np.ndarray] | None = None) -> dict[str, LookedUp]:
    """Measured crops as an answer to each pattern, never the sample's own.

    Parameters
    ----------
    reference : Reference
        Of N samples with K crops each.
    latents : mapping of str to ndarray, optional
        ``(N, ...)`` of the patterns and ``(N K, ...)`` of the crops, by modality.

    Returns
    -------
    dict of str to LookedUp
        ``nearest_pattern`` and ``three_nearest_patterns``: all crops of the training samples whose patterns are
        nearest (Euclidean). ``latent_crops``, where latents are given: the 20 training crops whose latents are nearest
        to that of the pattern.
    """
    data, (first, second) = reference.data, reference.data.names
    n, k = data.crops.shape[:2]
    nearest = baselines.retrieval(data.patterns, data.train, NEIGHBOURS)
    lookups = {}
    for name, count in (("nearest_pattern", 1), ("three_nearest_patterns", nearest.shape[1])):
        crop = np.tile(np.arange(k), count)
        neighbour = (crop + np.repeat(np.arange(count), k)) % count  # the first K crops are of all neighbours
        lookups[name] = LookedUp(nearest[:, neighbour], np.broadcast_to(crop, (n, len(crop))))
    if latents is not None:
        training = np.asarray(data.train)
        owners = np.repeat(training, k)
        crops = latents[second].reshape(n, k, -1)[training].reshape(len(owners), -1)
        queries = latents[first].reshape(n, -1)
        chosen = baselines.neighbours(queries, crops, CROPS, np.arange(n), owners)
        lookups["latent_crops"] = LookedUp(owners[chosen], chosen % k)
    return lookups


def baseline_errors(reference: Reference, known: References | None = None) -> dict[str, dict[str, Errors]]:
    """Errors of retrieval, of other measured crops, of the mean, and of a direct regression of S(r).

    Parameters
    ----------
    reference : Reference
        Of the samples.
    known : References, optional
        Where they are computed already.

    Returns
    -------
    dict
        Baseline -> direction -> score.
    """
    data, (first, second) = reference.data, reference.data.names
    across = ((first, second), (second, first))
    means = {name: _of_mean(reference, name) for name in data.names}  # whatever the input
    errors = {
        "retrieval": {f"{a}_{b}": _of_retrieved(reference, a, b) for a, b in across},
        "mean": {f"{a}_{b}": dict(means[b]) for a, b in across}
        | {f"{name}_{name}": dict(means[name]) for name in data.names if not data.cropped(name)},
    }
    if data.cropped(second):
        direction, crops = f"{first}_{second}", data.crops.shape[1]
        known = known or references(reference)
        for name, chosen in known.looked_up.items():
            if name != "nearest_pattern":  # it is retrieval
                errors[name] = {direction: reference.against(chosen.first(crops).of(reference.properties))}
        curves = np.repeat(known.regression[:, None], crops, axis=1)
        errors["regression"] = {direction: reference.against({"s2": curves})}
        errors |= _other_images(reference)
    return errors


def floor_errors(reference: Reference) -> dict[str, Errors]:
    """Errors of the next crop of the same image: what no prediction of a single image can beat on average."""
    name = reference.data.names[1]
    if not reference.data.cropped(name):
        return {}
    rolled = {kind: np.roll(values, 1, axis=1) for kind, values in reference.properties.items()}
    return {f"{name}_{name}": reference.against(rolled)}


def _features(reference: Reference, name: str) -> np.ndarray:
    """What samples are compared by: whole arrays, or the mean S(r) of a sample's crops."""
    return reference.curves["s2"].mean(1) if reference.data.cropped(name) else reference.data.array(name)


def _of_retrieved(reference: Reference, source: str, target: str) -> Errors:
    """Errors of the target of the training sample whose source is nearest."""
    chosen = baselines.retrieval(_features(reference, source), reference.data.train)[:, 0]
    if reference.data.cropped(target):
        return reference.against({name: values[chosen] for name, values in reference.properties.items()})
    return reference.whole(target, reference.data.array(target)[chosen])


def _of_mean(reference: Reference, target: str) -> Errors:
    """Errors of the training samples' mean array, or mean curves and descriptors, whatever the input."""
    training = np.asarray(reference.data.train)
    if not reference.data.cropped(target):
        values = reference.data.array(target)
        return reference.whole(target, np.broadcast_to(values[training].mean(0), values.shape))
    means = {}
    for name, values in reference.properties.items():
        known = values[training].reshape(-1, *values.shape[2:])
        known = known[np.isfinite(known)] if known.ndim == 1 else known
        mean = known.mean(0) if len(known) else np.nan
        means[name] = np.broadcast_to(mean, values.shape)
    return reference.against(means)


def _other_images(reference: Reference) -> dict[str, dict[str, Errors]]:
    """Errors of a crop of another sample: of the same morphology, and of another one (where known)."""
    names = np.array([name or "" for name in reference.data.morphologies])
    if "" in names or len(set(names)) < 2:
        return {}
    generator = np.random.default_rng(reference.data.seed)
    direction = "_".join(reference.data.names)
    errors: dict[str, dict[str, Errors]] = {}
    for label, same in (("same_morphology", True), ("other_morphology", False)):
        partners = []
        for index, name in enumerate(names):
            others = np.flatnonzero((names == name) == same)
            others = others[others != index]
            if len(others) == 0:
                return errors
            partners.append(generator.choice(others))
        chosen = {key: values[np.array(partners)] for key, values in reference.properties.items()}
        errors[label] = {direction: reference.against(chosen)}
    return errors
