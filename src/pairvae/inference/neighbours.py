"""Measured micrographs beside a prediction: the training micrographs whose latents are nearest to a pattern's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairvae.errors import InputError
from pairvae.inference.output_files import write_image
from pairvae.inference.prediction_inputs import Input
from pairvae.inference.prediction_rows import Row
from pairvae.inference.predictions import Prediction
from pairvae.inference.predictor import Predictor
from pairvae.numerics.morphology import two_point_correlation
from pairvae.store.picture_files import SUFFIXES

Bits = NDArray[Any]  # of 0 and 1, or grey levels in [0, 1]
Floats = NDArray[np.floating]
NEIGHBOUR_COLUMNS = ("input", "number", "file", "sample", "morphology", "distance", "s2_difference")


@dataclass(frozen=True)
class Neighbour:
    """A measured crop of a training sample, and its distance from a pattern.

    Parameters
    ----------
    sample : str
        Its id.
    morphology : str or None
        Where it is known.
    image : ndarray
        ``(h, w)`` of 0 and 1, or grey levels in [0, 1].
    distance : float
        Of the micrograph's latent from the pattern's, in units of the median distance between the two latents of a
        training pair.
    s2_difference : float
        Mean absolute difference of its S(r) from the mean over the predicted images.
    """

    sample: str
    morphology: str | None
    image: Bits
    distance: float
    s2_difference: float

    @property
    def caption(self) -> str:
        """One line for a figure or a page."""
        kind = f" ({self.morphology.replace('_', ' ')})" if self.morphology else ""
        return f"Measured {self.sample}{kind}: distance {self.distance:.2f}, S(r) differs by {self.s2_difference:.4f}"


@dataclass(frozen=True)
class Micrographs:
    """N measured micrographs that a model keeps.

    Parameters
    ----------
    ids : sequence of str
        Of the samples.
    morphologies : sequence of str or None
        Of the samples, where they are known.
    crops : ndarray
        ``(N, h, w)`` of 0 and 1, or grey levels in [0, 1]: one of each.
    latents, patterns : ndarray
        Latents ``(N, ...)`` of the micrographs and of their patterns.
    """

    ids: Sequence[str]
    morphologies: Sequence[str | None]
    crops: Bits
    latents: Floats
    patterns: Floats

    def nearest(self, latent: Floats, predicted: Bits, count: int) -> list[Neighbour]:
        """The micrographs whose latents are nearest to that of a pattern.

        Parameters
        ----------
        latent : ndarray
            Posterior mean of the pattern.
        predicted : ndarray
            ``(S, h, w)``, the images predicted from it.
        count : int
            How many.

        Returns
        -------
        list of Neighbour
            The nearest first.
        """
        own_latents, other = (part.reshape(len(self.crops), -1) for part in (self.latents, self.patterns))
        unit = max(float(np.median(np.linalg.norm(own_latents - other, axis=1))), 1e-12)
        distances = np.linalg.norm(own_latents - latent.reshape(1, -1), axis=1) / unit
        rows = np.argsort(distances, kind="stable")[:count].tolist()
        crops = self.crops[rows]
        bins = min(*crops.shape[1:], *predicted.shape[1:]) // 2
        predicted_s2 = two_point_correlation(predicted, bins=bins).mean(0)
        gaps = np.abs(two_point_correlation(crops, bins=bins) - predicted_s2).mean(1)
        return [
            Neighbour(self.ids[row], self.morphologies[row], crop, float(distances[row]), float(gap))
            for row, crop, gap in zip(rows, crops, gaps, strict=True)
        ]


def micrographs_of(predictor: Predictor, source: str, target: str) -> Micrographs | None:
    """The training micrographs that a model keeps for patterns.

    Parameters
    ----------
    predictor : Predictor
        The model.
    source, target : str
        The modality of the patterns, and that of the micrographs.

    Returns
    -------
    Micrographs or None
        None where it keeps none.
    """
    facts = predictor.facts
    if facts is None or facts.micrographs is None or not predictor.is_micrograph(target):
        return None
    if not {source, target} <= set(facts.latents):
        return None
    latents, patterns = facts.latents[target], facts.latents[source]
    return Micrographs(facts.ids, facts.morphologies, facts.micrographs, latents, patterns)


def require_micrographs(predictor: Predictor, to: str) -> None:
    """Refuse a model that keeps no micrographs.

    Parameters
    ----------
    predictor : Predictor
        The model.
    to : str
        The modality that is predicted, or ``both``.

    Raises
    ------
    InputError
        Where there is nothing to show beside a prediction.
    """
    names = predictor.modalities
    targets = [name for name in names if predictor.is_micrograph(name) and to in (name, "both")]
    if any(
        micrographs_of(predictor, source, target)
        for target in targets
        for source in names
        if source != target
    ):
        return
    raise InputError(
        expected="a model that keeps micrographs of its training data"
        if targets
        else "micrographs to predict",
        found="one of an earlier version" if targets else to,
        where="--neighbours",
        remedy="train it again" if targets else "leave it out",
    )


def write_neighbours(
    predictor: Predictor, item: Input, prediction: Prediction, out: Path, kind: str, count: int
) -> list[Row]:
    """Write the measured micrographs that a pattern fits best.

    Parameters
    ----------
    predictor : Predictor
        The model.
    item : Input
        The pattern's file.
    prediction : Prediction
        What was predicted from it.
    out : Path
        The folder.
    kind : str
        Format of predicted images; PNG where it is none of pictures.
    count : int
        How many.

    Returns
    -------
    list of dict
        A row for each, by ``NEIGHBOUR_COLUMNS``.
    """
    known = micrographs_of(predictor, item.source, item.target) if count else None
    if known is None:
        return []
    picture = kind if kind in SUFFIXES else "png"
    latent = predictor.encode(prediction.given, item.source).mean.numpy()
    rows: list[Row] = []
    for number, neighbour in enumerate(known.nearest(latent, prediction.images, count)):
        stem = out / f"{item.name}-measured-{number:02d}"
        file = write_image(stem, neighbour.image, predictor, item.target, picture)
        numbers = (f"{neighbour.distance:.4g}", f"{neighbour.s2_difference:.4g}")
        values = (neighbour.sample, neighbour.morphology or "", *numbers)
        rows.append(dict(zip(NEIGHBOUR_COLUMNS, (item.shown, number, file.name, *values), strict=True)))
    return rows
