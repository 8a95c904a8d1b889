"""A two-phase field with one preferred spacing on a grating: noise, relaxation and scattering.

Lengths in nm, wave numbers in 1/nm. A field is ``(rows, columns)`` float32, periodic, above 0 in the bright
phase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """A periodic rectangle of square cells.

    Parameters
    ----------
    rows, columns : int
        Cells in each direction.
    cell_nm : float
        Side of a cell, nm.
    """

    rows: int
    columns: int
    cell_nm: float

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)``."""
        return self.rows, self.columns

    def positions(self) -> tuple[Field, Field]:
        """y ``(rows, 1)`` and x ``(1, columns)`` of the cells' centres, nm."""
        y = np.arange(self.rows, dtype=np.float32)[:, None] * np.float32(self.cell_nm)
        x = np.arange(self.columns, dtype=np.float32)[None, :] * np.float32(self.cell_nm)
        return y, x

    def wave_numbers(self) -> Field:
        """|k| of the half spectrum that ``rfft2`` returns, ``(rows, columns // 2 + 1)``, 1/nm."""
        ky = fft.fftfreq(self.rows, self.cell_nm)[:, None]
        kx = fft.rfftfreq(self.columns, self.cell_nm)[None, :]
        return np.asarray(2 * np.pi * np.hypot(ky, kx), dtype=np.float32)


def smooth_noise(grid: Grid, length_nm: float, rng: np.random.Generator) -> Field:
    """Gaussian random field with the autocorrelation exp(-(r / length)^2).

    Only wave numbers below 4 / length are drawn (the others have less than 14 % of the amplitude at k = 0), so that
    long lengths are cheap.

    Parameters
    ----------
    grid : Grid
        Its cells.
    length_nm : float
        Correlation length, nm.
    rng : Generator
        The random numbers.

    Returns
    -------
    ndarray
        ``(rows, columns)`` float32, mean 0 and variance 1.
    """
    cutoff = 4.0 / length_nm
    half = min(grid.rows // 2 - 1, max(2, int(cutoff * grid.rows * grid.cell_nm / (2 * np.pi))))
    right = min(grid.columns // 2, max(2, int(cutoff * grid.columns * grid.cell_nm / (2 * np.pi))))
    drawn = rng.standard_normal((2 * half + 1, right + 1, 2), dtype=np.float32)
    indices = np.arange(-half, half + 1)
    ky = 2 * np.pi * indices[:, None] / (grid.rows * grid.cell_nm)
    kx = 2 * np.pi * np.arange(right + 1)[None, :] / (grid.columns * grid.cell_nm)
    weight = np.exp(-(ky**2 + kx**2) * length_nm**2 / 8).astype(np.float32)
    spectrum = np.zeros((grid.rows, grid.columns // 2 + 1), dtype=np.complex64)
    spectrum[indices, : right + 1] = (drawn[..., 0] + 1j * drawn[..., 1]) * weight
    spectrum[0, 0] = 0
    field = fft.irfft2(spectrum, s=grid.shape, overwrite_x=True)
    return np.asarray(field / max(float(field.std()), 1e-12), dtype=np.float32)


def relax(
    seed: Field,
    forcing: Field,
    grid: Grid,
    *,
    wave_number: float,
    quadratic: Field | float,
    growth: float,
    step: float,
    steps: int,
) -> Field:
    """Relax a field by semi-implicit steps of the forced Swift-Hohenberg equation.

    d psi / dt = growth psi - (1 - k^2 / k0^2)^2 psi + quadratic psi^2 - psi^3 + forcing. The linear part is implicit in
    Fourier space, so that the step is not bound by the finest wave length (Cross and Hohenberg, Rev. Mod. Phys. 1993,
    65, 851).

    Parameters
    ----------
    seed : ndarray
        psi at the start, ``(rows, columns)``.
    forcing : ndarray
        Of a shape that broadcasts to that of ``seed``.
    grid : Grid
        Its cells.
    wave_number : float
        k0, 1/nm.
    quadratic : ndarray or float
        Above 0 it favours bright dots, 0 lamellae, below 0 dark dots.
    growth : float
        Linear growth rate at k0.
    step : float
        In relaxation times.
    steps : int
        How many.

    Returns
    -------
    ndarray
        psi at the end, ``(rows, columns)`` float32.
    """
    ratio = (grid.wave_numbers() / np.float32(wave_number)) ** 2
    implicit = (1.0 / (1.0 + step * ((1.0 - ratio) ** 2 - growth))).astype(np.float32)
    field = seed.astype(np.float32)
    spectrum = fft.rfft2(field)
    for _ in range(steps):
        # The bound keeps the explicit cubic term stable for any seed.
        bounded = np.clip(field, -1.5, 1.5)
        nonlinear = (quadratic - bounded) * bounded * bounded + forcing
        spectrum = (spectrum + step * fft.rfft2(nonlinear)) * implicit
        field = fft.irfft2(spectrum, s=grid.shape)
    return np.asarray(field, dtype=np.float32)


def scattering(field: Field, window: int) -> Field:
    """Scattered intensity of a periodic field: |FFT|^2 averaged over Hann windows.

    Windows overlap by half and wrap around the edges (Welch, IEEE Trans. Audio Electroacoust. 1967, 15, 70).

    Parameters
    ----------
    field : ndarray
        ``(rows, columns)``, periodic.
    window : int
        Side of a window in cells; even.

    Returns
    -------
    ndarray
        ``(window, window)`` float32. q = 0 lies at ``[window // 2, window // 2]``; one cell is 2 pi / (window cell_nm)
        in 1/nm. Its mean is the field's variance, whatever the window.
    """
    rows, columns = field.shape
    taper = np.hanning(window + 1)[:window].astype(np.float32)
    taper2 = taper[:, None] * taper[None, :]
    starts_y = np.linspace(0, rows, max(1, round(2 * rows / window)), endpoint=False).astype(int)
    starts_x = np.linspace(0, columns, max(1, round(2 * columns / window)), endpoint=False).astype(int)
    wrapped = np.pad(field - field.mean(), ((0, window), (0, window)), mode="wrap")
    total = np.zeros((window, window // 2 + 1), dtype=np.float32)
    for y in starts_y:
        for x in starts_x:
            spectrum = fft.rfft2(wrapped[y : y + window, x : x + window] * taper2)
            total += spectrum.real**2 + spectrum.imag**2
    power = total / np.float32(len(starts_y) * len(starts_x) * float((taper2**2).sum()))
    centred = np.empty((window, window), dtype=np.float32)
    middle = window // 2
    shifted = np.roll(power, middle, axis=0)
    centred[:, middle:] = shifted[:, :-1]
    # Friedel's law: I(-q) = I(q) for a real field.
    centred[:, 0] = shifted[:, -1]
    centred[:, 1:middle] = np.roll(shifted[::-1], 1, axis=0)[:, middle - 1 : 0 : -1]
    return centred


def mirror_average(intensity: Field) -> Field:
    """Average of a pattern and its mirror image in x.

    A beam sees so many domains that both senses of tilt occur equally; a simulated field is too small.

    Parameters
    ----------
    intensity : ndarray
        ``(side, side)``, side even, q = 0 at side / 2.

    Returns
    -------
    ndarray
        ``(side, side)`` float32.
    """
    mirrored = np.roll(intensity[:, ::-1], 1, axis=1)
    return np.asarray((intensity + mirrored) / 2, dtype=np.float32)
