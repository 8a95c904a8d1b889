"""canSAS 1D files: ``SASdata`` with ``Idata`` of Q, I and Idev, each with its unit."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from pairvae.errors import reason
from pairvae.modalities.curve_files.columns import NO_CURVE, Curve
from pairvae.modalities.curve_files.units import intensity_unit_of, q_unit_of
from pairvae.modalities.raw import unreadable

FORBIDDEN = ("<!DOCTYPE", "<!ENTITY")  # entities could read files, or grow without end
PLAIN = frozenset({"q", "i", "idev"})


def curve_of_xml(text: str, source: str) -> Curve:
    """The first ``SASdata`` that holds points (``InputError``: none, or no XML)."""
    if any(word in text.upper() for word in FORBIDDEN):
        raise unreadable(source, "canSAS XML", "a document type or entities", "export it without them")
    try:
        root = ElementTree.fromstring(text)  # entities are refused above
    except (ElementTree.ParseError, ValueError) as error:
        raise unreadable(source, "whole canSAS XML", reason(error), "export the curve again") from error
    sets = [part for part in root.iter() if _name(part) == "sasdata"] or [root]
    tables = [points for part in sets if (points := [one for one in part.iter() if _name(one) == "idata"])]
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


def _row(point: ElementTree.Element, source: str) -> list[float]:
    found = {_name(cell): cell.text for cell in point if _name(cell) in PLAIN and _filled(cell)}
    try:
        return [float(found.get(name) or "nan") for name in ("q", "i", "idev")]
    except ValueError as error:
        raise unreadable(source, "numbers in Q, I and Idev", reason(error)) from error


def _filled(cell: ElementTree.Element) -> bool:
    return bool((cell.text or "").strip())


def _name(part: ElementTree.Element) -> str:
    """The element's name without its namespace, in lower case; nothing of comments."""
    return str(part.tag).rpartition("}")[2].lower() if isinstance(part.tag, str) else ""
