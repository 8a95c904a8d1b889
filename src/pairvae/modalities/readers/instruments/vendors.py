"""Metadata of microscopes by vendor: Zeiss (SmartSEM, FIBICS, Atlas), Tescan, and FEI, Thermo Fisher and Phenom."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from pairvae.modalities.readers.instruments.metadata import (
    NM,
    ImageMetadata,
    close,
    element_nm,
    ini,
    pixel_nm,
    positive,
    resized,
    whole,
    xml_elements,
)

SQUARE = 0.03  # pixels whose sides differ by less are square
SCREEN_COLUMNS = 1024  # of the display whose pixels AP_PIXEL_SIZE describes
LINE = re.compile(r"(PixelSizeX|PixelSizeY|ImageStripSize)\s*=\s*([-+0-9.eE]+)")
TALLEST_WITH_BAR = 1.2  # height of a picture with its bar over that of the image
XML_START, XML_END = b"<FeiImage", b"</FeiImage>"


def smartsem(metadata: Mapping[str, Any], shape: tuple[int, int]) -> ImageMetadata:
    """SmartSEM: the pixel of the stored image, not of the screen; rows from ``DP_IMAGE_STORE`` where fewer.

    ``AP_WIDTH`` over the columns where the picture shows the whole field (``AP_WIDTH`` to ``AP_HEIGHT`` as its
    columns to its rows), else ``AP_IMAGE_PIXEL_SIZE``; ``AP_PIXEL_SIZE`` is of a screen of 1024 columns.
    """
    rows, columns = shape
    image, screen, width, height = (
        _length(metadata.get(key))
        for key in ("ap_image_pixel_size", "ap_pixel_size", "ap_width", "ap_height")
    )
    store = metadata.get("dp_image_store")
    text = str(store[1]).split("*") if isinstance(store, tuple) and len(store) > 1 else []
    stored = [int(part) for part in text if part.strip().isdigit()]
    image_rows = stored[1] if len(stored) == 2 and 0 < stored[1] < rows and stored[0] == columns else None
    across = pixel_nm(width / columns) if width else None
    down = height / (image_rows or rows) if height else None
    of_screen = screen or _of_structure(metadata.get(""))
    nm: float | None
    if across and (down is None or abs(across / down - 1) < SQUARE):
        nm = image if image and close(image, across) else across
    else:
        nm = image or (pixel_nm(of_screen * SCREEN_COLUMNS / columns) if of_screen else None)
    notes: tuple[str, ...] = ()
    labelled = image or screen
    if nm and labelled and not close(nm, labelled):
        notes = (f"the metadata give {labelled:.4g} nm/px on the screen; the stored pixels are {nm:.4g} nm",)
    return ImageMetadata(nm, image_rows, "Zeiss metadata", notes)


def _length(entry: object) -> float | None:
    """nm of ('Pixel Size', 5.825, 'nm')."""
    if not isinstance(entry, tuple) or len(entry) != 3:
        return None
    return positive(entry[1], NM.get(str(entry[2]).strip().lower(), math.nan))


def _of_structure(numbers: object) -> float | None:
    """The pixel of the screen (m) in the header's unnamed numbers, in nm."""
    return pixel_nm(numbers[3], 1e9) if isinstance(numbers, tuple) and len(numbers) > 3 else None


def fibics(text: str, shape: tuple[int, int]) -> ImageMetadata:
    """FIBICS and Atlas: the field of view ``FOV_X`` over the columns, else the step ``Ux`` in um."""
    elements = xml_elements(text)
    field = next((element_nm(element, "um") for element in elements.get("fov_x", [])), None)
    if field:
        return ImageMetadata(pixel_nm(field / shape[1]), source="FIBICS metadata")
    step = next((element_nm(element, "um") for element in elements.get("ux", [])), None)
    return ImageMetadata(pixel_nm(step), source="FIBICS metadata")


