"""Every kind of broken input of docs/own-data.md: one clear line each, as the docs print it."""

from __future__ import annotations

import io
import os
import pickle
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from pairvae.data.check.pair_sheet import pair_sheet
from pairvae.data.pairs.from_names import NameRules, init_pairs
from pairvae.data.pairs.manifest import Pair, read_pairs, split_pairs
from pairvae.errors import InputError
from pairvae.modalities.readers import detector_files
from pairvae.modalities.readers.image import read_image, require_finite

DOCS = Path(__file__).parents[2] / "docs" / "own-data.md"
GREY = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64).astype(np.uint8)
MOST_MEMORY = 60_000_000  # bytes, for headers that announce gigabytes

NOISY = {"TIFF with damaged LZW pixels"}  # libtiff within Pillow prints a line of its own

Case = Callable[[Path], object]
KINDS: dict[str, Case] = {}


def kind(name: str) -> Callable[[Case], Case]:
    def register(case: Case) -> Case:
        KINDS[name] = case
        return case

    return register


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def encoded(suffix: str, pixels: np.ndarray = GREY) -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return bytes(data.tobytes())


def tiff(pixels: np.ndarray = GREY, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npy_header(shape: tuple[int, ...]) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (118 - len(text) - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [png_chunk(b"IHDR", head), png_chunk(b"IDAT", rows), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff_with(code: int, value: int, data: bytes | None = None) -> bytes:
    """A TIFF with the value of one tag overwritten."""
    out = bytearray(data or tiff())
    with tifffile.TiffFile(io.BytesIO(bytes(out))) as file:
        tag = file.pages[0].tags[code]
        place, size = tag.valueoffset, {3: 2, 4: 4}[int(tag.dtype)]
    out[place : place + size] = value.to_bytes(size, "little")
    return bytes(out)


def pairs_folder(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        put(folder / "SAXS" / f"{number}.png", encoded(".png", GREY + np.uint8(number)))
        put(folder / "SEM" / f"{number}.tif", tiff(GREY[::-1] + np.uint8(number)))
    return folder


def changed(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


def deflated(count: int, wbits: int) -> bytes:
    """Ten million zeros ``count`` times, deflated."""
    engine = zlib.compressobj(9, wbits=wbits)
    return b"".join([engine.compress(bytes(10_000_000)) for _ in range(count)]) + engine.flush()


def first_strip(data: bytes) -> int:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return int(file.pages[0].dataoffsets[0])


def lzw_damaged() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "TIFF", compression="tiff_lzw")
    return changed(stream.getvalue(), first_strip(stream.getvalue()) + 40, b"\xff" * 50)


def inflating() -> bytes:
    bomb, data = deflated(20, 15), tiff(GREY, compression="zlib")
    return tiff_with(279, len(bomb), tiff_with(273, len(data), data)) + bomb


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, image=GREY)
    return stream.getvalue()


def sparse(path: Path, head: bytes, size: int) -> object:
    with put(path, head).open("r+b") as stream:
        stream.truncate(size)
    return read_image(path)


# --- one image file ---------------------------------------------------------------------------------

PNG, JPG, BMP, NPY = encoded(".png"), encoded(".jpg"), encoded(".bmp"), npy(GREY)
ZLIB = tiff(GREY, compression="zlib")
LARGE = struct.pack(">HH", 60_000, 60_000)
FILES: dict[str, tuple[str, bytes | Callable[[], bytes]]] = {
    "an empty file": ("a.jpg", b""),
    "text named .tif": ("a.tif", b"q, I\n0.1, 5\n0.2, 7\n"),
    "zeros only": ("a.jpg", bytes(4096)),
    "random bytes": ("a.png", bytes(range(255, 5, -3))),
    "BMP cut short": ("a.bmp", BMP[:-100]),
    "BMP of run lengths": ("a.bmp", changed(BMP, 30, b"\1")),
    "BMP with a 60,000 x 60,000 header": ("a.bmp", changed(BMP, 18, struct.pack("<ii", 60000, 60000))),
    "a GIF picture named .png": ("a.png", b"GIF89a" + bytes(40)),
    "a zip archive (npz) named .npy": ("a.npy", npz),
    "a damaged gzip file": ("a.edf.gz", b"\x1f\x8b\x08" + bytes(40)),
    "gzip of 500 MB": ("a.edf.gz", lambda: deflated(50, 31)),
    "a Python pickle named .npy": ("a.npy", pickle.dumps(GREY, protocol=4)),
    "PNG cut within its header": ("a.png", PNG[:20]),
    "PNG cut short": ("a.png", PNG[:-30]),
    "PNG with a flipped byte": ("a.png", changed(PNG, 60, bytes([PNG[60] ^ 0xFF]))),
    "PNG with garbage for pixels": ("a.png", png(64, 64, b"not deflated at all")),
    "PNG with a 60,000 x 60,000 header": ("a.png", png(60_000, 60_000, zlib.compress(bytes(1000)))),
    "PNG of no width": ("a.png", png(0, 64, zlib.compress(bytes(64)))),
    "JPEG cut short": ("a.jpg", JPG[: len(JPG) // 2 + 300]),
    "JPEG cut within its header": ("a.jpg", JPG[:30]),
    "JPEG with a 60,000 x 60,000 header": ("a.jpg", changed(JPG, JPG.index(b"\xff\xc0") + 5, LARGE)),
    "JPEG of 12 bits": ("a.jpg", changed(JPG, JPG.index(b"\xff\xc0") + 4, b"\x0c")),
    "TIFF cut short": ("a.tif", tiff()[:2000]),
    "TIFF without a page": ("a.tif", b"II*\x00" + bytes(24)),
    "TIFF whose directory lies beyond its end": (
        "a.tif",
        b"II*\x00" + struct.pack("<I", 900_000) + bytes(20),
    ),
    "TIFF with a 60,000 x 60,000 header": ("a.tif", tiff_with(257, 60_000, tiff_with(256, 60_000))),
    "TIFF with fewer bytes than its header says": ("a.tif", tiff_with(257, 640)),
    "TIFF of complex numbers": ("a.tif", tiff(GREY.astype(np.complex64))),
    "TIFF of two channels": (
        "a.tif",
        tiff(np.stack([GREY, GREY], axis=2), planarconfig="contig", photometric="minisblack"),
    ),
    "TIFF with an unknown compression": ("a.tif", tiff_with(259, 34_712)),
    "TIFF with damaged compressed pixels": ("a.tif", changed(ZLIB, first_strip(ZLIB), bytes(12))),
    "TIFF that inflates to 200 MB": ("a.tif", inflating),
    "TIFF with damaged LZW pixels": ("a.tif", lzw_damaged),
    "npy of Python objects": ("a.npy", npy(np.array([{"a": 1}]), allow_pickle=True)),
    "npy cut short": ("a.npy", NPY[:900]),
    "npy with a damaged header": ("a.npy", NPY.replace(b"descr", b"dxscr")),
    "npy of one dimension": ("a.npy", npy(np.arange(100.0))),
    "npy stack of images": ("a.npy", npy(np.zeros((5, 64, 64)))),
    "npy of complex numbers": ("a.npy", npy(np.ones((64, 64), complex))),
    "npy of text": ("a.npy", npy(np.full((64, 64), "x"))),
    "NaN only": ("a.npy", npy(np.full((64, 64), np.nan))),
    "a table that is no 2D pattern": ("a.dat", b"0.1 5 0.1\n0.2 7 0.1\n" * 100),
    "XML named .edf": ("a.edf", b"<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"),
}


def read(name: str, content: bytes | Callable[[], bytes]) -> Case:
    return lambda d: read_image(put(d / name, content if isinstance(content, bytes) else content()))


KINDS |= {title: read(*file) for title, file in FILES.items()}
KINDS |= {
    "no such file": lambda d: read_image(d / "a.png"),
    "a 5 GB file": lambda d: sparse(d / "a.tif", tiff(), 5_000_000_000),
    "a page of a one-image format": lambda d: read_image(put(d / "a.png", PNG), page=1),
    "TIFF page that is not there": lambda d: read_image(put(d / "a.tif", tiff()), page=3),
    "npy with a 60,000 x 60,000 header": lambda d: sparse(
        d / "a.npy", npy_header((60_000, 60_000)), 1_900_000_000
    ),
    "npy above the limit, all there": lambda d: sparse(
        d / "a.npy", npy_header((20_000, 20_000)), 128 + 4 * 20_000**2
    ),
}


@kind("a folder in place of a file")
def _(d: Path) -> object:
    (d / "a.tif").mkdir()
    return read_image(d / "a.tif")


@kind("a named pipe")
def _(d: Path) -> object:
    os.mkfifo(d / "a.tif")
    return read_image(d / "a.tif")


@kind("a micrograph with NaN")
def _(d: Path) -> object:
    pixels = GREY.astype(np.float32)
    pixels[3, 5] = np.nan
    return require_finite(read_image(put(d / "a.npy", npy(pixels))))


# --- detector files --------------------------------------------------------------------------------


def h5(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["entry/data"] = GREY.astype(np.int32)
        file["entry/curve"] = np.arange(9.0)
        file["entry/name"] = "sample"
        file["entry/outside"] = h5py.ExternalLink("/etc/passwd", "/a")
        file["entry/soft"] = h5py.SoftLink("/entry/outside")
        file["entry/loop"] = h5py.SoftLink("/entry/loop")
        layout = h5py.VirtualLayout((4, 64), np.int32)
        layout[:] = h5py.VirtualSource("other.h5", "a", (4, 64))
        file["entry"].create_virtual_dataset("virtual", layout)
        file["entry"].create_dataset("raw", (4, 4), np.uint8, external=[("/etc/passwd", 0, 16)])
        file["entry"].create_dataset("huge", (60_000, 60_000), np.float32, chunks=(100, 100))
    return path


def edf(path: Path) -> bytes:
    fabio = pytest.importorskip("fabio")
    fabio.edfimage.EdfImage(data=GREY.astype(np.int32)).write(str(path))
    return path.read_bytes()


def data_set(name: str) -> Case:
    return lambda d: read_image(f"{h5(d / 'a.h5')}::/entry/{name}")


KINDS |= {
    "HDF5 without a data set's name": lambda d: read_image(h5(d / "a.h5")),
    "HDF5 data set that is not there": data_set("nothing"),
    "HDF5 data set of text": data_set("name"),
    "HDF5 curve in place of an image": data_set("curve"),
    "HDF5 link to another file": data_set("soft"),
    "HDF5 links in a circle": data_set("loop"),
    "HDF5 virtual data set": data_set("virtual"),
    "HDF5 data set stored in another file": data_set("raw"),
    "HDF5 with a 60,000 x 60,000 data set": data_set("huge"),
    "HDF5 cut short": lambda d: read_image(
        f"{put(d / 'a.h5', h5(d / 'a.h5').read_bytes()[:1000])}::/entry/data"
    ),
    "a data set's name after another format": lambda d: read_image(f"{put(d / 'a.png', PNG)}::/entry/data"),
    "edf cut short": lambda d: read_image(put(d / "a.edf", edf(d / "a.edf")[:900])),
    "edf with a 60,000 x 60,000 header": lambda d: read_image(
        put(d / "a.edf", re.sub(rb"(Dim_[12] = )64", rb"\g<1>60000", edf(d / "a.edf")))
    ),
}


def _absent(name: str) -> object:
    raise ImportError(name)


@kind("HDF5 without the extra")
def _(d: Path) -> object:
    path = put(d / "a.h5", b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detector_files.importlib, "import_module", _absent)
        return read_image(f"{path}::/entry/data")


@kind("a master file without its data file")
def _(d: Path) -> object:
    h5py = pytest.importorskip("h5py")
    with h5py.File(d / "m.h5", "w") as file:
        file.create_group("entry/data")["data_000001"] = h5py.ExternalLink("m_data_000001.h5", "/entry/data")
    return read_image(d / "m.h5")


# --- folders and pairs.csv -------------------------------------------------------------------------

SIDES = "id,saxs,sem"
TABLES = {
    ", empty": "",
    " with a header only": f"{SIDES}\n",
    " without a needed column": "id,saxs\na,SAXS/0.png\n",
    " with a misspelt column": f"{SIDES},sem_nm_per_pixel\na,SAXS/0.png,SEM/0.tif,2.9\n",
    " with one side only": f"{SIDES}\na,SAXS/0.png,SEM/0.tif\nb,SAXS/1.png,\n",
    " with a column twice": f"{SIDES},sem\na,SAXS/0.png,SEM/0.tif,SEM/1.tif\n",
    " with semicolons": "id;saxs;sem\na;SAXS/0.png;SEM/0.tif\n",
    " with a short row": f"{SIDES}\na,SAXS/0.png\n",
    " with an open quote": f'{SIDES}\n"a,SAXS/0.png,SEM/0.tif\n',
    " with one id twice": f"{SIDES}\na,SAXS/0.png,SEM/0.tif\na,SAXS/1.png,SEM/1.tif\n",
    " with an id unfit for file names": f"{SIDES}\n../a,SAXS/0.png,SEM/0.tif\n",
    " with an absolute path": f"{SIDES}\na,/etc/passwd,SEM/0.tif\n",
    " with a path that climbs out": f"{SIDES}\na,SAXS/0.png,SEM/../../0.tif\n",
    " with a Windows path": f"{SIDES}\na,SAXS\\0.png,SEM\\0.tif\n",
    " that names an absent file": f"{SIDES}\na,SAXS/0.png,SEM/9.tif\n",
    " with one file in two pairs": f"{SIDES}\na,SAXS/0.png,SEM/0.tif\nb,SAXS/0.png,SEM/1.tif\n",
    " with a negative pixel size": f"{SIDES},sem_nm_per_px\na,SAXS/0.png,SEM/0.tif,-2.9\n",
    " with nan for a number": f"{SIDES},saxs_q_per_px_inv_nm\na,SAXS/0.png,SEM/0.tif,nan\n",
    " with text for a number": f"{SIDES},sem_nm_per_px\na,SAXS/0.png,SEM/0.tif,3 nm\n",
    " with an unknown split": f"{SIDES},split\na,SAXS/0.png,SEM/0.tif,test\n",
}


def table(text: str, encoding: str = "utf-8") -> Case:
    return lambda d: read_pairs(put(pairs_folder(d) / "pairs.csv", text.encode(encoding)).parent)


def moved(folder: Path, name: str, to: str | None) -> Path:
    """A folder of pairs, one micrograph of which is deleted or has another name."""
    file = pairs_folder(folder) / "SEM" / name
    file.rename(file.with_name(to)) if to else file.unlink()
    return folder


def split(*pairs: Pair, train: int = 1) -> Case:
    return lambda d: split_pairs(list(pairs), train, 42)


KINDS |= {f"pairs.csv{title}": table(text) for title, text in TABLES.items()}
KINDS |= {
    "pairs.csv in another encoding": table(f"{SIDES}\nprobé,SAXS/0.png,SEM/0.tif\n", "latin-1"),
    "no such folder": lambda d: read_pairs(d / "pairs"),
    "a file in place of the folder": lambda d: read_pairs(put(d / "pairs", b"")),
    "an empty folder": lambda d: read_pairs(d),
    "a folder of other things": lambda d: read_pairs(put(d / "notes.txt", b"").parent),
    "a missing partner": lambda d: read_pairs(moved(d, "1.tif", None)),
    "one id twice (1.png and 1.jpg)": lambda d: read_pairs(
        put(pairs_folder(d) / "SAXS" / "1.jpg", JPG).parents[1]
    ),
    "a file name that is not UTF-8": lambda d: read_pairs(
        put(pairs_folder(d) / "SEM" / "b\udce9.tif", b"").parents[1]
    ),
    "more training pairs than pairs": split(*(Pair(str(i), "a", "b") for i in range(12)), train=48),
    "a single pair": split(Pair("1", "a", "b")),
    "a group on both sides of the split": split(
        Pair("1", "a", "b", split="train", group="w1"), Pair("2", "c", "d", split="validation", group="w1")
    ),
    "every pair marked train": split(Pair("1", "a", "b", split="train"), Pair("2", "c", "d", split="train")),
    "init with unequal numbers of files": lambda d: init_pairs(moved(d, "2.tif", None)),
    "init with numbers that no partner has": lambda d: init_pairs(moved(d, "2.tif", "3.tif")),
    "init by order against the numbers": lambda d: init_pairs(
        moved(d, "0.tif", "3.tif"), rules=NameRules(by_order=True)
    ),
    "init with a pattern without the group id": lambda d: init_pairs(pairs_folder(d), pattern=r"(\d+)"),
    "init with a broken pattern": lambda d: init_pairs(pairs_folder(d), pattern="(?P<id>"),
    "init with a pattern that misses a name": lambda d: init_pairs(pairs_folder(d), pattern="(?P<id>[01])"),
    "a sheet of no pairs": lambda d: pair_sheet(pairs_folder(d), d / "sheet.png", limit=0),
}


@kind("a link that leaves the folder")
def _(d: Path) -> object:
    pairs_folder(d / "in")
    (d / "in/SEM/1.tif").unlink()
    (d / "in/SEM/1.tif").symlink_to(put(d / "out.tif", tiff()))
    return read_pairs(d / "in")


@kind("init over an existing pairs.csv")
def _(d: Path) -> object:
    init_pairs(pairs_folder(d))
    return init_pairs(d)


# --- the tests -------------------------------------------------------------------------------------


def told(case: Case, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        case(folder)
    return str(caught.value).replace(str(folder), "DIR")


def documented() -> dict[str, str]:
    """Kind and line of each row of the table in the docs."""
    rows = [re.match(r"\| ([^|]+?) \| `([^|]*)` \|$", line) for line in DOCS.read_text("utf-8").splitlines()]
    return {row[1]: row[2].replace("&#124;", "|") for row in rows if row is not None}


@pytest.mark.parametrize("name", KINDS)
def test_broken_input_is_told_in_one_line(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tracemalloc.start()
    try:
        line = told(KINDS[name], tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in line and len(line) < 500
    assert peak < MOST_MEMORY
    assert not list(tmp_path.rglob("*.partial")) and not (tmp_path / "sheet.png").exists()
    printed = capfd.readouterr()
    assert name in NOISY or printed.out + printed.err == ""
    pattern = re.escape(documented()[name]).replace("…", ".*")
    assert re.fullmatch(pattern, line), f"docs/own-data.md says: {documented()[name]}\nthe line is: {line}"


def test_the_docs_list_what_is_tested() -> None:
    assert set(documented()) == set(KINDS)
    assert len(KINDS) >= 50
