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


def jpeg_with(pattern: bytes, offset: int, new: bytes) -> bytes:
    data = bytearray(encoded(".jpg"))
    place = data.index(pattern) + offset
    data[place : place + len(new)] = new
    return bytes(data)


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


def table(folder: Path, text: str | bytes) -> object:
    pairs_folder(folder)
    put(folder / "pairs.csv", text if isinstance(text, bytes) else text.encode())
    return read_pairs(folder)


# --- files that are none, or of the wrong kind -----------------------------------------------------


@kind("no such file")
def _(d: Path) -> object:
    return read_image(d / "a.png")


@kind("a folder in place of a file")
def _(d: Path) -> object:
    (d / "a.tif").mkdir()
    return read_image(d / "a.tif")


@kind("a named pipe")
def _(d: Path) -> object:
    os.mkfifo(d / "a.tif")
    return read_image(d / "a.tif")


@kind("an empty file")
def _(d: Path) -> object:
    return read_image(put(d / "a.jpg", b""))


@kind("a 5 GB file")
def _(d: Path) -> object:
    with put(d / "a.tif", tiff()).open("r+b") as stream:
        stream.truncate(5_000_000_000)
    return read_image(d / "a.tif")


@kind("text named .tif")
def _(d: Path) -> object:
    return read_image(put(d / "a.tif", b"q, I\n0.1, 5\n0.2, 7\n"))


@kind("zeros only")
def _(d: Path) -> object:
    return read_image(put(d / "a.jpg", bytes(4096)))


@kind("random bytes")
def _(d: Path) -> object:
    return read_image(put(d / "a.png", bytes(range(255, 5, -3))))


@kind("BMP cut short")
def _(d: Path) -> object:
    return read_image(put(d / "a.bmp", encoded(".bmp")[:-100]))


@kind("BMP of run lengths")
def _(d: Path) -> object:
    data = bytearray(encoded(".bmp"))
    data[30] = 1
    return read_image(put(d / "a.bmp", bytes(data)))


@kind("BMP with a 60,000 x 60,000 header")
def _(d: Path) -> object:
    data = bytearray(encoded(".bmp"))
    data[18:26] = struct.pack("<ii", 60000, 60000)
    return read_image(put(d / "a.bmp", bytes(data)))


@kind("a GIF picture named .png")
def _(d: Path) -> object:
    return read_image(put(d / "a.png", b"GIF89a" + bytes(40)))


@kind("a zip archive (npz) named .npy")
def _(d: Path) -> object:
    stream = io.BytesIO()
    np.savez(stream, image=GREY)
    return read_image(put(d / "a.npy", stream.getvalue()))


@kind("a damaged gzip file")
def _(d: Path) -> object:
    return read_image(put(d / "a.edf.gz", b"\x1f\x8b\x08" + bytes(40)))


@kind("gzip of 500 MB")
def _(d: Path) -> object:
    engine = zlib.compressobj(9, wbits=31)
    packed = b"".join([engine.compress(bytes(10_000_000)) for _ in range(50)]) + engine.flush()
    return read_image(put(d / "a.edf.gz", packed))


@kind("a Python pickle named .npy")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", pickle.dumps(GREY, protocol=4)))


@kind("a page of a one-image format")
def _(d: Path) -> object:
    return read_image(put(d / "a.png", encoded(".png")), page=1)


# --- PNG and JPEG ----------------------------------------------------------------------------------


@kind("PNG cut within its header")
def _(d: Path) -> object:
    return read_image(put(d / "a.png", encoded(".png")[:20]))


@kind("PNG cut short")
def _(d: Path) -> object:
    data = encoded(".png")
    return read_image(put(d / "a.png", data[: len(data) - 30]))


@kind("PNG with a flipped byte")
def _(d: Path) -> object:
    data = bytearray(encoded(".png"))
    data[60] ^= 0xFF
    return read_image(put(d / "a.png", bytes(data)))


@kind("PNG with garbage for pixels")
def _(d: Path) -> object:
    return read_image(put(d / "a.png", png(64, 64, b"not deflated at all")))


@kind("PNG with a 60,000 x 60,000 header")
def _(d: Path) -> object:
    return read_image(put(d / "a.png", png(60_000, 60_000, zlib.compress(bytes(1000)))))


@kind("PNG of no width")
def _(d: Path) -> object:
    return read_image(put(d / "a.png", png(0, 64, zlib.compress(bytes(64)))))


