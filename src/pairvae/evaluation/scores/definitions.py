"""The scores of single images: every score is an error, so that lower is better.

A new score is computed here (patterns: ``patterns.py``; ensembles: ``energy.py``) and gets its label and meaning in
``reports/captions.py``. ``evaluate.py`` calls these functions for every direction.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pairvae.evaluation.scores.patterns import TruePatterns, pattern_errors
from pairvae.evaluation.scores.statistics import summary
from pairvae.numerics.descriptors import describe
from pairvae.numerics.morphology import lineal_path, two_point_correlation

__all__ = [
    "curve_errors",
    "curves",
    "descriptor_errors",
    "morphology",
    "physics_errors",
    "properties",
    "saxs_errors",
    "summary",
]

Arrays = dict[str, np.ndarray]


def saxs_errors(predicted: np.ndarray, true: np.ndarray) -> Arrays:
    """Mean absolute error per pixel of patterns ``(N, 3, H, W)`` in [0, 1]: ``{"mae": (N,)}``."""
    difference = np.abs(predicted.astype(np.float32) - true)
    return {"mae": difference.reshape(len(difference), -1).mean(1)}


def physics_errors(predicted: np.ndarray, true: TruePatterns) -> Arrays:
    """Errors of ring, arcs, spots, I(q) and structure of patterns ``(N, 3, H, W)`` in [0, 1], each ``(N,)``.

    As in :func:`pairvae.evaluation.scores.patterns.pattern_errors`, but for the similarity, which becomes
    ``ssim_error``, 1 - SSIM.
    """
    errors = pattern_errors(predicted.astype(np.float32), true)
    errors.pop("mae")
    return {"ssim_error": 1.0 - errors.pop("ssim"), **errors}


def curves(images: np.ndarray, estimator: str) -> Arrays:
    """S(r) and both lineal path functions of binary images ``(N, H, W)``, each ``(N, H // 2)``."""
    bins = images.shape[-2] // 2
    return {
        "s2": two_point_correlation(images, estimator=estimator, bins=bins),
        "lineal_vertical": lineal_path(images, "vertical", bins=bins),
        "lineal_horizontal": lineal_path(images, "horizontal", bins=bins),
    }


def morphology(images: np.ndarray, estimator: str) -> Arrays:
    """S(r) ``(N, K, bins)`` and the descriptors ``(N, K)`` of binary images ``(N, K, H, W)``, by name."""
    n, k, height, width = images.shape
    flat = images.reshape(n * k, height, width)
    descriptors = {"s2": two_point_correlation(flat, estimator=estimator, bins=height // 2)} | describe(flat)
    return {name: values.reshape(n, k, *values.shape[1:]) for name, values in descriptors.items()}


def properties(images: np.ndarray, estimator: str) -> Arrays:
    """:func:`curves` and the descriptors ``(N,)`` of binary images ``(N, H, W)``, by name."""
    return curves(images, estimator) | describe(images)


def curve_errors(predicted: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray]) -> Arrays:
    """Mean absolute errors between curves ``(..., bins)``: of S(r), of its start, of the lineal paths.

    S(r) starts at the phase fraction. Lineal paths: vertical, horizontal, and the mean of the two errors.
    """
    gaps = {name: np.abs(predicted[name] - true[name]).mean(-1) for name in true}
    errors = {
        "s2_mae": gaps["s2"],
        "phase_fraction_error": np.abs(predicted["s2"][..., 0] - true["s2"][..., 0]),
    }
    if "lineal_vertical" in gaps and "lineal_horizontal" in gaps:
        errors["lineal_path_mae"] = 0.5 * (gaps["lineal_vertical"] + gaps["lineal_horizontal"])
        errors["lineal_vertical_mae"] = gaps["lineal_vertical"]
        errors["lineal_horizontal_mae"] = gaps["lineal_horizontal"]
    return errors


def descriptor_errors(
    predicted: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray], spacing: np.ndarray
) -> Arrays:
    """Errors between descriptors ``(...,)`` by name; ``spacing`` (px) is what makes areas comparable.

    * ``spacing_error``: of the domain spacing, relative to the true one; 1 where only one image has a period.
    * ``orientation_error``: half the distance of the orientation tensors, in [0, 1]: direction and order at once;
      1 for parallel lines that should be perpendicular.
    * ``defect_density_error``: difference of the Euler number (domains minus holes) per ``spacing`` squared.
      Ends of lines and isolated dots add to it, branches and bridges take from it.
    * ``coherence_error``, ``roughness_error``: differences of how parallel domains run, and of how ragged their
      edges are, both in [0, 1].
    """
    gap = np.hypot(*(predicted[name] - true[name] for name in ("orientation_x", "orientation_y")))
    return {
        "spacing_error": _relative(predicted["spacing"], true["spacing"]),
        "orientation_error": np.asarray(gap / 2),
        "defect_density_error": np.abs(predicted["euler_density"] - true["euler_density"]) * spacing**2,
        "coherence_error": np.abs(predicted["coherence"] - true["coherence"]),
        "roughness_error": np.abs(predicted["edge_roughness"] - true["edge_roughness"]),
    }


def _relative(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """|found / wanted - 1|; 0 where neither is a number, 1 where one of them is none."""
    missing = np.isnan(predicted) | np.isnan(true)
    error = np.abs(np.where(missing, 1.0, predicted) / np.where(missing, 1.0, true) - 1)
    return np.where(missing, (np.isnan(predicted) != np.isnan(true)).astype(np.float64), error)
