"""Pixel size and image rows as one object, and the units, INI, JSON and XML texts that instruments write."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

NM = {"m": 1e9, "cm": 1e7, "mm": 1e6, "um": 1e3, "µm": 1e3, "μm": 1e3, "nm": 1.0, "pm": 1e-3}
NM |= {"micron": 1e3, "microns": 1e3, "micrometer": 1e3, "micrometers": 1e3, "\\u00b5m": 1e3, "âµm": 1e3}
NM |= {"å": 0.1, "a": 0.1, "angstrom": 0.1, "inch": 2.54e7, "nanometer": 1.0, "nanometers": 1.0, "meter": 1e9}
LARGEST_PIXEL_NM = 100_000.0  # 0.1 mm: the lowest magnification of an SEM gives about 10 um/px
LONGEST_TEXT = 4_000_000  # characters of metadata that are parsed
SAME = 0.01  # two scales, or two shapes, that differ by less are one
PIXEL_KEYS = frozenset({"pixelsize", "pixelwidth", "pixelsizex", "nmperpixel", "nmperpx"})
FIELD_KEYS = frozenset({"hfw", "horizontalfieldwidth", "horfieldsize", "horizontalfieldofview"})
NUMBER = re.compile(r"\s*([-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?)\s*([^\s\d]*)")


@dataclass(frozen=True)
class ImageMetadata:
    """``nm_per_px``: pixel size; ``rows``: image rows above the data bar (px); None where the file does not say.

    ``source``: where they come from. ``notes``, ``warnings``: lines for the user.
    """

    nm_per_px: float | None = None
    rows: int | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def over(self, other: ImageMetadata) -> ImageMetadata:
        """Fill unknown values from ``other``; a contradiction becomes a warning."""
        warnings = (*self.warnings, *other.warnings)
        if self.nm_per_px and other.nm_per_px and not close(self.nm_per_px, other.nm_per_px):
            sizes = f"{self.nm_per_px:.4g} nm/px ({self.source}) and {other.nm_per_px:.4g} ({other.source})"
            warnings += (f"two pixel sizes: {sizes}; the first is used - sem_nm_per_px in pairs.csv decides",)
        known = self if self.nm_per_px else other
        rows = self.rows if self.rows is not None else other.rows
        return ImageMetadata(known.nm_per_px, rows, known.source, (*self.notes, *other.notes), warnings)


def close(first: float, second: float) -> bool:
    """Whether two positive numbers differ by at most one per cent."""
    return abs(first / second - 1) <= SAME


def positive(value: object, factor: float = 1.0) -> float | None:
    """``value * factor`` where ``value`` is, or reads as, a number and the product is positive and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        product = float(value) * factor
    except (ValueError, OverflowError):
        return None
    # Nine digits are more than any instrument knows, and 2.5e-09 m reads as 2.5 nm.
    return float(f"{product:.9g}") if math.isfinite(product) and product > 0 else None


def pixel_nm(value: object, factor: float = 1.0) -> float | None:
    """:func:`positive` for a pixel size in nm: None also where it is larger than 0.1 mm."""
    nm = positive(value, factor)
    return nm if nm is not None and nm <= LARGEST_PIXEL_NM else None


def whole(value: object) -> int | None:
    """``value`` as a positive whole number, None where it is not one."""
    number = positive(value)
    return int(number) if number is not None and number == int(number) else None


def length_nm(text: object, unit: str = "") -> float | None:
    """The length in nm of "500um", "5.965 µm" or a number in ``unit``; None without a known unit."""
    match = NUMBER.match(str(text))
    if match is None:
        return None
    factor = NM.get((match[2] or unit).strip().lower())
    return None if factor is None else positive(match[1].replace(",", "."), factor)


