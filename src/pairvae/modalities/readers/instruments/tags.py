"""Pixel size and image rows from the metadata that microscopes write into TIFF files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tifffile

from pairvae.modalities.readers.instruments import vendors
from pairvae.modalities.readers.instruments.metadata import (
    LONGEST_TEXT,
    NM,
    ImageMetadata,
    decoded,
    json_metadata,
    length_nm,
    pixel_nm,
    positive,
)

RESOLUTION_UNIT_NM = {2: 2.54e7, 3: 1e7}
LARGEST_NM_PER_PX = 1000.0  # coarser than 1 um/px is the resolution of a printer, not of a microscope
Shape = tuple[int, int]
READERS: dict[int, Callable[[str, Shape], ImageMetadata]] = {
    34680: vendors.ini_metadata,
    34682: vendors.ini_metadata,
    34683: vendors.xml_metadata,
    51023: vendors.fibics,
    50431: vendors.tescan,
}


def tiff_metadata(tiff: tifffile.TiffFile, page: tifffile.TiffPage, shape: Shape) -> ImageMetadata:
    """Facts of a page of ``shape`` (rows, columns): FEI, Thermo, Phenom, Zeiss, Tescan, Gatan, SIS, JSON, ImageJ."""
    metadata = ImageMetadata()
    for code, read in READERS.items():
        if text := _text(tiff, page, code):
            metadata = metadata.over(read(text, shape)).over(
                json_metadata(text, shape[1], f"JSON in tag {code}")
            )
    if isinstance(zeiss := _tag(page, 34118), dict):
        metadata = metadata.over(vendors.smartsem(zeiss, shape))
    return metadata.over(_gatan(page)).over(_sis(tiff, page)).over(_described(tiff, page, shape))


def plain_resolution(page: tifffile.TiffPage) -> ImageMetadata:
    """Plain TIFF resolution (pixels per inch or cm), used where it is finer than 1 um/px."""
    unit = RESOLUTION_UNIT_NM.get(int(_tag(page, 296) or 0))
    nm = None if unit is None else _per_pixel(page, unit)
    return ImageMetadata(nm if nm is not None and nm < LARGEST_NM_PER_PX else None, source="resolution tags")


def _described(tiff: tifffile.TiffFile, page: tifffile.TiffPage, shape: Shape) -> ImageMetadata:
    """ImageJ's ``unit`` with the pixels per unit in XResolution, or JSON in the description."""
    if tiff.is_imagej:
        unit = NM.get(str((tiff.imagej_metadata or {}).get("unit", "")).lower())
        return ImageMetadata(None if unit is None else pixel_nm(_per_pixel(page, unit)), source="ImageJ")
    return json_metadata(_text(tiff, page, 270), shape[1], "JSON in the description")


def _gatan(page: tifffile.TiffPage) -> ImageMetadata:
    """DigitalMicrograph's own TIFF export: unit of x in tag 65003, scale in tag 65009."""
    scale, unit = _tag(page, 65009), _tag(page, 65003)
    if scale is None or unit is None:
        return ImageMetadata()
    text = unit.decode("utf-16-le", "ignore") if isinstance(unit, bytes) else str(unit)
    value = scale[0] if isinstance(scale, tuple) else scale
    nm = length_nm(str(value), text.replace("\0", ""))
    return ImageMetadata(nm, source="Gatan tags")


def _sis(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> ImageMetadata:
    """Olympus SIS cameras: metres per pixel."""
    metadata: Any = tiff.sis_metadata if tiff.is_sis else None
    return ImageMetadata(pixel_nm((metadata or {}).get("pixelsizex"), 1e9), source="SIS tags")


def _per_pixel(page: tifffile.TiffPage, unit_nm: float) -> float | None:
    value = _tag(page, 282)
    if not isinstance(value, tuple) or len(value) != 2 or not all(value):
        return None
    return positive(value[1] / value[0], unit_nm)


def _tag(page: tifffile.TiffPage, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


def _text(tiff: tifffile.TiffFile, page: tifffile.TiffPage, code: int) -> str:
    """A tag's bytes as text, however its type is declared; nothing where it is absent or far too long."""
    tag = page.tags.get(code)
    if tag is None or not 0 < tag.valuebytecount <= LONGEST_TEXT:
        return ""
    tiff.filehandle.seek(tag.valueoffset)
    data = bytes(tiff.filehandle.read(tag.valuebytecount))
    if code == 50431:  # binary blocks with lines of text between them
        return data.decode("latin-1")
    return decoded(data).strip("\0")
