"""Predictions as NeXus files: images as NXdata, curves as NXcanSAS, each with its units and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.numerics.images import has_grey_levels
from pairvae.store.files import atomic_path
from pairvae.store.picture_files import Scale

SUFFIX = ".nxs"
ENTRY = "entry"
Provenance = Mapping[str, str | int]


def require_h5py(where: str) -> None:
    """``InputError`` where HDF5 files cannot be written."""
    try:
        import h5py  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise InputError(
            expected="the package h5py for NeXus files",
            found="none",
            where=where,
            remedy="pip install 'pairvae[saxs]'",
        ) from error


def write_images(
    path: Path,
    images: np.ndarray,
    scale: Scale | None,
    provenance: Provenance,
    levels: np.ndarray | None = None,
) -> None:
    """Write the images predicted from one input as NXdata, atomically.

    Parameters
    ----------
    path : Path
        The file.
    images : ndarray
        Micrographs ``(S, H, W)``, uint8 in {0, 1} (1 the bright phase) or grey levels in [0, 1]; or patterns
        ``(S, 3, H, W)`` in [0, 1], which are written with the colours last.
    scale : Scale, optional
        Of the pixels. Lengths (nm) begin at the centre of the first pixel, q (1/nm) is 0 at the beam's centre.
    provenance : mapping
        What made the images: ``program`` and ``version``, and further parameters.
    levels : ndarray, optional
        Intensity levels ``(S, H, W)`` in [0, 1] of patterns whose colour map is known; they become the signal.
    """
    colours = images.ndim == 4
    with atomic_path(path) as temporary, _file(temporary) as file:
        entry = _entry(file, "images of one input", provenance)
        data = _group(entry, "prediction", "NXdata")
        entry.attrs["default"] = "prediction"
        values = images.transpose(0, 2, 3, 1) if colours else images
        names = ("qy", "qx") if colours else ("y", "x")
        signal = "image" if levels is None else "level"
        if levels is not None:
            _dataset(data, "level", levels.astype(np.float32), "intensity level of the colour map")
            data.attrs["auxiliary_signals"] = ["image"]
        phases = "grey level" if has_grey_levels(images) else "1 is the bright phase"
        meaning = "pattern, red, green and blue" if colours else phases
        image = _dataset(data, "image", values, meaning)
        image.attrs["interpretation"] = "rgb-image" if colours else "image"
        data.attrs["signal"] = signal
        axes = ["sample", *names, *(["colour"] if signal == "image" and colours else [])]
        data.attrs["axes"] = axes
        data.create_dataset("sample", data=np.arange(len(images)))
        for number, (name, length) in enumerate(zip(names, values.shape[1:3], strict=True), 1):
            _axis(data, name, length, scale, centred=colours)
            data.attrs[f"{name}_indices"] = number
        if "colour" in axes:
            data.create_dataset("colour", data=["red", "green", "blue"])


def write_curves(
    path: Path, q: np.ndarray, curves: np.ndarray, intensity: tuple[str, str], provenance: Provenance
) -> None:
    """Write the curves predicted from one input as NXcanSAS, a ``SASdata`` for each sample, atomically.

    Parameters
    ----------
    path : Path
        The file.
    q : ndarray
        ``(K,)`` in 1/nm.
    curves : ndarray
        ``(S, K)``.
    intensity : tuple of str
        What the values are, and their unit (``1/cm``, else ``arbitrary``).
    provenance : mapping
        As of :func:`write_images`.
    """
    meaning, unit = intensity
    with atomic_path(path) as temporary, _file(temporary) as file:
        entry = _entry(file, "curves of one input", provenance)
        entry.attrs.update({"canSAS_class": "SASentry", "version": "1.1", "default": "sasdata00"})
        entry.create_dataset("definition", data="NXcanSAS")
        entry.create_dataset("run", data=str(provenance.get("input", "")))
        entry["process"].attrs["canSAS_class"] = "SASprocess"
        for number, curve in enumerate(curves):
            data = _group(entry, f"sasdata{number:02d}", "NXdata")
            data.attrs.update({"canSAS_class": "SASdata", "signal": "I", "I_axes": "Q", "axes": "Q"})
            data.attrs["Q_indices"] = [0]
            _dataset(data, "Q", q, "scattering vector", "1/nm")
            _dataset(data, "I", curve, meaning, unit)


def _file(path: Path) -> Any:
    import h5py

    return h5py.File(path, "w")


def _group(parent: Any, name: str, kind: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _dataset(group: Any, name: str, values: np.ndarray, meaning: str, unit: str | None = None) -> Any:
    large = values.ndim > 1
    dataset = group.create_dataset(
        name,
        data=values,
        chunks=(1, *values.shape[1:]) if large else None,
        compression="gzip" if large else None,
    )
    dataset.attrs["long_name"] = meaning
    if unit is not None:
        dataset.attrs["units"] = unit
    return dataset


def _axis(group: Any, name: str, length: int, scale: Scale | None, *, centred: bool) -> None:
    start = (length - 1) / 2 if centred else 0.0
    per_px, unit = (1.0, "px") if scale is None else (scale.per_px, scale.unit)
    axis = group.create_dataset(name, data=(np.arange(length) - start) * per_px)
    axis.attrs["units"] = unit


def _entry(file: Any, title: str, provenance: Provenance) -> Any:
    """The entry with its ``NXprocess``: program, version, and the parameters of the prediction."""
    file.attrs.update({"NX_class": "NXroot", "default": ENTRY})
    entry = _group(file, ENTRY, "NXentry")
    entry.create_dataset("title", data=f"Predicted {title}")
    process = _group(entry, "process", "NXprocess")
    parameters = _group(process, "parameters", "NXparameters")
    for key, value in provenance.items():
        group = process if key in ("program", "version") else parameters
        group.create_dataset(key, data=value)
    return entry
