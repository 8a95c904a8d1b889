"""The scores of single images: every score is an error, so that lower is better.

A new score is computed here (patterns: ``patterns.py``; ensembles: ``energy.py``) and gets its label and meaning in
``reports/captions.py``. ``evaluate.py`` calls these functions for every direction.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pairvae.errors import reason
from pairvae.evaluation.scores.patterns import TruePatterns, pattern_errors, relative_error
from pairvae.evaluation.scores.statistics import summary
from pairvae.numerics.descriptors import describe, grey_quantiles
from pairvae.numerics.images import has_grey_levels
from pairvae.numerics.morphology import lineal_path, two_point_correlation
from pairvae.settings.plugins import SCORES, broken, load, plugins

__all__ = [
    "curve_errors",
    "curves",
    "descriptor_errors",
    "further_properties",
    "morphology",
    "physics_errors",
    "properties",
    "saxs_errors",
    "summary",
]

Arrays = dict[str, np.ndarray]


def saxs_errors(predicted: np.ndarray, true: np.ndarray) -> Arrays:
    """Mean absolute error per pixel of patterns.

    Parameters
    ----------
    predicted, true : ndarray
        ``(N, channels, H, W)`` in [0, 1].

    Returns
    -------
    dict of str to ndarray
        ``{"mae": (N,)}``.
    """
    difference = np.abs(predicted.astype(np.float32) - true)
    return {"mae": difference.reshape(len(difference), -1).mean(1)}


def physics_errors(predicted: np.ndarray, true: TruePatterns) -> Arrays:
    """Errors of ring, arcs, spots, I(q) and structure of patterns.

    Parameters
    ----------
    predicted : ndarray
        ``(N, 3, H, W)`` in [0, 1].
    true : TruePatterns
        Of the same N samples.

    Returns
    -------
    dict of str to ndarray
        ``(N,)`` each, as :func:`pairvae.evaluation.scores.patterns.pattern_errors`, but for the similarity, which
        becomes ``ssim_error``, 1 - SSIM.
    """
    errors = pattern_errors(predicted.astype(np.float32), true)
    errors.pop("mae")
    return {"ssim_error": 1.0 - errors.pop("ssim"), **errors}


def curves(images: np.ndarray, estimator: str) -> Arrays:
    """S(r), and both lineal path functions of binary images or the quantiles of grey levels, which have no paths.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)`` of 0 and 1, or floating-point grey levels.
    estimator : str
        Of S(r), see :func:`pairvae.numerics.morphology.two_point_correlation`.

    Returns
    -------
    dict of str to ndarray
        ``s2``, ``lineal_vertical``, ``lineal_horizontal``: ``(N, H // 2)`` in [0, 1] at distances of 0, 1, ... px; or
        ``s2`` and ``quantiles`` (:func:`pairvae.numerics.descriptors.grey_quantiles`).
    """
    bins = images.shape[-2] // 2
    s2 = two_point_correlation(images, estimator=estimator, bins=bins)
    if has_grey_levels(images):
        return {"s2": s2, "quantiles": grey_quantiles(images)}
    return {
        "s2": s2,
        "lineal_vertical": lineal_path(images, "vertical", bins=bins),
        "lineal_horizontal": lineal_path(images, "horizontal", bins=bins),
    }


def morphology(images: np.ndarray, estimator: str) -> Arrays:
    """S(r) and the descriptors of images.

    Parameters
    ----------
    images : ndarray
        ``(N, K, H, W)``, as for :func:`curves`.
    estimator : str
        Of S(r), as for :func:`curves`.

    Returns
    -------
    dict of str to ndarray
        ``s2`` ``(N, K, H // 2)``, and ``(N, K)`` by name of :func:`pairvae.numerics.descriptors.describe`.
    """
    n, k, height, width = images.shape
    flat = images.reshape(n * k, height, width)
    descriptors = {"s2": two_point_correlation(flat, estimator=estimator, bins=height // 2)} | describe(flat)
    return {name: values.reshape(n, k, *values.shape[1:]) for name, values in descriptors.items()}


def properties(images: np.ndarray, estimator: str) -> Arrays:
    """All that is measured of images.

    Parameters
    ----------
    images, estimator
        As for :func:`curves`.

    Returns
    -------
    dict of str to ndarray
        Those of :func:`curves`, and ``(N,)`` by name of :func:`pairvae.numerics.descriptors.describe`.
    """
    return curves(images, estimator) | describe(images)


def further_properties(images: np.ndarray) -> Arrays:
    """What scores of other packages (entry points ``pairvae.scores``) measure of images.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)`` of 0 and 1, or floating-point grey levels.

    Returns
    -------
    dict of str to ndarray
        ``(N,)`` by name; the score is the absolute difference between a predicted and a true image.

    Raises
    ------
    InputError
        It names the package whose function gives something else.
    """
    found: Arrays = {}
    for name, entry in plugins(SCORES).items():
        measure = load(entry)
        try:
            found[name] = np.asarray(measure(images), np.float64)
        except Exception as error:  # whatever the code of others raises
            raise broken(entry, f"numbers of {len(images)} images", reason(error)) from error
        if found[name].shape != (len(images),) or not np.isfinite(found[name]).all():
            raise broken(entry, f"{len(images)} finite numbers", f"shape {found[name].shape}, or nan in it")
    return found


def curve_errors(
    predicted: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray], *, grey: bool = False
) -> Arrays:
    """Mean absolute errors between curves.

    Parameters
    ----------
    predicted, true : mapping of str to ndarray
        ``(..., bins)`` by name, as :func:`curves` returns them; ``predicted`` has all that ``true`` has.
    grey : bool
        Whether they are those of grey levels, whose S(r) does not start at a phase fraction.

    Returns
    -------
    dict of str to ndarray
        ``(...,)`` each: ``s2_mae``, ``phase_fraction_error`` (of the start of S(r)), and, where there are lineal
        paths, ``lineal_vertical_mae``, ``lineal_horizontal_mae`` and the mean of both, ``lineal_path_mae``. Of grey
        levels ``s2_mae`` and, where there are quantiles, ``histogram_distance``.
    """
    gaps = {name: np.abs(predicted[name] - true[name]).mean(-1) for name in true}
    errors = {"s2_mae": gaps["s2"]}
    if grey:
        return errors | ({"histogram_distance": gaps["quantiles"]} if "quantiles" in gaps else {})
    errors["phase_fraction_error"] = np.abs(predicted["s2"][..., 0] - true["s2"][..., 0])
    if "lineal_vertical" in gaps and "lineal_horizontal" in gaps:
        errors["lineal_path_mae"] = 0.5 * (gaps["lineal_vertical"] + gaps["lineal_horizontal"])
        errors["lineal_vertical_mae"] = gaps["lineal_vertical"]
        errors["lineal_horizontal_mae"] = gaps["lineal_horizontal"]
    return errors


def descriptor_errors(
    predicted: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray], spacing: np.ndarray
) -> Arrays:
    """Errors between descriptors.

    Parameters
    ----------
    predicted, true : mapping of str to ndarray
        ``(...,)`` by name, as :func:`pairvae.numerics.descriptors.describe` returns them.
    spacing : ndarray
        Domain spacing in px that makes areas comparable; broadcasts to the others.

    Returns
    -------
    dict of str to ndarray
        ``(...,)`` each.

        * ``spacing_error``: of the domain spacing, relative to the true one; 1 where only one image has a period.
        * ``orientation_error``: half the distance of the orientation tensors, in [0, 1]: direction and order at once;
          1 for parallel lines that should be perpendicular.
        * ``defect_density_error``: difference of the Euler number (domains minus holes) per ``spacing`` squared.
          Ends of lines and isolated dots add to it, branches and bridges take from it.
        * ``coherence_error``, ``roughness_error``: differences of how parallel domains run, and of how ragged their
          edges are, both in [0, 1].

        Of grey levels, in place of defects and edges, ``contrast_error``: of their standard deviation.
    """
    gap = np.hypot(*(predicted[name] - true[name] for name in ("orientation_x", "orientation_y")))
    errors = {
        "spacing_error": relative_error(predicted["spacing"], true["spacing"]),
        "orientation_error": np.asarray(gap / 2),
    }
    if "contrast" in true:
        return errors | {
            f"{name}_error": np.abs(predicted[name] - true[name]) for name in ("coherence", "contrast")
        }
    return errors | {
        "defect_density_error": np.abs(predicted["euler_density"] - true["euler_density"]) * spacing**2,
        "coherence_error": np.abs(predicted["coherence"] - true["coherence"]),
        "roughness_error": np.abs(predicted["edge_roughness"] - true["edge_roughness"]),
    }
