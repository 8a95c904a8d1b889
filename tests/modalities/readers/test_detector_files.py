"""Detector files: which frame of how many, links to data files, what NeXus tells, compressed files, img."""

import bz2
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pairvae.errors import InputError
from pairvae.modalities.readers import gzipped
from pairvae.modalities.readers.image import companions, file_stem, read_image
from pairvae.modalities.readers.linked_folders import declare_roots
from real_files import has_real, real_file

FRAMES = np.random.default_rng(0).integers(0, 1000, (6, 40, 50)).astype(np.int32)


@pytest.fixture(autouse=True)
def _no_roots() -> Iterator[None]:
    declare_roots([])
    yield
    declare_roots([])


# --- frames ----------------------------------------------------------------------------------------


@pytest.fixture
def several(tmp_path: Path) -> dict[str, str]:
    """Files of six frames, by format; the name is that of the file with its data set."""
    h5py = pytest.importorskip("h5py")
    fabio = pytest.importorskip("fabio")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/data"] = FRAMES
        file["scan/data"] = FRAMES.reshape(2, 3, 40, 50)
        file["single/data"] = FRAMES[:1]
    edf = fabio.edfimage.EdfImage(data=FRAMES[0])
    for frame in FRAMES[1:]:
        edf.append_frame(data=frame)
    edf.write(str(tmp_path / "a.edf"))
    tifffile.imwrite(tmp_path / "a.tif", FRAMES, photometric="minisblack")
    return {
        "hdf5": f"{tmp_path / 'a.h5'}::/entry/data",
        "grid scan": f"{tmp_path / 'a.h5'}::/scan/data",
        "single": f"{tmp_path / 'a.h5'}::/single/data",
        "edf": f"{tmp_path / 'a.edf'}::",
        "tif": f"{tmp_path / 'a.tif'}::",
    }


@pytest.mark.parametrize("kind", ["hdf5", "grid scan", "edf", "tif"])
@pytest.mark.parametrize("number", [0, 4])
def test_the_frame_in_brackets_is_taken(kind: str, number: int, several: dict[str, str]) -> None:
    raw = read_image(f"{several[kind]}[{number}]")
    np.testing.assert_array_equal(raw.pixels, FRAMES[number])
    if kind != "tif":
        assert raw.notes == (f"frame {number} of 6, counted from 0",) and raw.warnings == ()


@pytest.mark.parametrize("kind", ["hdf5", "grid scan", "edf"])
def test_the_first_of_many_frames_is_warned_of(kind: str, several: dict[str, str]) -> None:
    raw = read_image(several[kind].removesuffix("::"))
    np.testing.assert_array_equal(raw.pixels, FRAMES[0])
    assert raw.notes == () and raw.warnings[0].startswith("frame 0 of 6, as none is named")
    with pytest.raises(InputError, match="expected a frame 6, found 6 frames - count frames from 0"):
        read_image(f"{several[kind]}[6]")


def test_the_only_frame_needs_no_word(several: dict[str, str]) -> None:
    raw = read_image(several["single"])
    assert (raw.notes, raw.warnings, raw.pixels.shape) == ((), (), (40, 50))


# --- links -----------------------------------------------------------------------------------------


