"""Files that instruments write beside a micrograph: Hitachi and JEOL NAME.txt, Tescan NAME-tif.hdr, NAME.json."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pairvae.modalities.readers.instruments.metadata import (
    ImageMetadata,
    close,
    decoded,
    ini,
    json_metadata,
    length_nm,
    pixel_nm,
    positive,
    resized,
    whole,
)
from pairvae.modalities.readers.instruments.vendors import tescan

LARGEST_BYTES = 1_000_000
SUFFIXES = (".txt", ".TXT", ".hdr", ".HDR", ".json", ".JSON")
HITACHI_PHOTOGRAPH_NM = 127e6  # width that Hitachi's magnification refers to
JEOL_PHOTOGRAPHS_NM = (128e6, 120e6)  # widths that JEOL's magnification refers to, new and old instruments
BAR_AGREES = 0.12


def sidecars(image: Path) -> list[Path]:
    """The files beside ``image`` that an instrument wrote about it; links are left out."""
    return [path for path in _candidates(image) if (text := _content(path)) and _kind(text, path)]


def sidecar_metadata(image: Path, pixels: np.ndarray) -> ImageMetadata:
    """Facts about the picture ``pixels`` ``(H, W[, C])`` of file ``image`` from the files beside it."""
    shape = (pixels.shape[0], pixels.shape[1])
    metadata = ImageMetadata()
    for path in _candidates(image):
        text = _content(path)
        kind = _kind(text, path) if text else ""
        if kind == "hitachi":
            metadata = metadata.over(_hitachi(text, path.name, shape))
        elif kind == "jeol":
            metadata = metadata.over(_jeol(text, path.name, pixels))
        elif kind == "tescan":
            metadata = metadata.over(tescan(text, shape))
        elif kind == "json":
            metadata = metadata.over(json_metadata(text, shape[1], path.name))
    return metadata


def _candidates(image: Path) -> list[Path]:
    stems = (image.stem, image.name, f"{image.stem}-{image.suffix.lstrip('.')}")
    paths = (image.with_name(stem + suffix) for stem in dict.fromkeys(stems) for suffix in SUFFIXES)
    return [path for path in paths if _is_plain_file(path)]


def _is_plain_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:  # a name that no file can have: that of the image is nearly too long
        return False


def _content(path: Path) -> str:
    if path.stat().st_size > LARGEST_BYTES:
        return ""
    return decoded(path.read_bytes())


def _kind(text: str, path: Path) -> str:
    if "[SemImageFile]" in text or "[TemImageFile]" in text:
        return "hitachi"
    if "$CM_" in text or "$$SM_" in text:
        return "jeol"
    if "PixelSizeX" in text and path.suffix.lower() == ".hdr":
        return "tescan"
    if path.suffix.lower() == ".json" and json_metadata(text, 1024, "").nm_per_px:
        return "json"
    return ""


def _hitachi(text: str, name: str, shape: tuple[int, int]) -> ImageMetadata:
    """``PixelSize`` in nm of a picture of ``DataSize``, else from the magnification (127 mm wide photographs)."""
    sections = ini(text)
    values = sections.get("SemImageFile") or sections.get("TemImageFile") or {}
    columns, rows = ([whole(part) for part in values.get("DataSize", "").lower().split("x")] + [None] * 2)[:2]
    nm = pixel_nm(values.get("PixelSize"))
    notes: tuple[str, ...] = ()
    magnification = positive(values.get("Magnification"))
    if nm is None and magnification and columns:
        nm = pixel_nm(HITACHI_PHOTOGRAPH_NM / magnification / columns)
        notes = (f"pixel size from the magnification in {name}",)
    return resized(ImageMetadata(nm, None, name, notes), (columns, rows), shape)


def _jeol(text: str, name: str, pixels: np.ndarray) -> ImageMetadata:
    """``$$SM_MICRON_MARKER`` (a length) over ``$$SM_MICRON_BAR`` (px), else over the bar as drawn in the picture."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.strip().lstrip("$").partition(" ")
        values.setdefault(key, value.strip())
    stored = ([whole(part) for part in values.get("CM_FULL_SIZE", "").split()] + [None] * 2)[:2]
    marker, bar = length_nm(values.get("SM_MICRON_MARKER", "")), positive(values.get("SM_MICRON_BAR"))
    shape = (pixels.shape[0], pixels.shape[1])
    if marker and bar:
        return resized(ImageMetadata(pixel_nm(marker / bar), None, name), (stored[0], stored[1]), shape)
    magnification = positive(values.get("CM_MAG"))
    drawn = _drawn_bar(pixels)
    if marker and drawn and magnification:
        nm = marker / drawn
        whole_field = nm * shape[1] * magnification
        if any(abs(whole_field / width - 1) < BAR_AGREES for width in JEOL_PHOTOGRAPHS_NM):
            line = f"pixel size from the bar of {drawn} px in the picture, which is {marker:g} nm according to {name}"
            return ImageMetadata(pixel_nm(nm), None, name, (line,))
    line = f"{name} gives a magnification but no pixel size - give sem_nm_per_px in pairs.csv"
    return ImageMetadata(None, None, "", (), (line,) if magnification else ())


def _drawn_bar(pixels: np.ndarray) -> int | None:
    """Columns of the one longest horizontal line of the highest level in the lower third, at most 20 px thick."""
    grey = pixels if pixels.ndim == 2 else pixels[..., :3].min(axis=2)
    lower = grey[-(len(grey) // 3) :] == grey.max()
    longest: list[int] = []
    for row in lower:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
        longest.append(int((edges[1::2] - edges[::2]).max(initial=0)))
    length = max(longest, default=0)
    thick = sum(close(run, length) for run in longest if run)
    return length if length >= 20 and 1 <= thick <= 20 and length < 0.95 * pixels.shape[1] else None
