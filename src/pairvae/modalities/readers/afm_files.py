"""Files of scanning probe microscopes ([afm]): gwy through gwyfile, ibw through igor2, spm and jpk through AFMReader.

Of a file with several channels the height is read, or the one that ``file.gwy::Phase`` names.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from pairvae.errors import InputError, reason
from pairvae.modalities.readers.image import INSIDE, read_image
from pairvae.modalities.readers.instruments.metadata import length_nm, pixel_nm
from pairvae.modalities.readers.picture import CUT_SHORT
from pairvae.modalities.readers.raw_image import RawImage, checked_shape, normalised, unreadable

AFM_SUFFIXES = frozenset({"gwy", "spm", "ibw", "jpk"})
REMEDY = "pip install 'pairvae[afm]'"
LARGEST_BYTES = 500_000_000  # the readers hold a file in memory, some twice
HEADER_END, LARGEST_HEADER = b"*File list end", 1_000_000  # of spm: its reader would look for an end for ever
JPK_HEIGHT, JPK_LINES = 32835, 32839  # tags of a scan's slow side: m, lines
SQUARE = 0.01  # relative difference of a pixel's sides below which it is taken for square
HEIGHT = ("height", "zsensor", "topography")  # how titles of channels of heights begin
CHANNELS = (
    "Height",
    "Height Sensor",
    "ZSensor",
    "height_trace",
    "measuredHeight_trace",
    "height_retrace",
    "measuredHeight_retrace",
)
Map = tuple[np.ndarray, float | None, float | None, str]  # pixels, nm down and across, the channel's name


def read_afm(path: str | Path, *, max_pixels: int = 200_000_000) -> RawImage:
    """Read one map: gwy, spm, ibw or jpk with its pixel size, else as any image.

    Parameters
    ----------
    path : str or Path
        The file; ``file.gwy::Phase`` names a channel.
    max_pixels : int
        Larger maps are refused.

    Returns
    -------
    RawImage
        ``(H, W)`` float32 in the file's unit, with square pixels.

    Raises
    ------
    InputError
        In one line, for whatever cannot be read.
    """
    source = str(path)
    name, _, channel = source.partition(INSIDE)
    file = Path(name)
    suffix = file.suffix.lower().lstrip(".")
    if suffix not in AFM_SUFFIXES:
        return read_image(path, max_pixels=max_pixels)
    if not file.is_file():
        raise unreadable(source, "a file", "a folder" if file.is_dir() else "none", "check the name")
    if not 0 < file.stat().st_size <= LARGEST_BYTES:
        size = f"{file.stat().st_size / 1e6:.0f} MB"
        raise unreadable(
            source, f"a file of at most {LARGEST_BYTES / 1e6:.0f} MB", size, "export one channel of it"
        )
    try:
        read = {"gwy": _gwyddion, "ibw": _igor}.get(suffix, _by_library)
        pixels, down, across, title = read(file, channel, source)
    except InputError:
        raise
    except ImportError as error:
        found = f"{error.name or 'it'} is not installed"
        raise unreadable(
            source, "the packages gwyfile and AFMReader to read this format", found, REMEDY
        ) from error
    except Exception as error:  # the libraries raise whatever damaged bytes lead to
        raise unreadable(source, f"a readable {suffix} file", reason(error), CUT_SHORT) from error
    checked_shape(pixels.shape, pixels.dtype.itemsize, max_pixels, source)
    pixels, nm = _square(np.asarray(pixels, np.float32), down, across)
    return normalised(
        RawImage(pixels, pixel_nm(nm), len(pixels), suffix, source, notes=(f"channel {title}",))
    )


def _gwyddion(file: Path, channel: str, source: str) -> Map:
    library = importlib.import_module("gwyfile")
    if file.read_bytes()[:4] != b"GWYP":
        raise unreadable(source, "a Gwyddion file", "another format", CUT_SHORT)
    fields = {
        str(title): field for title, field in library.util.get_datafields(library.load(str(file))).items()
    }
    title = _chosen(fields, channel, source)
    field = fields[title]
    unit = (field.get("si_unit_xy") or {}).get("unitstr") or "m"
    down, across = (
        length_nm(f"{float(field[f'{axis}real']) / int(field[f'{axis}res']):.12g}", unit) for axis in "yx"
    )
    return np.asarray(field.data), down, across, title


def _igor(file: Path, channel: str, source: str) -> Map:
    """Asylum's wave of columns, lines and channels, lowest line first; scan sizes in m stand in its note.

    AFMReader, which reads these too, gives one side of a pixel, of lines that are as many as columns.
    """
    wave = importlib.import_module("igor2.binarywave").load(str(file))["wave"]
    data = np.atleast_3d(np.asarray(wave["wData"]))
    if data.ndim != 3 or data.dtype.kind not in "iuf":
        raise unreadable(source, "columns, lines and channels", f"{data.dtype} {data.shape}")
    count = data.shape[2]
    labels = [label.decode("latin-1") for label in wave["labels"][2]][
        -count:
    ]  # before them that of all, if any
    titles = labels if len(labels) == count and all(labels) else [f"channel {n}" for n in range(count)]
    title = _chosen(dict.fromkeys(titles), channel, source)
    lines = [line.partition(":") for line in bytes(wave["note"]).decode("latin-1").split("\r")]
    known = {key.strip(): value.strip() for key, _, value in lines}
    down, across = (
        length_nm(f"{float(known[key]) / pixels:.12g}", "m") if key in known else None
        for key, pixels in (("SlowScanSize", data.shape[1]), ("FastScanSize", data.shape[0]))
    )
    return np.flipud(data[:, :, titles.index(title)].T), down, across, title


def _chosen(fields: Mapping[str, Any], channel: str, source: str) -> str:
    """The title that is asked for, else the first of heights, else the first."""
    if not fields:
        raise unreadable(source, "a map", "none in the file")
    if channel:
        named = next((title for title in fields if title.casefold() == channel.casefold()), None)
        if named is None:
            raise unreadable(source, f"a channel {channel}", ", ".join(fields), "name one of these after ::")
        return named
    return next((title for title in fields if title.casefold().startswith(HEIGHT)), next(iter(fields)))


def _by_library(file: Path, channel: str, source: str) -> Map:
    """Through AFMReader, which wants to be told the channel, and gives one side of a pixel."""
    suffix = file.suffix.lower().lstrip(".")
    with file.open("rb") as stream:
        if suffix == "spm" and HEADER_END not in stream.read(LARGEST_HEADER):
            raise unreadable(source, "a Bruker file", "one without the end of a header", CUT_SHORT)
    module = importlib.import_module(f"AFMReader.{suffix}")
    importlib.import_module("loguru").logger.disable(
        "AFMReader"
    )  # its remarks would clutter the one-line error
    load: Callable[[Path, str], tuple[np.ndarray, float]] = getattr(module, f"load_{suffix}")
    faults: list[Exception] = []
    for name in (channel,) if channel else CHANNELS:
        try:
            pixels, nm = load(file, name)
        except (ValueError, KeyError) as error:  # no such channel
            faults.append(error)
            continue
        return np.asarray(pixels), _jpk_down(file) if suffix == "jpk" else float(nm), float(nm), name
    raise unreadable(source, f"a channel {channel or 'of heights'}", reason(faults[0]), "name one after ::")


def _jpk_down(file: Path) -> float | None:
    """The distance of two lines, nm: AFMReader tells that of two points."""
    with tifffile.TiffFile(file) as tiff:
        tags = tiff.pages[0].aspage().tags
        length, lines = float(tags[JPK_HEIGHT].value), int(tags[JPK_LINES].value)
    return length_nm(f"{length / lines:.12g}", "m")


def _square(pixels: np.ndarray, down: float | None, across: float | None) -> tuple[np.ndarray, float | None]:
    """The map with square pixels (scans may have fewer lines than columns), and their side in nm."""
    if pixels.ndim != 2 or down is None or across is None or abs(down / across - 1) <= SQUARE:
        return pixels, across
    nm = min(down, across)
    size = (round(pixels.shape[1] * across / nm), round(pixels.shape[0] * down / nm))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)), nm
