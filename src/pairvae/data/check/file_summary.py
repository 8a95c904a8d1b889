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
    """The micrograph without its data bar.

    Parameters
    ----------
    rows, columns : int
        px.
    source : BarSource
        Of the rows.
    detected_bar : int
        Rows of a data bar that the pixels show, whatever the source.
    """

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
    """One readable file.

    Parameters
    ----------
    pair, side, file : str
        The sample's id, the modality, and the file's name.
    digest : str
        Of the picture's content.
    shape, dtype, format
        Of the file's pixels.
    nm_per_px : float or None
        What the file says of a pixel's side.
    levels : int
        Distinct values.
    lowest_share, highest_share : float
        Of the pixels at the extremes, in [0, 1].
    not_finite : int
        Pixels that are NaN or infinite.
    colourful : bool
        Whether channels differ.
    area : ImageArea or None
        Of a micrograph.
    centre : tuple of float or None
        Row and column of the beam as shares of the sides (SAXS), None where no symmetry is found.
    scale : float or None
        nm or 1/nm per prepared pixel, where known.
    noise : float
        :func:`noise_asymmetry` of a micrograph.
    scattering : RingAndArcs or None
        Of the prepared array.
    parts : tuple of RingAndArcs or None
        Of two ends of a large micrograph.
    turned : tuple of RingAndArcs or None
        Of a pattern turned by a quarter either way.
    refused : InputError or None
        Why it cannot be prepared.
    notes, warnings : tuple of str
        Those of the reader.
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
        name: np.stack([np.append(each.arcs, each.ring) for each in readings if each is not None])
        for name, readings in spectra.items()
        if readings is not None and readings[0] is not None
    }
    return arrays, facts


def from_entry(
    pair: str, side: str, file: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> FileSummary:
    """The summary of a file of which :func:`to_entry` was kept.

    Parameters
    ----------
    pair, side, file : str
        The sample's id, the modality, and the file's name today.
    arrays, facts : mapping
        As they were kept.

    Returns
    -------
    FileSummary
        As it was, under these names.
    """
    spectra = {
        name: tuple(RingAndArcs(float(row[-1]), row[:-1]) for row in rows) for name, rows in arrays.items()
    }
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()
    }
    values["area"] = None if facts["area"] is None else ImageArea(**facts["area"])
    values |= {name: rows[0] if name == "scattering" else rows for name, rows in spectra.items()}
    return FileSummary(pair=pair, side=side, file=file, **values)