def decoded(data: bytes) -> str:
    """Text of an instrument: UTF-16 with a mark, UTF-8, else Windows-1252 or Latin-1."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def ini(text: str) -> dict[str, dict[str, str]]:
    """Sections of ``[Name]`` and ``key=value`` lines; keys before a section are under the empty name."""
    sections: dict[str, dict[str, str]] = {"": {}}
    current = sections[""]
    for line in text[:LONGEST_TEXT].splitlines():
        line = line.strip().strip("\0")
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1].strip(), {})
        elif "=" in line:
            key, _, value = line.partition("=")
            current.setdefault(key.strip(), value.strip())
    return sections


def xml_elements(text: str) -> dict[str, list[ElementTree.Element]]:
    """The elements of an XML text by lower-case name without namespace; nothing where it is not sound.

    A document type or an entity is refused: what it defines could be of any size.
    """
    text = text.strip("\0 \r\n\t\ufeff")[:LONGEST_TEXT]
    if not text.startswith("<") or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return {}
    try:
        root = ElementTree.fromstring(re.sub(r"^<\?xml[^>]*\?>", "", text))
    except (ElementTree.ParseError, ValueError):
        return {}
    elements: dict[str, list[ElementTree.Element]] = {}
    for element in root.iter():
        elements.setdefault(str(element.tag).rpartition("}")[2].lower(), []).append(element)
    return elements


def element_nm(element: ElementTree.Element | None, unit: str) -> float | None:
    """Length in nm of an element's text, in the unit of its attribute ``unit``, else in ``unit``."""
    if element is None:
        return None
    attributes = {key.lower(): value for key, value in element.attrib.items()}
    return length_nm(element.text or "", attributes.get("unit", attributes.get("units", unit)))


def json_metadata(text: str, width: int, source: str) -> ImageMetadata:
    """Pixel size from JSON, as AutoScript, openFIBSEM, Velox and scripts write it; lengths without a unit are in m."""
    text = text.strip("\0 \r\n\t\ufeff")[:LONGEST_TEXT]
    if not text.startswith(("{", "[")):
        return ImageMetadata()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return ImageMetadata()
    entries = [(*_unit_of(key, "m"), value) for key, value in _entries(content)]
    for key, unit, value in entries:
        if key in PIXEL_KEYS and (nm := pixel_nm(_json_length(value, unit))) is not None:
            return ImageMetadata(nm, source=source)
    for key, unit, value in entries:
        field = _json_length(value, unit) if key in FIELD_KEYS else None
        if field is not None and (nm := pixel_nm(field / width)) is not None:
            return ImageMetadata(nm, source=source)
    return ImageMetadata()


def _entries(content: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Keys and values of nested JSON, the outer ones first."""
    if depth > 12:
        return
    parts = content.values() if isinstance(content, Mapping) else content if isinstance(content, list) else ()
    if isinstance(content, Mapping):
        yield from ((str(key), value) for key, value in content.items())
    for part in parts:
        yield from _entries(part, depth + 1)


def _unit_of(key: str, unit: str) -> tuple[str, str]:
    """A key without case, underscores and its unit ("pixel_size_nm"), and that unit, else ``unit``."""
    bare = re.sub(r"[\s_\-.]", "", key).lower()
    if bare in ("nmperpixel", "nmperpx"):
        return bare, "nm"
    match = re.fullmatch(r"(.*?)\(?(nm|um|µm|μm|pm|mm)\)?", bare)
    return (match[1], match[2]) if match else (bare, unit)


def _json_length(value: Any, unit: str) -> float | None:
    if isinstance(value, Mapping):
        lower = {str(key).lower(): part for key, part in value.items()}
        its_unit = str(lower.get("unit", lower.get("units", unit)))
        parts = (lower[key] for key in ("value", "x", "width") if key in lower)
        return next((nm for part in parts if (nm := _json_length(part, its_unit)) is not None), None)
    if isinstance(value, list):
        return _json_length(value[-1], unit) if value else None
    return None if isinstance(value, bool) else length_nm(value, unit)


def resized(
    metadata: ImageMetadata, stored: tuple[int | None, int | None], shape: tuple[int, int]
) -> ImageMetadata:
    """Facts about a picture of ``stored`` columns and rows, for the picture of ``shape`` (rows, columns) at hand.

    A picture shrunk or enlarged as a whole has other pixels; one of another shape leaves its size unknown.
    """
    columns, rows = stored
    if not columns or not rows or (columns, rows) == (shape[1], shape[0]) or metadata.nm_per_px is None:
        return metadata
    factor = columns / shape[1]
    if close(factor, 1):  # a bar added below or cut off
        return metadata
    if not close(factor, rows / shape[0]):
        line = f"its metadata describe {rows} x {columns} px: the pixel size is unknown"
        return ImageMetadata(
            None, None, "", metadata.notes, (*metadata.warnings, f"{line} - give sem_nm_per_px")
        )
    line = f"resized from {rows} x {columns} px, according to its metadata; its pixel size is scaled to match"
    image_rows = None if metadata.rows is None else round(metadata.rows / factor)
    nm = pixel_nm(metadata.nm_per_px * factor)
    return replace(metadata, nm_per_px=nm, rows=image_rows, notes=(*metadata.notes, line))
