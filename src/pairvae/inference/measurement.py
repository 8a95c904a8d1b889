"""A raw file as a model takes it, with what is known of it from outside, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES, Modality
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.modalities.readers.image import read_image
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.modalities.technique import file_looks_like, looks_like

SPOKEN_WITH_AN = ("SEM", "I(q)", "AFM")
MOST_REMARKS = 20
SAME_SCALE = 0.02  # pixel sizes of one instrument setting differ by less
SCALES = {"nm_per_px": ("nm_per_px", "nm per px"), "q_per_px_inv_nm": ("q_per_px", "1/nm per px")}


@dataclass(frozen=True)
class Door:
    """Where a file comes in: the command line, or a page.

    Parameters
    ----------
    max_pixels : int
        How many a file may have.
    advice : str
        How another technique is chosen there, of ``target`` and ``technique``.
    dashes : bool
        Whether a part of an :class:`Acquisition` is called with dashes, as an option.
    """

    max_pixels: int = 200_000_000
    advice: str = "`--to {target}`?"
    dashes: bool = True

    def option(self, name: str) -> str:
        """What a part of an acquisition is called."""
        return f"--{name.replace('_', '-')}" if self.dashes else name.replace("_", " ")


COMMAND_LINE = Door()


@dataclass(frozen=True)
class Measurement:
    """A raw file as a model takes it.

    Parameters
    ----------
    array : ndarray
        The prepared array, ``(channels, H, W)`` in [0, 1].
    raw : RawImage
        The file's pixels.
    remarks : tuple of str
        What should be known of it.
    """

    array: np.ndarray
    raw: RawImage
    remarks: tuple[str, ...] = ()


def measurement(
    predictor: Predictor,
    path: str | Path,
    source: str,
    acquisition: Acquisition = ANY,
    door: Door = COMMAND_LINE,
) -> Measurement:
    """Read and prepare one file as the training data were.

    Parameters
    ----------
    predictor : Predictor
        The model.
    path : str or Path
        The file.
    source : str
        Its modality.
    acquisition : Acquisition
        What is known of it from outside.
    door : Door
        Where it comes in, for limits and messages.

    Returns
    -------
    Measurement
        With remarks about its scale, where that is not the training data's.

    Raises
    ------
    InputError
        Where the file cannot be read or prepared.
    """
    modality, settings = MODALITIES[source], predictor.prepared_with(source)
    try:
        raw, settings = acquisition.applied(_read(modality, path, door), settings)
        array = modality.prepare(raw, settings)
    except InputError as error:
        remedy = _remedy(error.remedy, source, door)
        technique = _of_model(file_looks_like(path, door.max_pixels), predictor, source)
        if technique not in (None, source):
            remedy = "; ".join(part for part in (hint(technique, predictor, door), remedy) if part)
        raise InputError(
            expected=error.expected, found=error.found, where=error.where, remedy=remedy
        ) from error
    record = modality.record(raw, settings)
    return Measurement(array, raw, (*record.get("warnings", ()), *_scales(predictor, record, source)))


def _remedy(text: str, source: str, door: Door) -> str:
    """What to do about one file: the settings that preprocessing would name are those of the trained model."""
    named = [door.option(name) for name in sorted(taken_by(source)) if name in text]
    return f"give {' or '.join(named)}" if named else text


def _read(modality: Modality, path: str | Path, door: Door) -> RawImage:
    return (
        read_image(path, max_pixels=door.max_pixels) if modality.read is read_image else modality.read(path)
    )


@dataclass
class Once:
    """Remarks that hold for many files, of which each is told once."""

    _told: set[str] = field(default_factory=set)

    def new(self, remarks: Sequence[str]) -> list[str]:
        """Those that were not told before; none once there were too many."""
        fresh = [line for line in remarks if line not in self._told]
        self._told.update(fresh)
        return fresh if len(self._told) <= MOST_REMARKS else []


def taken_by(source: str) -> frozenset[str]:
    """Parts of an :class:`Acquisition` that files of a modality have."""
    settings = MODALITIES[source].settings.model_fields
    of_pattern = {"q_per_px"} if "beam_centre" in settings else set()
    return frozenset(asdict(ANY)) & (settings.keys() | of_pattern)


def require_use(acquisition: Acquisition, sources: Sequence[str]) -> None:
    """Refuse a value that files of none of the modalities have.

    Parameters
    ----------
    acquisition : Acquisition
        What was given.
    sources : sequence of str
        Modalities of the files.

    Raises
    ------
    InputError
        It names the value.
    """
    taken = {name for source in sources for name in taken_by(source)}
    for name, value in asdict(acquisition).items():
        if value is not None and name not in taken | {"conditions"}:
            raise InputError(
                expected="files that have one",
                found=f"files of {' and '.join(MODALITIES[source].title for source in sources)}",
                where=name.replace("_", " "),
                remedy="leave it out, or say what the files are",
            )


def doubt(predictor: Predictor, given: Measurement, source: str, door: Door = COMMAND_LINE) -> str | None:
    """What an input unlike the training data looks like.

    Parameters
    ----------
    predictor : Predictor
        The model.
    given : Measurement
        The input.
    source : str
        The modality that it is taken for.
    door : Door
        Where it came in.

    Returns
    -------
    str or None
        As :func:`hint`; None where it looks like its own technique, or like none.
    """
    technique = _of_model(looks_like(given.raw), predictor, source)
    return None if technique in (None, source) else hint(technique, predictor, door)


def hint(technique: str | None, predictor: Predictor, door: Door) -> str:
    """What a file looks like, and how it would be predicted from.

    Parameters
    ----------
    technique : str or None
        What it looks like.
    predictor : Predictor
        The model, which may not take that.
    door : Door
        Where it came in.

    Returns
    -------
    str
        Words without a full stop.
    """
    title = MODALITIES[technique].title if technique in MODALITIES else technique
    look = f"this looks like {'an' if str(title).startswith(SPOKEN_WITH_AN) else 'a'} {title}"
    if technique not in predictor.modalities:
        return f"{look}, which this model does not take"
    target = predictor.partner(technique)
    return f"{look}: {door.advice.format(target=target, technique=technique)}"


def likely_technique(predictor: Predictor, path: str | Path, door: Door) -> str | None:
    """The modality of the model that a file belongs to: the only one whose training data it is like, else by its look.

    Parameters
    ----------
    predictor : Predictor
        The model.
    path : str or Path
        The file.
    door : Door
        Where it comes in.

    Returns
    -------
    str or None
        None where neither tells.
    """
    familiar = []
    for name in predictor.modalities:
        try:
            array = measurement(predictor, path, name, ANY, door).array
        except InputError:
            continue
        confidence = predictor.confidence(array, name)
        familiar += [name] if confidence is not None and not confidence.out_of_distribution else []
    if len(familiar) == 1:
        return familiar[0]
    technique = _of_model(file_looks_like(path, door.max_pixels), predictor, None)
    return technique if technique in predictor.modalities else None


def _of_model(technique: str | None, predictor: Predictor, source: str | None) -> str | None:
    """Images of all techniques look alike: in place of ``sem`` the ``source``, or the one that the model takes."""
    if technique is None or not MODALITIES[technique].cropped:
        return technique
    names = [name for name in (source, *predictor.modalities) if name and MODALITIES[name].cropped]
    return names[0] if names else technique


def _scales(predictor: Predictor, described: Mapping[str, Any], source: str) -> list[str]:
    """Where a file's scale, or else its size, is not that of the training data."""
    facts = predictor.facts
    if facts is None:
        return []
    for key, (fact, unit) in SCALES.items():
        scale, usual = described.get(key), facts.scale(fact, source)
        if scale is None or usual is None:
            continue
        if abs(scale / usual - 1) <= SAME_SCALE:
            return []
        return [
            f"{scale:.4g} {unit}, where the training data have {usual:.4g}: lengths come out wrong, "
            "unless that is a mistake and you give the right one"
        ]
    size, usual_sizes = size_in(described), facts.sizes.get(source, ())
    if size is None or not usual_sizes or size in usual_sizes:
        return []
    trained = " or ".join(f"{rows} x {columns}" for rows, columns in usual_sizes)
    return [f"{size[0]} x {size[1]} px, where the training data have {trained}: is the scale the same?"]


def size_in(described: Mapping[str, Any]) -> tuple[int, int] | None:
    """Rows and columns that were used of a picture, out of what its modality says of it; None for a curve."""
    rows, columns = described.get("pixels") or (described.get("rows"), described.get("columns"))
    return None if rows is None or columns is None else (int(rows), int(columns))
