"""Pictures with the scale of their pixels: PNG (pHYs, tEXt), TIFF as ImageJ writes it, and OME-TIFF."""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageDraw, ImageFont

from pairvae.store.files import atomic_path

NM = 1e-9  # m
SIGNATURE_AND_HEADER = 33  # bytes of a PNG before further chunks
LARGEST_PHYS = 2**31 - 1
NM_PER_CM = 1e7
SUFFIXES = {"png": ".png", "tiff": ".tif", "ome-tiff": ".ome.tif"}
FONT, SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42
INK = (30, 30, 30)
MARGIN, DESCENT = 2, 6  # px at the left, and below the letters' feet
LETTER_PX = 13  # height of the letters that OpenCV's font does not have
BAR_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
BAR_SHARE = 0.35  # longest scale bar, of the image's width
BAR_PX, BAR_BOX, BAR_SCALE = 3, 22, 0.36  # thickness, height with its label, size of the label's letters


@dataclass(frozen=True)
class Scale:
    """``per_px`` of ``unit`` (nm, or 1/nm for patterns)."""

    per_px: float
    unit: str


def as_8_bit(image: np.ndarray) -> np.ndarray:
    """``(H, W)`` or ``(H, W, 3)`` uint8 of a micrograph ``(H, W)`` or a pattern ``(3, H, W)`` in [0, 1]."""
    if image.dtype == np.uint8:
        return np.asarray(image * np.uint8(255))
    last = image.transpose(1, 2, 0) if image.ndim == 3 else image.astype(np.float32)
    return np.asarray(np.clip(last * 255 + 0.5, 0, 255), np.uint8)


def write_picture(
    path: Path,
    image: np.ndarray,
    scale: Scale | None = None,
    provenance: Mapping[str, str | int] | None = None,
) -> None:
    """Write a micrograph ``(H, W)`` (1 is white) or a pattern ``(3, H, W)`` in [0, 1] as 8-bit PNG or TIFF.

    The name's ending says which (:data:`SUFFIXES`). OME-TIFF also holds ``provenance``.
    """
    pixels = as_8_bit(image)
    with atomic_path(path) as temporary:
        if path.suffix == ".png":
            temporary.write_bytes(png_bytes(pixels, scale))
        elif path.name.endswith(SUFFIXES["ome-tiff"]):
            write_ome_tiff(temporary, pixels, scale, provenance or {})
        else:
            write_tiff(temporary, pixels, scale)


