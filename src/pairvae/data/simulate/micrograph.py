"""The electron micrograph of a phase field, and the data bar below it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pairvae.data.simulate.structure import CELLS_PER_PIXEL
from pairvae.numerics.phasefield import Field
from pairvae.settings.simulation import SimulationParameters

Grey = NDArray[np.uint8]

BACKGROUND = 0.18
CONTRAST = 0.42
EDGE = 0.10
SATURATION = 1.3
DRIFT_OF_BRIGHTNESS = 0.05
BAR_GREY = 24
LEAST_BAR_ROWS = 16
INK = 235


def _slow_variation(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Smooth unevenness ``shape``, about -1 to 1: the scanning beam and the detector are never uniform."""
    coarse = rng.uniform(-1, 1, (4, 5)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def window(field: Field, shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """A random window of ``field`` at the micrograph's pixel size.

    Parameters
    ----------
    field : Field
        Larger than the window.
    shape : tuple of int
        Rows and columns, px.
    rng : numpy.random.Generator
        Draws its place.

    Returns
    -------
    Field
        Of that shape.
    """
    rows, columns = (round(n * CELLS_PER_PIXEL) for n in shape)
    top = int(rng.integers(field.shape[0] - rows + 1))
    left = int(rng.integers(field.shape[1] - columns + 1))
    cells = np.ascontiguousarray(field[top : top + rows, left : left + columns])
    return np.asarray(cv2.resize(cells, shape[::-1], interpolation=cv2.INTER_LANCZOS4))


def _drifted(image: Field, drift_px: float, rng: np.random.Generator) -> Field:
    """Shear the scan lines (slow axis: rows) by a drift of the sample in a random direction."""
    rows, columns = image.shape
    angle = rng.uniform(0, 2 * np.pi)
    scale = drift_px / rows
    matrix = np.array([[1, scale * np.cos(angle), 0], [0, 1 + scale * np.sin(angle), 0]], dtype=np.float32)
    return np.asarray(cv2.warpAffine(image, matrix, (columns, rows), borderMode=cv2.BORDER_REFLECT))


def _charging(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Horizontal streaks ``shape`` in [0, 1] that begin at random places and fade along the line."""
    rows, columns = shape
    streaks = np.zeros(shape, dtype=np.float32)
    fade = np.exp(-np.arange(columns, dtype=np.float32) / (0.15 * columns))
    for row in rng.integers(rows, size=max(1, rows // 25)):
        start = int(rng.integers(columns))
        streaks[row, start:] += np.float32(rng.uniform(0.3, 1)) * fade[: columns - start]
    return np.clip(streaks, 0, 1)


def micrograph(field: Field, parameters: SimulationParameters, rng: np.random.Generator) -> Grey:
    """Grey levels of a window of a phase field.

    Secondary electrons: a level for each phase, more at the edges of domains, uneven brightness and contrast,
    the beam's width, and the counting noise of ``sem_electrons`` in a white pixel.

    Parameters
    ----------
    field : Field
        See :func:`pairvae.data.simulate.structure.make_field`.
    parameters : SimulationParameters
        Of the microscope.
    rng : numpy.random.Generator
        Draws the window and the noise.

    Returns
    -------
    ndarray of uint8
        ``(sem_rows, sem_columns)``.
    """
    seen = window(field, (parameters.sem_rows, parameters.sem_columns), rng)
    phase = np.tanh(np.float32(SATURATION) * seen)
    level = np.float32(BACKGROUND + rng.uniform(-0.04, 0.04))
    contrast = np.float32(CONTRAST * rng.uniform(0.85, 1.15))
    signal = level + contrast * (0.5 + 0.5 * phase) + np.float32(EDGE) * (1 - phase * phase)
    signal *= 1 + np.float32(DRIFT_OF_BRIGHTNESS) * _slow_variation(seen.shape, rng)
    if parameters.sem_drift_nm > 0:
        signal = _drifted(signal, parameters.sem_drift_nm / parameters.sem_nm_per_px, rng)
    if parameters.sem_charging > 0:
        signal += np.float32(0.5 * parameters.sem_charging) * _charging(seen.shape, rng)
    signal = np.maximum(cv2.GaussianBlur(signal, (3, 3), 0.6), 0)
    # Many electrons: the Poisson law is a normal one with the variance of its mean.
    noise = rng.standard_normal(seen.shape, dtype=np.float32)
    signal += np.sqrt(signal / np.float32(parameters.sem_electrons)) * noise
    return np.asarray(np.clip(signal * 255 + 0.5, 0, 255).astype(np.uint8))


def scale_bar_nm(width_nm: float) -> int:
    """The longest of 1, 2, 5 times a power of ten that is at most a quarter of ``width_nm``."""
    limit = width_nm / 4
    power = 10 ** int(np.floor(np.log10(limit)))
    return int(max(step * power for step in (1, 2, 5) if step * power <= limit))


def with_data_bar(grey: Grey, parameters: SimulationParameters, label: str) -> Grey:
    """A micrograph with ``sem_bar_rows`` dark rows below it: a scale bar with its length, and a label.

    Parameters
    ----------
    grey : ndarray of uint8
        ``(rows, columns)``.
    parameters : SimulationParameters
        Of the microscope.
    label : str
        In the bar.

    Returns
    -------
    ndarray of uint8
        ``(rows + sem_bar_rows, columns)``.
    """
    rows, columns = parameters.sem_bar_rows, grey.shape[1]
    bar = np.full((rows, columns), BAR_GREY, dtype=np.uint8)
    if rows >= LEAST_BAR_ROWS:
        length_nm = scale_bar_nm(columns * parameters.sem_nm_per_px)
        right = columns - rows // 3
        left = right - round(length_nm / parameters.sem_nm_per_px)
        middle, half = round(0.65 * rows), max(1, rows // 20)
        bar[middle - half : middle + half, left:right] = INK
        size = 0.7 * rows / 70
        cv2.putText(bar, f"{length_nm} nm", (left, round(0.4 * rows)), cv2.FONT_HERSHEY_SIMPLEX, size, INK)
        cv2.putText(bar, label, (rows // 3, middle), cv2.FONT_HERSHEY_SIMPLEX, size, INK)
    return np.vstack([grey, bar])
