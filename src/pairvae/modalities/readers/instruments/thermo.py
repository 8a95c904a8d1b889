"""FEI, Thermo Fisher and Phenom: INI text (tags 34680 and 34682) and XML (tag 34683, and in Phenom's JPEG files)."""

from __future__ import annotations

from xml.etree import ElementTree

from pairvae.modalities.readers.instruments.facts import (
    ImageFacts,
    close,
    element_nm,
    ini,
    pixel_nm,
    positive,
    resized,
    whole,
    xml_elements,
)

TALLEST_WITH_BAR = 1.2  # height of a picture with its bar over that of the image
XML_START, XML_END = b"<FeiImage", b"</FeiImage>"


def ini_facts(text: str, shape: tuple[int, int]) -> ImageFacts:
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
    facts = ImageFacts(nm, image_rows, "FEI metadata")
    if columns and rows and not close(columns, shape[1]):
        height = round(shape[0] * columns / shape[1])  # of the picture before it was resized, with its bar
        known = height if rows <= height <= max(TALLEST_WITH_BAR * rows, rows + (bar or 0)) else rows
        facts = resized(ImageFacts(nm, rows, "FEI metadata"), (columns, known), shape)
    return facts


def xml_facts(text: str, shape: tuple[int, int]) -> ImageFacts:
    """Phenom: ``pixelWidth`` with its unit, ``cropHint`` or ``databarHeight``; Thermo: ``PixelSize/X`` in m."""
    elements = xml_elements(text)
    nm = element_nm(_first(elements, "pixelwidth"), "m")
    for size in elements.get("pixelsize", []):
        axes = {str(child.tag).rpartition("}")[2].lower(): child for child in size}
        nm = nm or element_nm(axes.get("x", axes.get("width")), "m")
    bar = whole(_content(elements, "databarheight"))
    bottom, right = (whole(_content(elements, side)) for side in ("bottom", "right"))
    rows = shape[0] - bar if bar and bar < shape[0] else None
    facts = ImageFacts(pixel_nm(nm), rows, "XML metadata")
    if right and bottom and bar and not close(right, shape[1]):
        facts = resized(ImageFacts(pixel_nm(nm), bottom, "XML metadata"), (right, bottom + bar), shape)
    return facts


def jpeg_facts(data: bytes, shape: tuple[int, int]) -> ImageFacts:
    """Phenom's JPEG files carry the same XML among their bytes."""
    start = data.find(XML_START)
    end = data.find(XML_END, start)
    if start < 0 or end < 0:
        return ImageFacts()
    return xml_facts(data[start : end + len(XML_END)].decode("utf-8", "replace"), shape)


def _first(elements: dict[str, list[ElementTree.Element]], name: str) -> ElementTree.Element | None:
    return next(iter(elements.get(name, [])), None)


def _content(elements: dict[str, list[ElementTree.Element]], name: str) -> str | None:
    element = _first(elements, name)
    return None if element is None else element.text
