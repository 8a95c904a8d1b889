"""How far the latents of both modalities tell the conditions of the samples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pairvae.models.conditions import Values
from pairvae.numerics.ridge import cross_val_predict

LEAST = 8  # samples of which a condition is known, and least number of either kind for a word
MOST_WORDS = 5


def condition_correlations(
    latents: Mapping[str, np.ndarray], conditions: Sequence[Values], groups: Sequence[str]
) -> dict[str, dict[str, float]]:
    """R², the share of each condition's variance that a ridge regression on other samples' latents predicts.

    Parameters
    ----------
    latents : mapping of modality to ndarray
        ``(N, D)``.
    conditions : sequence of mapping
        Of the N samples.
    groups : sequence of str
        Samples of one group are left out together.

    Returns
    -------
    dict
        ``{"pitch_nm": {"saxs": 0.9, "sem": 0.7, "n": 72}}``, from 0 to 1; a word is ``blend.A``, 0 or 1. Conditions
        that hardly vary, or are known of few samples, are left out.
    """
    correlations: dict[str, dict[str, float]] = {}
    for name, values in _numbers(conditions).items():
        known = np.isfinite(values)
        members = [group for group, inside in zip(groups, known, strict=True) if inside]
        true = values[known]
        if len(true) < LEAST or len(set(members)) < LEAST or true.std() < 1e-9 * max(1.0, np.abs(true).max()):
            continue
        entry = {"n": float(len(true))}
        for modality, array in latents.items():
            predicted = cross_val_predict(array[known], true[:, None], members)[:, 0]
            # No correlation coefficient: of pure noise that is negative, as each mean lacks the sample left out.
            missed = np.square(true - predicted).sum() / np.square(true - true.mean()).sum()
            entry[modality] = max(0.0, 1.0 - float(missed))
        correlations[name] = entry
    return correlations


def condition_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The correlations as metrics of a run, under names that MLflow allows."""
    return {
        re.sub(r"[^\w\-. /]", "_", f"condition.{name}.{modality}"): float(value)
        for name, entry in metrics.get("conditions", {}).items()
        for modality, value in entry.items()
    }


def _numbers(conditions: Sequence[Values]) -> dict[str, np.ndarray]:
    """Each condition, or frequent word of one, as numbers ``(N,)``; NaN where it is not known."""
    numbers: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(key for row in conditions for key in row):
        values = [row.get(name) for row in conditions]
        if not any(isinstance(value, str) for value in values):
            numbers[name] = np.array([np.nan if value is None else value for value in values], np.float64)
            continue
        words = [str(value) for value in values if value is not None]
        for word in sorted(set(words), key=lambda word: (-words.count(word), word))[:MOST_WORDS]:
            indicator = [np.nan if value is None else float(str(value) == word) for value in values]
            numbers[f"{name}.{word}"] = np.array(indicator)
    return numbers
