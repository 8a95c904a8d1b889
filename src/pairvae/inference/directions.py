"""Scores of every direction of a model of more than two techniques, from one measurement or from several together.

Directions are named ``<source>_<target>``, and ``<a>+<b>_<target>`` of several sources. Inputs are all that was
measured of a validation sample: whole images, not single crops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch

from pairvae.data.split import Split
from pairvae.evaluation.baselines.retrieval import retrieval
from pairvae.evaluation.scores.definitions import curves
from pairvae.evaluation.scores.energy import energy_scores
from pairvae.evaluation.scores.evaluate import Errors, Reference, summarise
from pairvae.evaluation.scores.reconstruct import EvaluationSet, decode
from pairvae.evaluation.scores.statistics import paired
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.models.conditions import shifts_of
from pairvae.models.posterior import Posterior, joined
from pairvae.numerics.images import micrographs
from pairvae.store.prepared import Prepared

MOST_SOURCES = 3
DRAWS = 16  # images of a sample whose energy score is taken
BLANK = (1, 1, 1)
ENERGY = "energy_score"


@dataclass
class Directions:
    """What is scored, and the posteriors of its samples by technique and number of the row.

    Parameters
    ----------
    predictor : Predictor
        The model.
    prepared : Prepared
        All samples.
    split : Split
        Numbers of training and validation samples among them.
    estimator : str
        Of S(r).
    seed : int
        Of what is drawn.
    """

    predictor: Predictor
    prepared: Prepared
    split: Split
    estimator: str
    seed: int
    _posteriors: dict[tuple[str, int], Posterior] = field(default_factory=dict)

    def posterior(self, name: str, row: int) -> Posterior:
        """The posterior of one sample by one technique, encoded once.

        Parameters
        ----------
        name : str
            The technique.
        row : int
            The sample.

        Returns
        -------
        Posterior
            ``(1, C, g, g)``.
        """
        if (name, row) not in self._posteriors:
            self._posteriors[name, row] = self._encoded(name, row)
        return self._posteriors[name, row]

    def _encoded(self, name: str, row: int) -> Posterior:
        if MODALITIES[name].cropped:
            return self.predictor.pooled_posterior(self.prepared.images(name)[row][None], name)
        posterior = self.predictor.posterior(self.prepared.whole(name)[[row]], name)
        shift = shifts_of(self.predictor.card, [self.prepared.pairs[row].conditions], name)
        mean = posterior.mean if shift is None else posterior.mean + shift
        return replace(posterior, mean=mean)

    def features(self, name: str, rows: Sequence[int]) -> np.ndarray:
        """What samples are compared by: whole arrays, or the mean S(r) of crops.

        Parameters
        ----------
        name : str
            The technique.
        rows : sequence of int
            The samples.

        Returns
        -------
        ndarray
            ``(N, D)``, of unit size on average.
        """
        if MODALITIES[name].cropped:
            crops = np.asarray(self.prepared.crops(name)[list(rows)])
            flat = np.stack([curves(some, self.estimator)["s2"].mean(0) for some in crops])
        else:
            flat = self.prepared.whole(name)[list(rows)].reshape(len(rows), -1).astype(np.float64)
        away = flat - flat.mean(0)
        return np.asarray(away / max(float(np.sqrt(np.square(away).sum(1).mean())), 1e-12))


def score_directions(known: Directions) -> dict[str, dict[str, Any]]:
    """Score every direction on the validation samples that have all it takes.

    Parameters
    ----------
    known : Directions
        What is scored.

    Returns
    -------
    dict
        By direction: summaries by score of the ``model``, of ``retrieval`` (the training sample with the most similar
        measurements) and of the ``mean`` of the training samples; ``n`` samples. Of images the mean ``energy_score``
        of S(r) and, from several techniques, the differences ``minus`` each of them alone, paired over samples.
    """
    found: dict[str, dict[str, Any]] = {}
    energies: dict[str, dict[int, float]] = {}
    for target in known.predictor.modalities:
        others = [name for name in known.predictor.modalities if name != target]
        for count in range(1, min(MOST_SOURCES, len(others)) + 1):
            for sources in combinations(others, count):
                direction = f"{'+'.join(sources)}_{target}"
                scored = _score(known, sources, target)
                if scored is None:
                    continue
                errors, energies[direction] = scored
                count_of = len(next(iter(errors["model"].values())))
                block: dict[str, Any] = {
                    name: summarise(values, range(count_of)) for name, values in errors.items()
                }
                alone = [f"{source}_{target}" for source in sources] if count > 1 else []
                found[direction] = block | {"n": count_of} | _energy(energies, direction, alone)
    return found


def _energy(
    energies: Mapping[str, Mapping[int, float]], direction: str, alone: Sequence[str]
) -> dict[str, Any]:
    own = energies[direction]
    if not own:
        return {}
    block: dict[str, Any] = {ENERGY: float(np.mean(list(own.values())))}
    for other in alone:
        rows = [row for row in own if row in energies.get(other, {})]
        first, second = (np.array([values[row] for row in rows]) for values in (own, energies[other]))
        block.setdefault("minus", {})[other] = paired(first, second)
    return block


def _score(
    known: Directions, sources: Sequence[str], target: str
) -> tuple[dict[str, Errors], dict[int, float]] | None:
    """Errors ``(V, ...)`` of the model and of two baselines, and energy scores by row; None without samples."""
    have = set(known.prepared.rows_with([*sources, target]))
    train, validation = (
        [row for row in rows if row in have] for rows in (known.split.train, known.split.validation)
    )
    if not train or not validation:
        return None
    rows = [*train, *validation]
    reference = _reference(known, target, rows, len(train))
    members = np.arange(len(train), len(rows))
    posteriors = [
        known.predictor.together({name: known.posterior(name, row) for name in sources}, target)
        for row in validation
    ]
    features = np.concatenate([known.features(name, rows) for name in sources], axis=1)
    nearest = retrieval(features, range(len(train)))[:, 0]
    cropped = MODALITIES[target].cropped
    model = _of_validation(known, reference, posteriors, target)
    if cropped:
        true = reference.properties
        looked_up = reference.against({name: values[nearest] for name, values in true.items()})
        of_training = {name: values[: len(train)].mean((0, 1)) for name, values in true.items()}
        means = {name: np.broadcast_to(of_training[name], values.shape) for name, values in true.items()}
        mean = reference.against(means)
        energies = _energies(known, posteriors, target, true["s2"][members], validation)
    else:
        values = reference.data.array(target)
        looked_up = reference.errors(target, values[nearest])
        mean = reference.errors(target, np.broadcast_to(values[: len(train)].mean(0), values.shape))
        energies = {}
    baselines = {"retrieval": looked_up, "mean": mean}
    chosen = {
        name: {score: one[members] for score, one in errors.items()} for name, errors in baselines.items()
    }
    return {"model": model, **chosen}, energies


def _reference(known: Directions, target: str, rows: Sequence[int], train: int) -> Reference:
    """The true arrays of one technique."""
    cropped, chosen = MODALITIES[target].cropped, list(rows)
    blank = np.zeros((len(rows), *BLANK), np.float32)
    grey = cropped and not known.predictor.is_binary(target)
    crops = known.prepared.crops(target)[chosen] if cropped else blank
    data = EvaluationSet(
        patterns=blank if cropped else np.array(known.prepared.whole(target)[chosen]),
        crops=crops.astype(np.float32) if grey else np.asarray(crops),
        train=range(train),
        validation=range(train, len(rows)),
        morphologies=[known.prepared.pairs[row].morphology for row in rows],
        estimator=known.estimator,
        seed=known.seed,
        names=("", target) if cropped else (target, ""),
        grey=grey,
    )
    return Reference(data)


def _of_validation(
    known: Directions, reference: Reference, posteriors: Sequence[Posterior], target: str
) -> Errors:
    """Errors ``(V, K)`` or ``(V,)`` of what the posteriors' means are decoded to, an image for each true crop."""
    data, vae = reference.data, known.predictor.vaes[target]
    mean = torch.cat([posterior.for_target(target).mean for posterior in posteriors])
    rows = np.asarray(data.validation)
    if not data.cropped(target):
        true = data.array(target)
        images = np.broadcast_to(np.zeros_like(true[:1]), true.shape).copy()
        images[rows] = decode(vae, mean, known.seed)
        errors = reference.errors(target, images)
        return {score: values[rows] for score, values in errors.items()}
    count = data.crops.shape[1]
    images = micrographs(decode(vae, mean.repeat_interleave(count, dim=0), known.seed), grey=data.grey)
    measured = reference.properties_of(images.reshape(len(rows), count, *images.shape[1:]))
    padded = {name: values.copy() for name, values in reference.properties.items()}
    for name, values in measured.items():
        padded[name][rows] = values
    errors = reference.against(padded)
    return {score: values[rows] for score, values in errors.items()}


def _energies(
    known: Directions, posteriors: Sequence[Posterior], target: str, true: np.ndarray, rows: Sequence[int]
) -> dict[int, float]:
    """Energy score of S(r) of draws of each posterior against the true crops' ``(V, K, bins)``, by row."""
    drawn = known.predictor.decode(joined(posteriors), target, DRAWS, known.seed)
    flat = drawn.reshape(-1, *drawn.shape[2:])
    s2 = curves(flat, known.estimator)["s2"].reshape(len(rows), DRAWS, -1)
    scores = energy_scores(s2, true)
    return dict(zip(rows, scores.tolist(), strict=True))
