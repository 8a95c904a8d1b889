"""PNG, JPEG, BMP and npy files: the header is judged first, then the whole file, then pixels are decoded."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from pairvae.modalities.readers.instruments import ImageMetadata, with_metadata
from pairvae.modalities.readers.instruments.metadata import pixel_nm
from pairvae.modalities.readers.instruments.vendors import jpeg_metadata
from pairvae.modalities.readers.orientation import exif_note
from pairvae.modalities.readers.raw_image import PARSER_ERRORS, RawImage, checked_shape, unreadable

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
NPY_MAGIC = b"\x93NUMPY"
BMP_MAGIC = b"BM"
OLDEST_BMP_HEADER = 40  # bytes: BITMAPINFOHEADER
BMP_BITS = frozenset({1, 4, 8, 24, 32})
LARGEST_NM_PER_PX = (
    1000.0  # coarser than 1 um/px is the resolution of a printer or a screen (72 dpi are 0.35 mm)
)
OWN_SCALE = b"nm per px"  # the text chunk of pairvae's own PNG files
PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}  # as decoded
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # as stored
CHUNK_BYTES = 4_000_000
CUT_SHORT = "copy the file again from its source"
EXPORT_AGAIN = "export the image again"  # no copy corrects a wrong header
NPY_ERRORS = (*PARSER_ERRORS, SyntaxError, TokenError)  # of numpy on a damaged header
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})


def read_png(path: Path, source: str, max_pixels: int) -> RawImage:
    """PNG of 1 to 16 bits, grey, palette, RGB or RGBA (W3C PNG, third edition); channels in RGB(A) order."""
    with path.open("rb") as stream:
        head = stream.read(33)
    if len(head) < 33 or head[12:16] != b"IHDR":
        raise unreadable(source, "a whole PNG file", f"{path.stat().st_size} bytes", CUT_SHORT)
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    depth, kind = head[24], head[25]
    if kind not in PNG_CHANNELS:
        raise unreadable(source, "a PNG file", f"colour type {kind}")
    checked_shape((height, width, PNG_CHANNELS[kind]), 2 if depth == 16 else 1, max_pixels, source)
    data = path.read_bytes()
    row_bytes = 1 + (width * depth * PNG_SAMPLES[kind] + 7) // 8
    chunks = _png_chunks(data, source)
    inflated(chunks.get(b"IDAT", b""), height * row_bytes, source, "PNG")
    notes = exif_note(data) if b"eXIf" in chunks else ()
    raw = RawImage(_decode(data, source, "PNG"), None, None, "png", source, notes=notes)
    return with_metadata(raw, path, ImageMetadata(), _png_scale(chunks))


def _png_scale(chunks: dict[bytes, bytes]) -> ImageMetadata:
    """nm per pixel of pairvae's own text, else of pHYs (pixels per metre) where finer than 1 um/px."""
    name, _, value = chunks.get(b"tEXt", b"").partition(b"\0")
    if name == OWN_SCALE:
        return ImageMetadata(pixel_nm(value.decode("latin-1")), source="PNG text")
    physical = chunks.get(b"pHYs", b"")
    across, down = int.from_bytes(physical[:4], "big"), int.from_bytes(physical[4:8], "big")
    in_metres = len(physical) == 9 and physical[8] == 1 and across == down and across > 0
    nm = 1e9 / across if in_metres else None
    return ImageMetadata(
        pixel_nm(nm) if nm is not None and nm < LARGEST_NM_PER_PX else None, source="PNG pHYs"
    )


def _png_chunks(data: bytes, source: str) -> dict[bytes, bytes]:
    """Contents by name (of pixels joined, of others the first), once every chunk up to IEND is whole and sound."""
    start, parts = len(PNG_MAGIC), []
    chunks: dict[bytes, bytes] = {}
    while start + 12 <= len(data):
        length = int.from_bytes(data[start : start + 4], "big")
        end = start + 12 + length
        name = data[start + 4 : start + 8]
        if end > len(data):
            break
        if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise unreadable(source, "an intact PNG file", "a wrong check sum", CUT_SHORT)
        if name == b"IDAT":
            parts.append(data[start + 8 : end - 4])
        if name == b"IEND":
            return {**chunks, b"IDAT": b"".join(parts)}
        chunks.setdefault(name, data[start + 8 : end - 4])
        start = end
    raise unreadable(source, "a whole PNG file", f"one cut short after {len(data)} bytes", CUT_SHORT)


def inflated(data: bytes, least: int, source: str, name: str) -> None:
    """Refuse deflated ``data`` that is damaged, or gives less than ``least`` bytes or far more.

    The libraries that decode it afterwards would only print a remark and fill up with zeros, or follow a bomb
    to its end.
    """
    try:
        length = inflated_length(data, least + CHUNK_BYTES)
    except zlib.error as error:
        raise unreadable(source, f"a {name} file", "damaged pixel data", CUT_SHORT) from error
    if length < least:
        raise unreadable(source, f"a {name} file", "less pixel data than its header says", CUT_SHORT)
    if length > least + CHUNK_BYTES:
        raise unreadable(source, f"a {name} file", "far more pixel data than its header says", EXPORT_AGAIN)


def inflated_length(data: bytes, most: int) -> int:
    """Bytes that deflated ``data`` gives, counted to just above ``most`` (``zlib.error``: damaged)."""
    engine = zlib.decompressobj()
    length, rest = 0, data
    while length <= most and (part := engine.decompress(rest, CHUNK_BYTES)):
        length, rest = length + len(part), engine.unconsumed_tail
    return length


