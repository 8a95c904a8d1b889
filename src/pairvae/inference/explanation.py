"""What a prediction shows and how far it can be trusted: pictures, a curve with its spread, numbers, warnings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from pairvae.inference.latent_plane import Plane, latent_at, plane_of
from pairvae.inference.neighbours import Neighbour, micrographs_of
from pairvae.inference.output_files import curve_columns, scale_of
from pairvae.inference.predictions import agreement, measured, nm_per_px
from pairvae.inference.predictor import Predictor
from pairvae.inference.training_summary import Confidence
from pairvae.modalities import MODALITIES
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.models.vae import Posterior
from pairvae.numerics.colormaps import known_colormap, levels
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.scattering import azimuthal_average

PRIOR_SAMPLES = 200
SHOWN_NEIGHBOURS = 3
SHOWN = {
    "spacing_nm": ("Domain spacing", 1, "nm", 1),
    "domain_spacing_px": ("Domain spacing", 1, "px", 1),
    "phase_fraction": ("Phase fraction of the bright phase", 100, "%", 1),
    "orientation_order": ("Order of orientation (0 none, 1 perfect)", 1, "", 2),
    "ring_px": ("Ring", 1, "px", 1),
    "ring_q_inv_nm": ("Ring", 1, "1/nm", 3),
    "ring_spacing_nm": ("Spacing of the ring, 2π/q", 1, "nm", 1),
}
UNKNOWING = "This model does not know its training data and cannot tell an unlike input: train it again."


@dataclass(frozen=True)
class Curve:
    """A curve over several samples.

    Parameters
    ----------
    title : str
        What it shows.
    x_label : str
        Name and unit of ``x``.
    x : ndarray
        ``(bins,)``.
    mean, low, high : ndarray
        ``(bins,)``: the mean, the least and the largest value over the samples.
    y_label : str
        A quantity besides the one that the title names.
    """

    title: str
    x_label: str
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    y_label: str = ""


@dataclass(frozen=True)
class Explained:
    """What a prediction shows and how far it can be trusted.

    Parameters
    ----------
    source, target : str
        The modality of the input, and the one that is predicted.
    given : ndarray or None
        The prepared input, ``(channels, H, W)``; None for a point of the latent plane.
    best : ndarray
        The image from the middle of the posterior, ``(H, W)`` of 0 and 1, or ``(channels, H, W)``.
    samples : ndarray
        ``(S, ...)`` drawn from the posterior.
    spread : ndarray or None
        ``(H, W)`` in [0, 1], where samples differ.
    curve : Curve or None
        S(r) or I(q) of the samples.
    numbers : dict of str to str
        Names and values of what the samples show.
    warnings : tuple of str
        What speaks against the prediction.
    notes : tuple of str
        What else should be known.
    nm_per_px : float or None
        Pixel size of predicted micrographs, where it is known.
    neighbours : tuple of Neighbour
        The measured micrographs that a pattern fits best.
    """

    source: str
    target: str
    given: np.ndarray | None
    best: np.ndarray
    samples: np.ndarray
    spread: np.ndarray | None
    curve: Curve | None
    numbers: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    nm_per_px: float | None = None
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True)
class BestGuess:
    """The prediction from the middle of the posterior.

    Parameters
    ----------
    target : str
        Its modality.
    image : ndarray
        ``(H, W)`` of 0 and 1, or ``(channels, H, W)``.
    confidence : Confidence or None
        How like the training data its input is; None for a model that does not know.
    """

    target: str
    image: np.ndarray
    confidence: Confidence | None


def best_guess(
    predictor: Predictor, array: np.ndarray, source: str, seed: int, known: Acquisition = ANY
) -> BestGuess:
    """Predict from one prepared array and measure nothing: half the time of :func:`explain`.

    Parameters
    ----------
    predictor : Predictor
        The model.
    array : ndarray
        ``(channels, H, W)`` in [0, 1].
    source : str
        Its modality.
    seed : int
        Of the noise of the decoder.
    known : Acquisition
        What is known of it besides, of which the conditions count.

    Returns
    -------
    BestGuess
        Of the other modality.
    """
    (target,) = [name for name in predictor.modalities if name != source]
    image = predictor.decode(predictor.encode(array, source, known), target, 1, seed)[0, 0]
    return BestGuess(target, image, predictor.confidence(array, source))


def explain(
    predictor: Predictor,
    array: np.ndarray,
    source: str,
    samples: int,
    seed: int,
    remarks: Callable[[bool], Sequence[str]] = lambda unlike: (),
    known: Acquisition = ANY,
) -> Explained:
    """Predict the other modality from one prepared array, and say what it shows.

    Parameters
    ----------
    predictor : Predictor
        The model.
    array : ndarray
        ``(channels, H, W)`` in [0, 1].
    source : str
        Its modality.
    samples, seed : int
        Images to draw, and the seed of the draws.
    remarks : callable
        Gives what else speaks against the prediction, of whether the input is unlike the training data.
    known : Acquisition
        What is known of the input besides, of which the conditions count.

    Returns
    -------
    Explained
        Pictures, a curve, numbers and warnings.
    """
    (target,) = [name for name in predictor.modalities if name != source]
    posterior = predictor.encode(array, source, known)
    best, drawn = _decoded(predictor, posterior, target, samples, seed)
    confidence = predictor.confidence(array, source)
    warnings, notes, numbers = _trust(predictor, array, source, best, target, confidence)
    warnings += tuple(
        f"{line[0].upper()}{line[1:]}."
        for line in remarks(confidence is None or confidence.out_of_distribution)
    )
    shown = _numbers(predictor, drawn, target) | numbers
    measured_ones = micrographs_of(predictor, source, target)
    latent = posterior.mean.numpy()
    nearest = measured_ones.nearest(latent, drawn, SHOWN_NEIGHBOURS) if measured_ones else []
    return Explained(
        source, target, array, best, drawn, _spread(drawn), _curve(predictor, drawn, target), shown, warnings, notes,
        nm_per_px(predictor, target),
        tuple(nearest),
    )  # fmt: skip


def plane(predictor: Predictor, modality: str) -> tuple[Plane, tuple[str, ...], tuple[str | None, ...]]:
    """The principal plane of the training latents; of a sample of the prior for a model that does not keep them.

    Parameters
    ----------
    predictor : Predictor
        The model.
    modality : str
        Whose latents.

    Returns
    -------
    tuple of Plane, ids and morphologies
        Of the training pairs, in the order of the plane's points; both are empty for the prior.
    """
    facts = predictor.facts
    if facts is not None and len(facts.latents.get(modality, ())) > 1:
        return plane_of(facts.latents[modality]), facts.ids, facts.morphologies
    shape = _latent_shape(predictor, modality)
    drawn = np.random.default_rng(0).standard_normal((PRIOR_SAMPLES, *shape))
    return plane_of(drawn), (), ()


def explain_point(predictor: Predictor, modality: str, x: float, y: float, seed: int) -> list[Explained]:
    """Images of both modalities at a point of the latent plane.

    Parameters
    ----------
    predictor : Predictor
        The model.
    modality : str
        Whose plane.
    x, y : float
        The point, in units of the latents.
    seed : int
        Of the noise of the decoders.

    Returns
    -------
    list of Explained
        One for each modality, without an input.
    """
    latent = latent_at(plane(predictor, modality)[0], x, y)
    mean = torch.from_numpy(latent.astype(np.float32)).reshape(1, *_latent_shape(predictor, modality))
    posterior = Posterior(mean, torch.zeros_like(mean))
    explanations = []
    for target in predictor.modalities:
        image = predictor.decode(posterior, target, 1, seed)[0]
        curve = _curve(predictor, image, target)
        numbers = _numbers(predictor, image, target)
        explanations.append(Explained(modality, target, None, image[0], image, None, curve, numbers))
    return explanations


def _latent_shape(predictor: Predictor, modality: str) -> tuple[int, int, int]:
    latent = predictor.card["modalities"][modality]["latent"]
    return latent["channels"], latent["grid"], latent["grid"]


def _decoded(
    predictor: Predictor, posterior: Posterior, target: str, samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    best = predictor.decode(posterior, target, 1, seed)[0]
    return best[0], best if samples == 1 else predictor.decode(posterior, target, samples, seed)[0]


def _spread(drawn: np.ndarray) -> np.ndarray | None:
    """Where samples differ, ``(H, W)`` in [0, 1]: the share of bright ones, or the standard deviation."""
    if len(drawn) < 2:
        return None
    if drawn.ndim == 3:
        return np.asarray(drawn.mean(0))
    return np.asarray(drawn.std(0).mean(0)) if drawn.shape[2] > 1 else None


def _trust(
    predictor: Predictor,
    array: np.ndarray,
    source: str,
    best: np.ndarray,
    target: str,
    confidence: Confidence | None,
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """Warnings, notes and numbers about the input and the physics of the prediction."""
    warnings: list[str] = []
    numbers: dict[str, str] = {}
    if confidence is not None:
        numbers["Distance from the training data (usual: below 1)"] = f"{confidence.distance:.2f}"
        if confidence.out_of_distribution:
            warnings.append(
                f"This {MODALITIES[source].title} is unlike anything seen in training (distance "
                f"{confidence.distance:.2g}, usual below 1): do not trust the prediction."
            )
    check = agreement(predictor, array, best[None], source, target)
    if check is not None:
        comparison = f"ring ratio {_said(check.ring_ratio)}, arcs turned by {_said(check.arc_angle_deg, 0)}°"
        numbers["Physical check"] = f"{'agrees' if check.agrees else 'disagrees'}: {comparison}"
        if not check.agrees:
            warnings.append(
                f"Image and pattern scatter less alike than those of the training pairs ({comparison})."
            )
    return tuple(warnings), () if confidence is not None else (UNKNOWING,), numbers


def _said(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "none"


def _numbers(predictor: Predictor, drawn: np.ndarray, target: str) -> dict[str, str]:
    """What the samples show, with their range."""
    descriptors = measured(predictor, drawn, target)
    if "spacing_nm" in descriptors:
        descriptors.pop("domain_spacing_px")
    if "ring_q_inv_nm" in descriptors:
        descriptors.pop("ring_px")
        descriptors["ring_spacing_nm"] = 2 * np.pi / descriptors["ring_q_inv_nm"]
    return {
        label: _range(descriptors[name] * factor, unit, digits)
        for name, (label, factor, unit, digits) in SHOWN.items()
        if name in descriptors
    }


def _range(values: np.ndarray, unit: str, digits: int) -> str:
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return "none found"
    text = f"{np.median(known):.{digits}f} {unit}".strip()
    if len(known) > 1:
        text += f" ({known.min():.{digits}f} to {known.max():.{digits}f})"
    return text


def _radial(predictor: Predictor, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q (px) and I(q) in levels of a pattern ``(3, H, W)``; the detector's gaps do not count, where they are known."""
    known = predictor.facts.scattering if predictor.facts is not None else None
    colormap = known.colormap if known is not None else known_colormap(pattern[None])
    level = levels(pattern[None], colormap)[0]
    mask = known.mask if known is not None else None
    profile = azimuthal_average(level, ((level.shape[0] - 1) / 2, (level.shape[1] - 1) / 2), mask)
    return profile.q, profile.intensity


def _curve(predictor: Predictor, drawn: np.ndarray, target: str) -> Curve | None:
    """S(r) of images ``(S, H, W)``, I(q) of patterns ``(S, 3, H, W)`` and of curves ``(S, 1, 1, bins)``."""
    modality, scale = MODALITIES[target], scale_of(predictor, target)
    per_px, unit = (scale.per_px, scale.unit) if scale else (1.0, "px")
    y_label = ""
    if drawn.ndim == 3:
        curves = two_point_correlation(drawn)
        x, label = np.arange(curves.shape[1]) * per_px, f"r ({unit})"
        title = "Two-point correlation S(r) of the bright phase"
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
