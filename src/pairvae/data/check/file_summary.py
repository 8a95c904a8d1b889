"""Properties of one file of a pair, as the rules of the check see them; pixels are not kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.readers.data_bar import BarSource
from pairvae.numerics.scattering import RingAndArcs

LEFT_OUT = ("pair", "side", "file", "refused", "scattering", "parts", "turned")  # of the facts of an entry


@dataclass(frozen=True)
class ImageArea:
    """The micrograph without its data bar: rows and columns in px, and the source of the rows."""

    rows: int
    columns: int
    source: BarSource
    detected_bar: int

    @property
    def keeps_a_bar(self) -> bool:
        """Whether the settings keep rows of a detected data bar, which a rule of the check reports."""
        return self.source == "settings" and self.detected_bar > 0


@dataclass(frozen=True)
class FileSummary:
    """One readable file. ``lowest_share``, ``highest_share``: share of the pixels at the extremes, in [0, 1].

    ``centre``: row and column of the beam as shares of the sides (SAXS), None where no symmetry is found.
    ``scale``: nm or 1/nm per prepared pixel, where known. ``scattering`` of the prepared array, of two ``parts`` of
    a large micrograph, and of a pattern ``turned`` by a quarter either way. ``noise``: :func:`noise_asymmetry` of a
    micrograph. ``refused``: why it cannot be prepared. ``notes`` and ``warnings`` are the reader's.
    """

    pair: str
    side: str
    file: str
    digest: str
    shape: tuple[int, ...]
    dtype: str
    format: str
    nm_per_px: float | None
    levels: int
    lowest_share: float
    highest_share: float
    not_finite: int
    colourful: bool
    area: ImageArea | None
    centre: tuple[float, float] | None
    scale: float | None = None
    noise: float = float("nan")
    scattering: RingAndArcs | None = field(default=None, compare=False)
    parts: tuple[RingAndArcs, RingAndArcs] | None = field(default=None, compare=False)
    turned: tuple[RingAndArcs, RingAndArcs] | None = field(default=None, compare=False)
    refused: InputError | None = field(default=None, compare=False)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def to_entry(summary: FileSummary) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts (JSON) that a cache keeps of a file that can be prepared."""
    plain = replace(summary, refused=None, scattering=None, parts=None, turned=None)
    facts = {name: value for name, value in asdict(plain).items() if name not in LEFT_OUT}
    spectra = {"scattering": (summary.scattering,), "parts": summary.parts, "turned": summary.turned}
    arrays = {
        name: np.stack([np.append(one.arcs, one.ring) for one in several if one is not None])
        for name, several in spectra.items()
        if several is not None and several[0] is not None
    }
    return arrays, facts


def from_entry(
    pair: str, side: str, file: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> FileSummary:
    """The summary of a file of which :func:`to_entry` was kept."""
    spectra = {
        name: tuple(RingAndArcs(float(row[-1]), row[:-1]) for row in rows) for name, rows in arrays.items()
    }
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()
    }
    values["area"] = None if facts["area"] is None else ImageArea(**facts["area"])
    values |= {name: rows[0] if name == "scattering" else rows for name, rows in spectra.items()}
    return FileSummary(pair=pair, side=side, file=file, **values)
