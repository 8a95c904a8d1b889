"""Small real files of every format that is read, as bytes: what the edits start from."""

import gzip
import importlib.util
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

import em_samples

GREY = (np.arange(24 * 32).reshape(24, 32) % 251).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)
COUNTS = GREY.astype(np.int32) * 100
CURVE = np.stack([np.linspace(0.01, 1, 40), 100 * np.exp(-np.linspace(0, 4, 40)), np.ones(40)], axis=1)
TABLE_ROWS = "a,SAXS/0.png,SEM/0.tif,lamellar,2.9,0.01,train,w1\nb,SAXS/1.png,SEM/1.tif,,,,validation,w2\n"
FEI = b"[Scan]\r\nPixelWidth=2.5e-09\r\n[Image]\r\nResolutionY=20\r\n[PrivateFei]\r\nDatabarHeight=4\r\n\0"
ZEISS = b"0\r\n0\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 2.9 nm\r\nDP_IMAGE_STORE\r\n"
ZEISS += b"Store resolution = 32 * 20\r\nAP_WIDTH\r\nWidth = 0.1 \xb5m\r\n\0"
PHENOM = b'<FeiImage><databarHeight>4</databarHeight><pixelWidth unit="nm">86.1</pixelWidth></FeiImage>\0'
TESCAN = b"\x10\0\xff\xd8\0ImageStripSize=4\r\nPixelSizeX=2.5e-9\r\n"
HITACHI = b"[SemImageFile]\r\nDataSize=32x24\r\nPixelSize=1.98\r\nMagnification=50000\r\n"
JEOL = b"$CM_MAG 50\r\n$CM_FULL_SIZE 32 24\r\n$$SM_MICRON_BAR 20\r\n$$SM_MICRON_MARKER 500um\r\n"
JSON = b'{"metadata": {"binary_result": {"pixel_size": {"x": 2e-9, "y": 2e-9}}, "hfw": 1e-6}}'


