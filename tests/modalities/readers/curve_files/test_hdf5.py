"""Curves in HDF5: by name, by NeXus attributes, without a name; and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities.readers.curve import read_curve

h5py = pytest.importorskip("h5py")
Q = np.linspace(0.04, 0.4, 50)
POWER_LAW = Q**-2.0


def nxcansas(file: Any, place: str, units: str = "1/A") -> None:
    file[f"{place}/Q"], file[f"{place}/I"], file[f"{place}/Idev"] = Q, POWER_LAW, 0.1 * POWER_LAW
    file[f"{place}/Q"].attrs["units"] = units
    file[f"{place}/I"].attrs["units"] = np.bytes_(b"1/cm")
    file[place].attrs.update({"signal": "I", "I_axes": "Q", "canSAS_class": "SASdata"})


def test_nxcansas_needs_no_path(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        nxcansas(file, "sasentry01/sasdata01")
        file["sasentry01/transmission/T"], file["sasentry01/transmission/lambda"] = Q, Q
    found = read_curve(tmp_path / "a.h5")
    np.testing.assert_allclose(found.pixels, np.stack([Q, POWER_LAW, 0.1 * POWER_LAW], axis=1))
    assert (found.q_unit, found.intensity_unit) == ("1/angstrom", "1/cm")
    assert found.notes == ("read from ::/sasentry01/sasdata01",)


def test_of_several_curves_the_default_is_read_else_all_are_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        nxcansas(file, "one/data", "nm^-1")
        nxcansas(file, "two/data")
    with pytest.raises(
        InputError, match="2 groups with q and I; curves are in ::/one/data, ::/two/data - name one"
    ):
        read_curve(tmp_path / "a.h5")
    with pytest.raises(InputError, match="curves are in ::/one/data, ::/two/data"):
        read_curve(f"{tmp_path / 'a.h5'}::/three")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs["default"] = np.bytes_(b"two")
        file["two"].attrs["default"] = "/two/data"
    assert read_curve(tmp_path / "a.h5").q_unit == "1/angstrom"
    assert read_curve(f"{tmp_path / 'a.h5'}::/one/data").q_unit == "1/nm"


def test_hdf5_table_and_group(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/table"] = np.stack([Q, POWER_LAW, POWER_LAW], axis=1)
        file["entry/data/q"], file["entry/data/Intensity"] = Q, POWER_LAW[None]
        file["entry/data/q"].attrs["unit"] = "q_nm^-1"
        file["entry/data/errors"] = 0.1 * POWER_LAW
        file["entry/other/x"] = Q
        file["entry/angle/2th"], file["entry/angle/I"] = Q, Q
        file["entry/angle"].attrs.update({"signal": "I", "axes": ["2th"]})
        file["entry/outside"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["entry/away/q"], file["entry/away/I"] = Q, h5py.SoftLink("/entry/outside/I")
    for inside in ("entry/table", "/entry/data"):
        found = read_curve(f"{tmp_path / 'a.h5'}::{inside}")
        np.testing.assert_allclose(found.pixels[:, 1], POWER_LAW)
        assert np.isfinite(found.pixels[:, 2]).all()
    assert found.q_unit == "1/nm"
    for inside, message in (
        ("entry/other", "found x; curves are in ::/entry/data"),
        ("entry/data/q", "found one column; curves are in ::/entry/data"),
        ("entry/angle", "found 2-theta"),
        ("entry/nothing", "found no such group or data set; curves are in ::/entry/data"),
        ("entry/outside", "data inside the file, found a link to /etc/passwd"),
        ("entry/away", "curves are in ::/entry/data"),
    ):
        with pytest.raises(InputError, match=message):
            read_curve(f"{tmp_path / 'a.h5'}::{inside}")


def test_a_missing_compression_filter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("table", data=np.stack([Q, POWER_LAW], axis=1), chunks=(10, 2), compression="lzf")
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda number: False)
    with pytest.raises(
        InputError, match=r"the HDF5 filter lzf \(32000\) that is not installed - pip install hdf5plugin"
    ):
        read_curve(f"{tmp_path / 'a.h5'}::/table")
