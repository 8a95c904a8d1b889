"""Small mrc, dm3 and emd files, written byte by byte or with h5py, for tests and as seeds of the fuzz campaign."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

GREY = np.random.default_rng(0).integers(-50, 3000, (12, 20)).astype(np.int16)


def mrc(pixels: np.ndarray = GREY, nm: float = 0.5, **header: int) -> bytes:
    rows, columns = pixels.shape[-2:]
    head = bytearray(1024)
    layers = pixels.shape[0] if pixels.ndim == 3 else 1
    struct.pack_into("<4I", head, 0, header.get("columns", columns), rows, layers, header.get("mode", 1))
    struct.pack_into("<3I3f", head, 28, columns, rows, 1, columns * nm * 10, rows * nm * 10, 1.0)
    head[208:214] = b"MAP \x44\x44"
    return bytes(head) + pixels.tobytes()


def dm3(pixels: np.ndarray = GREY, scale: float = 0.25, unit: str = "nm", values: int | None = None) -> bytes:
    """A little-endian dm3 file with one image."""

    def name(kind: int, text: str) -> bytes:
        return struct.pack(">bh", kind, len(text)) + text.encode()

    def data(text: str, kinds: list[int], content: bytes) -> bytes:
        return name(21, text) + b"%%%%" + struct.pack(f">i{len(kinds)}i", len(kinds), *kinds) + content

    def group(text: str, *parts: bytes) -> bytes:
        return name(20, text) + b"\1\0" + struct.pack(">i", len(parts)) + b"".join(parts)

    rows, columns = pixels.shape
    letters = [ord(letter) for letter in unit]
    axis = group(
        "",
        data("Origin", [6], struct.pack("<f", 0.0)),
        data("Scale", [6], struct.pack("<f", scale)),
        data("Units", [20, 4, len(letters)], struct.pack(f"<{len(letters)}H", *letters)),
    )
    brightness = group(
        "Brightness",
        data("Origin", [6], struct.pack("<f", 0.0)),
        data("Scale", [6], struct.pack("<f", 1.0)),
        data("Units", [20, 4, 0], b""),
    )
    sizes = [data("", [5], struct.pack("<I", size)) for size in (columns, rows)]
    count = pixels.size if values is None else values
    image = group(
        "ImageData",
        group("Calibrations", brightness, group("Dimension", axis, axis)),
        data("Data", [20, 2, count], pixels.astype("<i2").tobytes()),
        data("DataType", [5], struct.pack("<I", 1)),
        group("Dimensions", *sizes),
        data("PixelDepth", [5], struct.pack("<I", 2)),
    )
    root = b"\1\0" + struct.pack(">i", 1) + group("ImageList", group("", image, group("ImageTags")))
    return struct.pack(">3i", 3, len(root), 1) + root + bytes(8)


def velox(path: Path, pixels: np.ndarray = GREY, **options: Any) -> Path:
    result = {"PixelSize": {"width": "5E-10", "height": "5E-10"}, "PixelUnitX": "m", "DetectorIndex": "0"}
    detectors = {"Detector-0": {"DetectorName": "HAADF"}}
    facts = {"BinaryResult": result, "Detectors": detectors, "Scan": {"FrameTime": "1"}}
    facts |= {"Acquisition": {"AcquisitionStartDatetime": {"DateTime": "0"}}, "Core": {}}
    text = np.frombuffer(json.dumps(facts).encode().ljust(2000, b"\0"), np.uint8)
    import h5py

    with h5py.File(path, "w") as file:
        file["Version"] = [json.dumps({"format": "Velox", "version": "1.0"}).encode()]
        group = file.create_group("Data/Image/0123456789abcdef")
        group.create_dataset("Data", data=pixels[..., None], **{"chunks": (*pixels.shape, 1), **options})
        group["Metadata"] = text[:, None]
    return path


def ncem(path: Path, pixels: np.ndarray = GREY) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group("data/image")
        group.attrs["emd_group_type"] = 1
        group["data"] = pixels.T  # x first
        for number, size in enumerate(pixels.T.shape, 1):
            axis = group.create_dataset(f"dim{number}", data=np.arange(size) * 0.5)
            axis.attrs["name"], axis.attrs["units"] = "xy"[number - 1], "[n_m]"
    return path
