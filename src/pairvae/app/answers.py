"""Responses: JSON with embedded images, PNG files, and zip archives of results."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import zipfile
from typing import Any

import cv2
import numpy as np

from pairvae.inference.explained_curve import Curve
from pairvae.inference.explanation import Explained
from pairvae.modalities import MODALITIES
from pairvae.store.picture_files import bar_length

LONGEST_PX = 512
HALF_LEVEL = 0.5 / 255  # pictures that differ by less are the same in 8 bit
Picture = dict[str, Any]


def png(image: np.ndarray) -> bytes:
    """``(H, W)`` or ``(channels, H, W)`` in [0, 1] as an 8-bit PNG."""
    levels = np.clip(np.asarray(image, np.float32) * 255 + 0.5, 0, 255).astype(np.uint8)
    if levels.ndim == 3:
        levels = levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0)[..., ::-1])
    done, encoded = cv2.imencode(".png", levels)
    if not done:
        raise ValueError(f"no PNG of shape {image.shape}")
    return encoded.tobytes()


def as_json(explained: Explained, name: str) -> dict[str, Any]:
    """A prediction as JSON for the page; images are data URIs, NaN is null."""
    target = MODALITIES[explained.target]
    pictures: list[Picture] = []
    notes = list(explained.notes)
    if explained.given is not None and MODALITIES[explained.source].coordinates is None:
        pictures.append(
            _picture(explained.given, f"Given: {MODALITIES[explained.source].title} as prepared", "given")
        )
    if target.coordinates is None:
        pictures.append(_picture(explained.best, f"Predicted {target.title}, best guess", "best"))
        if explained.spread is not None and np.ptp(explained.samples, axis=0).max() < HALF_LEVEL:
            notes.append(f"All {len(explained.samples)} samples are the same: this prediction has no spread.")
        elif explained.spread is not None:
            words = (
                "share of bright ones"
                if _two_phases(explained)
                else f"deviation, at most {explained.spread.max():.2g}"
            )
            pictures.append(_picture(_spread(explained), f"Where samples differ: {words}", "spread"))
            pictures += [
                _picture(image, f"Sample {number}", "sample")
                for number, image in enumerate(explained.samples, 1)
            ]
    pictures += [
        _picture(neighbour.image, neighbour.caption, "measured") for neighbour in explained.neighbours
    ]
    return {
        "name": name,
        "source": explained.source,
        "target": explained.target,
        "title": target.title,
        "pictures": pictures,
        "numbers": [{"label": label, "value": value} for label, value in explained.numbers.items()],
        "curve": _curve(explained.curve),
        "scale": _scale_bar(explained),
        "warnings": list(explained.warnings),
        "notes": notes,
    }


def as_zip(explained: Explained, name: str, facts: dict[str, Any]) -> bytes:
    """All images as PNG, the curve as CSV, numbers and warnings as JSON. File names never come from the caller."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        if MODALITIES[explained.target].coordinates is None:
            archive.writestr(f"{explained.target}-best.png", png(explained.best))
            for number, image in enumerate(explained.samples, 1):
                archive.writestr(f"{explained.target}-sample-{number:02d}.png", png(image))
            if explained.spread is not None:
                archive.writestr(f"{explained.target}-spread.png", png(_spread(explained)))
        for number, neighbour in enumerate(explained.neighbours, 1):
            archive.writestr(f"{explained.target}-measured-{number:02d}.png", png(neighbour.image))
        if explained.given is not None and MODALITIES[explained.source].coordinates is None:
            archive.writestr(f"{explained.source}-given.png", png(explained.given))
        if explained.curve is not None:
            archive.writestr("curve.csv", _curve_csv(explained.curve))
        result = {
            "input": name,
            **facts,
            "numbers": explained.numbers,
            "warnings": explained.warnings,
            "notes": explained.notes,
            "measured": [neighbour.caption for neighbour in explained.neighbours],
        }
        archive.writestr("result.json", json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return stream.getvalue()


def _scale_bar(explained: Explained) -> dict[str, Any] | None:
    """Length and share of the width of a scale bar for the predicted pictures; None without a scale."""
    if explained.nm_per_px is None or not MODALITIES[explained.target].cropped:
        return None
    width = explained.best.shape[-1] * explained.nm_per_px
    length = bar_length(width)
    return {"share": round(length / width, 5), "label": f"{length:.3g} nm"}


def _two_phases(explained: Explained) -> bool:
    return explained.samples.dtype == np.uint8


def _spread(explained: Explained) -> np.ndarray:
    """The shares of bright samples, or the deviations divided by their maximum."""
    assert explained.spread is not None
    scale = 1.0 if _two_phases(explained) else max(float(explained.spread.max()), 1e-9)
    return np.asarray(explained.spread / scale)


def finite(values: np.ndarray) -> list[float | None]:
    """Rounded numbers; NaN and infinity become None."""
    return [round(float(value), 6) if math.isfinite(value) else None for value in values]


def _picture(image: np.ndarray, caption: str, kind: str) -> Picture:
    small = _reduced(np.asarray(image, np.float32))
    uri = f"data:image/png;base64,{base64.b64encode(png(small)).decode('ascii')}"
    return {"uri": uri, "caption": caption, "kind": kind, "width": small.shape[-1], "height": small.shape[-2]}


def _reduced(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[-2:]
    ratio = LONGEST_PX / max(height, width)
    if ratio >= 1:
        return image
    planes = image if image.ndim == 3 else image[None]
    size = (max(round(width * ratio), 1), max(round(height * ratio), 1))
    small = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes])
    return small if image.ndim == 3 else np.asarray(small[0])


def _curve(curve: Curve | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    values = {key: finite(getattr(curve, key)) for key in ("x", "mean", "low", "high")}
    return {"title": curve.title, "label": curve.x_label, **values}


def _curve_csv(curve: Curve) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    of = f" of {curve.y_label}" if curve.y_label else ""
    writer.writerow([curve.x_label, *(f"{part}{of}" for part in ("mean", "lowest", "highest"))])
    writer.writerows(
        zip(*(finite(part) for part in (curve.x, curve.mean, curve.low, curve.high)), strict=True)
    )
    return stream.getvalue()
