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
    """A curve over samples: the mean and the range of the samples; ``y_label`` names a quantity beside the title's."""

    title: str
    x_label: str
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    y_label: str = ""


@dataclass(frozen=True)
class Explained:
    """``best`` from the middle of the posterior, ``samples`` ``(S, ...)`` drawn from it, ``spread`` of them ``(H, W)``.

    ``numbers`` are pairs of words and values, ``warnings`` what speaks against the prediction, ``notes`` what else
    should be known. ``nm_per_px``: pixel size of predicted micrographs, where it is known. ``neighbours``: the measured
    micrographs that a pattern fits best.
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
    """The prediction from the middle of the posterior, and how like the training data its input is."""

    target: str
    image: np.ndarray
    confidence: Confidence | None


def best_guess(
    predictor: Predictor, array: np.ndarray, source: str, seed: int, known: Acquisition = ANY
) -> BestGuess:
    """Predict from one prepared array ``(channels, H, W)`` and measure nothing: half the time of :func:`explain`."""
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
    """Predict the other modality from one prepared array ``(channels, H, W)``, and say what it shows.

    Of what is ``known`` of it the conditions count.
    ``remarks(unlike)`` gives what else speaks against the prediction, for an input unlike the training data or not.
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
    """The principal plane of the training latents, with ids and morphologies; of a sample of the prior without them."""
    facts = predictor.facts
    if facts is not None and len(facts.latents.get(modality, ())) > 1:
        return plane_of(facts.latents[modality]), facts.ids, facts.morphologies
    shape = _latent_shape(predictor, modality)
    drawn = np.random.default_rng(0).standard_normal((PRIOR_SAMPLES, *shape))
    return plane_of(drawn), (), ()


def explain_point(predictor: Predictor, modality: str, x: float, y: float, seed: int) -> list[Explained]:
    """Images of both modalities at a point of the latent plane."""
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
        words = f"ring ratio {_said(check.ring_ratio)}, arcs turned by {_said(check.arc_angle_deg, 0)}°"
        numbers["Physical check"] = f"{'agrees' if check.agrees else 'disagrees'}: {words}"
        if not check.agrees:
            warnings.append(
                f"Image and pattern scatter less alike than those of the training pairs ({words})."
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
