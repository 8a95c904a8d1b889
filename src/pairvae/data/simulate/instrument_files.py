"""Files of simulated samples, as instruments write them: TIFF with pixel size, colour JPEG, CSV curve."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from pairvae.data.simulate.saxs_pattern import Curve
from pairvae.store import atomic_path

FEI_HELIOS_TAG = 34682
ASCII = 2
JPEG_QUALITY = 92
NM_PER_CM = 1e7


def fei_metadata(rows: int, columns: int, nm_per_px: float) -> str:
    """FEI metadata of a micrograph.

    Parameters
    ----------
    rows, columns : int
        Of the image area without the data bar, px.
    nm_per_px : float
        Side of a pixel, which FEI gives in m.

    Returns
    -------
    str
        Lines as the instrument writes them.
    """
    lines = (
        "[Scan]",
        f"PixelWidth={nm_per_px * 1e-9:.6e}",
        f"PixelHeight={nm_per_px * 1e-9:.6e}",
        f"HorFieldsize={columns * nm_per_px * 1e-9:.6e}",
        f"VerFieldsize={rows * nm_per_px * 1e-9:.6e}",
        "",
        "[Image]",
        f"ResolutionX={columns}",
        f"ResolutionY={rows}",
        "DigitalContrast=1",
        "DigitalBrightness=0",
        "",
    )
    return "\r\n".join(lines)


def write_micrograph(path: Path, grey: NDArray[np.uint8], image_rows: int, nm_per_px: float) -> None:
    """Write a micrograph as RGB TIFF with the pixel size in its resolution and FEI tags.

    Parameters
    ----------
    path : Path
        The file.
    grey : ndarray of uint8
        ``(rows, columns)``, the data bar included.
    image_rows : int
        Rows above the data bar.
    nm_per_px : float
        Side of a pixel.
    """
    metadata = fei_metadata(image_rows, grey.shape[1], nm_per_px)
    per_cm = NM_PER_CM / nm_per_px
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            np.repeat(grey[..., None], 3, axis=2),
            photometric="rgb",
            resolution=(per_cm, per_cm),
            resolutionunit="CENTIMETER",
            metadata=None,
            software="pairvae data simulate",
            extratags=[(FEI_HELIOS_TAG, ASCII, 0, metadata, True)],
        )


def write_image(path: Path, pixels: NDArray[np.generic], nm_per_px: float) -> None:
    """Write an image of one channel as TIFF with its pixel size.

    Parameters
    ----------
    path : Path
        The file.
    pixels : ndarray
        ``(rows, columns)``, float32 or uint16.
    nm_per_px : float
        Side of a pixel.
    """
    per_cm = NM_PER_CM / nm_per_px
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            pixels,
            photometric="minisblack",
            resolution=(per_cm, per_cm),
            resolutionunit="CENTIMETER",
            metadata=None,
            software="pairvae data simulate",
        )


def write_pattern(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write a pattern as JPEG.

    Parameters
    ----------
    path : Path
        The file.
    rgb : ndarray of uint8
        ``(side, side, 3)``.

    Raises
    ------
    OSError
        Where OpenCV cannot encode it.
    """
    done, encoded = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise OSError(f"OpenCV could not encode {path} as JPEG")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def write_curve(path: Path, curve: Curve) -> None:
    """Write a 1D curve as CSV with the columns q (1/nm), I and error (counts per pixel).

    Parameters
    ----------
    path : Path
        The file.
    curve : Curve
        The azimuthal average.
    """
    rows = zip(curve.q, curve.intensity, curve.error, strict=True)
    lines = ["q (1/nm),I,error", *(f"{q:.6g},{i:.6g},{e:.6g}" for q, i, e in rows)]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
