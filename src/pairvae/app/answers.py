"""What is sent back: JSON with pictures in it, PNG files, a zip of results."""

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

from pairvae.inference.explain import Curve, Explained
from pairvae.modalities import MODALITIES
from pairvae.store.picture_files import bar_length

LONGEST_PX = 512
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


def as_json(found: Explained, name: str) -> dict[str, Any]:
    """A prediction as the page shows it; pictures are data URIs, what is not a number is null."""
    target = MODALITIES[found.target]
    pictures: list[Picture] = []
    if found.given is not None and MODALITIES[found.source].coordinates is None:
        pictures.append(
            _picture(found.given, f"Given: {MODALITIES[found.source].title} as prepared", "given")
        )
    if target.coordinates is None:
        pictures.append(_picture(found.best, f"Predicted {target.title}, best guess", "best"))
        if found.spread is not None:
            words = (
                "share of bright ones" if target.binary else f"deviation, at most {found.spread.max():.2g}"
            )
            pictures.append(_picture(_spread(found), f"Where samples differ: {words}", "spread"))
            pictures += [
                _picture(one, f"Sample {number}", "sample") for number, one in enumerate(found.samples, 1)
            ]
    pictures += [_picture(one.image, one.caption, "sample") for one in found.neighbours]
    return {
        "name": name,
        "source": found.source,
        "target": found.target,
        "title": target.title,
        "pictures": pictures,
        "numbers": [{"label": label, "value": value} for label, value in found.numbers.items()],
        "curve": _curve(found.curve),
        "scale": _scale_bar(found),
        "warnings": list(found.warnings),
        "notes": list(found.notes),
    }


def as_zip(found: Explained, name: str, facts: dict[str, Any]) -> bytes:
    """All images as PNG, the curve as CSV, numbers and warnings as JSON. No name in it is the caller's."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        if MODALITIES[found.target].coordinates is None:
            archive.writestr(f"{found.target}-best.png", png(found.best))
            for number, one in enumerate(found.samples, 1):
                archive.writestr(f"{found.target}-sample-{number:02d}.png", png(one))
            if found.spread is not None:
                archive.writestr(f"{found.target}-spread.png", png(_spread(found)))
        for number, neighbour in enumerate(found.neighbours, 1):
            archive.writestr(f"{found.target}-measured-{number:02d}.png", png(neighbour.image))
        if found.given is not None and MODALITIES[found.source].coordinates is None:
            archive.writestr(f"{found.source}-given.png", png(found.given))
        if found.curve is not None:
            archive.writestr("curve.csv", _curve_csv(found.curve))
        told = {
            "input": name,
            **facts,
            "numbers": found.numbers,
            "warnings": found.warnings,
            "notes": found.notes,
            "measured": [one.caption for one in found.neighbours],
        }
        archive.writestr("result.json", json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    return stream.getvalue()


def _scale_bar(found: Explained) -> dict[str, Any] | None:
    """Length and share of the width of a scale bar for the predicted pictures; None without a scale."""
    if found.nm_per_px is None or not MODALITIES[found.target].binary:
        return None
    width = found.best.shape[-1] * found.nm_per_px
    length = bar_length(width)
    return {"share": round(length / width, 5), "label": f"{length:.3g} nm"}


def _spread(found: Explained) -> np.ndarray:
    """Shares of bright samples as they are; deviations over the largest one, which may be small."""
    assert found.spread is not None
    scale = 1.0 if MODALITIES[found.target].binary else max(float(found.spread.max()), 1e-9)
    return np.asarray(found.spread / scale)


def finite(values: np.ndarray) -> list[float | None]:
    """Numbers as JSON knows them."""
    return [round(float(one), 6) if math.isfinite(one) else None for one in values]


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
    small = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in planes])
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
