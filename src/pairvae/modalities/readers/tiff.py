"""TIFF files: one page, checked against the file's size before it is decoded."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from pairvae.errors import InputError, number_of, reason
from pairvae.modalities.readers.detector_files import frame_lines
from pairvae.modalities.readers.instruments import with_metadata
from pairvae.modalities.readers.instruments.tags import plain_resolution, tiff_metadata
from pairvae.modalities.readers.orientation import as_stored, orientation_note
from pairvae.modalities.readers.picture import CUT_SHORT, inflated
from pairvae.modalities.readers.raw_image import PARSER_ERRORS, RawImage, checked_shape, unreadable

TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MIN_IS_WHITE, PALETTE = 0, 3
ORIENTATION = 274
DEEPEST_PICTURE = (
    2  # bytes of a pixel; deeper ones, and signed ones, are measurements that no display inverts
)
READABLE_PHOTOMETRICS = frozenset({0, 1, 2, 3, 6})
DEFLATE = frozenset({8, 32946})
BY_PILLOW = frozenset({3, 4, 5, 7, 32773})  # its libtiff bounds each strip by the header
KNOWN = "deflate, LZW, PackBits, JPEG or CCITT"

# Without a handler of its own, tifffile's remarks on odd tags would clutter the one-line error.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_tiff(path: Path, source: str, max_pixels: int, named: int | None) -> RawImage:
    """Page ``named`` of a TIFF or BigTIFF, else the first: 1, 8, 16 or 32 bits or float, grey, palette, RGB or RGBA.

    Pixel size and image rows come from the tags of the instrument, ImageJ's, or the resolution. Pixels are as
    stored: an orientation tag is reported, not applied.
    """
    page_number = named or 0
    try:
        with tifffile.TiffFile(path) as tiff:
            page = _page(tiff, page_number, source)
            shape = _checked(page, path, source, max_pixels)
            pixels = _pixels(page, path, page_number, source)
            if pixels.shape[:2] != shape[:2]:
                raise unreadable(source, f"{shape[0]} x {shape[1]} px as in the header", f"{pixels.shape}")
            metadata = tiff_metadata(tiff, page, (shape[0], shape[1]))
            plain = plain_resolution(page)
            notes, warnings = frame_lines(named, _equal_pages(tiff, page))
            notes += _reading_notes(page)
    except InputError:
        raise
    except PARSER_ERRORS as error:
        raise unreadable(source, "a readable TIFF file", reason(error), CUT_SHORT) from error
    return with_metadata(
        RawImage(pixels, None, None, "tiff", source, notes=notes, warnings=warnings), path, metadata, plain
    )


def _page(tiff: tifffile.TiffFile, number: int, source: str) -> tifffile.TiffPage:
    try:
        page = tiff.pages[number]
    except IndexError as error:
        raise unreadable(
            source, f"a page {number}", number_of(len(tiff.pages), "page"), "count pages from 0"
        ) from error
    return page if isinstance(page, tifffile.TiffPage) else page.aspage()


def _equal_pages(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> int:
    """How many pages there are, if the first two have one size and type: a smaller second one is a preview."""
    try:
        first, second = (tiff.pages[number].aspage() for number in (0, 1))
    except (IndexError, *PARSER_ERRORS):
        return 1
    same = first.shape == second.shape == page.shape and first.dtype == second.dtype
    return len(tiff.pages) if same else 1


def _checked(page: tifffile.TiffPage, path: Path, source: str, max_pixels: int) -> tuple[int, ...]:
    """The page's shape, once the header is fit to be decoded."""
    if page.dtype is None or page.dtype.kind not in "buif":
        raise unreadable(
            source, "integers or floats", f"{page.bitspersample}-bit values", "save it as 8 or 16 bit"
        )
    if int(page.photometric) not in READABLE_PHOTOMETRICS:
        raise unreadable(source, "grey or RGB colours", str(page.photometric), "save it as RGB")
    if page.imagedepth != 1:
        raise unreadable(source, "a 2D image", f"a volume of {page.imagedepth} layers")
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    checked_shape(shape, page.dtype.itemsize, max_pixels, source)
    size = path.stat().st_size
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > size:
        raise unreadable(source, "a whole TIFF file", f"one cut short after {size} bytes", CUT_SHORT)
    plain = int(page.compression) == 1 and page.bitspersample >= 8
    if plain and sum(page.databytecounts) < np.prod(shape) * page.dtype.itemsize:
        raise unreadable(source, "a whole TIFF file", "fewer pixel bytes than its header says", CUT_SHORT)
    return shape