def in_file(write: Callable[[Path], object], suffix: str) -> bytes:
    """The bytes that a library writes to a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"seed{suffix}"
        write(path)
        return path.read_bytes()


def encoded(suffix: str, pixels: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, pixels, options)
    assert done
    return bytes(data.tobytes())


def pillow(pixels: np.ndarray, kind: str, mode: str | None = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


def tiff(pixels: np.ndarray = GREY, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0), *, objects: bool = False) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version, allow_pickle=objects)
    return stream.getvalue()


def pngs() -> list[bytes]:
    return [
        encoded(".png", GREY), encoded(".png", GREY.astype(np.uint16) * 257), encoded(".png", COLOUR),
        encoded(".png", np.dstack([COLOUR, GREY])), pillow(GREY, "PNG", "P"), pillow(GREY, "PNG", "1"),
        pillow(GREY, "PNG", "LA"),
    ]  # fmt: skip


def jpegs() -> list[bytes]:
    return [
        encoded(".jpg", GREY), encoded(".jpg", COLOUR), pillow(COLOUR, "JPEG", progressive=True),
        pillow(COLOUR, "JPEG", dpi=(300, 300), subsampling=2), encoded(".jpg", GREY, cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    ]  # fmt: skip


def tiffs() -> list[bytes]:
    float_rows = GREY.astype(np.float32) / 7
    return [
        tiff(), tiff(GREY.astype(np.uint16), byteorder=">"), tiff(COLOUR, photometric="rgb"), tiff(float_rows),
        tiff(COLOUR.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"), tiff(GREY, bigtiff=True),
        tiff(np.stack([GREY, GREY]), photometric="minisblack"), tiff(GREY > 99), tiff(GREY, tile=(16, 16)),
        tiff(GREY, compression="zlib"), tiff(GREY, compression="zlib", tile=(16, 16)), tiff(GREY, rowsperstrip=5),
        tiff(GREY, compression="zlib", rowsperstrip=7, predictor=False),
        tiff(GREY, imagej=True, resolution=(0.4, 0.4), metadata={"unit": "nm"}),
        tiff(GREY, extratags=[(34682, "s", len(FEI), FEI, True)]),
        tiff(GREY, extratags=[(34118, "s", len(ZEISS), ZEISS, True)]),
        tiff(GREY, extratags=[(34683, "s", len(PHENOM), PHENOM, True)]),
        tiff(GREY, extratags=[(50431, 1, len(TESCAN), TESCAN, True)]),
        tiff(GREY, description=JSON.decode(), metadata=None),
        tiff(GREY, resolution=(3e6, 3e6), resolutionunit="CENTIMETER"), tiff(GREY, photometric="miniswhite"),
        tiff(GREY % 16, photometric="palette", colormap=np.arange(768, dtype=np.uint16).reshape(3, 256)),
        pillow(GREY, "TIFF", compression="tiff_lzw"), pillow(GREY, "TIFF", compression="packbits"),
        pillow(COLOUR, "TIFF", compression="jpeg"), pillow(GREY, "TIFF", "1", compression="group4"),
        pillow(GREY, "TIFF", "P", compression="tiff_lzw"),
    ]  # fmt: skip


def bmps() -> list[bytes]:
    return [
        encoded(".bmp", GREY), encoded(".bmp", COLOUR), pillow(GREY, "BMP", "1"), pillow(GREY, "BMP", "P"),
    ]  # fmt: skip


def sidecars() -> list[bytes]:
    return [HITACHI, JEOL, HITACHI.decode().encode("utf-16")]


def em_files(kind: str) -> list[bytes]:
    """Nothing where the extra ``[em]`` is not installed."""
    if importlib.util.find_spec("rsciio") is None:
        return []
    if kind == "emd":
        return [in_file(em_samples.velox, ".emd"), in_file(em_samples.ncem, ".emd")]
    return [em_samples.mrc()] if kind == "mrc" else [em_samples.dm3()]


def npys() -> list[bytes]:
    return [
        npy(GREY), npy(GREY.astype(">u2")), npy(np.asfortranarray(GREY.astype(float))), npy(COLOUR, (2, 0)),
        npy(GREY.astype(np.float16), (3, 0)), npy(GREY > 9), npy(np.array([{"a": 1}]), objects=True),
    ]  # fmt: skip


def detector_files(kind: str) -> list[bytes]:
    """Files as FabIO writes them (none without FabIO)."""
    try:
        import fabio
    except ImportError:
        return []
    header = {"Wavelength": "1.0e-10", "title": "seed"}
    if kind == "edf":
        image = fabio.edfimage.EdfImage(data=COUNTS, header=header)
        several = fabio.edfimage.EdfImage(data=COUNTS, header=header)
        several.append_frame(data=COUNTS[::-1].copy())
        return [
            in_file(lambda path: image.write(str(path)), ".edf"),
            in_file(lambda path: several.write(str(path)), ".edf"),
        ]
    if kind == "img":
        counts = COUNTS.astype(np.uint16)
        images = [fabio.dtrekimage.DtrekImage(data=counts), fabio.adscimage.AdscImage(data=counts)]
        return [in_file(lambda path, one=one: one.write(str(path)), ".img") for one in images]  # type: ignore[misc]
    return [in_file(lambda path: fabio.cbfimage.CbfImage(data=COUNTS).write(str(path)), ".cbf")]


def gzipped() -> list[bytes]:
    """Compressed EDF and TIFF, the latter in two streams."""
    half = len(tiff()) // 2
    return [gzip.compress(tiff()[:half], mtime=0) + gzip.compress(tiff()[half:], mtime=0)] + [
        gzip.compress(data, mtime=0) for data in detector_files("edf")
    ]


def ponis() -> list[bytes]:
    start = "# Nota: C-Order\nponi_version: 2.1\n"
    detector = 'Detector: Pilatus1M\nDetector_config: {"orientation": 3, "pixel1": 1e-4, "pixel2": 1e-4}\n'
    rest = "Distance: 2.0\nPoni1: 0.08\nPoni2: 0.04\nRot1: 0.01\nRot2: -0.02\nRot3: 0\nWavelength: 1e-10\n"
    plain = f"PixelSize1: 0.000172\nPixelSize2: 0.000172\n{rest}SplineFile: None\n"
    return [plain.encode(), f"{start}{detector}{rest}".encode()]


def table_patterns() -> list[bytes]:
    x, y = np.meshgrid(np.arange(10) / 500 - 0.01, np.arange(9) / 500 - 0.005)
    rows = "\n".join(
        f"{a:.5g} {b:.5g} {100 * a * a + b:.4g} 1" for a, b in zip(x.ravel(), y.ravel(), strict=True)
    )
    return [f"Qx Qy I err\nASCII data\n{rows}\n".encode(), rows.replace(" ", ",").encode()]


def hdf5s() -> list[bytes]:
    """Files with ``/entry/data``, a table ``/entry/curve``, a group ``/entry`` of q and I, and links."""
    try:
        import h5py
    except ImportError:
        return []

    def write(path: Path, **how: Any) -> None:
        with h5py.File(path, "w", libver=how.pop("libver", "earliest")) as file:
            file.create_dataset("entry/data", data=COUNTS, **how)
            file["entry/curve"] = CURVE
            file["entry/q"], file["entry/I"] = CURVE[:, 0], CURVE[:, 1]
            file["entry/q"].attrs["units"], file.attrs["default"] = "1/nm", "entry"
            file["entry/soft"] = h5py.SoftLink("/entry/data")
            file["entry/frames"] = np.stack([COUNTS, COUNTS[::-1]])
            detector = file.create_group("entry/instrument/detector")
            for name, value in (("beam_center_x", 9.5), ("x_pixel_size", 1e-4), ("detector_distance", 1.5)):
                detector[name] = value
                detector[name].attrs["units"] = "pixel" if name.startswith("beam") else "m"
            detector["pixel_mask"] = (COUNTS > 9000).astype(np.uint32)
            file["entry/out"] = h5py.ExternalLink("other.h5", "/data")

    def virtual(path: Path) -> None:
        with h5py.File(path, "w") as file:
            layout = h5py.VirtualLayout((4, 8), np.int32)
            layout[:] = h5py.VirtualSource("other.h5", "a", (4, 8))
            file.create_group("entry").create_virtual_dataset("data", layout)
            file["entry"].create_dataset("curve", (20, 2), float, external=[("/etc/passwd", 0, 320)])

    chunked = {"chunks": (8, 8), "maxshape": (None, None)}
    ways: list[Callable[[Path], object]] = [
        write,
        lambda path: write(path, libver="latest"),
        lambda path: write(path, compression="gzip", **chunked),
        lambda path: write(path, compression="lzf", shuffle=True, fletcher32=True, **chunked),
        virtual,
    ]
    return [in_file(way, ".h5") for way in ways]


def curves() -> list[bytes]:
    rows = "\n".join(",".join(f"{value:.6g}" for value in row) for row in CURVE)
    quoted = "\n".join(",".join(f'"{value:.6g}"' for value in row) for row in CURVE)
    return [
        f"q,I,error\n{rows}\n".encode(),
        f"# sample\n\n{rows.replace(',', '  ')}\n".encode(),
        f"\ufeffq;I\n{rows.replace(',', ';')}".encode(),
        f"q (\u00c5-1);I;dI\n{rows.replace(',', ';').replace('.', ',')}".encode("cp1252"),
        f"Q [1/nm]\tI [1/cm]\tdI\n{rows.replace(',', chr(9))}".encode("utf-16"),
        f"SAXS\n 40 0 0 0\n 1 2 3 4 5\n{rows.replace(',', ' ')}\n<fileinfo/>\n".encode(),
        quoted.replace("\n", "\r").encode(),
    ]


def xml_curves() -> list[bytes]:
    points = "".join(
        f'<Idata><Q unit="1/A">{q:.6g}</Q><I unit="1/cm">{i:.6g}</I><Idev>{e:.3g}</Idev></Idata>'
        for q, i, e in CURVE
    )
    entry = f"<SASentry><SASdata>{points}</SASdata></SASentry>"
    plain = f'<?xml version="1.0"?><SASroot xmlns="cansas1d/1.0">{entry}</SASroot>'
    return [plain.encode(), plain.encode("utf-16")]


def npy_curves() -> list[bytes]:
    return [npy(CURVE), npy(CURVE[:, :2].T.astype(">f4")), npy((CURVE * 1000).astype(np.int64), (2, 0))]


def tables() -> list[bytes]:
    full = "id,saxs,sem,morphology,sem_nm_per_px,saxs_q_per_px_inv_nm,split,group\n" + TABLE_ROWS
    plain = "id,saxs,sem\na,SAXS/0.png,SEM/0.tif\nb,SAXS/h.h5::/entry/data,SEM/1.tif\n"
    return [
        full.encode(),
        plain.encode(),
        ("\ufeff" + plain.replace("\n", "\r\n")).encode(),
        b'id,saxs,sem\n"a b",x,y\n',
    ]


def archives() -> dict[str, bytes]:
    """One zip (stored and deflated members) and one tar of three pairs."""
    members = {f"set/{folder}/{number}{suffix}": data for number in range(3) for folder, suffix, data in
               (("SAXS", ".jpg", encoded(".jpg", GREY)), ("SEM", ".tif", tiff()))}  # fmt: skip
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for number, (name, data) in enumerate(members.items()):
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED)
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return {"zip": zipped.getvalue(), "tar": tarred.getvalue()}
