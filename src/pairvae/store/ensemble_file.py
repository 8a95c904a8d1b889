"""Ensembles for calculations that follow: one HDF5 (or npz) file with metadata, and stacks that ImageJ opens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.store.files import atomic_path
from pairvae.store.picture_files import Scale, as_8_bit, write_tiff

HDF5 = (".h5", ".hdf5")
NPZ = ".npz"


def check_suffix(path: Path) -> None:
    """``InputError`` for a file that could not be written: another suffix, or HDF5 without h5py."""
    if path.suffix not in (*HDF5, NPZ):
        raise InputError(expected="a file .h5 or .npz", found=path.name, where="--out")
    if path.suffix in HDF5:
        try:
            import h5py  # noqa: F401 - only whether it is there
        except ImportError as error:
            raise InputError(
                expected="the package h5py for HDF5 files",
                found="none",
                where=str(path),
                remedy="pip install 'pairvae[saxs]', or give a file .npz",
            ) from error


def write_ensemble(path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Write arrays by name with ``facts`` as attributes (HDF5) or as the JSON text ``facts`` (npz), atomically."""
    with atomic_path(path) as temporary:
        if path.suffix == NPZ:
            with temporary.open("wb") as stream:
                np.savez_compressed(stream, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]  # numpy's stubs
            return
        import h5py

        with h5py.File(temporary, "w") as file:
            for name, array in arrays.items():
                large = array.ndim > 1 and len(array) > 0
                chunks = (1, *array.shape[1:]) if large else None
                file.create_dataset(name, data=array, chunks=chunks, compression="gzip" if large else None)
            for key, value in facts.items():
                if value is not None:
                    file.attrs[key] = value if isinstance(value, int | float | str) else json.dumps(value)


def write_stack(path: Path, images: np.ndarray, nm_per_px: float | None) -> None:
    """Write micrographs ``(N, h, w)`` in [0, 1] as a TIFF stack of 0 to 255, as ImageJ writes it, atomically."""
    with atomic_path(path) as temporary:
        scale = None if nm_per_px is None else Scale(nm_per_px, "nm")
        write_tiff(temporary, np.stack([as_8_bit(image) for image in images]), scale)
