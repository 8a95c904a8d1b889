"""One raw file predicted: its images, what they show, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairvae.evaluation.scores.patterns import properties_of
from pairvae.inference.measurement import doubt, known_of, measurement
from pairvae.inference.prediction_inputs import Input
from pairvae.inference.predictor import Predictor
from pairvae.inference.training_summary import Confidence
from pairvae.modalities import MODALITIES
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.models.vae import Posterior
from pairvae.numerics import descriptors
from pairvae.numerics.colormaps import levels
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.scattering import PhysicalCheck
from pairvae.numerics.spacing import domain_spacing
from pairvae.settings import Section

Row = dict[str, str | int | float | bool]
MEASURED = (
    "phase_fraction", "domain_spacing_px", "spacing_nm", "orientation_deg", "orientation_order",
    "correlation_length_px", "ring_px", "ring_q_inv_nm",
)  # fmt: skip
TRUST = ("distance", "unlike", "ring_ratio", "arc_angle_deg", "agrees")
IMAGE_COLUMNS = ("input", "to", "sample", "file", *MEASURED, *TRUST)
INPUT_COLUMNS = (
    "input", "from", "to", "samples", *(f"{name}_{part}" for name in MEASURED for part in ("mean", "std")), *TRUST,
    "remarks",
)  # fmt: skip
CURVE_COLUMNS = ("input", "r_px", "r_nm", "s2_mean", "s2_std")


@dataclass(frozen=True)
class Prediction:
    """Images of one input (binary ``(S, H, W)`` or ``(S, channels, H, W)`` in [0, 1]) and what is known of them.

    ``remarks``: what may be wrong with the file, a line each.
    """

    given: np.ndarray
    images: np.ndarray
    confidence: Confidence | None
    check: PhysicalCheck | None
    remarks: tuple[str, ...] = ()


def predict_file(
    predictor: Predictor,
    path: str,
    item: Input,
    samples: int,
    seed: int,
    acquisition: Acquisition = ANY,
    size: int | None = None,
) -> Prediction:
    """Predict from the raw file at ``path`` (``InputError`` where it cannot be read); ``size`` as of ``predict``.

    ``acquisition`` goes before what a ``pairs.csv`` around the file says, and that before the file itself.
    """
    known = known_of(predictor, path, item.source, acquisition)
    given = measurement(predictor, path, item.source, known)
    prediction = predict_array(predictor, given.array, item.source, item.target, samples, seed, size, known)
    doubted = prediction.confidence is None or prediction.confidence.out_of_distribution
    looks = doubt(predictor, given, item.source) if doubted else None
    return replace(prediction, remarks=(*given.remarks, *([looks] if looks else ())))


def predict_array(
    predictor: Predictor,
    array: np.ndarray,
    source: str,
    target: str,
    samples: int,
    seed: int,
    size: int | None = None,
    acquisition: Acquisition = ANY,
) -> Prediction:
    """Predict from one prepared array ``(channels, H, W)``; ``size`` (px) counts for textures alone.

    Of an ``acquisition`` the conditions count.
    """
    side = size if predictor.draws_any_size(target) else None
    images = predictor.decode(predictor.encode(array, source, acquisition), target, samples, seed, side)[0]
    return Prediction(
        array,
        images,
        predictor.confidence(array, source),
        agreement(predictor, array, images, source, target),
    )


def posterior_of_file(predictor: Predictor, path: str, source: str) -> Posterior:
    """Posterior ``(1, C, g, g)`` of one raw file, prepared as the model's training data were."""
    return predictor.encode(predictor.prepare(path, source), source)


def prepared_with(predictor: Predictor, name: str) -> Section:
    """The settings that the model's training data of one modality were prepared with."""
    return predictor.prepared_with(name)


def describe(image: np.ndarray, modality: str) -> Row:
    """What one predicted micrograph shows: phase fraction and domain spacing in px; nothing of others."""
    if not MODALITIES[modality].binary:
        return {}
    fraction, spacing = descriptors.phase_fraction(image[None]), domain_spacing(image[None])
    return {"phase_fraction": _number(fraction[0]), "domain_spacing_px": _number(spacing[0])}


def agreement(
    predictor: Predictor, given: np.ndarray, images: np.ndarray, source: str, target: str
) -> PhysicalCheck | None:
    """Whether what is predicted scatters like what is given; None where neither is an image of the other's kind."""
    known = predictor.facts.scattering if predictor.facts is not None else None
    if known is None:
        return None
    if (source, target) == (known.pattern, known.image):
        return predictor.physical_check(images, given)
    if (source, target) == (known.image, known.pattern):
        return predictor.physical_check(given, images.mean(0))
    return None


def nm_per_px(predictor: Predictor, modality: str) -> float | None:
    """Pixel size of predicted micrographs: the one that they were prepared to, else the training data's."""
    if not MODALITIES[modality].binary:
        return None
    prepared: float | None = getattr(predictor.prepared_with(modality), "nm_per_px", None)
    return prepared or (predictor.facts.nm_per_px if predictor.facts is not None else None)


