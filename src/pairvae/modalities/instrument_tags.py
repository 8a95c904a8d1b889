"""Pixel size and image rows from the metadata that microscopes write into TIFF files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tifffile

NM = {"m": 1e9, "mm": 1e6, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "microns": 1e3, "nm": 1.0}
NM |= {"pm": 1e-3, "å": 0.1, "a": 0.1, "angstrom": 0.1, "cm": 1e7, "\\u00b5m": 1e3, "inch": 2.54e7}
RESOLUTION_UNIT_NM = {2: 2.54e7, 3: 1e7}
LARGEST_NM_PER_PX = 1000.0  # coarser than 1 um/px a resolution tag tells of a printer, not of a microscope
ImageFacts = tuple[float | None, int | None]


def image_facts(tiff: tifffile.TiffFile, page: tifffile.TiffPage, height: int) -> ImageFacts:
    """``(nm_per_px, image_rows)`` of a page, each None where the file does not tell it.

    FEI/Thermo (tag 34682), Zeiss (tag 34118), ImageJ, then plain resolution tags finer than 1 um/px.
    """
    nm, rows = None, None
    for metadata, interpret in ((_tag(page, 34682), fei), (_tag(page, 34118), zeiss)):
        if metadata:
            found_nm, found_rows = interpret(metadata, height)
            nm, rows = nm or found_nm, rows or found_rows
    if nm is None and tiff.is_imagej:
        nm = imagej(tiff.imagej_metadata or {}, page)
    return (nm if nm is not None else resolution(page)), rows


def fei(metadata: Mapping[str, Any], height: int) -> ImageFacts:
    """FEI Helios and SFEG headers: ``Scan.PixelWidth`` in m; ``DatabarHeight`` or ``ResolutionY`` in px."""
    nm = None
    for section in ("Scan", "EScan", "IScan"):
        nm = nm or positive(_entry(metadata, section, "PixelWidth"), 1e9)
    bar = _entry(metadata, "PrivateFei", "DatabarHeight")
    if isinstance(bar, int) and not isinstance(bar, bool) and 0 <= bar < height:
        return nm, height - bar
    rows = _entry(metadata, "Image", "ResolutionY")
    return nm, int(rows) if isinstance(rows, int | float) and 0 < rows <= height else None


def zeiss(metadata: Mapping[str, Any], height: int) -> ImageFacts:
    """Zeiss headers: ``AP_IMAGE_PIXEL_SIZE`` with its unit; ``DP_IMAGE_STORE`` where below the page's."""
    nm = None
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        entry = metadata.get(key)
        if nm is None and isinstance(entry, tuple) and len(entry) == 3:
            nm = positive(entry[1], NM.get(str(entry[2]).lower(), math.nan))
    store = metadata.get("dp_image_store")
    text = str(store[1]).split("*") if isinstance(store, tuple) and len(store) > 1 else []
    if len(text) == 2 and text[1].strip().isdigit() and 0 < int(text[1]) < height:
        return nm, int(text[1])
    return nm, None


def imagej(metadata: Mapping[str, Any], page: tifffile.TiffPage) -> float | None:
    """ImageJ: ``unit`` of the description, with the pixels per unit in XResolution."""
    unit = NM.get(str(metadata.get("unit", "")).lower())
    return None if unit is None else _per_pixel(page, unit)


def resolution(page: tifffile.TiffPage) -> float | None:
    """Plain TIFF resolution (pixels per inch or cm), believed where it is finer than 1 um/px."""
    unit = RESOLUTION_UNIT_NM.get(int(_tag(page, 296) or 0))
    nm = None if unit is None else _per_pixel(page, unit)
    return nm if nm is not None and nm < LARGEST_NM_PER_PX else None


def positive(value: object, factor: float = 1.0) -> float | None:
    """``value * factor`` where both are numbers and the product is positive and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    product = float(value) * factor
    # Nine digits are more than any instrument knows, and 2.5e-09 m reads as 2.5 nm.
    return float(f"{product:.9g}") if math.isfinite(product) and product > 0 else None


def _per_pixel(page: tifffile.TiffPage, unit_nm: float) -> float | None:
    value = _tag(page, 282)
    if not isinstance(value, tuple) or len(value) != 2 or not all(value):
        return None
    return positive(value[1] / value[0], unit_nm)


def _tag(page: tifffile.TiffPage, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


def _entry(metadata: Mapping[str, Any], section: str, key: str) -> Any:
    values = metadata.get(section)
    return values.get(key) if isinstance(values, Mapping) else None
