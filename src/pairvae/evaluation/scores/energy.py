"""Ensembles against true crops by proper scores: what is best on average is the right distribution, and nothing else.

Shapes: V samples, K images of an ensemble for each, L true crops of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairvae.evaluation.scores.evaluate import Reference
from pairvae.evaluation.scores.references import References
from pairvae.evaluation.scores.statistics import Summary, paired, ranking
from pairvae.numerics.morphology import two_point_correlation

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[np.float64]]
DESCRIPTORS = ("phase_fraction", "spacing", "euler_density", "orientation", "contrast")
SCORES: dict[str, Callable[[Floats], np.floating[Any]]] = {  # what is reported of the samples' values
    "energy_score": np.mean,
    "mean_curve_mae": np.median,
}


def energy_scores(drawn: NDArray[Any], true: NDArray[Any]) -> Floats:
    """Energy score E|X - y| - E|X - X'| / 2 of each sample (Gneiting and Raftery 2007, eq. 21).

    X and X' are different images, so that ensembles of different sizes compare: the mean over many draws does not
    depend on K. One image repeated scores its mean absolute error.

    Parameters
    ----------
    drawn, true : ndarray
        Ensembles ``(V, K, ...)`` and true values ``(V, L, ...)``, numbers or curves; |.| is the mean absolute
        difference over the last axes, or the modulus of complex numbers.

    Returns
    -------
    ndarray
        ``(V,)``, in the unit of the values.
    """
    scores = np.zeros(len(drawn))
    for row, (images, crops) in enumerate(zip(drawn, true, strict=True)):
        count = len(images)
        scores[row] = _distances(images, crops).mean()
        if count > 1:
            scores[row] -= _distances(images, images).sum() / (2 * count * (count - 1))
    return scores


def _distances(first: NDArray[Any], second: NDArray[Any]) -> Floats:
    left, right = (part.reshape(len(part), -1) for part in (first, second))
    return np.asarray(np.abs(left[:, None] - right[None]).mean(-1))


def ensemble_errors(drawn: Arrays, true: Arrays, whole: Floats) -> dict[str, Floats]:
    """Scores of ensembles against those of true crops.

    Parameters
    ----------
    drawn, true : mapping of str to ndarray
        Properties ``(V, K, ...)`` of the ensembles and ``(V, L, ...)`` of the true crops, by name.
    whole : ndarray
        S(r) ``(V, bins)`` of the whole images.

    Returns
    -------
    dict of str to ndarray
        ``(V,)`` each: ``energy_score`` of the S(r) curves, ``mean_curve_mae`` of the ensemble's mean S(r) against
        ``whole``, and the energy score of each of :data:`DESCRIPTORS` that is known.
    """
    errors = {
        "energy_score": energy_scores(drawn["s2"], true["s2"]),
        "mean_curve_mae": np.abs(drawn["s2"].mean(1) - whole).mean(-1),
    }
    predicted, reference = _descriptors(drawn), _descriptors(true)
    return errors | {
        name: energy_scores(predicted[name], reference[name]) for name in predicted if name in reference
    }


def floor_errors(true: Arrays, halves: Floats | None) -> dict[str, Floats]:
    """The same scores of a perfect ensemble: half of the true crops for the other half, both ways.

    Parameters
    ----------
    true : mapping of str to ndarray
        Properties ``(V, L, ...)`` of the true crops, by name.
    halves : ndarray, optional
        ``(V,)``: how far S(r) of half an image is from that of the whole, which is how well the whole image tells that
        of its sample; None where the images are too small to be halved.

    Returns
    -------
    dict of str to ndarray
        ``(V,)`` each; ``mean_curve_mae`` is ``halves``.
    """
    middle = true["s2"].shape[1] // 2
    parts = [
        {name: values[:, part] for name, values in true.items()} for part in (np.s_[:middle], np.s_[middle:])
    ]
    unknown = np.zeros((len(true["s2"]), true["s2"].shape[-1]))
    both = [ensemble_errors(half, other, unknown) for half, other in (parts, parts[::-1])]
    means = {name: (both[0][name] + both[1][name]) / 2 for name in both[0] if name != "mean_curve_mae"}
    return means if halves is None else means | {"mean_curve_mae": halves}


def _descriptors(properties: Arrays) -> dict[str, NDArray[Any]]:
    """Descriptors ``(V, K)``; a length that an image does not have counts as 0, an orientation is a complex number."""
    descriptors: dict[str, NDArray[Any]] = {
        name: np.nan_to_num(properties[name], nan=0.0) for name in DESCRIPTORS if name in properties
    }
    if "orientation_x" in properties:
        descriptors["orientation"] = properties["orientation_x"] + 1j * properties["orientation_y"]
    return descriptors


def whole_curves(images: Sequence[NDArray[Any]], bins: int, estimator: str) -> tuple[Floats, Floats | None]:
    """S(r) of whole images, and how far that of half an image is from it.

    Parameters
    ----------
    images : sequence of ndarray
        V images ``(H, W)``; they are halved across their longer side.
    bins : int
        Distances 0, 1, ... px.
    estimator : str
        Of S(r), see :func:`pairvae.numerics.morphology.two_point_correlation`.

    Returns
    -------
    whole : ndarray
        ``(V, bins)``.
    halves : ndarray or None
        Mean absolute differences ``(V,)``; None where a half is too small for the bins.
    """
    whole = np.stack([_curve(image, bins, estimator) for image in images])
    cut = [np.array_split(image, 2, axis=int(image.shape[1] > image.shape[0])) for image in images]
    least = bins * (2 if estimator == "periodic" else 1)
    if any(min(part.shape) < least for parts in cut for part in parts):
        return whole, None
    halves = np.stack([[_curve(part, bins, estimator) for part in parts] for parts in cut])
    return whole, np.abs(halves - whole[:, None]).mean((1, 2))


def _curve(image: NDArray[Any], bins: int, estimator: str) -> Floats:
    return np.asarray(two_point_correlation(np.asarray(image), estimator=estimator, bins=bins)[0])


@dataclass(frozen=True)
class EnsembleErrors:
    """Scores of each method's ensembles.

    Parameters
    ----------
    direction : str
        ``<source>_<target>``, of all methods.
    errors : mapping of str to mapping
        Scores ``(V,)`` by method and name; ``floor`` is one of the methods.
    sizes : mapping of str to int
        How many images an ensemble has, by method.
    """

    direction: str
    errors: Mapping[str, Arrays]
    sizes: Mapping[str, int]

    def block(self) -> dict[str, dict[str, object]]:
        """Of each method the mean energy score, the median error of the mean curve, the energy scores of descriptors
        in units of their floor, the ``images`` of an ensemble, and ``n`` samples."""
        block: dict[str, dict[str, object]] = {}
        for method, scores in self.errors.items():
            units = {
                name: float(scores[name].mean() / self.errors["floor"][name].mean())
                for name in DESCRIPTORS
                if name in scores and self.errors["floor"][name].mean() > 0
            }
            block[method] = {
                **{name: float(of(scores[name])) for name, of in SCORES.items() if name in scores},
                **({"descriptors": units} if units else {}),
                "images": self.sizes[method],
                "n": len(scores["energy_score"]),
            }
        return block

    def comparisons(self) -> dict[str, dict[str, dict[str, Summary]]]:
        """The pair's ensembles minus those of every other method: other -> direction -> score."""
        return {
            method: {
                self.direction: {score: paired(self.errors["pair"][score], scores[score]) for score in SCORES}
            }
            for method, scores in self.errors.items()
            if method not in ("pair", "floor")
        }

    def rankings(self) -> dict[str, Summary]:
        """The best method by each of :data:`SCORES`, and those that are not told apart from it."""
        methods = {name: scores for name, scores in self.errors.items() if name != "floor"}
        return {
            score: ranking(
                {name: scores[score] for name, scores in methods.items()},
                {name: float(of(scores[score])) for name, scores in methods.items()},
            )
            for score, of in SCORES.items()
        }