def measured(predictor: Predictor, images: np.ndarray, target: str) -> dict[str, np.ndarray]:
    """What predicted images show, each ``(S,)``; nan where an image has no such thing. Empty for curves."""
    if MODALITIES[target].binary:
        return _of_morphologies(images, nm_per_px(predictor, target))
    known = predictor.facts.scattering if predictor.facts is not None else None
    if known is None or target != known.pattern:
        return {}
    rings = properties_of(levels(images, known.colormap), known.mask).ring
    q = predictor.facts.q_per_px if predictor.facts is not None else None
    return {"ring_px": rings} if q is None else {"ring_px": rings, "ring_q_inv_nm": rings * q}


def _of_morphologies(images: np.ndarray, nm: float | None) -> dict[str, np.ndarray]:
    shown = descriptors.describe(images)
    ranges = {
        "phase_fraction": shown["phase_fraction"],
        "domain_spacing_px": shown["spacing"],
        "orientation_deg": np.degrees(np.arctan2(shown["orientation_y"], shown["orientation_x"]) / 2),
        "orientation_order": np.hypot(shown["orientation_x"], shown["orientation_y"]),
        "correlation_length_px": correlation_length(two_point_correlation(images)),
    }
    return ranges if nm is None else ranges | {"spacing_nm": nm * shown["spacing"]}


def correlation_length(s2: np.ndarray) -> np.ndarray:
    """Where S(r) - f^2 of curves ``(N, bins)`` has fallen to 1/e of f (1 - f): ``(N,)`` px, nan for a uniform image."""
    fraction = s2[:, :1]
    variance = fraction * (1 - fraction)
    left = (s2 - fraction**2) / np.where(variance > 0, variance, np.nan)
    lengths = np.full(len(s2), np.nan)
    for row, curve in enumerate(left):
        below = np.flatnonzero(curve < np.exp(-1))
        if len(below) and below[0]:
            after = below[0]
            lengths[row] = after - (np.exp(-1) - curve[after]) / (curve[after - 1] - curve[after])
    return lengths


def image_rows(item: Input, files: list[str], shown: dict[str, np.ndarray], trust: Row) -> list[Row]:
    """One row for each image of an input."""
    rows: list[Row] = []
    for number, file in enumerate(files):
        row: Row = {"input": item.shown, "to": item.target, "sample": number, "file": file}
        rows.append(row | {name: _number(values[number]) for name, values in shown.items()} | trust)
    return rows


def input_row(
    item: Input, count: int, shown: dict[str, np.ndarray], trust: Row, remarks: Sequence[str] = ()
) -> Row:
    """Mean and standard deviation over an input's images."""
    row: Row = {"input": item.shown, "from": item.source, "to": item.target, "samples": count}
    for name, values in shown.items():
        known = values[np.isfinite(values)]
        if name == "orientation_deg":
            turns = np.exp(2j * np.radians(known))
            mean = np.degrees(np.angle(turns.mean()) / 2) if len(known) else np.nan
            spread = np.degrees(np.abs(np.angle(turns * np.exp(-2j * np.radians(mean))) / 2))
            row |= {f"{name}_mean": _number(mean), f"{name}_std": _number(np.sqrt(np.mean(spread**2)))}
        else:
            row[f"{name}_mean"] = _number(known.mean() if len(known) else np.nan)
            row[f"{name}_std"] = _number(known.std() if len(known) else np.nan)
    return row | trust | {"remarks": "; ".join(remarks)}


def curve_rows(item: Input, images: np.ndarray, nm: float | None) -> list[Row]:
    """S(r) of predicted micrographs: mean and standard deviation over an input's images, in bins of 1 px."""
    if not MODALITIES[item.target].binary:
        return []
    curves = two_point_correlation(images)
    return [
        {
            "input": item.shown,
            "r_px": r,
            "r_nm": "" if nm is None else _number(r * nm),
            "s2_mean": _number(mean),
            "s2_std": _number(std),
        }
        for r, (mean, std) in enumerate(zip(curves.mean(0), curves.std(0), strict=True))
    ]


def trust_of(prediction: Prediction) -> Row:
    """Confidence and physical check as columns; empty where the model does not know."""
    row: Row = {}
    if prediction.confidence is not None:
        row |= {
            "distance": _number(prediction.confidence.distance),
            "unlike": prediction.confidence.out_of_distribution,
        }
    if prediction.check is not None:
        row |= {
            "ring_ratio": _number(prediction.check.ring_ratio),
            "arc_angle_deg": _number(prediction.check.arc_angle_deg),
            "agrees": prediction.check.agrees,
        }
    return row


def _number(value: float | np.floating) -> float | str:
    """Five digits; an empty cell for nan."""
    return "" if not np.isfinite(value) else float(f"{float(value):.5g}")
