"""Several images drawn for one pattern: the error of their mean curve, and what their spread is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pairvae.evaluation import uncertainty
from pairvae.evaluation.scores.definitions import morphology
from pairvae.evaluation.scores.evaluate import Errors, Reference
from pairvae.models.vae import VAE

MEAN_OF = 16  # images whose mean curve is scored, of those drawn
MEAN_SCORE = f"s2_mean{MEAN_OF}_mae"


@dataclass(frozen=True)
class Sampled:
    """Images drawn for V validation samples.

    Parameters
    ----------
    errors : dict of str to ndarray
        ``(V, K)`` of the mean S(r), by score.
    facts : dict
        What the spread of the draws is worth (:func:`pairvae.evaluation.uncertainty.uncertainty`).
    images : ndarray
        ``(V, K, h, w)`` as the true crops.
    properties : dict of str to ndarray
        ``(V, K, ...)`` of the images, by name.
    """

    errors: Errors
    facts: dict[str, Any]
    images: np.ndarray
    properties: Errors = field(default_factory=dict)


def sampled(vaes: Mapping[str, VAE], reference: Reference) -> Sampled:
    """Draw images of the second modality for each validation pattern, and measure them against its true crops.

    Parameters
    ----------
    vaes : mapping of str to VAE
        By modality.
    reference : Reference
        Of the samples, with ``full`` properties.

    Returns
    -------
    Sampled
        ``uncertainty.IMAGES`` images for each pattern.
    """
    data = reference.data
    first, second = data.names
    rows = np.asarray(data.validation)
    inputs = torch.from_numpy(data.patterns[rows])
    shift = None if data.shift is None else data.shift[torch.from_numpy(rows)]
    drawn = uncertainty.draw_images(
        vaes[first], vaes[second], inputs, uncertainty.IMAGES, data.seed, shift, grey=data.grey
    )
    properties = morphology(drawn, data.estimator)
    known = {name: values[rows] for name, values in reference.properties.items()}
    predicted, true = uncertainty.described(properties), uncertainty.described(known)
    errors = {MEAN_SCORE: uncertainty.mean_curve_errors(predicted.s2[:, :MEAN_OF], true.s2)["per_crop"]}
    repeated = {"repeated": uncertainty.repeated(drawn), "images": uncertainty.IMAGES, "n": len(rows)}
    with np.errstate(divide="ignore", invalid="ignore"):
        facts = uncertainty.uncertainty(predicted, true)
    return Sampled(errors, without_nan({**facts, **repeated}), drawn, properties)


def without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested numbers with None where one is not defined (the spread of what never varies)."""
    return {
        key: without_nan(value)
        if isinstance(value, Mapping)
        else (None if isinstance(value, float) and not math.isfinite(value) else value)
        for key, value in values.items()
    }