def tescan(text: str, shape: tuple[int, int]) -> ImageMetadata:
    """``PixelSizeX`` in m and ``ImageStripSize``, the rows of the data bar (0: none)."""
    entries: dict[str, str] = {}
    for key, value in LINE.findall(text):
        entries.setdefault(key, value)
    strip = whole(entries.get("ImageStripSize"))
    rows = shape[0] - strip if strip and strip < shape[0] else None
    return ImageMetadata(pixel_nm(entries.get("PixelSizeX"), 1e9), rows, "Tescan metadata")


def ini_metadata(text: str, shape: tuple[int, int]) -> ImageMetadata:
    """FEI and Thermo: ``PixelWidth`` (m), or the field's width over the columns; rows from ``[Image]`` and the bar.

    Several generations write ``DatabarHeight=0`` although the bar is there, so ``ResolutionY`` counts first.
    """
    sections = ini(text)
    columns, rows = (whole(sections.get("Image", {}).get(f"Resolution{axis}")) for axis in "XY")
    bar = whole(sections.get("PrivateFei", {}).get("DatabarHeight"))
    beam = sections.get("Beam", {})
    scans = [beam.get("Scan", ""), "Scan", "EScan", "IScan", beam.get("Beam", ""), "EBeam", "IBeam"]
    nm = None
    for section in (sections.get(name, {}) for name in scans):
        nm = nm or pixel_nm(section.get("PixelWidth"), 1e9)
    for section in (sections.get(name, {}) for name in scans):
        width = positive(section.get("HorFieldsize", section.get("HFW")), 1e9)
        nm = nm or (pixel_nm(width / (columns or shape[1])) if width else None)
    image_rows = rows if rows and rows <= shape[0] and columns in (None, shape[1]) else None
    if image_rows is None and bar and bar < shape[0]:
        image_rows = shape[0] - bar
    metadata = ImageMetadata(nm, image_rows, "FEI metadata")
    if columns and rows and not close(columns, shape[1]):
        height = round(shape[0] * columns / shape[1])  # of the picture before it was resized, with its bar
        known = height if rows <= height <= max(TALLEST_WITH_BAR * rows, rows + (bar or 0)) else rows
        metadata = resized(ImageMetadata(nm, rows, "FEI metadata"), (columns, known), shape)
    return metadata


def xml_metadata(text: str, shape: tuple[int, int]) -> ImageMetadata:
    """Phenom: ``pixelWidth`` with its unit, ``cropHint`` or ``databarHeight``; Thermo: ``PixelSize/X`` in m."""
    elements = xml_elements(text)
    nm = element_nm(_first(elements, "pixelwidth"), "m")
    for size in elements.get("pixelsize", []):
        axes = {str(child.tag).rpartition("}")[2].lower(): child for child in size}
        nm = nm or element_nm(axes.get("x", axes.get("width")), "m")
    bar = whole(_content(elements, "databarheight"))
    bottom, right = (whole(_content(elements, side)) for side in ("bottom", "right"))
    rows = shape[0] - bar if bar and bar < shape[0] else None
    metadata = ImageMetadata(pixel_nm(nm), rows, "XML metadata")
    if right and bottom and bar and not close(right, shape[1]):
        metadata = resized(ImageMetadata(pixel_nm(nm), bottom, "XML metadata"), (right, bottom + bar), shape)
    return metadata


def jpeg_metadata(data: bytes, shape: tuple[int, int]) -> ImageMetadata:
    """Phenom's JPEG files carry the same XML among their bytes."""
    start = data.find(XML_START)
    end = data.find(XML_END, start)
    if start < 0 or end < 0:
        return ImageMetadata()
    return xml_metadata(data[start : end + len(XML_END)].decode("utf-8", "replace"), shape)


def _first(elements: dict[str, list[ElementTree.Element]], name: str) -> ElementTree.Element | None:
    return next(iter(elements.get(name, [])), None)


def _content(elements: dict[str, list[ElementTree.Element]], name: str) -> str | None:
    element = _first(elements, name)
    return None if element is None else element.text
