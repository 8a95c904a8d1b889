"""Files of X-ray detectors that FabIO reads (the extra ``[saxs]``): EDF, CBF, img and some 35 more."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError, number_of, reason
from pairvae.modalities.readers.detector_files import frame_lines, module
from pairvae.modalities.readers.geometry import of_header
from pairvae.modalities.readers.picture import CUT_SHORT
from pairvae.modalities.readers.raw_image import RawImage, checked_shape, unreadable

FABIO_NAMES = (
    "edf cbf mccd mar2300 mar2560 mar3450 img osc sfrm gfrm msk spr fm2d dm3 kccd raxis esperanto bsl pnm "
    "ge ge1 ge2 ge3 ge4 ge5 raw mpa"
)
FABIO_SUFFIXES = frozenset(FABIO_NAMES.split())
CBF_MAGIC, CBF_SECTION, CBF_DATA = b"###CBF", b"--CIF-BINARY-FORMAT-SECTION--", b"\x0c\x1a\x04\xd5"
HEADER_SIZES = (("SIZE2", "SIZE1"), ("NY", "NX"), ("Dim_2", "Dim_1"))  # d*TREK and ADSC, Oxford, Hamamatsu


def read_fabio(path: Path, source: str, max_pixels: int, page: int | None) -> RawImage:
    """One frame of a detector file (edf, cbf, mccd, ...): counts ``(H, W)``. The header is judged first.

    ``page``: the frame, from 0; None: the first; a note says so where there are more.
    """
    fabio = module("fabio", source)
    logging.getLogger("fabio").setLevel(logging.CRITICAL)  # its remarks would clutter the one-line error
    _check_head(path, source)
    try:
        checked_shape(_announced(fabio.openheader(str(path)), source), 4, max_pixels, source)
        with fabio.open(str(path)) as image:
            frames, number = int(image.nframes), page or 0
            if not 0 <= number < frames:
                raise unreadable(
                    source, f"a frame {number}", number_of(frames, "frame"), "count frames from 0"
                )
            frame = image if number == 0 else image.get_frame(number)
            header = dict(frame.header)
            _refuse_compressed(frame.header, source)
            pixels = np.array(frame.data)
            if any(
                getattr(frame, "incomplete_data", False) for frame in getattr(image, "_frames", None) or []
            ):
                raise unreadable(source, "a whole detector image", "one cut short", CUT_SHORT)
    except InputError:
        raise
    except (
        Exception
    ) as error:  # FabIO raises anything at damaged files: the bare class, UnboundLocalError, ...
        raise unreadable(source, "a detector image that FabIO can read", reason(error), CUT_SHORT) from error
    checked_shape(pixels.shape, pixels.dtype.itemsize, max_pixels, source)
    known = of_header(header)
    notes, warnings = frame_lines(page, frames)
    return RawImage(
        pixels,
        None,
        None,
        path.suffix.lower().lstrip("."),
        source,
        notes=notes,
        warnings=(*warnings, *known.warnings),
        header_q_per_px=known.q_per_px,
        beam=known.beam,
    )


def _announced(image: Any, source: str) -> tuple[int, ...]:
    """Rows and columns that a header announces (``InputError``: none): FabIO follows lying ones to the end."""
    try:
        known = image.shape
    except AttributeError:  # of formats whose size FabIO takes from the data only
        known = None
    if known:
        return tuple(int(side) for side in known)
    for names in HEADER_SIZES:
        sides = [str(image.header.get(name, "")).strip() for name in names]
        if all(side.isascii() and side.isdigit() and len(side) < 9 for side in sides):
            return int(sides[0]), int(sides[1])
    raise unreadable(source, "a header with the image's size", "none", "save it as EDF, CBF or TIFF")


def _refuse_compressed(header: Mapping[str, Any], source: str) -> None:
    """FabIO hands frames that it cannot unpack itself to programs of the machine, and bounds no unpacked length."""
    for key, value in header.items():
        if key.lower() == "compression" and str(value).strip().lower() not in ("", "none", "no", "n"):
            raise unreadable(source, "a frame as it is", f"compression {value}", "write it uncompressed")


def _check_head(path: Path, source: str) -> None:
    """Refuse what FabIO would hand to a parser that follows external entities, and what it would read for ever."""
    with path.open("rb") as stream:
        head = stream.read(len(CBF_MAGIC))
        if head.startswith(b"<"):
            raise unreadable(source, "a detector image", "an XML or HTML file")
        if head != CBF_MAGIC and path.suffix.lower() != ".cbf":
            return
        data = head + stream.read()
    if data.find(CBF_DATA, max(data.find(CBF_SECTION), 0)) < 0:
        raise unreadable(source, "a whole CBF file", "none of its binary data", CUT_SHORT)
