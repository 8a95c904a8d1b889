"""Rows of the tables of predictions: one for each image, one for each input, one for each bin of S(r)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairvae.inference.prediction_inputs import Input
from pairvae.inference.predictions import Prediction
from pairvae.modalities import MODALITIES
from pairvae.numerics import descriptors
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.spacing import domain_spacing

Row = dict[str, str | int | float | bool]
MEASURED = (
    "phase_fraction", "contrast", "domain_spacing_px", "spacing_nm", "orientation_deg", "orientation_order",
    "correlation_length_px", "ring_px", "ring_q_inv_nm",
)  # fmt: skip
TRUST = ("distance", "unlike", "ring_ratio", "arc_angle_deg", "agrees")
IMAGE_COLUMNS = ("input", "to", "sample", "file", *MEASURED, *TRUST)
INPUT_COLUMNS = (
    "input", "from", "to", "samples", *(f"{name}_{part}" for name in MEASURED for part in ("mean", "std")), *TRUST,
    "remarks",
)  # fmt: skip
CURVE_COLUMNS = ("input", "r_px", "r_nm", "s2_mean", "s2_std")


def describe(image: np.ndarray, modality: str) -> Row:
    """What one predicted micrograph shows.

    Parameters
    ----------
    image : ndarray
        ``(H, W)`` of 0 and 1, or grey levels.
    modality : str
        Its modality.

    Returns
    -------
    dict
        ``phase_fraction`` in [0, 1], or the ``contrast`` of grey levels, and ``domain_spacing_px``; nothing of what is
        no micrograph.
    """
    if not MODALITIES[modality].cropped:
        return {}
    shown, spacing = descriptors.describe(image[None]), domain_spacing(image[None])
    first: Row = {name: _number(shown[name][0]) for name in ("phase_fraction", "contrast") if name in shown}
    return {**first, "domain_spacing_px": _number(spacing[0])}


def image_rows(item: Input, files: list[str], shown: dict[str, np.ndarray], trust: Row) -> list[Row]:
    """One row for each image of an input.

    Parameters
    ----------
    item : Input
        The input.
    files : list of str
        The file of each of S images.
    shown : dict of str to ndarray
        ``(S,)`` by name, see :func:`measured`.
    trust : dict
        See :func:`trust_of`.

    Returns
    -------
    list of dict
        By ``IMAGE_COLUMNS``.
    """
    rows: list[Row] = []
    for number, file in enumerate(files):
        row: Row = {"input": item.shown, "to": item.target, "sample": number, "file": file}
        rows.append(row | {name: _number(values[number]) for name, values in shown.items()} | trust)
    return rows


def input_row(
    item: Input, count: int, shown: dict[str, np.ndarray], trust: Row, remarks: Sequence[str] = ()
) -> Row:
    """Mean and standard deviation over an input's images; of angles those of axes.

    Parameters
    ----------
    item : Input
        The input.
    count : int
        How many images.
    shown : dict of str to ndarray
        ``(S,)`` by name, see :func:`measured`.
    trust : dict
        See :func:`trust_of`.
    remarks : sequence of str
        About the file.

    Returns
    -------
    dict
        By ``INPUT_COLUMNS``.
    """
    row: Row = {"input": item.shown, "from": item.sources, "to": item.target, "samples": count}
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
    """S(r) of predicted micrographs, over an input's images.

    Parameters
    ----------
    item : Input
        The input.
    images : ndarray
        ``(S, H, W)``.
    nm : float or None
        Pixel size, where it is known.

    Returns
    -------
    list of dict
        A row for each bin of 1 px, by ``CURVE_COLUMNS``; none for other images.
    """
    if not MODALITIES[item.target].cropped:
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
