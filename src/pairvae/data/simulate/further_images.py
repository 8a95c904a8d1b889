"""What an atomic force and a transmission electron microscope see of the structure that the simulated SEM shows."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from pairvae.data.simulate.micrograph import SATURATION, window
from pairvae.numerics.phasefield import Field
from pairvae.settings.simulation import SimulationParameters

WAVELENGTH_NM = 0.00251  # of electrons of 200 keV
TILT_NM = 12.0  # largest difference of height across a map by which the sample lies tilted
ROUGH_NM = 0.3  # standard deviation of the height within a domain
ROUGH_PX = 3.0
MASS_CONTRAST = 0.12  # of the bright phase, which scatters less, over the mean
PHASE_SHIFT = 0.20  # radians between the two phases
ENVELOPE_NM = 4.0  # detail that partial coherence damps to 1/e


def afm_map(field: Field, parameters: SimulationParameters, rng: np.random.Generator) -> NDArray[np.float32]:
    """Heights of a window of a phase field, as a tip feels them.

    The bright phase stands out by ``afm_height_nm``. A parabolic tip widens what stands out (grey dilation). The
    scanner adds a plane, an offset to each scan line, and noise.

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
    ndarray of float32
        ``(image_px, image_px)``, nm.
    """
    side = parameters.image_px
    phase = np.tanh(np.float32(SATURATION) * window(field, (side, side), rng))
    height = np.float32(0.5 * parameters.afm_height_nm * rng.uniform(0.8, 1.2)) * phase
    grain = cv2.GaussianBlur(rng.standard_normal((side, side), dtype=np.float32), (0, 0), ROUGH_PX)
    height = height + np.float32(ROUGH_NM) * grain / grain.std()
    felt = np.asarray(ndimage.grey_dilation(height, structure=_tip(parameters)), np.float32)
    slope = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    down, right = (np.float32(TILT_NM * rng.uniform(-1, 1)) for _ in range(2))
    lines = parameters.afm_line_nm * rng.standard_normal((side, 1), dtype=np.float32)
    noise = parameters.afm_noise_nm * rng.standard_normal((side, side), dtype=np.float32)
    return np.asarray(felt + down * slope[:, None] + right * slope[None] + lines + noise, np.float32)


def _tip(parameters: SimulationParameters) -> NDArray[np.float32]:
    """A parabola of the tip's radius: how far below its end it is at each pixel around it, to the features' height."""
    radius, pixel = parameters.afm_tip_nm, parameters.sem_nm_per_px
    reach = int(np.ceil(np.sqrt(4 * radius * parameters.afm_height_nm) / pixel))
    distance = np.arange(-reach, reach + 1) * pixel
    return np.asarray(-(distance[:, None] ** 2 + distance[None] ** 2) / (2 * radius), np.float32)


def tem_image(field: Field, parameters: SimulationParameters, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Electrons in each pixel behind a thin film, out of focus by ``tem_defocus_nm``.

    Weak-phase and weak-amplitude object: its transform is multiplied by the contrast transfer function
    ``m cos chi + p sin chi``, ``chi = pi lambda defocus k^2``, and by the envelope of partial coherence.

    Parameters
    ----------
    field : Field
        See :func:`pairvae.data.simulate.structure.make_field`.
    parameters : SimulationParameters
        Of the microscope.
    rng : numpy.random.Generator
        Draws the window and the electrons (shot noise).

    Returns
    -------
    ndarray of uint16
        ``(image_px, image_px)``.
    """
    side = parameters.image_px
    phase = np.tanh(np.float32(SATURATION) * window(field, (side, side), rng))
    k = fft.fftfreq(side, parameters.sem_nm_per_px)
    k2 = k[:, None] ** 2 + k[None, : side // 2 + 1] ** 2
    chi = np.pi * WAVELENGTH_NM * parameters.tem_defocus_nm * k2
    transfer = (MASS_CONTRAST * np.cos(chi) + PHASE_SHIFT * np.sin(chi)) * np.exp(-k2 * ENVELOPE_NM**2)
    contrast = fft.irfft2(fft.rfft2(phase) * transfer, s=(side, side))
    expected = parameters.tem_electrons * np.maximum(1 + contrast, 0)
    return np.asarray(rng.poisson(expected).clip(0, 65_535).astype(np.uint16))


IMAGES: dict[str, Callable[[Field, SimulationParameters, np.random.Generator], NDArray[np.generic]]] = {
    "afm": afm_map,
    "tem": tem_image,
}
