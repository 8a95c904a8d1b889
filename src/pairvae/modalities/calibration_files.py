"""Masks and geometries that settings name: read once, and kept in the settings of prepared data and models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pairvae.modalities.readers.geometry import read_poni
from pairvae.modalities.readers.image import file_part, read_image
from pairvae.modalities.readers.masks import mask_of
from pairvae.modalities.readers.raw_image import unreadable
from pairvae.settings import DetectorGeometry, MaskPixels, Section

FILES = ("geometry", "mask")


def calibration_paths(section: Section, folders: Sequence[Path]) -> list[Path]:
    """The files that a section ``prepare`` names, each in the first of ``folders`` that holds it."""
    named = [getattr(section, name, None) for name in FILES]
    return [located(name, folders) for name in named if isinstance(name, str)]


def with_files(section: Section, folders: Sequence[Path]) -> Section:
    """The same section with the content of the files in place of their names (``InputError``: none, or unreadable)."""
    contents: dict[str, DetectorGeometry | MaskPixels] = {}
    geometry, mask = (getattr(section, name, None) for name in FILES)
    if isinstance(geometry, str):
        contents["geometry"] = _read_geometry(str(located(geometry, folders)), geometry)
    if isinstance(mask, str):
        inside = mask[len(str(file_part(mask))) :]
        contents["mask"] = _read_mask(f"{located(mask, folders)}{inside}", mask)
    return section.model_copy(update=contents) if contents else section


def located(name: str, folders: Sequence[Path]) -> Path:
    """The file of that name in the first of ``folders`` that holds it (``InputError``: in none)."""
    file = file_part(name)
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    places = " or ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
    raise unreadable(
        name, f"a file in {places}", "none", "put it beside pairs.csv; paths are relative to that folder"
    )


def mask_at(mask: str | MaskPixels) -> MaskPixels:
    """The mask itself: as kept, or read from its file."""
    return _read_mask(mask, mask) if isinstance(mask, str) else mask


def geometry_at(geometry: str | DetectorGeometry) -> DetectorGeometry:
    """The geometry itself: as kept, or read from its file."""
    return _read_geometry(geometry, geometry) if isinstance(geometry, str) else geometry


def _read_mask(path: str, name: str) -> MaskPixels:
    return mask_of(read_image(path), name)


def _read_geometry(path: str, name: str) -> DetectorGeometry:
    return read_poni(Path(path), name)
