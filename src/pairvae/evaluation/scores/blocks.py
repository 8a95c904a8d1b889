"""The blocks of ``metrics.json`` from errors and properties by model and direction: arrays in, plain dicts out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pairvae.evaluation.ensembles import Ensemble
from pairvae.evaluation.scores.definitions import properties
from pairvae.evaluation.scores.energy import EnsembleErrors
from pairvae.evaluation.scores.ensemble_scores import descriptor_space, ensemble_scores, repeats
from pairvae.evaluation.scores.evaluate import Errors, Reference
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.evaluation.scores.sampled import MEAN_SCORE, Sampled
from pairvae.evaluation.scores.statistics import comparisons, ranking

Measured = Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]

REFERENCES = ("same_morphology", "other_morphology")  # they know the sample's morphology: no methods
CURVE_ONLY = ("mean", "regression")  # baselines whose prediction is a mean curve already


def measured(
    reference: Reference, images: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, dict[str, Errors]]:
    """Properties of the micrographs among several models' images.

    Parameters
    ----------
    reference : Reference
        Of the samples.
    images : mapping of str to mapping
        Images by model and direction.

    Returns
    -------
    dict
        Properties ``(N, K, ...)``: model -> direction -> name.
    """
    return {
        model: {
            direction: reference.properties_of(crops)
            for direction, crops in directions.items()
            if reference.data.cropped(direction.partition("_")[2])
        }
        for model, directions in images.items()
    }


def selected(errors: Mapping[str, Any], members: Any) -> dict[str, Any]:
    """Nested errors of some samples alone.

    Parameters
    ----------
    errors : mapping
        Ends in arrays ``(N, ...)``.
    members : sequence of int
        The samples.

    Returns
    -------
    dict
        Of the same keys.
    """
    rows = np.asarray(members)
    return {
        key: selected(value, members) if isinstance(value, Mapping) else value[rows]
        for key, value in errors.items()
    }


def with_mean_curves(
    validation: dict[str, Any], draws: Sampled | None, data: EvaluationSet
) -> dict[str, Any]:
    """Nested errors of the validation samples with those of the mean S(r) of several draws among them.

    A regression or a mean of curves is scored in the same way: what it predicts is a mean curve.

    Parameters
    ----------
    validation : dict
        Errors ``(V, ...)``: model -> direction -> score, baselines one level deeper. Changed in place.
    draws : Sampled, optional
        The pair's draws.
    data : EvaluationSet
        The samples.

    Returns
    -------
    dict
        ``validation``.
    """
    if draws is None:
        return validation
    direction = "_".join(data.names)
    validation["pair"][direction] |= draws.errors
    for name in CURVE_ONLY:
        scores = validation["baselines"].get(name, {}).get(direction)
        if scores:
            scores[MEAN_SCORE] = scores["s2_mae"]
    return validation


def compared(
    validation: Mapping[str, Any], data: EvaluationSet, drawn: EnsembleErrors | None = None
) -> dict[str, Any]:
    """The pair minus everything else on the validation samples.

    Parameters
    ----------
    validation : mapping
        Errors ``(V, ...)``, nested as for :func:`with_mean_curves`.
    data : EvaluationSet
        The samples.
    drawn : EnsembleErrors, optional
        Of ensembles.

    Returns
    -------
    dict
        Other -> direction -> score, each as :func:`pairvae.evaluation.scores.statistics.paired` returns it.
    """
    others = dict(validation["baselines"])
    others |= {name: validation[name] for name in ("solo", "whole", "floor") if name in validation}
    differences = comparisons(validation["pair"], others, range(len(data.validation)))
    for other, directions in drawn.comparisons().items() if drawn else ():
        for direction, scores in directions.items():
            differences.setdefault(other, {}).setdefault(direction, {}).update(scores)
    return differences


def ranked(validation: Mapping[str, Any], drawn: EnsembleErrors | None = None) -> dict[str, Any]:
    """The best of the models and baselines by direction and score, and those not told apart from it.

    Parameters
    ----------
    validation : mapping
        Errors ``(V, ...)``, nested as for :func:`with_mean_curves`.
    drawn : EnsembleErrors, optional
        Of ensembles.

    Returns
    -------
    dict
        Direction -> score, each as :func:`pairvae.evaluation.scores.statistics.ranking` returns it.
    """
    methods = {name: validation[name] for name in ("solo", "pair", "whole") if name in validation}
    methods |= {
        name: directions for name, directions in validation["baselines"].items() if name not in REFERENCES
    }
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for name, directions in methods.items():
        for direction, scores in directions.items():
            for score, values in scores.items():
                table.setdefault(direction, {}).setdefault(score, {})[name] = values
    rankings: dict[str, dict[str, Any]] = {
        direction: {
            score: ranking(
                values, {name: float(np.median(method_errors)) for name, method_errors in values.items()}
            )
            for score, values in scores.items()
        }
        for direction, scores in table.items()
    }
    if drawn:
        rankings.setdefault(drawn.direction, {}).update(drawn.rankings())
    return rankings


def ensemble_block(reference: Reference, measurements: Measured) -> dict[str, Any]:
    """Distributions of the validation samples' images against those of their true crops.

    Parameters
    ----------
    reference : Reference
        Of the samples.
    measurements : mapping
        As :func:`measured` returns them.

    Returns
    -------
    dict
        Model -> direction -> scores; empty where no modality is cropped.
    """
    data, rows = reference.data, np.asarray(reference.data.validation)
    if not reference.properties:
        return {}
    true = selected(reference.properties, rows)
    space = descriptor_space(true)
    return {
        model: {
            direction: ensemble_scores(space.vectors(selected(values, rows)), space.vectors(true), data.seed)
            for direction, values in directions.items()
        }
        for model, directions in measurements.items()
        if directions
    }


def generation_block(reference: Reference, drawn: Mapping[str, Ensemble]) -> dict[str, Any]:
    """Each generated ensemble against the true crops of the validation samples of its morphology.

    Parameters
    ----------
    reference : Reference
        Of the samples.
    drawn : mapping of str to Ensemble
        By morphology, or ``all``.

    Returns
    -------
    dict
        Scores by morphology, with the share of ``repeats``.
    """
    data, block = reference.data, {}
    if not reference.properties:
        return {}
    space = descriptor_space(selected(reference.properties, data.validation))
    for name, ensemble in drawn.items():
        rows = [i for i in data.validation if name == "all" or data.morphologies[i] == name]
        generated = space.vectors(properties(ensemble.images, data.estimator))
        true = space.vectors(selected(reference.properties, rows))
        scores = ensemble_scores(generated[None], true.reshape(1, -1, true.shape[-1]), data.seed)
        block[name] = scores | {"repeats": repeats(ensemble.images)}
    return block