def _pixels(page: tifffile.TiffPage, path: Path, number: int, source: str) -> np.ndarray:
    compression = int(page.compression)
    if compression in DEFLATE:
        _check_deflated(page, path, source)
    if compression == 1 or compression in DEFLATE:
        return _plain(page)
    if compression not in BY_PILLOW:
        raise unreadable(
            source, f"a TIFF without compression, or with {KNOWN}", f"{page.compression!s}", "save it as one"
        )
    try:
        with Image.open(path) as image:
            image.seek(number)
            image.load()
            pixels = np.asarray(image.convert("RGB") if image.mode in ("P", "YCbCr") else image)
    except (*PARSER_ERRORS, Image.DecompressionBombError) as error:
        raise unreadable(source, "a readable TIFF file", "damaged pixel data", CUT_SHORT) from error
    if page.dtype is not None and pixels.dtype.itemsize != page.dtype.itemsize and page.bitspersample > 1:
        raise unreadable(
            source, "a TIFF without compression", f"{page.bitspersample} bits in {page.compression!s}"
        )
    pixels = as_stored(pixels, _orientation(page))  # Pillow turns them
    inverted = (
        int(page.photometric) == MIN_IS_WHITE and pixels.dtype == np.uint16
    )  # which Pillow leaves as it is
    return ~pixels if inverted else pixels


def _orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(ORIENTATION)
    return int(tag.value) if tag is not None and isinstance(tag.value, int) else 1


def _reading_notes(page: tifffile.TiffPage) -> tuple[str, ...]:
    notes = orientation_note(_orientation(page))
    if int(page.photometric) == MIN_IS_WHITE and not _is_picture(page.dtype):
        notes += ("MinIsWhite is left to the display: values are as stored",)
    return notes


def _is_picture(dtype: np.dtype | None) -> bool:
    return dtype is not None and dtype.kind in "bu" and dtype.itemsize <= DEEPEST_PICTURE


def _check_deflated(page: tifffile.TiffPage, path: Path, source: str) -> None:
    """Inflate every strip up to what its header promises: tifffile alone would follow a bomb to the end."""
    rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    planes = page.samplesperpixel if int(page.planarconfig) == 1 else 1
    strips = -(-page.imagelength // max(rows, 1))
    with path.open("rb") as stream:
        for index, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
            last = not page.is_tiled and index % strips == strips - 1
            there = page.imagelength - (strips - 1) * rows if last else rows
            stream.seek(offset)
            least = there * ((columns * planes * page.bitspersample + 7) // 8)
            inflated(stream.read(count), least, source, "TIFF")


def _plain(page: tifffile.TiffPage) -> np.ndarray:
    """Pixels ``(H, W[, channels])`` of an uncompressed page, palette and inverted greys resolved."""
    pixels = np.asarray(page.asarray(maxworkers=1))
    if int(page.planarconfig) == 2 and pixels.ndim == 3:  # channels lie one after the other
        pixels = np.moveaxis(pixels, 0, -1)
    if int(page.photometric) == PALETTE and page.colormap is not None:
        return np.asarray((page.colormap.T >> 8).astype(np.uint8)[pixels])
    return ~pixels if int(page.photometric) == MIN_IS_WHITE and _is_picture(pixels.dtype) else pixels