@kind("JPEG cut short")
def _(d: Path) -> object:
    data = encoded(".jpg")
    return read_image(put(d / "a.jpg", data[: len(data) // 2 + 300]))


@kind("JPEG cut within its header")
def _(d: Path) -> object:
    return read_image(put(d / "a.jpg", encoded(".jpg")[:30]))


@kind("JPEG with a 60,000 x 60,000 header")
def _(d: Path) -> object:
    return read_image(put(d / "a.jpg", jpeg_with(b"\xff\xc0", 5, struct.pack(">HH", 60_000, 60_000))))


@kind("JPEG of 12 bits")
def _(d: Path) -> object:
    return read_image(put(d / "a.jpg", jpeg_with(b"\xff\xc0", 4, b"\x0c")))


# --- TIFF ------------------------------------------------------------------------------------------


@kind("TIFF cut short")
def _(d: Path) -> object:
    return read_image(put(d / "a.tif", tiff()[:2000]))


@kind("TIFF without a page")
def _(d: Path) -> object:
    return read_image(put(d / "a.tif", b"II*\x00" + struct.pack("<I", 0) + bytes(20)))


@kind("TIFF whose directory lies beyond its end")
def _(d: Path) -> object:
    return read_image(put(d / "a.tif", b"II*\x00" + struct.pack("<I", 900_000) + bytes(20)))


@kind("TIFF with a 60,000 x 60,000 header")
def _(d: Path) -> object:
    wide = tiff_with(256, 60_000)
    return read_image(put(d / "a.tif", tiff_with(257, 60_000, wide)))


@kind("TIFF with fewer bytes than its header says")
def _(d: Path) -> object:
    return read_image(put(d / "a.tif", tiff_with(257, 640)))


@kind("TIFF of complex numbers")
def _(d: Path) -> object:
    return read_image(put(d / "a.tif", tiff(GREY.astype(np.complex64))))


@kind("TIFF of two channels")
def _(d: Path) -> object:
    pixels = np.stack([GREY, GREY], axis=2)
    return read_image(put(d / "a.tif", tiff(pixels, planarconfig="contig", photometric="minisblack")))


@kind("TIFF with an unknown compression")
def _(d: Path) -> object:
    return read_image(put(d / "a.tif", tiff_with(259, 34_712)))


@kind("TIFF with damaged compressed pixels")
def _(d: Path) -> object:
    data = bytearray(tiff(GREY, compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        start = file.pages[0].dataoffsets[0]
    data[start : start + 12] = bytes(12)
    return read_image(put(d / "a.tif", bytes(data)))


@kind("TIFF that inflates to 200 MB")
def _(d: Path) -> object:
    engine = zlib.compressobj(9)
    bomb = b"".join([engine.compress(bytes(10_000_000)) for _ in range(20)]) + engine.flush()
    data = tiff(GREY, compression="zlib")
    data = tiff_with(279, len(bomb), tiff_with(273, len(data), data)) + bomb
    return read_image(put(d / "a.tif", data))


@kind("TIFF with damaged LZW pixels")
def _(d: Path) -> object:
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "TIFF", compression="tiff_lzw")
    data = bytearray(stream.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        start = file.pages[0].dataoffsets[0]
    data[start + 40 : start + 90] = b"\xff" * 50
    return read_image(put(d / "a.tif", bytes(data)))


@kind("TIFF page that is not there")
def _(d: Path) -> object:
    return read_image(put(d / "a.tif", tiff()), page=3)


# --- npy -------------------------------------------------------------------------------------------


@kind("npy of Python objects")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", npy(np.array([{"a": 1}]), allow_pickle=True)))


@kind("npy cut short")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", npy(GREY)[:900]))


@kind("npy with a damaged header")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", npy(GREY).replace(b"descr", b"dxscr")))


@kind("npy with a 60,000 x 60,000 header")
def _(d: Path) -> object:
    with put(d / "a.npy", npy_header((60_000, 60_000))).open("r+b") as stream:
        stream.truncate(1_900_000_000)
    return read_image(d / "a.npy")


@kind("npy above the limit, all there")
def _(d: Path) -> object:
    with put(d / "a.npy", npy_header((20_000, 20_000))).open("r+b") as stream:
        stream.truncate(128 + 4 * 20_000**2)
    return read_image(d / "a.npy")


@kind("npy of one dimension")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", npy(np.arange(100.0))))


@kind("npy stack of images")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", npy(np.zeros((5, 64, 64)))))


@kind("npy of complex numbers")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", npy(np.ones((64, 64), complex))))


@kind("npy of text")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", npy(np.full((64, 64), "x"))))


@kind("NaN only")
def _(d: Path) -> object:
    return read_image(put(d / "a.npy", npy(np.full((64, 64), np.nan))))


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


@kind("HDF5 without the extra")
def _(d: Path) -> object:
    path = put(d / "a.h5", b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detector_files.importlib, "import_module", _absent)
        return read_image(f"{path}::/entry/data")


def _absent(name: str) -> object:
    raise ImportError(name)


@kind("HDF5 without a data set's name")
def _(d: Path) -> object:
    return read_image(h5(d / "a.h5"))


@kind("HDF5 data set that is not there")
def _(d: Path) -> object:
    return read_image(f"{h5(d / 'a.h5')}::/entry/nothing")


@kind("HDF5 data set of text")
def _(d: Path) -> object:
    return read_image(f"{h5(d / 'a.h5')}::/entry/name")


@kind("HDF5 curve in place of an image")
def _(d: Path) -> object:
    return read_image(f"{h5(d / 'a.h5')}::/entry/curve")


@kind("HDF5 link to another file")
def _(d: Path) -> object:
    return read_image(f"{h5(d / 'a.h5')}::/entry/soft")


@kind("a master file without its data file")
def _(d: Path) -> object:
    h5py = pytest.importorskip("h5py")
    with h5py.File(d / "m.h5", "w") as file:
        file.create_group("entry/data")["data_000001"] = h5py.ExternalLink("m_data_000001.h5", "/entry/data")
    return read_image(d / "m.h5")


@kind("HDF5 links in a circle")
def _(d: Path) -> object:
    return read_image(f"{h5(d / 'a.h5')}::/entry/loop")


@kind("HDF5 virtual data set")
def _(d: Path) -> object:
    return read_image(f"{h5(d / 'a.h5')}::/entry/virtual")


@kind("HDF5 data set stored in another file")
def _(d: Path) -> object:
    return read_image(f"{h5(d / 'a.h5')}::/entry/raw")


@kind("HDF5 with a 60,000 x 60,000 data set")
def _(d: Path) -> object:
    return read_image(f"{h5(d / 'a.h5')}::/entry/huge")


@kind("HDF5 cut short")
def _(d: Path) -> object:
    path = h5(d / "a.h5")
    path.write_bytes(path.read_bytes()[:1000])
    return read_image(f"{path}::/entry/data")


@kind("a data set's name after another format")
def _(d: Path) -> object:
    return read_image(f"{put(d / 'a.png', encoded('.png'))}::/entry/data")


@kind("edf cut short")
def _(d: Path) -> object:
    fabio = pytest.importorskip("fabio")
    fabio.edfimage.EdfImage(data=GREY.astype(np.int32)).write(str(d / "a.edf"))
    (d / "a.edf").write_bytes((d / "a.edf").read_bytes()[:900])
    return read_image(d / "a.edf")


@kind("edf with a 60,000 x 60,000 header")
def _(d: Path) -> object:
    fabio = pytest.importorskip("fabio")
    fabio.edfimage.EdfImage(data=GREY.astype(np.int32)).write(str(d / "a.edf"))
    data = (d / "a.edf").read_bytes()
    return read_image(
        put(
            d / "a.edf",
            data.replace(b"Dim_1 = 64", b"Dim_1 = 60000").replace(b"Dim_2 = 64", b"Dim_2 = 60000"),
        )
    )


@kind("a table that is no 2D pattern")
def _(d: Path) -> object:
    return read_image(put(d / "a.dat", b"0.1 5 0.1\n0.2 7 0.1\n" * 100))


@kind("XML named .edf")
def _(d: Path) -> object:
    pytest.importorskip("fabio")
    return read_image(put(d / "a.edf", b"<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"))


# --- folders and pairs.csv -------------------------------------------------------------------------


@kind("no such folder")
def _(d: Path) -> object:
    return read_pairs(d / "pairs")


@kind("a file in place of the folder")
def _(d: Path) -> object:
    return read_pairs(put(d / "pairs", b""))


@kind("an empty folder")
def _(d: Path) -> object:
    return read_pairs(d)


@kind("a folder of other things")
def _(d: Path) -> object:
    put(d / "notes.txt", b"")
    return read_pairs(d)


@kind("a missing partner")
def _(d: Path) -> object:
    (pairs_folder(d) / "SEM" / "1.tif").unlink()
    return read_pairs(d)


@kind("one id twice (1.png and 1.jpg)")
def _(d: Path) -> object:
    put(pairs_folder(d) / "SAXS" / "1.jpg", encoded(".jpg"))
    return read_pairs(d)


@kind("a link that leaves the folder")
def _(d: Path) -> object:
    pairs_folder(d / "in")
    (d / "in/SEM/1.tif").unlink()
    (d / "in/SEM/1.tif").symlink_to(put(d / "out.tif", tiff()))
    return read_pairs(d / "in")


@kind("pairs.csv, empty")
def _(d: Path) -> object:
    return table(d, "")


@kind("pairs.csv with a header only")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\n")


@kind("pairs.csv without a needed column")
def _(d: Path) -> object:
    return table(d, "id,saxs\na,SAXS/0.png\n")


@kind("pairs.csv with a misspelt column")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem,sem_nm_per_pixel\na,SAXS/0.png,SEM/0.tif,2.9\n")


@kind("pairs.csv with one side only")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\na,SAXS/0.png,SEM/0.tif\nb,SAXS/1.png,\n")


@kind("a file name that is not UTF-8")
def _(d: Path) -> object:
    put(pairs_folder(d) / "SEM" / "b\udce9.tif", b"")
    return read_pairs(d)


@kind("pairs.csv with a column twice")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem,sem\na,SAXS/0.png,SEM/0.tif,SEM/1.tif\n")


@kind("pairs.csv with semicolons")
def _(d: Path) -> object:
    return table(d, "id;saxs;sem\na;SAXS/0.png;SEM/0.tif\n")


@kind("pairs.csv in another encoding")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\nprobé,SAXS/0.png,SEM/0.tif\n".encode("latin-1"))


@kind("pairs.csv with a short row")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\na,SAXS/0.png\n")


@kind("pairs.csv with an open quote")
def _(d: Path) -> object:
    return table(d, 'id,saxs,sem\n"a,SAXS/0.png,SEM/0.tif\n')


@kind("pairs.csv with one id twice")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\na,SAXS/0.png,SEM/0.tif\na,SAXS/1.png,SEM/1.tif\n")


@kind("pairs.csv with an id unfit for file names")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\n../a,SAXS/0.png,SEM/0.tif\n")


@kind("pairs.csv with an absolute path")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\na,/etc/passwd,SEM/0.tif\n")


@kind("pairs.csv with a path that climbs out")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\na,SAXS/0.png,SEM/../../0.tif\n")


@kind("pairs.csv with a Windows path")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\na,SAXS\\0.png,SEM\\0.tif\n")


@kind("pairs.csv that names an absent file")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\na,SAXS/0.png,SEM/9.tif\n")


@kind("pairs.csv with one file in two pairs")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem\na,SAXS/0.png,SEM/0.tif\nb,SAXS/0.png,SEM/1.tif\n")


@kind("pairs.csv with a negative pixel size")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem,sem_nm_per_px\na,SAXS/0.png,SEM/0.tif,-2.9\n")


@kind("pairs.csv with nan for a number")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem,saxs_q_per_px_inv_nm\na,SAXS/0.png,SEM/0.tif,nan\n")


@kind("pairs.csv with text for a number")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem,sem_nm_per_px\na,SAXS/0.png,SEM/0.tif,3 nm\n")


@kind("pairs.csv with an unknown split")
def _(d: Path) -> object:
    return table(d, "id,saxs,sem,split\na,SAXS/0.png,SEM/0.tif,test\n")


@kind("more training pairs than pairs")
def _(d: Path) -> object:
    return split_pairs([Pair(str(i), "a", "b") for i in range(12)], 48, 42)


@kind("a single pair")
def _(d: Path) -> object:
    return split_pairs([Pair("1", "a", "b")], 1, 42)


@kind("a group on both sides of the split")
def _(d: Path) -> object:
    pairs = [
        Pair("1", "a", "b", split="train", group="w1"),
        Pair("2", "c", "d", split="validation", group="w1"),
    ]
    return split_pairs(pairs, 1, 42)


@kind("every pair marked train")
def _(d: Path) -> object:
    return split_pairs([Pair("1", "a", "b", split="train"), Pair("2", "c", "d", split="train")], 1, 42)


@kind("init over an existing pairs.csv")
def _(d: Path) -> object:
    init_pairs(pairs_folder(d))
    return init_pairs(d)


@kind("init with unequal numbers of files")
def _(d: Path) -> object:
    (pairs_folder(d) / "SEM" / "2.tif").unlink()
    return init_pairs(d)


@kind("init with numbers that no partner has")
def _(d: Path) -> object:
    (pairs_folder(d) / "SEM" / "2.tif").rename(d / "SEM" / "3.tif")
    return init_pairs(d)


@kind("init by order against the numbers")
def _(d: Path) -> object:
    (pairs_folder(d) / "SEM" / "0.tif").rename(d / "SEM" / "3.tif")
    return init_pairs(d, rules=NameRules(by_order=True))


@kind("init with a pattern without the group id")
def _(d: Path) -> object:
    return init_pairs(pairs_folder(d), pattern=r"(\d+)")


@kind("init with a broken pattern")
def _(d: Path) -> object:
    return init_pairs(pairs_folder(d), pattern="(?P<id>")


@kind("init with a pattern that misses a name")
def _(d: Path) -> object:
    return init_pairs(pairs_folder(d), pattern="(?P<id>[01])")


@kind("a sheet of no pairs")
def _(d: Path) -> object:
    return pair_sheet(pairs_folder(d), d / "sheet.png", limit=0)


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
