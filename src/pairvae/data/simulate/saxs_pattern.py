"""The scattering of a phase field as a detector sees it: counts, beamstop, gaps, colour map."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pairvae.data.simulate.structure import Latents, field_grid
from pairvae.numerics.colormaps import colormap_table
from pairvae.numerics.phasefield import Field, mirror_average, scattering
from pairvae.numerics.scattering import azimuthal_average
from pairvae.settings.simulation import SimulationParameters

HALO_STRENGTH, HALO_NM = 1200.0, 55.0
STREAK_STRENGTH, STREAK_ALONG_NM, STREAK_ACROSS_NM = 30.0, 26.0, 60.0
BACKGROUND = 0.05
ORDERS = ((1, 150.0), (2, 30.0))
SPOT_PER_NM = 0.010
CONTRAST_OF_COMPOSITION = 4.0
BRIGHTEST, LINEAR_BELOW = 80.0, 0.12  # intensities: the end of the colour scale, where it becomes logarithmic
COLORMAP = "vge"  # the published patterns' own


@dataclass(frozen=True)
class Curve:
    """Azimuthal average, ``(bins,)`` each.

    Parameters
    ----------
    q : ndarray
        1/nm.
    intensity, error : ndarray
        Counts per pixel, and their standard error.
    """

    q: NDArray[np.float64]
    intensity: NDArray[np.float64]
    error: NDArray[np.float64]


def q_grid(parameters: SimulationParameters) -> tuple[Field, Field]:
    """q_y ``(side, 1)`` and q_x ``(1, side)`` of the detector's pixels, 1/nm; the beam hits the middle."""
    side = parameters.saxs_px
    q = ((np.arange(side) + 0.5) / side * 2 - 1) * parameters.q_max_per_nm
    return q[:, None].astype(np.float32), q[None, :].astype(np.float32)


