"""Where the beam hits a detector and how q grows on it: from .poni files of pyFAI and the headers of detectors.

A .poni is a page of ``key: value`` lines, and a pattern of small angles needs two numbers of it. pyFAI would bring
60 MB for that (with silx and numexpr), so it is asked only for the pixel size of a detector that the file names and
this module does not know (the extra ``[geometry]``).
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pairvae.errors import InputError
from pairvae.modalities.readers.raw_image import unreadable
from pairvae.settings import DetectorGeometry

LARGEST_PONI_BYTES = 100_000
OBLONG = 0.01  # pixels that are longer than wide by more are not square
PIXELS_UM = {
    "pilatus4": 150.0,
    "pilatus": 172.0,
    "eiger": 75.0,
    "jungfrau": 75.0,
    "lambda": 55.0,
    "maxipix": 55.0,
}
LENGTHS = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "nm": 1e-9, "a": 1e-10}
LENGTHS |= {"angstrom": 1e-10, "å": 1e-10, "angstroms": 1e-10, "meter": 1.0, "metre": 1.0, "micron": 1e-6}
HC_EV_M = 1.239841984e-6
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
WORD = re.compile(r"[\s_]*([A-Za-zµμÅå]*)")


@dataclass(frozen=True)
class Geometry:
    """Row and column of the beam (px, pixel centres at whole numbers) and q per pixel (1/nm), each where known."""

    beam: tuple[float, float] | None = None
    q_per_px: float | None = None
    warnings: tuple[str, ...] = ()


def read_poni(path: Path, name: str) -> DetectorGeometry:
    """Beam centre and q per pixel of a .poni file.

    Rotations are those of pyFAI: the beam hits the detector where the line from the sample along it does.
    ``InputError`` for a file without distance, pixel size or wavelength.
    """
    source = str(path)
    if not path.is_file():
        raise unreadable(source, "a .poni file", "none", "check saxs.prepare.geometry")
    if path.stat().st_size > LARGEST_PONI_BYTES:
        raise unreadable(source, "a .poni file of at most 100 kB", f"{path.stat().st_size} bytes")
    entry = _last_entry(path.read_bytes().decode("utf-8", "replace"))
    config = _config(entry)
    if config.get("orientation", 3) not in (0, 3):
        raise unreadable(
            source,
            "a geometry of orientation 3",
            str(config["orientation"])[:20],
            "calibrate the image as it is saved",
        )
    pixel = _pixel_size(entry, config, source)
    distance, poni_row, poni_column = (_needed(entry, key, source) for key in ("distance", "poni1", "poni2"))
    wavelength = _needed(entry, "wavelength", source)
    first, second = (_value(entry.get(key, "0")) or 0.0 for key in ("rot1", "rot2"))
    if min(distance, wavelength, *pixel) <= 0 or max(abs(first), abs(second)) >= math.pi / 2:
        raise unreadable(source, "positive lengths, and a detector that the beam hits", "other values")
    if not math.isclose(pixel[0], pixel[1], rel_tol=OBLONG):
        raise unreadable(source, "square pixels", f"{pixel[0]:g} x {pixel[1]:g} m")
    beam_row = (poni_row + distance * math.tan(second) / math.cos(first)) / pixel[0] - 0.5
    beam_column = (poni_column - distance * math.tan(first)) / pixel[1] - 0.5
    slant = math.cos(first) * math.cos(second)
    # Along the tilt a pixel is seen shortened by its cosine, across it is not.
    scale = q_slope(pixel[0], distance / slant, wavelength) * math.sqrt(slant)
    return DetectorGeometry(
        file=name,
        beam_centre=(round(beam_row, 4), round(beam_column, 4)),
        q_per_px=float(f"{scale:.9g}"),
        tilt_degrees=round(math.degrees(math.acos(slant)), 4),
    )


def q_slope(pixel_m: float, distance_m: float, wavelength_m: float) -> float:
    """q per pixel at the beam, 1/nm: 2 pi p / (lambda D)."""
    return 2 * math.pi * pixel_m / (wavelength_m * 1e9 * distance_m)


def _last_entry(text: str) -> dict[str, str]:
    """Keys in lower case; pyFAI appends, so that the last value of a key holds."""
    pairs = (
        line.split(":", 1) for line in text.splitlines() if ":" in line and not line.lstrip().startswith("#")
    )
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _needed(entry: Mapping[str, str], key: str, source: str) -> float:
    value = _value(entry.get(key, ""))
    if value is None:
        raise unreadable(source, f"a .poni file with {key.capitalize()}", "none", "save it again with pyFAI")
    return value


def _value(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _config(entry: Mapping[str, str]) -> dict[str, object]:
    """The detector's configuration (JSON), as far as there is one."""
    try:
        config = json.loads(entry.get("detector_config", "{}"))
    except (ValueError, RecursionError):
        config = {}
    return config if isinstance(config, dict) else {}


