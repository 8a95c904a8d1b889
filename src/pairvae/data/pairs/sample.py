"""What a pair is, and what can be wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.raw_image import RawImage

PAIRS_FILE = "pairs.csv"
FOLDERS = {"saxs": "SAXS", "sem": "SEM"}  # every pair has these, or one of them and another modality's file
OTHER_FOLDERS = {name: modality.folder for name, modality in MODALITIES.items() if name not in FOLDERS}
# Techniques whose files are images, each with a pixel size in the column ``<name>_nm_per_px`` of pairs.csv
IMAGES = tuple(name for name, modality in MODALITIES.items() if modality.cropped)
LOOKED_AT = ("saxs", *IMAGES)  # whose files the check looks at as pictures

SplitName = Literal["train", "validation"]
Unpaired = Literal["error", "use"]  # what becomes of samples without a partner


@dataclass(frozen=True)
class Pair:
    """One sample: its files and what is known of it.

    Parameters
    ----------
    id : str
        Its name.
    saxs, sem : Path, str or None
        Its files (for HDF5 the text ``file::/data/set``). One is None where the folder holds another modality in its
        place.
    morphology : str, optional
        Where it is known.
    sem_nm_per_px, saxs_q_per_px_inv_nm : float, optional
        Side of a pixel, nm and 1/nm.
    split : {"train", "validation"}, optional
        Fixes its part.
    group : str, optional
        Members of one group (views or repeats of a sample) stay on one side of the split.
    others : mapping of str to Path or str
        Its files of further modalities, by name.
    conditions : mapping of str to float or str
        Further columns of ``pairs.csv``: a number, with its unit in the name (``pitch_nm``), or a word.
    pixel_sizes : mapping of str to float
        Side of a pixel of images of further modalities, nm, by name.
    """

    id: str
    saxs: Path | str | None
    sem: Path | str | None
    morphology: str | None = None
    sem_nm_per_px: float | None = None
    saxs_q_per_px_inv_nm: float | None = None
    split: SplitName | None = None
    group: str | None = None
    others: Mapping[str, Path | str] = field(default_factory=dict)
    conditions: Mapping[str, float | str] = field(default_factory=dict)
    pixel_sizes: Mapping[str, float] = field(default_factory=dict)

    def nm_per_px(self, name: str) -> float | None:
        """Side of a pixel of this sample's image of modality ``name``, nm, where ``pairs.csv`` says it."""
        return self.sem_nm_per_px if name == "sem" else self.pixel_sizes.get(name)

    @property
    def files(self) -> dict[str, Path | str]:
        """All its files by modality."""
        named = {"saxs": self.saxs, "sem": self.sem, **self.others}
        return {name: file for name, file in named.items() if file is not None}

    def measured_by(self, name: str) -> bool:
        """Whether it has a file of a modality, or one that may stand in for it."""
        return bool({name, MODALITIES[name].instead} & {*self.files})


def with_scales(raw: RawImage, pair: Pair, name: str) -> RawImage:
    """A file with the scales that pairs.csv gives, before those of the file itself.

    Parameters
    ----------
    raw : RawImage
        The file.
    pair : Pair
        Its sample.
    name : str
        Its modality.

    Returns
    -------
    RawImage
        A copy.
    """
    nm_per_px = pair.nm_per_px(name) or raw.nm_per_px
    return replace(raw, nm_per_px=nm_per_px, q_per_px=pair.saxs_q_per_px_inv_nm or raw.q_per_px)


@dataclass(frozen=True)
class Fault:
    """Something wrong with the pairing itself.

    Parameters
    ----------
    pair : str
        The pair's id, or nothing.
    file : str
        The file or folder.
    kind : str
        In a few words.
    error : InputError
        What to know and to do.
    """

    pair: str
    file: str
    kind: str
    error: InputError
