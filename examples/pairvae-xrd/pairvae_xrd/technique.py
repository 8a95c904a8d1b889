"""The technique: diffractograms (2 theta, counts) as a curve on one grid of angles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from pairvae.errors import InputError
from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.settings import Section


class XrdPrepare(Section):
    """Preparation of diffractograms: the square root of the intensity over its highest, from 0 to 1."""

    first: float = Field(gt=0, lt=180, description="first angle 2 theta of the grid, degrees")
    last: float = Field(gt=0, lt=180, description="last angle 2 theta of the grid, degrees")
    bins: int = Field(ge=16, le=4096, description="angles of the grid")


def read_xy(path: str | Path) -> RawImage:
    """Two columns of text, 2 theta in degrees and counts, as ``(points, 2)``."""
    try:
        columns = np.loadtxt(path, comments=("#", "'"), ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(
            expected="columns of 2 theta and counts", found=str(error).split("\n")[0], where=str(path)
        ) from error
    if columns.shape[1] < 2 or len(columns) < 2 or not np.isfinite(columns).all():
        raise InputError(
            expected="two columns of finite numbers", found=f"shape {columns.shape}", where=str(path)
        )
    ordered = columns[np.argsort(columns[:, 0]), :2]
    return RawImage(ordered, nm_per_px=None, image_rows=None, format="xy", source=str(path))


def angles(settings: XrdPrepare) -> np.ndarray:
    """The grid ``(bins,)``, degrees."""
    return np.linspace(settings.first, settings.last, settings.bins)


def prepare(raw: RawImage, settings: XrdPrepare) -> np.ndarray:
    """The curve as ``(1, 1, bins)`` float32 in [0, 1] (``InputError`` where the file does not cover the grid)."""
    angle, counts = raw.pixels[:, 0], raw.pixels[:, 1]
    if angle[0] > settings.first or angle[-1] < settings.last:
        raise InputError(
            expected=f"2 theta from {settings.first:g} to {settings.last:g} degrees",
            found=f"{angle[0]:g} to {angle[-1]:g}",
            where=raw.source,
            remedy="set xrd.prepare.first and last",
        )
    curve = np.sqrt(np.maximum(np.interp(angles(settings), angle, counts), 0))
    return np.asarray(curve / max(float(curve.max()), 1e-12), np.float32)[None, None]


def describe(raw: RawImage, settings: XrdPrepare) -> dict[str, Any]:
    """The file's range of angles, for people and the card of the data."""
    return {"points": len(raw.pixels), "two_theta": [float(raw.pixels[0, 0]), float(raw.pixels[-1, 0])]}


def exported(values: np.ndarray, settings: XrdPrepare, known: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Columns in which a predicted curve ``(bins,)`` is written."""
    return {"2 theta (degrees)": angles(settings), "I / I_max": values.astype(float) ** 2}


XRD = Modality(
    name="xrd",
    title="diffractogram",
    folder="XRD",
    axes=(Axis("2 theta", "degrees"),),
    binary=False,
    cropped=False,
    score="mae",
    settings=XrdPrepare,
    prepare=prepare,
    prepared_shape=lambda settings: (1, 1, settings.bins),
    describe=describe,
    read=read_xy,
    suffixes=frozenset({"xy", "dat"}),
    coordinates=angles,
    exported=exported,
)
