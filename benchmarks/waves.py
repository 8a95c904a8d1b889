"""Leveled waves whose pattern is the scattering of the very structure that the image shows.

A random field of waves of one length, cut at a level (Cahn, J. Chem. Phys. 1965, 42, 93): no grating, no grains, no
halo. So the squared Fourier amplitude of the micrograph is all that there is to be learned of the pattern.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import fft

from pairvae.data.pairs.manifest import write_pairs
from pairvae.data.pairs.sample import Pair
from pairvae.data.simulate.instrument_files import write_micrograph, write_pattern
from pairvae.data.simulate.micrograph import SATURATION, micrograph, with_data_bar
from pairvae.data.simulate.saxs_pattern import BACKGROUND, colour_mapped, detect, on_detector
from pairvae.data.simulate.structure import CELLS_PER_PIXEL
from pairvae.numerics.phasefield import Field, Grid
from pairvae.settings.simulation import SimulationParameters

SPACING_NM, BANDWIDTH, ALIGNMENT, FRACTION = (28.0, 44.0), (0.08, 0.3), (0.0, 2.5), (0.3, 0.65)
SHARPNESS = 2.5  # of the interfaces


def structure(grid: Grid, rng: np.random.Generator) -> Field:
    """Phase field ``(rows, columns)``, above 0 in the bright phase; what it is like is drawn too."""
    spacing, width, alignment, fraction = (
        rng.uniform(*ends) for ends in (SPACING_NM, BANDWIDTH, ALIGNMENT, FRACTION)
    )
    ky, kx = fft.fftfreq(grid.rows, grid.cell_nm)[:, None], fft.rfftfreq(grid.columns, grid.cell_nm)
    turned = np.arctan2(ky, kx) - rng.uniform(0, np.pi)
    power = np.exp(
        -0.5 * ((np.hypot(ky, kx) * spacing - 1) / width) ** 2 + alignment * (np.cos(2 * turned) - 1)
    )
    noise = fft.rfft2(rng.standard_normal(grid.shape)) * np.sqrt(power)
    wave = fft.irfft2(noise, s=grid.shape)
    level = np.quantile(wave, 1 - fraction)
    return np.asarray(SHARPNESS * (wave - level) / wave.std(), np.float32)


def simulate(out: Path, *, pairs: int, seed: int, parameters: SimulationParameters) -> None:
    """Write ``pairs`` samples to ``out`` in the data layout; those that are there already are kept."""
    rows, columns = (round(side * CELLS_PER_PIXEL) for side in (parameters.sem_rows, parameters.sem_columns))
    grid = Grid(rows, columns, parameters.sem_nm_per_px / CELLS_PER_PIXEL)
    for folder in ("SAXS", "SEM"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    samples = []
    for index in range(pairs):
        name, rng = f"{index:05d}", np.random.default_rng([seed, index])
        saxs, sem = out / "SAXS" / f"{name}.jpg", out / "SEM" / f"{name}.tif"
        per_px = 2 * parameters.q_max_per_nm / parameters.saxs_px
        samples.append(Pair(name, saxs, sem, None, parameters.sem_nm_per_px, per_px))
        if saxs.is_file() and sem.is_file():
            continue
        phases = structure(grid, rng)
        view = with_data_bar(micrograph(phases, parameters, rng), parameters, name)
        write_micrograph(sem, view, parameters.sem_rows, parameters.sem_nm_per_px)
        shown = np.tanh(np.float32(SATURATION) * phases)
        intensity = on_detector(shown, grid.cell_nm, parameters, mirrored=False)
        expected = parameters.saxs_dose * (intensity + BACKGROUND)
        write_pattern(saxs, colour_mapped(detect(expected, parameters, rng), parameters))
    write_pairs(out / "pairs.csv", samples)
