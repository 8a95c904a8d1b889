"""Zeiss: SmartSEM (tag 34118), and FIBICS and Atlas (XML in tag 51023)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pairvae.modalities.readers.instruments.facts import (
    NM,
    ImageFacts,
    close,
    element_nm,
    pixel_nm,
    positive,
    xml_elements,
)

SQUARE = 0.03  # pixels whose sides differ by less are square
SCREEN_COLUMNS = 1024  # of the display whose pixels AP_PIXEL_SIZE describes


def smartsem(metadata: Mapping[str, Any], shape: tuple[int, int]) -> ImageFacts:
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
    told = image or screen
    if nm and told and not close(nm, told):
        notes = (f"its metadata tell {told:.4g} nm/px of the screen; the stored pixels are of {nm:.4g} nm",)
    return ImageFacts(nm, image_rows, "Zeiss metadata", notes)


def _length(entry: object) -> float | None:
    """nm of ('Pixel Size', 5.825, 'nm')."""
    if not isinstance(entry, tuple) or len(entry) != 3:
        return None
    return positive(entry[1], NM.get(str(entry[2]).strip().lower(), math.nan))


def _of_structure(numbers: object) -> float | None:
    """The pixel of the screen (m) in the header's unnamed numbers, in nm."""
    return pixel_nm(numbers[3], 1e9) if isinstance(numbers, tuple) and len(numbers) > 3 else None


def fibics(text: str, shape: tuple[int, int]) -> ImageFacts:
    """FIBICS and Atlas: the field of view ``FOV_X`` over the columns, else the step ``Ux`` in um."""
    elements = xml_elements(text)
    field = next((element_nm(element, "um") for element in elements.get("fov_x", [])), None)
    if field:
        return ImageFacts(pixel_nm(field / shape[1]), source="FIBICS metadata")
    step = next((element_nm(element, "um") for element in elements.get("ux", [])), None)
    return ImageFacts(pixel_nm(step), source="FIBICS metadata")
