"""Files as instruments write them, small: what strangers bring to their first project."""

from pathlib import Path

import cv2
import numpy as np
import tifffile

BEAM = (37.0, 30.0)  # px, row and column
HITACHI = (
    "[SemImageFile]\r\nInstructName=S-4800\r\nDataSize={columns}x{rows}\r\n"
    "PixelSize={nm}\r\nMagnification=50000\r\nDataDisplayCombine=1\r\n"
)


def domains(spacing_px: float, seed: int, rows: int, columns: int) -> np.ndarray:
    """8-bit grey of two phases of that spacing with a little noise."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(rows), np.fft.fftfreq(columns), indexing="ij"))
    ring = np.exp(-(((radius - 1 / spacing_px) * spacing_px / 0.25) ** 2))
    waves = np.real(np.fft.ifft2(np.fft.fft2(rng.normal(size=(rows, columns))) * ring))
    grey = 120 + 60 * np.tanh(2 * waves / waves.std()) + rng.normal(0, 4, (rows, columns))
    return np.clip(grey, 0, 255).astype(np.uint8)


def with_bar(image: np.ndarray, rows: int = 24) -> np.ndarray:
    """The micrograph with a data bar of ``rows`` rows below it."""
    bar = np.zeros((rows, image.shape[1]), np.uint8)
    cv2.putText(bar, "S-4800 5.0kV x50.0k SE(M)", (4, rows - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1)
    return np.concatenate([image, bar])


def write_png(path: Path, image: np.ndarray) -> None:
    """A PNG, also where another one was."""
    assert cv2.imwrite(str(path), image)


def write_hitachi(path: Path, image: np.ndarray, nm: float) -> None:
    """A TIFF with its data bar, and the text file that the instrument writes beside it."""
    shown = with_bar(image)
    tifffile.imwrite(path, shown)
    text = HITACHI.format(columns=shown.shape[1], rows=shown.shape[0], nm=nm)
    path.with_suffix(".txt").write_bytes(text.encode("latin-1"))


def intensity(q: np.ndarray, spacing_nm: float, seed: int) -> np.ndarray:
    """I(q) of domains of that spacing, q in 1/nm, with counting noise."""
    peak = 2 * np.pi / spacing_nm
    smooth = 40 * np.exp(-(((q - peak) / (0.2 * peak)) ** 2)) + 5 * (0.05 / q) ** 2 + 0.3
    return smooth * (1 + 0.02 * np.random.default_rng(seed).normal(size=q.shape))


def write_curve(path: Path, q: np.ndarray, values: np.ndarray, header: str = "") -> None:
    """Three columns of text under a header, as beamlines export them."""
    np.savetxt(path, np.stack([q, values, 0.02 * values], axis=1), header=header, comments="# ")


def detector_frame(ring_px: float, seed: int) -> np.ndarray:
    """Counts of a ring about :data:`BEAM` on a detector that is not square, with a bad row and a gap of -1."""
    y, x = np.mgrid[:80, :64]
    away = np.hypot(y - BEAM[0], x - BEAM[1])
    expected = 400 * np.exp(-away / 6) + 200 * np.exp(-(((away - ring_px) / 2) ** 2)) + 6
    counts = np.random.default_rng(seed).poisson(expected).astype(np.int32)
    counts[50:53] = -1  # the gap between two modules
    counts[60] = 90_000  # a row that always counts
    return counts


def detector_mask() -> np.ndarray:
    """1 where that detector counts by itself."""
    mask = np.zeros((80, 64), np.uint8)
    mask[60] = 1
    return mask


def poni() -> str:
    """pyFAI's geometry of that detector: 0.1 mm pixels, 1 m away, 0.1 nm wavelength."""
    rows, columns = ((at + 0.5) * 1e-4 for at in BEAM)
    return (
        "# Calibration\nponi_version: 2\nDetector: Detector\n"
        'Detector_config: {"pixel1": 1e-4, "pixel2": 1e-4, "max_shape": [80, 64]}\n'
        f"Distance: 1.0\nPoni1: {rows}\nPoni2: {columns}\nRot1: 0\nRot2: 0\nRot3: 0\nWavelength: 1e-10\n"
    )


def ring_picture(spacing_nm: float, seed: int) -> np.ndarray:
    """An 8-bit picture ``(96, 96)`` of a scattering ring, 0.01 1/nm per px, on a dim background."""
    y, x = np.mgrid[:96, :96] - 47.5
    ring = np.exp(-(((np.hypot(y, x) - 2 * np.pi / spacing_nm / 0.01) / 2.5) ** 2))
    noise = np.random.default_rng(seed).normal(0, 3, ring.shape)
    return np.clip(20 + 190 * ring + noise, 0, 255).astype(np.uint8)
