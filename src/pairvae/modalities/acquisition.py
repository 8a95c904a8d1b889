"""What a person knows of a raw file besides its pixels: scales, the beam, the unit of q."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

from pairvae.errors import InputError
from pairvae.modalities.readers.raw_image import LARGEST_SIDE, RawImage
from pairvae.settings import Section

UNITS = {
    "1/nm": "1/nm",
    "nm-1": "1/nm",
    "1/angstrom": "1/angstrom",
    "1/a": "1/angstrom",
    "1/å": "1/angstrom",
    "a-1": "1/angstrom",
}


@dataclass(frozen=True)
class Acquisition:
    """``nm_per_px`` of a micrograph, ``q_per_px`` (1/nm) and ``beam_centre`` (row, column in px) of a pattern,
    ``q_unit`` of a curve: before what the file itself or the settings say. ``conditions`` of the sample, numbers or
    words by name, are for models that were trained with them. None: nothing is known."""

    nm_per_px: float | None = None
    q_per_px: float | None = None
    beam_centre: tuple[float, float] | None = None
    q_unit: str | None = None
    conditions: Mapping[str, float | str] | None = None

    def over(self, other: Acquisition) -> Acquisition:
        """What is known here, else there; of the conditions each by itself."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        if self.conditions and other.conditions:
            known["conditions"] = {**other.conditions, **self.conditions}
        return replace(other, **known)

    def applied(self, raw: RawImage, settings: Section) -> tuple[RawImage, Section]:
        """The raw file and the settings of its technique with what is known put into both."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        raw_fields = {field.name for field in fields(raw)}
        raw = replace(raw, **{name: value for name, value in known.items() if name in raw_fields})
        # The pixel size and the q of the settings are those of the model: a file is brought to them.
        of_settings = ({"beam_centre", "q_unit"} & known.keys()) & type(settings).model_fields.keys()
        if of_settings:
            changed = settings.model_dump() | {name: known[name] for name in of_settings}
            settings = type(settings).model_validate(changed)
        return raw, settings


ANY = Acquisition()  # nothing is known


def acquisition_of(
    nm_per_px: float | None = None,
    q_per_px: float | None = None,
    beam_centre: str | None = None,
    q_unit: str | None = None,
    conditions: Sequence[str] = (),
) -> Acquisition:
    """The acquisition that somebody typed (``InputError`` for what is no size, place or unit)."""
    for name, value in (("nm per px", nm_per_px), ("q per px", q_per_px)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(expected="a number above 0", found=f"{value:g}", where=name)
    unit = None if q_unit is None else UNITS.get(q_unit.strip().lower())
    if q_unit is not None and unit is None:
        raise InputError(expected="1/nm or 1/angstrom", found=repr(q_unit[:40]), where="q unit")
    place = None if beam_centre is None else _place(beam_centre)
    known = dict(_condition(text) for text in conditions)
    return Acquisition(nm_per_px, q_per_px, place, unit, known or None)


def _condition(text: str) -> tuple[str, float | str]:
    """A number or a word by its name, of ``NAME=VALUE``."""
    name, separator, value = (part.strip() for part in text.partition("="))
    if not (name and separator and value):
        raise InputError(expected="NAME=VALUE", found=repr(text[:40]), where="condition")
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _place(text: str) -> tuple[float, float]:
    try:
        row, column = (float(part) for part in text.strip("[]() ").split(","))
    except ValueError:
        row = column = math.nan
    if not (0 <= row <= LARGEST_SIDE and 0 <= column <= LARGEST_SIDE):
        raise InputError(expected="ROW,COLUMN in px", found=repr(text[:40]), where="beam centre")
    return row, column
