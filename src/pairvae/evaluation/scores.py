"""Errors of images against images, and their summaries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pairvae.numerics.morphology import lineal_path, two_point_correlation


def saxs_errors(predicted: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    """Mean absolute error per pixel of patterns ``(N, 3, H, W)`` in [0, 1]: ``{"mae": (N,)}``."""
    difference = np.abs(predicted.astype(np.float32) - true)
    return {"mae": difference.reshape(len(difference), -1).mean(1)}


def curves(images: np.ndarray, estimator: str) -> dict[str, np.ndarray]:
    """S(r) and both lineal path functions of binary images ``(N, H, W)``, each ``(N, H // 2)``."""
    bins = images.shape[-2] // 2
    return {
        "s2": two_point_correlation(images, estimator=estimator, bins=bins),
        "lineal_vertical": lineal_path(images, "vertical", bins=bins),
        "lineal_horizontal": lineal_path(images, "horizontal", bins=bins),
    }


def curve_errors(
    predicted: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Mean absolute errors between curves ``(N, bins)``: of S(r), of the lineal paths and their mean."""
    gaps = {name: np.abs(predicted[name] - true[name]).mean(-1) for name in true}
    errors = {"s2_mae": gaps["s2"]}
    if "lineal_vertical" in gaps and "lineal_horizontal" in gaps:
        errors["lineal_path_mae"] = 0.5 * (gaps["lineal_vertical"] + gaps["lineal_horizontal"])
        errors["lineal_vertical_mae"] = gaps["lineal_vertical"]
        errors["lineal_horizontal_mae"] = gaps["lineal_horizontal"]
    return errors


def summary(values: np.ndarray) -> dict[str, float | int]:
    """Median, quartiles and number of ``values``; ``ValueError`` where one is not finite or none are."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    if len(flat) == 0 or not np.isfinite(flat).all():
        raise ValueError("scores must be finite, and at least one")
    q1, median, q3 = np.percentile(flat, [25, 50, 75])
    return {"median": float(median), "q1": float(q1), "q3": float(q3), "n": len(flat)}
