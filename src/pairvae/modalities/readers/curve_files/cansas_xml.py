"""canSAS 1D files: ``SASdata`` with ``Idata`` of Q, I and Idev, each with its unit."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np

from pairvae.errors import InputError, reason
from pairvae.modalities.readers.curve_files.columns import Curve
from pairvae.modalities.readers.curve_files.names import NO_CURVE
from pairvae.modalities.readers.curve_files.units import intensity_unit_of, q_unit_of
from pairvae.modalities.readers.raw_image import unreadable

FORBIDDEN = ("<!DOCTYPE", "<!ENTITY")  # entities could read files, or grow without end
DEEPEST, MOST_ELEMENTS, PIECE = 50, 1_000_000, 100_000
PLAIN = frozenset({"q", "i", "idev"})


def is_xml(text: str) -> bool:
    """Whether a text is XML or HTML, rather than a table whose names stand in angle brackets."""
    head = text[:PIECE].lstrip()
    return head.startswith(("<?xml", "<!")) or (head.startswith("<") and ("</" in head or "/>" in head))


def curve_of_xml(text: str, source: str) -> Curve:
    """The first ``SASdata`` that holds points (``InputError``: none, or no XML)."""
    if any(word in text.upper() for word in FORBIDDEN):
        raise unreadable(source, "canSAS XML", "a document type or entities", "export it without them")
    root = _parsed(text, source)
    sets = [part for part in root.iter() if _name(part) == "sasdata"] or [root]
    tables = [
        points for part in sets if (points := [point for point in part.iter() if _name(point) == "idata"])
    ]
    if not tables:
        raise unreadable(source, NO_CURVE, "an XML file without canSAS Idata")
    points = tables[0]
    rows = [_row(point, source) for point in points]
    units = {_name(cell): cell.get("unit") or cell.get("units") or "" for cell in reversed(list(points[0]))}
    others = sorted(
        {str(cell.tag).rpartition("}")[2] for cell in points[0] if _filled(cell)} - {"Q", "I", "Idev"}
    )
    notes = (f"columns left out: {', '.join(others)}",) if others else ()
    warnings: tuple[str, ...] = ()
    if len(tables) > 1:
        warnings = (f"{len(tables)} sets of data in the file, the first is read: give one curve a file",)
    return Curve(
        np.array(rows), q_unit_of(units.get("q", "")), intensity_unit_of(units.get("i", "")), notes, warnings
    )


def _parsed(text: str, source: str) -> ElementTree.Element:
    """The root, once it is sure that the tree is neither deep nor large; entities are refused before."""
    parser: Any = ElementTree.XMLPullParser(("start", "end"))
    depth = elements = 0
    root: ElementTree.Element | None = None
    try:
        for start in range(0, len(text), PIECE):
            parser.feed(text[start : start + PIECE])
            for event, part in parser.read_events():
                root = part if root is None else root
                depth += 1 if event == "start" else -1
                elements += event == "start"
                if depth > DEEPEST or elements > MOST_ELEMENTS:
                    raise unreadable(source, NO_CURVE, "XML of far too many elements")
        parser.close()
    except (ElementTree.ParseError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise unreadable(source, "whole canSAS XML", reason(error), "export the curve again") from error
    if root is None:
        raise unreadable(source, "whole canSAS XML", "no element")
    return root


def _row(point: ElementTree.Element, source: str) -> list[float]:
    cells = {_name(cell): cell.text for cell in point if _name(cell) in PLAIN and _filled(cell)}
    try:
        return [float(cells.get(name) or "nan") for name in ("q", "i", "idev")]
    except ValueError as error:
        raise unreadable(source, "numbers in Q, I and Idev", reason(error)) from error


def _filled(cell: ElementTree.Element) -> bool:
    return bool((cell.text or "").strip())


def _name(part: ElementTree.Element) -> str:
    """The element's name without its namespace, in lower case; nothing of comments."""
    return str(part.tag).rpartition("}")[2].lower() if isinstance(part.tag, str) else ""
