"""Detector metadata of a NeXus file: beam centre, scale of q, and the masked pixels."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from pairvae.modalities.readers.geometry import HC_EV_M, LENGTHS, Geometry, geometry

MOST_VISITED = 2000
DEEPEST = 6
MODULES = "detectormodule"  # groups of the modules of an Eiger: some 30 entries each, none of them wanted
BEAM = ("beam_center_y", "beam_center_x")
PIXEL = ("y_pixel_size", "x_pixel_size")
DISTANCE = ("detector_distance", "distance")
WAVELENGTH = ("incident_wavelength", "wavelength")
ENERGY = ("photon_energy", "incident_energy", "energy")
MASK = "pixel_mask"
NAMES = frozenset({*BEAM, *PIXEL, *DISTANCE, *WAVELENGTH, *ENERGY, MASK})
EV = {"ev": 1.0, "kev": 1000.0}


def detector_metadata(file: Any, inside: str, shape: tuple[int, ...]) -> tuple[Geometry, Any]:
    """Geometry, and the data set of the mask (None: none) for a frame ``(H, W)`` of the data set ``inside``.

    Of several detectors the one nearest to the data is taken. Links are not followed.
    """
    by_name: dict[str, list[tuple[str, Any]]] = {}
    for path, item in _datasets(file):
        by_name.setdefault(path.rpartition("/")[2].lower(), []).append((path, item))
    near = {name: _nearest(items, inside) for name, items in by_name.items()}
    masks = [
        (path, item)
        for path, item in by_name.get(MASK, [])
        if item.shape == shape and item.dtype.kind in "bui"
    ]
    sizes = [_length(near.get(name), "m") for name in PIXEL]
    beam = [_beam(near.get(name), size) for name, size in zip(BEAM, sizes, strict=True)]
    known = None if beam[0] is None or beam[1] is None else (beam[0], beam[1])
    distance = next((value for name in DISTANCE if (value := _length(near.get(name), "m"))), None)
    wavelength = next((value for name in WAVELENGTH if (value := _length(near.get(name), "a"))), None)
    if wavelength is None:
        energies = (_scalar(near.get(name), EV, "ev") for name in ENERGY)
        energy = next((value for value in energies if value), None)
        wavelength = None if energy is None else HC_EV_M / energy
    return geometry(known, sizes, distance, wavelength), _nearest(masks, inside) if masks else None


def _datasets(file: Any) -> Iterator[tuple[str, Any]]:
    """Data sets of wanted names with their paths, from the top downwards, along hard links only."""
    import h5py

    waiting, seen = deque([("", file, 0)]), 0
    while waiting:
        path, group, depth = waiting.popleft()
        for name in group:
            seen += 1
            if seen > MOST_VISITED:
                return
            link = group.get(name, getlink=True)
            relevant = name.lower() in NAMES
            if not isinstance(link, h5py.HardLink) or name.lower().startswith(MODULES):
                continue
            kind = group.get(name, getclass=True)
            if kind is h5py.Group and depth < DEEPEST:
                waiting.append((f"{path}/{name}", group[name], depth + 1))
            elif relevant and kind is h5py.Dataset:
                item = group[name]
                if not (item.is_virtual or item.external):
                    yield f"{path}/{name}", item


def _nearest(items: list[tuple[str, Any]], inside: str) -> Any:
    """Of data sets with their paths, the one that shares most of its path with ``inside``."""
    steps = [step for step in inside.split("/") if step]

    def shared(path: str) -> int:
        count = 0
        for own_step, other in zip([step for step in path.split("/") if step], steps, strict=False):
            if own_step != other:
                break
            count += 1
        return count

    return max(items, key=lambda item: shared(item[0]))[1]


def _unit(item: Any) -> str:
    unit = item.attrs.get("units", b"")
    unit = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit)
    return unit.strip().lower()


def _scalar(item: Any, units: dict[str, float], default: str) -> float | None:
    """One number of a data set in the base unit; None where it holds none, or several."""
    if item is None or item.dtype.kind not in "uif" or item.size != 1:
        return None
    value = float(np.ravel(item[()])[0]) * units.get(_unit(item), units[default])
    return value if math.isfinite(value) and value > 0 else None


def _length(item: Any, default: str) -> float | None:
    return _scalar(item, LENGTHS, default)


def _beam(item: Any, pixel: float | None) -> float | None:
    """A coordinate of the beam, px; lengths are divided by the pixel's."""
    if item is None or _unit(item) not in LENGTHS:
        return _scalar(item, {"px": 1.0}, "px")
    position = _length(item, "m")
    return None if position is None or pixel is None else position / pixel
