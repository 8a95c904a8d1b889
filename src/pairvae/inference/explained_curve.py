"""The mean curve of a prediction's samples and its range: S(r) of images, I(q) of patterns and curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairvae.inference.output_files import curve_columns, scale_of
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.numerics.colormaps import known_colormap, levels
from pairvae.numerics.images import has_grey_levels
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.scattering import azimuthal_average


@dataclass(frozen=True)
class Curve:
    """A curve over several samples.

    Parameters
    ----------
    title : str
        What is plotted.
    x_label : str
        Name and unit of ``x``.
    x : ndarray
        ``(bins,)``.
    mean, low, high : ndarray
        ``(bins,)``: mean, minimum and maximum over the samples.
    y_label : str
        The quantity, where the title does not name it.
    """

    title: str
    x_label: str
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    y_label: str = ""


def _radial(predictor: Predictor, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q (px) and I(q) (levels) of a pattern ``(3, H, W)``, without the detector's gaps where these are known."""
    known = predictor.facts.scattering if predictor.facts is not None else None
    colormap = known.colormap if known is not None else known_colormap(pattern[None])
    level = levels(pattern[None], colormap)[0]
    mask = known.mask if known is not None else None
    profile = azimuthal_average(level, ((level.shape[0] - 1) / 2, (level.shape[1] - 1) / 2), mask)
    return profile.q, profile.intensity


def curve_of(predictor: Predictor, drawn: np.ndarray, target: str) -> Curve | None:
    """S(r) of images, I(q) of patterns and of curves.

    Parameters
    ----------
    predictor : Predictor
        The model.
    drawn : ndarray
        Images ``(S, H, W)``, patterns ``(S, 3, H, W)`` or curves ``(S, 1, 1, bins)``.
    target : str
        Their modality.

    Returns
    -------
    Curve or None
        None for other arrays.
    """
    modality, scale = MODALITIES[target], scale_of(predictor, target)
    per_px, unit = (scale.per_px, scale.unit) if scale else (1.0, "px")
    y_label = ""
    if drawn.ndim == 3:
        curves = two_point_correlation(drawn)
        x, label = np.arange(curves.shape[1]) * per_px, f"r ({unit})"
        of = "grey levels" if has_grey_levels(drawn) else "bright phase"
        title = f"Two-point correlation S(r) of the {of}"
    elif modality.coordinates is not None:
        columns = [curve_columns(image, predictor, target) for image in drawn]
        (label, x), (quantity, _) = columns[0].items()
        curves, y_label = np.stack([column[quantity] for column in columns]), quantity
        if quantity.startswith("I "):  # intensities span decades; the network sees their logarithms
            curves, y_label = np.log10(curves), f"log10 of {quantity}"
        title = f"{modality.title}, {y_label}"
    elif drawn.shape[1] == 3:
        radial = [_radial(predictor, image) for image in drawn]
        curves, x = np.stack([profile for _, profile in radial]), radial[0][0] * per_px
        title, label = "Azimuthal average I(q), in levels", f"q ({unit})"
    else:
        return None
    known = np.isfinite(curves).all(0)
    curves, x = curves[:, known], np.asarray(x)[known]
    return Curve(title, label, x, curves.mean(0), curves.min(0), curves.max(0), y_label)