def read_jpeg(path: Path, source: str, max_pixels: int) -> RawImage:
    """Baseline or progressive JPEG (ITU-T T.81), grey or colour; the Exif orientation is reported, not applied."""
    with path.open("rb") as stream:
        height, width, channels, scan_starts = _jpeg_frame(stream, source)
    checked_shape((height, width, channels), 1, max_pixels, source)
    data = path.read_bytes()
    # An end marker cannot occur inside the coded scan, so one after its start means that the file is whole.
    if data.rfind(b"\xff\xd9") < scan_starts:
        raise unreadable(source, "a whole JPEG file", f"one cut short after {len(data)} bytes", CUT_SHORT)
    raw = RawImage(_decode(data, source, "JPEG"), None, None, "jpeg", source, notes=exif_note(data))
    return with_metadata(raw, path, jpeg_metadata(data, (height, width)))


def _jpeg_frame(stream: BinaryIO, source: str) -> tuple[int, int, int, int]:
    """Height, width, channels of the frame, and the offset at which the file's header segments end."""
    stream.seek(2)
    frame: tuple[int, int, int] | None = None
    while True:
        marker = stream.read(2)
        while len(marker) == 2 and marker == b"\xff\xff":  # fill bytes may precede a marker
            marker = b"\xff" + stream.read(1)
        size = int.from_bytes(stream.read(2), "big")
        if len(marker) < 2 or marker[0] != 0xFF or size < 2:
            raise unreadable(source, "a whole JPEG file", "a damaged or cut header", CUT_SHORT)
        if marker[1] == 0xDA:
            break
        body = stream.tell()
        if marker[1] in JPEG_FRAMES:
            frame = _jpeg_size(stream.read(6), marker[1], source)
        stream.seek(body + size - 2)
    if frame is None:
        raise unreadable(source, "a JPEG file", "no image frame in it", CUT_SHORT)
    return *frame, stream.tell()


def _jpeg_size(body: bytes, marker: int, source: str) -> tuple[int, int, int]:
    if len(body) < 6:
        raise unreadable(source, "a whole JPEG file", "a cut header", CUT_SHORT)
    if marker in JPEG_LOSSLESS or body[0] != 8 or body[5] not in (1, 3):
        raise unreadable(
            source,
            "an 8-bit grey or colour JPEG",
            f"{body[0]} bits, {body[5]} channels, coding 0x{marker:02X}",
            "save it as PNG or TIFF",
        )
    return int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5]


def read_bmp(path: Path, source: str, max_pixels: int) -> RawImage:
    """Uncompressed Windows bitmap of 1, 4, 8, 24 or 32 bits, as microscopes export; its resolution is a printer's."""
    with path.open("rb") as stream:
        head = stream.read(54)
    size = int.from_bytes(head[14:18], "little")
    if len(head) < 54 or size < OLDEST_BMP_HEADER:
        raise unreadable(source, "a BMP file", "a cut or outdated header", "save it as PNG or TIFF")
    width, height = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22))
    start, bits = int.from_bytes(head[10:14], "little"), int.from_bytes(head[28:30], "little")
    compression, colours = (int.from_bytes(head[at : at + 4], "little") for at in (30, 46))
    if compression != 0 or bits not in BMP_BITS or colours > 256:
        found = f"{bits} bits, compression {compression}"
        raise unreadable(source, "an uncompressed BMP file", found, "save it as PNG or TIFF")
    checked_shape((abs(height), width, max(1, bits // 8)), 1, max_pixels, source)
    data = path.read_bytes()
    if len(data) < start + abs(height) * ((width * bits + 31) // 32 * 4):
        raise unreadable(source, "a whole BMP file", f"one cut short after {len(data)} bytes", CUT_SHORT)
    try:
        with Image.open(io.BytesIO(data)) as image:  # OpenCV would print remarks on damaged ones
            pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except (*PARSER_ERRORS, SyntaxError, Image.DecompressionBombError) as error:
        raise unreadable(source, "a BMP file", "damaged pixel data", CUT_SHORT) from error
    return with_metadata(RawImage(pixels, None, None, "bmp", source), path, ImageMetadata())


def _decode(data: bytes, source: str, name: str) -> np.ndarray:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise unreadable(source, f"a {name} file", "damaged pixel data", CUT_SHORT) from error
    if pixels is None:
        raise unreadable(source, f"a {name} file", "damaged pixel data", CUT_SHORT)
    return _rgb_order(np.asarray(pixels))


def _rgb_order(pixels: np.ndarray) -> np.ndarray:
    """OpenCV's ``(H, W, 3|4)`` BGR(A) as RGB(A); ``(H, W)`` as it is."""
    if pixels.ndim == 2:
        return pixels
    order = [2, 1, 0] if pixels.shape[2] == 3 else [2, 1, 0, 3]
    return pixels[:, :, order] if pixels.shape[2] > 1 else pixels[:, :, 0]


def read_npy(path: Path, source: str, max_pixels: int) -> RawImage:
    """One numeric array ``(H, W)`` or ``(H, W, 1|3|4)`` of a npy file; nothing is unpickled."""
    try:
        lazy = np.load(path, mmap_mode="r", allow_pickle=False)
    except NPY_ERRORS as error:
        found, remedy = npy_fault(str(error))
        raise unreadable(source, "a whole npy file of numbers", found, remedy) from error
    checked_shape(lazy.shape, lazy.dtype.itemsize, max_pixels, source)
    return RawImage(np.array(lazy), None, None, "npy", source)


def npy_fault(message: str) -> tuple[str, str]:
    """What is wrong, and what to do, from numpy's message."""
    if "ython objects" in message or "pickle" in message:
        return "pickled Python objects, which are never loaded", "save a plain numeric array with numpy.save"
    if "mmap" in message or "EOF" in message or "empty" in message:
        return "one cut short", CUT_SHORT
    return "a damaged header", "save it again with numpy.save"
