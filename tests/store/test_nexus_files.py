"""Curves as NXcanSAS come back as they were; images are held by the tests of `predict`."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pairvae.modalities.readers.curve import read_curve
from pairvae.store.nexus_files import write_curves


@pytest.mark.parametrize(("unit", "read"), [("1/cm", "1/cm"), ("arbitrary", None)])
def test_curves_are_read_back_with_their_units(tmp_path: Path, unit: str, read: str | None) -> None:
    q, curves = np.linspace(0.05, 0.3, 40), np.random.default_rng(0).random((2, 40))
    path = tmp_path / "curves.nxs"
    write_curves(path, q, curves, ("I", unit), {"program": "pairvae", "version": "1", "input": "\u00fc.dat"})
    for number, place in enumerate(("", "::/entry/sasdata01")):
        found = read_curve(f"{path}{place}")
        np.testing.assert_allclose(found.pixels[:, :2], np.stack([q, curves[number]], axis=1))
        assert (found.q_unit, found.intensity_unit) == ("1/nm", read)
    with h5py.File(path) as file:
        entry = file["entry"]
        assert entry["definition"][()] == b"NXcanSAS" and entry.attrs["canSAS_class"] == "SASentry"
        assert dict(entry["sasdata00"].attrs)["I_axes"] == "Q" and entry["process/program"][()] == b"pairvae"
