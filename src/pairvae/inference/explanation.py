"""What a prediction shows and how far it can be trusted: pictures, a curve with its spread, numbers, warnings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from pairvae.inference.explained_curve import Curve, curve_of
from pairvae.inference.latent_plane import Plane, latent_at, plane_of
from pairvae.inference.neighbours import Neighbour, micrographs_of
from pairvae.inference.out_of_distribution import Confidence
from pairvae.inference.predictions import agreement, measured, nm_per_px
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.models.posterior import Posterior
from pairvae.numerics.images import has_grey_levels

PRIOR_SAMPLES = 200
SHOWN_NEIGHBOURS = 3
SHOWN = {
    "spacing_nm": ("Domain spacing", 1, "nm", 1),
    "domain_spacing_px": ("Domain spacing", 1, "px", 1),
    "phase_fraction": ("Phase fraction of the bright phase", 100, "%", 1),
    "contrast": ("Contrast, standard deviation of the grey levels", 100, "%", 1),
    "orientation_order": ("Order of orientation (0 none, 1 perfect)", 1, "", 2),
    "ring_px": ("Ring", 1, "px", 1),
    "ring_q_inv_nm": ("Ring", 1, "1/nm", 3),
    "ring_spacing_nm": ("Spacing of the ring, 2π/q", 1, "nm", 1),
}
UNKNOWING = "This model does not know its training data and cannot tell an unlike input: train it again."


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
        The image from the middle of the posterior, ``(H, W)`` of a micrograph, or ``(channels, H, W)``.
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
    predictor: Predictor,
    array: np.ndarray,
    source: str,
    seed: int,
    known: Acquisition = ANY,
    target: str | None = None,
) -> BestGuess:
    """Predict from one prepared array and measure nothing: half the time of :func:`explain`.

    Parameters
    ----------
    predictor, array, source, seed, known, target
        As for :func:`explain`.

    Returns
    -------
    BestGuess
        Of the target.
    """
    target = target or predictor.partner(source)
    image = predictor.predict(array, source, target, 1, seed, known)[0, 0]
    return BestGuess(target, image, predictor.confidence(array, source))


def explain(
    predictor: Predictor,
    arrays: Mapping[str, np.ndarray],
    samples: int,
    seed: int,
    remarks: Callable[[bool], Sequence[str]] = lambda unlike: (),
    known: Acquisition = ANY,
    target: str | None = None,
) -> Explained:
    """Predict one modality from a prepared array, or from several of one sample, and say what it shows.

    Parameters
    ----------
    predictor : Predictor
        The model.
    arrays : mapping of str to ndarray
        ``(channels, H, W)`` in [0, 1] by modality; the first is shown.
    samples, seed : int
        Images to draw, and the seed of the draws.
    remarks : callable
        Gives what else speaks against the prediction, of whether the input is unlike the training data.
    known : Acquisition
        What is known of the input besides, of which the conditions count.
    target : str, optional
        The modality to predict; by default the other one of the main pair.

    Returns
    -------
    Explained
        Pictures, a curve, numbers and warnings.
    """
    source, array = next(iter(arrays.items()))
    target = target or predictor.partner(source)
    posterior = predictor.encode_together(arrays, target, known)
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
        source, target, array, best, drawn, _spread(drawn), curve_of(predictor, drawn, target), shown, warnings, notes,
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
    """Images of all modalities at a point of the latent plane.

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
        curve = curve_of(predictor, image, target)
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
        return np.asarray(drawn.std(0) if has_grey_levels(drawn) else drawn.mean(0))
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