def ensembles(
    reference: Reference,
    drawn: Arrays,
    known: References,
    fitted: Mapping[str, Arrays],
    images: Sequence[NDArray[Any]],
) -> EnsembleErrors:
    """Score every method that answers a pattern of the first modality with images, or with a curve, of the second.

    Parameters
    ----------
    reference : Reference
        Of the samples.
    drawn : mapping of str to ndarray
        Properties ``(V, K, ...)`` of the pair's images for the validation samples, by name.
    known : References
        What is looked up, and the regression.
    fitted : mapping of str to mapping
        Properties ``(N, K, ...)`` of the fitted baselines' images, by method and name.
    images : sequence of ndarray
        The whole image of every sample, ``(H, W)`` each.

    Returns
    -------
    EnsembleErrors
        With ``pair`` and ``floor`` among the methods.
    """
    rows = np.asarray(reference.data.validation)
    true = {name: values[rows] for name, values in reference.properties.items()}
    whole, halves = whole_curves(
        [images[row] for row in rows], true["s2"].shape[-1], reference.data.estimator
    )
    properties: dict[str, Arrays] = {
        name: lookup.of(reference.properties) for name, lookup in known.looked_up.items()
    }
    properties |= {**fitted, "regression": {"s2": known.regression[:, None]}}
    methods: dict[str, Arrays] = {"pair": drawn}
    methods |= {
        method: {name: values[rows] for name, values in arrays.items()}
        for method, arrays in properties.items()
    }
    errors = {method: ensemble_errors(arrays, true, whole) for method, arrays in methods.items()}
    sizes = {method: arrays["s2"].shape[1] for method, arrays in methods.items()}
    half = true["s2"].shape[1] // 2
    return EnsembleErrors(
        "_".join(reference.data.names),
        errors | {"floor": floor_errors(true, halves)},
        sizes | {"floor": half},
    )