def _pixel_size(entry: Mapping[str, str], config: Mapping[str, object], source: str) -> tuple[float, float]:
    """Height and width of a pixel, m: written, in the detector's configuration, or known of its name."""
    written = [_value(entry.get(key, "")) for key in ("pixelsize1", "pixelsize2")]
    if None in written:
        written = [_value(str(config.get(key, ""))) for key in ("pixel1", "pixel2")]
    if written[0] is not None and written[1] is not None:
        return written[0], written[1]
    name = entry.get("detector", "")
    for family, micrometres in PIXELS_UM.items():
        if name.lower().replace("_", "").startswith(family):
            return micrometres * 1e-6, micrometres * 1e-6
    return _asked_of_pyfai(name, source)


def _asked_of_pyfai(name: str, source: str) -> tuple[float, float]:
    try:
        detectors = importlib.import_module("pyFAI.detectors")
    except ImportError as error:
        raise InputError(
            expected="the pixel size",
            found=f"only the name of the detector, {name!r}",
            where=source,
            remedy="write PixelSize1 and PixelSize2 (m) into it, or pip install 'pairvae[geometry]'",
        ) from error
    known = detectors.ALL_DETECTORS.get(name.lower())
    pixel = (None, None) if known is None else (known().pixel1, known().pixel2)
    if pixel[0] is None or pixel[1] is None:
        raise unreadable(
            source, "a detector that pyFAI knows", repr(name), "write PixelSize1 and PixelSize2 (m) into it"
        )
    return float(pixel[0]), float(pixel[1])


def of_header(header: Mapping[str, object]) -> Geometry:
    """Geometry from a detector's header: the keys of ESRF and Xenocs (EDF), and Dectris' comment lines (CBF, TIFF)."""
    keys = {str(key).lower(): str(value) for key, value in header.items()}
    for key in ("_array_data.header_contents", "imagedescription", "image_description"):
        if "pixel_size" in keys.get(key, "").lower():
            return of_dectris(keys[key])
    row, column = _value(keys.get("center_2", "")), _value(keys.get("center_1", ""))
    beam = (
        None if row is None or column is None else (row - 0.5, column - 0.5)
    )  # its pixels begin at 0, not at -0.5
    sizes = [length(keys.get(key, ""), "m") for key in ("psize_2", "psize_1")]
    distance = length(keys.get("sampledistance", ""), "m")
    wavelength = length(keys.get("wavelength", ""), "m")
    return geometry(beam, sizes, distance, wavelength)


def of_dectris(text: str) -> Geometry:
    """``# Beam_xy (243.12, 309.12) pixels``, ``# Detector_distance 2.03 m`` and their like."""
    lines = {}
    for line in text.replace("\r", "\n").splitlines():
        words = line.strip().lstrip("#").strip().split(None, 1)
        if len(words) == 2:
            lines[words[0].rstrip(":").lower()] = words[1]
    coordinates = [float(number) for number in NUMBER.findall(lines.get("beam_xy", ""))[:2]]
    beam = (coordinates[1], coordinates[0]) if len(coordinates) == 2 else None
    sizes = [length(part, "m") for part in lines.get("pixel_size", "").split(" x ")[:2][::-1]]
    wavelength = length(lines.get("wavelength", ""), "a")
    energy = NUMBER.search(lines.get("energy", ""))
    if wavelength is None and energy is not None and float(energy[0]) > 0:
        wavelength = HC_EV_M / float(energy[0])
    return geometry(beam, sizes, length(lines.get("detector_distance", ""), "m"), wavelength)


def geometry(
    beam: tuple[float, float] | None,
    sizes: list[float | None],
    distance: float | None,
    wavelength: float | None,
) -> Geometry:
    """Each part where it is sensible; a beam at (0, 0) was never measured."""
    if beam is not None and (not all(map(math.isfinite, beam)) or max(beam) <= 1):
        beam = None
    if len(sizes) != 2 or None in sizes:
        return Geometry(beam)
    height, width = (float(size) for size in sizes if size is not None)
    if not (distance and wavelength and height > 0 and width > 0):
        return Geometry(beam)
    sensible = 1e-7 < width < 1e-2 and 1e-3 < distance < 1e3 and 1e-12 < wavelength < 1e-7
    scale = q_slope(math.sqrt(height * width), distance, wavelength) if sensible else None
    square = math.isclose(height, width, rel_tol=OBLONG)
    warnings = (
        () if square else (f"pixels of {height:.4g} x {width:.4g} m are not square: rings become ellipses",)
    )
    return Geometry(beam, None if scale is None else float(f"{scale:.9g}"), warnings)


def length(text: str, unit: str) -> float | None:
    """A length in m from text such as ``172e-6 m`` or ``1.54_Angstrom``; ``unit`` where none is written."""
    number = NUMBER.search(text)
    if number is None:
        return None
    word = WORD.match(text, number.end())
    named = (word[1] if word else "").lower()
    value = float(number[0]) * LENGTHS.get(named, LENGTHS[unit])
    return value if math.isfinite(value) and value > 0 else None
