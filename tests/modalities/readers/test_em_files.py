"""dm3, dm4, emd and mrc files: pixels and their size through RosettaSciIO, and hostile files in one line."""

import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from em_samples import GREY, dm3, mrc, ncem, velox
from pairvae.errors import InputError
from pairvae.modalities.readers.image import read_image

needs_rosetta = pytest.mark.skipif(find_spec("rsciio") is None, reason="the extra [em] is not installed")


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_mrc_and_its_frames(tmp_path: Path) -> None:
    raw = read_image(put(tmp_path / "a.mrc", mrc()))
    assert np.array_equal(raw.pixels, GREY) and raw.nm_per_px == pytest.approx(0.5)
    stack = np.stack([GREY, GREY + 1])
    raw = read_image(put(tmp_path / "b.mrc", mrc(stack)), page=1)
    assert np.array_equal(raw.pixels, GREY + 1) and raw.notes == ("frame 1 of 2",)


@needs_rosetta
@pytest.mark.parametrize(("unit", "nm"), [("nm", 0.25), ("µm", 250.0), ("", None)])
def test_digital_micrograph(unit: str, nm: float | None, tmp_path: Path) -> None:
    raw = read_image(put(tmp_path / "a.dm3", dm3(unit=unit)))
    assert np.array_equal(raw.pixels, GREY) and raw.nm_per_px == (None if nm is None else pytest.approx(nm))


@needs_rosetta
def test_emd(tmp_path: Path) -> None:
    for path in (velox(tmp_path / "v.emd"), ncem(tmp_path / "n.emd")):
        raw = read_image(path)
        assert np.array_equal(raw.pixels, GREY), path
        assert raw.nm_per_px == pytest.approx(0.5), path


@needs_rosetta
@pytest.mark.parametrize(("name", "data"), [
    ("a.mrc", mrc(columns=2**31)),
    ("a.mrc", mrc()[:-20]),
    ("a.mrc", mrc(mode=3)),
    ("a.mrc", b"nothing"),
    ("a.dm3", dm3(values=2**31 - 1)[:400]),
    ("a.dm3", dm3()[:-300]),
    ("a.dm3", struct.pack(">3i", 3, 9, 1) + b"\1\0" + struct.pack(">i", 2**30)),
    ("a.dm4", b"\0\0\0\4" + bytes(40)),
    ("a.emd", b"\x89HDF\r\n\x1a\n" + bytes(40)),
    ("a.emd", b"no HDF5"),
])  # fmt: skip
def test_damaged_files_are_told_in_one_line(name: str, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.\w+: expected .*, found "):
        read_image(put(tmp_path / name, data))


@needs_rosetta
def test_an_array_of_nothing_is_not_counted_to_its_end(tmp_path: Path) -> None:
    tag = struct.pack(">bh", 21, 1) + b"a%%%%" + struct.pack(">7i", 5, 20, 15, 0, 0, 2**30, 0)
    with pytest.raises(InputError, match="expected a readable dm3 file"):
        read_image(
            put(tmp_path / "a.dm3", struct.pack(">3i", 3, 9, 1) + b"\1\0" + struct.pack(">i", 1) + tag)
        )


@needs_rosetta
def test_links_and_bombs_in_emd_files_are_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(velox(tmp_path / "a.emd"), "a") as file:
        file["Data/Image/more"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(InputError, match="found a link"):
        read_image(tmp_path / "a.emd")
    zeros = np.zeros((3000, 3000), np.int16)
    bomb = velox(tmp_path / "b.emd", zeros, chunks=(3000, 3000, 1), compression="gzip")
    with h5py.File(bomb, "a") as file:
        file.create_dataset("huge", shape=(100_000, 100_000), dtype="f8", chunks=(1000, 1000))
    with pytest.raises(InputError, match="at most 2 GB"):
        read_image(bomb)


def test_a_neighbour_of_an_mrc_movie_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "20250101_1_info.txt").write_text("Scan - Size X = 4\nScan - Size Y = 4\n")
    raw = read_image(put(tmp_path / "20250101_1_movie.mrc", mrc()))
    assert np.array_equal(raw.pixels, GREY)