def on_detector(
    structure: Field, cell_nm: float, parameters: SimulationParameters, *, mirrored: bool
) -> Field:
    """Squared Fourier transform of a periodic structure on the detector, smeared by the beam.

    Parameters
    ----------
    structure : Field
        ``(rows, columns)``.
    cell_nm : float
        Side of its cells.
    parameters : SimulationParameters
        Of the detector.
    mirrored : bool
        Average it with its mirror image.

    Returns
    -------
    Field
        ``(side, side)``.
    """
    window = 2 * round(parameters.saxs_window_nm / cell_nm / 2)
    centred, q_cell = scattering(structure, window), 2 * np.pi / (window * cell_nm)
    if mirrored:
        centred = mirror_average(centred)
    if parameters.saxs_resolution_per_nm > 0:
        centred = cv2.GaussianBlur(centred, (0, 0), parameters.saxs_resolution_per_nm / q_cell)
    q_y, q_x = q_grid(parameters)
    shape = (parameters.saxs_px, parameters.saxs_px)
    column = np.broadcast_to(q_x / np.float32(q_cell) + window // 2, shape)
    row = np.broadcast_to(q_y / np.float32(q_cell) + window // 2, shape)
    mapped = cv2.remap(centred, np.ascontiguousarray(column), np.ascontiguousarray(row), cv2.INTER_LINEAR)
    return np.asarray(mapped)


def expected_counts(field: Field, latents: Latents, parameters: SimulationParameters) -> Field:
    """Mean counts before beamstop and gaps.

    The scattering of the structure, damped by its diffuse interfaces (Ruland, J. Appl. Cryst. 1971, 4, 70); a
    halo of large heterogeneities (Debye and Bueche, J. Appl. Phys. 1949, 20, 518) with a streak along the
    grating's vector; the grating's own diffraction orders; a background.

    Parameters
    ----------
    field : Field
        On ``field_grid(parameters)``, about -1 to 1.
    latents : Latents
        Of the sample.
    parameters : SimulationParameters
        Of the detector.

    Returns
    -------
    Field
        ``(side, side)``, >= 0.
    """
    q_y, q_x = q_grid(parameters)
    q2 = q_y**2 + q_x**2
    # The bright phase holds the electrons: its amount sets the contrast.
    contrast = np.float32(np.exp(CONTRAST_OF_COMPOSITION * latents.composition))
    damping = np.exp(-q2 / np.float32(parameters.saxs_q_interface_per_nm) ** 2)
    halo = np.float32(HALO_STRENGTH) / (1 + q2 * np.float32(HALO_NM**2)) ** 2
    halo += np.float32(STREAK_STRENGTH) * np.exp(
        -np.abs(q_x) * np.float32(STREAK_ALONG_NM) - np.abs(q_y) * np.float32(STREAK_ACROSS_NM)
    )
    structure = on_detector(np.tanh(field), field_grid(parameters).cell_nm, parameters, mirrored=True)
    total = contrast * damping * structure
    total += np.float32(latents.halo) * halo + grating_orders(latents, parameters) + np.float32(BACKGROUND)
    return np.asarray(total * np.float32(parameters.saxs_dose), dtype=np.float32)


def grating_orders(latents: Latents, parameters: SimulationParameters) -> Field:
    """Diffraction orders +-1 and +-2 of the grating: flat spots of the beam's size.

    Parameters
    ----------
    latents : Latents
        Of the sample.
    parameters : SimulationParameters
        Of the detector.

    Returns
    -------
    Field
        ``(side, side)``, >= 0.
    """
    q_y, q_x = q_grid(parameters)
    spots = np.zeros((parameters.saxs_px, parameters.saxs_px), dtype=np.float32)
    for order, strength in ORDERS:
        centre = np.float32(order * 2 * np.pi / latents.pitch_nm)
        distance2 = ((np.abs(q_x) - centre) ** 2 + q_y**2) / np.float32(SPOT_PER_NM**2)
        spots += np.float32(strength * latents.grating) * np.exp(-(distance2**2))
    return spots


def shadows(parameters: SimulationParameters) -> NDArray[np.bool_]:
    """True ``(side, side)`` where the detector sees nothing: beamstop bar, block and pin, two module gaps."""
    side = parameters.saxs_px
    y = ((np.arange(side) + 0.5) / side)[:, None]
    x = ((np.arange(side) + 0.5) / side)[None, :]
    bar = np.abs(x - 0.503) < 0.038
    block = (np.abs(x - 0.508) < 0.061) & (np.abs(y - 0.503) < 0.065)
    pin = (np.abs(y - 0.500) < 0.014) & (x > 0.5) & (x < 0.616)
    gaps = (np.abs(y - 0.094) < 0.031) | (np.abs(y - 0.905) < 0.031)
    return np.asarray(bar | block | pin | gaps)


def detect(expected: Field, parameters: SimulationParameters, rng: np.random.Generator) -> NDArray[np.int64]:
    """One exposure, Poisson distributed; 0 in the shadows.

    Parameters
    ----------
    expected : Field
        Mean counts ``(side, side)``.
    parameters : SimulationParameters
        Of the detector.
    rng : numpy.random.Generator
        Draws the counts.

    Returns
    -------
    ndarray of int
        Counts ``(side, side)``.
    """
    return np.where(shadows(parameters), 0, rng.poisson(expected))


def colour_mapped(counts: NDArray[np.int64], parameters: SimulationParameters) -> NDArray[np.uint8]:
    """Counts as published: log(1 + counts) colour-mapped; shadows are black.

    Parameters
    ----------
    counts : ndarray of int
        ``(side, side)``.
    parameters : SimulationParameters
        Of the detector.

    Returns
    -------
    ndarray of uint8
        ``(side, side, 3)`` RGB.
    """
    smooth = cv2.GaussianBlur(counts.astype(np.float32), (3, 3), 0.8)
    scaled = np.log1p(smooth / np.float32(LINEAR_BELOW * parameters.saxs_dose))
    level = np.minimum(scaled / np.float32(np.log1p(BRIGHTEST / LINEAR_BELOW)), 1)
    coloured = published_colours(level)
    coloured[shadows(parameters)] = 0
    return coloured


def published_colours(level: Field) -> NDArray[np.uint8]:
    """Levels ``(H, W)`` in [0, 1] as 8-bit RGB ``(H, W, 3)``."""
    table = np.rint(colormap_table(COLORMAP) * 255).astype(np.uint8)
    return np.asarray(table[np.rint(level * (len(table) - 1)).astype(np.intp)])


def azimuthal_curve(counts: NDArray[np.int64], parameters: SimulationParameters) -> Curve:
    """I(q) of the pixels outside the shadows, in rings one pixel wide; errors from counting statistics.

    Parameters
    ----------
    counts : ndarray of int
        ``(side, side)``.
    parameters : SimulationParameters
        Of the detector.

    Returns
    -------
    Curve
        Of the rings that hold pixels.
    """
    middle = (parameters.saxs_px - 1) / 2
    per_px = 2 * parameters.q_max_per_nm / parameters.saxs_px
    mean = azimuthal_average(counts, (middle, middle), shadows(parameters), q_per_px=per_px)
    seen = mean.counts > 0
    intensity, number = mean.intensity[seen], mean.counts[seen]
    return Curve(mean.q[seen], intensity, np.sqrt(np.maximum(intensity * number, 1)) / number)