def png_bytes(pixels: np.ndarray, scale: Scale | None = None) -> bytes:
    """PNG of ``(H, W)`` or RGB ``(H, W, 3)`` uint8; a length per pixel as pHYs, any scale as text."""
    done, encoded = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])
    if not done:
        raise OSError(None, f"an image of {pixels.shape} cannot be written as PNG")
    content: bytes = encoded.tobytes()
    if scale is None:
        return content
    chunks = _chunk(b"tEXt", f"{scale.unit} per px\0{scale.per_px:.9g}".encode("latin-1"))
    per_metre = round(1 / (scale.per_px * NM))
    if scale.unit == "nm" and per_metre <= LARGEST_PHYS:
        chunks += _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1))
    return content[:SIGNATURE_AND_HEADER] + chunks + content[SIGNATURE_AND_HEADER:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_tiff(path: Path, pixels: np.ndarray, scale: Scale | None = None) -> None:
    """TIFF of ``(H, W)``, RGB ``(H, W, 3)`` or a stack ``(N, H, W)`` of uint8, as ImageJ writes it."""
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    facts: dict[str, str] = {"axes": "YXS" if colour else "TYX"[3 - pixels.ndim :]}
    if scale is not None:
        facts["unit"] = scale.unit
    tifffile.imwrite(
        path,
        np.ascontiguousarray(pixels),
        imagej=True,
        photometric="rgb" if colour else "minisblack",
        resolution=None if scale is None else (1 / scale.per_px, 1 / scale.per_px),
        resolutionunit=1 if scale is not None else None,
        metadata=facts,
    )


def write_ome_tiff(
    path: Path, pixels: np.ndarray, scale: Scale | None, provenance: Mapping[str, str | int]
) -> None:
    """OME-TIFF of ``(H, W)`` or RGB ``(H, W, 3)`` uint8; a length per pixel as its physical size.

    ``provenance`` and scales that are no length become a map annotation. Equal contents give equal files.
    """
    annotation = {key: str(value) for key, value in provenance.items()}
    if scale is not None:
        annotation[f"{scale.unit} per px"] = f"{scale.per_px:.9g}"
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{sorted(annotation.items())} {zlib.crc32(pixels.tobytes())}")
    metadata: dict[str, object] = {
        "axes": "YXS" if pixels.ndim == 3 else "YX",
        "UUID": str(identity),
        "MapAnnotation": {"Namespace": "pairvae.prediction", **annotation},
    }
    in_nm = scale is not None and scale.unit == "nm"
    resolution = None
    if scale is not None and in_nm:
        metadata |= {f"PhysicalSize{axis}": scale.per_px for axis in "XY"}
        metadata |= {f"PhysicalSize{axis}Unit": "nm" for axis in "XY"}
        resolution = (NM_PER_CM / scale.per_px, NM_PER_CM / scale.per_px)
    tifffile.imwrite(
        path,
        np.ascontiguousarray(pixels),
        ome=True,
        photometric="rgb" if pixels.ndim == 3 else "minisblack",
        resolution=resolution,
        resolutionunit="CENTIMETER" if in_nm else None,
        metadata=metadata,
    )


def write_caption(canvas: np.ndarray, text: str, height: int, colour: tuple[int, int, int] = INK) -> None:
    """Write one line into the first ``height`` rows of ``canvas`` ``(h, w, 3)`` uint8.

    Of a text that is wider than the canvas the end is kept, which distinguishes files of one folder. Letters that no
    font has are written as their numbers (``\\u4e00``).
    """
    known = "".join(char if _drawable(char) else ascii(char)[1:-1] for char in text)
    shown = fitting(known, canvas.shape[1] - 2 * MARGIN)
    if shown.isascii():
        cv2.putText(canvas, shown, (MARGIN, height - DESCENT), FONT, SCALE, colour, 1, cv2.LINE_AA)
        return
    picture = Image.fromarray(canvas[:height])
    foot = (MARGIN, height - DESCENT)
    ImageDraw.Draw(picture).text(foot, shown, fill=colour, font=_wide_font(), anchor="ls")
    canvas[:height] = np.asarray(picture)


def fitting(text: str, width: int) -> str:
    """As much of the end of ``text`` as is no wider than ``width`` px, after dots where something is left out."""
    for start in range(len(text)):
        kept = f"...{text[start:]}" if start else text
        if _width(kept) <= width:
            return kept
    return ""


def _width(text: str) -> float:
    if text.isascii():
        return float(cv2.getTextSize(text, FONT, SCALE, 1)[0][0])
    return _wide_font().getlength(text)


@cache
def _wide_font() -> ImageFont.FreeTypeFont:
    """The font that Matplotlib brings along: Latin, Greek, Cyrillic and more."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None  # a dependency
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), LETTER_PX)


@cache
def _drawable(char: str) -> bool:
    """Whether a font has the letter: one that it lacks is drawn as the box of any other that it lacks."""
    if char.isascii():
        return char.isprintable()
    font = _wide_font()
    return char.isprintable() and bytes(font.getmask(char)) != bytes(font.getmask("\ufffe"))


def bar_length(width: float) -> float:
    """The longest round length, in the unit of ``width``, that fits the scale bar of an image so wide."""
    return max((length for length in BAR_LENGTHS if length <= BAR_SHARE * width), default=BAR_SHARE * width)


def write_scale_bar(canvas: np.ndarray, nm_per_px: float) -> None:
    """Draw a white bar on black with its length into the lower left corner of ``canvas`` ``(h, w, 3)`` uint8."""
    length = bar_length(canvas.shape[1] * nm_per_px)
    bar, text = max(round(length / nm_per_px), 1), f"{length:.3g} nm"
    words = cv2.getTextSize(text, FONT, BAR_SCALE, 1)[0][0]
    top = canvas.shape[0] - BAR_BOX
    canvas[top:, : max(bar, words) + 2 * DESCENT] = 0
    canvas[-DESCENT - BAR_PX : -DESCENT, DESCENT : DESCENT + bar] = 255
    foot = (DESCENT, canvas.shape[0] - DESCENT - BAR_PX - 3)
    cv2.putText(canvas, text, foot, FONT, BAR_SCALE, (255, 255, 255), 1, cv2.LINE_AA)