def master(path: Path, target: str) -> Path:
    """A file as an Eiger writes it: the data lie in another one."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_group("entry/data")["data_000001"] = h5py.ExternalLink(target, "entry/data/data")
        detector = file.create_group("entry/instrument/detector")
        for name, value, unit in (
            ("beam_center_x", 21.5, "pixel"), ("beam_center_y", 17.25, "pixel"), ("x_pixel_size", 75e-6, "m"),
            ("y_pixel_size", 75e-6, "m"), ("detector_distance", 0.5, "m"),
        ):  # fmt: skip
            detector[name] = np.float32(value)
            detector[name].attrs["units"] = np.bytes_(unit)
        mask = np.zeros((40, 50), np.uint32)
        mask[3:5] = 1
        detector["detectorSpecific/pixel_mask"], detector["detectorSpecific/flatfield"] = mask, mask * 1.0
        file["entry/instrument/beam/incident_wavelength"] = np.float32(0.98)
        file["entry/instrument/beam/incident_wavelength"].attrs["units"] = "angstrom"
    return path


def data_file(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data/data", data=FRAMES, chunks=(1, 40, 50), compression="gzip")
    return path


def test_a_master_file_brings_frames_geometry_and_mask(tmp_path: Path) -> None:
    data_file(tmp_path / "a_data_000001.h5")
    source = f"{master(tmp_path / 'a_master.h5', 'a_data_000001.h5')}::/entry/data/data_000001"
    raw = read_image(f"{source}[2]")
    np.testing.assert_array_equal(raw.pixels, FRAMES[2])
    assert raw.notes == ("frame 2 of 6, counted from 0",)
    assert raw.beam == (17.25, 21.5)
    assert raw.header_q_per_px == pytest.approx(2 * math.pi * 75e-6 / (0.098 * 0.5), rel=1e-5)
    assert raw.mask is not None and raw.mask.sum() == 2 * 50
    assert companions(f"{source}[2]") == [(tmp_path / "a_data_000001.h5").resolve()]
    with pytest.raises(InputError, match="2D ones are entry/data/data_000001 - name one of them"):
        read_image(tmp_path / "a_master.h5")


@pytest.mark.parametrize("inside", ["", "::/entry/data/data_000001"])
def test_a_master_file_names_the_data_file_that_is_missing(inside: str, tmp_path: Path) -> None:
    path = master(tmp_path / "a_master.h5", "a_data_000001.h5")
    with pytest.raises(
        InputError, match=r"data file a_data_000001\.h5 that it links to, found none - copy it beside"
    ):
        read_image(f"{path}{inside}")


@pytest.mark.parametrize("how", ["absolute", "by name", "upwards"])
def test_links_are_followed_into_declared_folders_only(how: str, tmp_path: Path) -> None:
    data = data_file(tmp_path / "elsewhere" / "a_data.h5")
    (tmp_path / "own").mkdir()
    name = {"absolute": str(data), "by name": "a_data.h5", "upwards": "../elsewhere/a_data.h5"}[how]
    source = f"{master(tmp_path / 'own' / 'm.h5', name)}::/entry/data/data_000001"
    with pytest.raises(InputError, match=r"data\.roots"):
        read_image(source)
    declare_roots([tmp_path / "elsewhere"])
    np.testing.assert_array_equal(read_image(source).pixels, FRAMES[0])
    declare_roots([])
    with pytest.raises(InputError, match=r"data\.roots"):
        read_image(source)


def test_a_declared_folder_is_not_left_by_a_link_in_it(tmp_path: Path) -> None:
    secret = data_file(tmp_path / "secret" / "a_data.h5")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a_data.h5").symlink_to(secret)
    (tmp_path / "own").mkdir()
    declare_roots([root])
    source = f"{master(tmp_path / 'own' / 'm.h5', 'a_data.h5')}::/entry/data/data_000001"
    with pytest.raises(InputError, match="found none - copy it beside"):
        read_image(source)


# --- compressed files ------------------------------------------------------------------------------


def edf(path: Path) -> Path:
    fabio = pytest.importorskip("fabio")
    fabio.edfimage.EdfImage(data=FRAMES[0]).write(str(path))
    return path


def packed(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data))
    return path


def test_gzip_files_of_every_kind_are_read(tmp_path: Path) -> None:
    fabio = pytest.importorskip("fabio")
    fabio.cbfimage.CbfImage(data=FRAMES[0]).write(str(tmp_path / "a.cbf"))
    tifffile.imwrite(tmp_path / "a.tif", FRAMES[0])
    edf(tmp_path / "a.edf")
    for name in ("a.cbf", "a.tif", "a.edf"):
        data = (tmp_path / name).read_bytes()
        for path in (packed(tmp_path / f"{name}.gz", data), packed(tmp_path / "nameless", data)):
            raw = read_image(path)
            np.testing.assert_array_equal(raw.pixels, FRAMES[0])
            assert raw.source == str(path)
    half = len(data) // 2
    (tmp_path / "two.edf.gz").write_bytes(gzip.compress(data[:half]) + gzip.compress(data[half:]))
    np.testing.assert_array_equal(read_image(tmp_path / "two.edf.gz").pixels, FRAMES[0])
    assert [file_stem(Path(name)) for name in ("s1.edf.gz", "s1.v2.tif", "a/s1.CBF.GZ")] == [
        "s1", "s1.v2", "s1",
    ]  # fmt: skip


def test_gzip_bombs_cut_and_damaged_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gzipped, "LARGEST_UNPACKED_BYTES", 3_000_000)
    monkeypatch.setattr(gzipped.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(gzipped, "MOST_STREAMS", 50)
    engine = zlib.compressobj(9, wbits=31)
    whole = gzip.compress(edf(tmp_path / "a.edf").read_bytes())
    kinds = {
        "at most 3 MB unpacked": engine.compress(bytes(50_000_000)) + engine.flush(),
        "at most 3 MB unpacked, found more": gzip.compress(b"x") * 100,
        "a whole gzip file": whole[:-20],
        "a sound gzip file": whole[:200] + bytes(200) + whole[400:],
        "an empty file": gzip.compress(b""),
        "a gzip file within another": gzip.compress(whole),
        "a bzip2 file": bz2.compress(bytes(1000)),
    }
    for message, data in kinds.items():
        (tmp_path / "b.edf.gz").write_bytes(data)
        with pytest.raises(InputError, match=message):
            read_image(tmp_path / "b.edf.gz")
        assert not list(tmp_path.glob("pairvae-*")), "nothing is left behind"


# --- formats without a magic number of their own ---------------------------------------------------


def test_img_files_and_edf_of_any_name_are_read(tmp_path: Path) -> None:
    fabio = pytest.importorskip("fabio")
    counts = FRAMES[0].astype(np.uint16)
    fabio.dtrekimage.DtrekImage(data=counts).write(str(tmp_path / "a.img"))
    fabio.adscimage.AdscImage(data=counts).write(str(tmp_path / "b.img"))
    edf(tmp_path / "a.edf").rename(tmp_path / "c.cor")
    edf(tmp_path / "a.edf").rename(tmp_path / "upload")
    for name in ("a.img", "b.img", "c.cor", "upload"):
        np.testing.assert_array_equal(read_image(tmp_path / name).pixels, FRAMES[0])
    lying = (
        (tmp_path / "a.img")
        .read_bytes()
        .replace(b"SIZE1= 50", b"SIZE1= 90000")
        .replace(b"SIZE2= 40", b"SIZE2= 90000")
    )
    (tmp_path / "a.img").write_bytes(lying)
    with pytest.raises(InputError, match="a header that announces 90000 x 90000 px"):
        read_image(tmp_path / "a.img")


@has_real("dectris_eiger_master.h5")
def test_the_real_master_file() -> None:
    pytest.importorskip("h5py")
    for inside in ("", "::/entry/data/data_000001"):
        with pytest.raises(
            InputError, match=r"data file dectris_eiger_data_000001\.h5 that it links to, found none"
        ):
            read_image(f"{real_file('dectris_eiger_master.h5')}{inside}")


@has_real("galaxi_data.tif.gz")
def test_the_real_compressed_pattern() -> None:
    raw = read_image(real_file("galaxi_data.tif.gz"))
    assert raw.pixels.shape == (1043, 981)
    assert (raw.pixels.min(), raw.pixels.max()) == (-1, 247736) and int((raw.pixels == -1).sum()) == 7301
