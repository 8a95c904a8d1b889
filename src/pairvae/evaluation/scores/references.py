"""Reference errors through the same scoring: retrieval, the mean, a regression of S(r), other images, the floor."""

from __future__ import annotations

import numpy as np

from pairvae.evaluation.baselines import retrieval as baselines
from pairvae.evaluation.scores.evaluate import Errors, Truth


def baseline_errors(truth: Truth) -> dict[str, dict[str, Errors]]:
    """Errors of retrieval, of the mean, and of a direct regression of S(r) from the pattern."""
    what, (first, second) = truth.what, truth.what.names
    across = ((first, second), (second, first))
    means = {name: _of_mean(truth, name) for name in what.names}  # whatever the input
    found = {
        "retrieval": {f"{a}_{b}": _of_retrieved(truth, a, b) for a, b in across},
        "mean": {f"{a}_{b}": dict(means[b]) for a, b in across}
        | {f"{name}_{name}": dict(means[name]) for name in what.names if not what.cropped(name)},
    }
    if what.cropped(second):
        regressed = baselines.gaussian_process(what.patterns, _features(truth, second), what.train)
        found["regression"] = {f"{first}_{second}": truth.against({"s2": _every_crop(truth, regressed)})}
        found |= _other_images(truth)
    return found


def floor_errors(truth: Truth) -> dict[str, Errors]:
    """Errors of the next crop of the same image: what no prediction of a single image can beat on average."""
    name = truth.what.names[1]
    if not truth.what.cropped(name):
        return {}
    rolled = {kind: np.roll(values, 1, axis=1) for kind, values in truth.properties.items()}
    return {f"{name}_{name}": truth.against(rolled)}


def _features(truth: Truth, name: str) -> np.ndarray:
    """What samples are compared by: whole arrays, or the mean S(r) of a sample's crops."""
    return truth.curves["s2"].mean(1) if truth.what.cropped(name) else truth.what.array(name)


def _every_crop(truth: Truth, values: np.ndarray) -> np.ndarray:
    return np.repeat(values[:, None], truth.what.crops.shape[1], axis=1)


def _of_retrieved(truth: Truth, source: str, target: str) -> Errors:
    """Errors of the target of the training sample whose source is nearest."""
    chosen = baselines.retrieval(_features(truth, source), truth.what.train)
    if truth.what.cropped(target):
        return truth.against({name: values[chosen] for name, values in truth.properties.items()})
    return truth.whole(target, truth.what.array(target)[chosen])


def _of_mean(truth: Truth, target: str) -> Errors:
    """Errors of the training samples' mean array, or mean curves and descriptors, whatever the input."""
    training = np.asarray(truth.what.train)
    if not truth.what.cropped(target):
        values = truth.what.array(target)
        return truth.whole(target, np.broadcast_to(values[training].mean(0), values.shape))
    means = {}
    for name, values in truth.properties.items():
        known = values[training].reshape(-1, *values.shape[2:])
        known = known[np.isfinite(known)] if known.ndim == 1 else known
        mean = known.mean(0) if len(known) else np.nan
        means[name] = np.broadcast_to(mean, values.shape)
    return truth.against(means)


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
        chosen = {key: values[np.array(partners)] for key, values in truth.properties.items()}
        found[label] = {direction: truth.against(chosen)}
    return found
