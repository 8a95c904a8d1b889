"""The structure of a simulated sample: what it is made of (latents) and its phase field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from scipy import fft

from pairvae.numerics.phasefield import Field, Grid, relax, smooth_noise
from pairvae.settings.simulation import MORPHOLOGIES, SimulationParameters

CELLS_PER_PIXEL = 0.5
MARGIN = 1.5
STEP = 0.6
GROWTH = 0.35
SHARPNESS_OF_REGIONS = 5.0
STEEPEST = 0.97  # lamellae along the grating would not be skew


@dataclass(frozen=True)
class Latents:
    """What decides a sample; its scattering and its images follow from it."""

    morphology: str
    second: str
    second_share: float
    spacing_nm: float
    pitch_nm: float
    grating: float
    disorder: float
    defects: float
    composition: float
    dots: float
    halo: float

    def row(self) -> dict[str, str | float]:
        """Columns of ``truth.csv``."""
        return dict(asdict(self))


@dataclass(frozen=True)
class Frame:
    """Where a pattern is drawn, each ``(rows, columns)``.

    Parameters
    ----------
    x, y : Field
        Displaced positions in domain spacings.
    slip : Field
        A phase in turns that winds around dislocations: only whole multiples of it are continuous.
    region : Field
        A smooth random field.
    """

    x: Field
    y: Field
    slip: Field
    region: Field


@dataclass(frozen=True)
class Motif:
    """How the blend orders on a template of one width.

    Parameters
    ----------
    pitch : float
        The grating's period in domain spacings.
    quadratic : float
        Asymmetry of the phase field (above 0: bright dots).
    bias : float
        Shifts the boundary between the phases (below 0: less of the bright one).
    locking : float
        Strength of the grating relative to the sample's.
    pattern : callable
        Gives the seed of the phase field, about -1 to 1.
    """

    pitch: float
    quadratic: float
    bias: float
    locking: float
    pattern: Callable[[Frame, Latents], Field]


def _wave(turns: Field) -> Field:
    return np.asarray(np.cos(np.float32(2 * np.pi) * turns), dtype=np.float32)


def _step(value: Field) -> Field:
    """A smooth step from 0 to 1 as ``value`` grows through 0."""
    return np.asarray(0.5 + 0.5 * np.tanh(np.float32(SHARPNESS_OF_REGIONS / 2) * value), dtype=np.float32)


def _hexagonal(frame: Frame, latents: Latents) -> Field:
    """Dots on a hexagonal lattice between lines: the waves at +-60 degrees are present only in places."""
    dots = _step(frame.region + np.float32(latents.dots))
    x = frame.x + frame.slip
    height = np.float32(np.sqrt(0.75))
    return np.asarray(
        (0.8 - 0.3 * dots) * _wave(x) + 1.2 * dots * _wave(np.float32(0.5) * x) * _wave(height * frame.y)
    )


def _skew(frame: Frame, latents: Latents) -> Field:
    """Lamellae tilted either way, by the angle that fits the grating: cos angle = spacing / pitch."""
    cosine = np.float32(min(STEEPEST, latents.spacing_nm / latents.pitch_nm))
    rise = np.sqrt(1 - cosine**2) * frame.y
    right = _step(2 * frame.region)
    x = cosine * frame.x + frame.slip
    return np.asarray(right * _wave(x + rise) + (1 - right) * _wave(x - rise))


def _alternating(frame: Frame, latents: Latents) -> Field:
    """Bright lines with dim lines between them; the dim ones are broken into dots in places."""
    x = frame.x + frame.slip
    odd = _wave(np.float32(0.5) * x)
    broken = _step(frame.region + np.float32(latents.dots))
    return np.asarray(
        0.7 * _wave(x) + 0.3 * odd + 0.5 * broken * (1 - odd) * _wave(np.float32(0.85) * frame.y)
    )


def _ladders(frame: Frame, latents: Latents) -> Field:
    """Rungs across the grating between dark rails along it; the rungs of neighbouring columns are shifted."""
    turns = frame.x * np.float32(latents.spacing_nm / latents.pitch_nm) + frame.slip
    shift = np.float32(0.2) * np.tanh(4 * np.sin(np.float32(np.pi) * turns)) + frame.region / 2
    rail = _wave(turns)
    return np.asarray((0.75 + 0.35 * rail) * _wave(frame.y + shift) + 0.65 * rail)


MOTIFS = {
    "hexagonal": Motif(1.0, 1.1, -0.70, 1.0, _hexagonal),
    "skew": Motif(1.25, 0.10, -0.28, 1.0, _skew),
    "alternating lines": Motif(1.0, 0.6, -0.72, 1.0, _alternating),
    "ladders": Motif(1.75, -0.55, -0.15, 1.6, _ladders),
}


def draw_latents(index: int, parameters: SimulationParameters, rng: np.random.Generator) -> Latents:
    """Latents of a sample; the morphologies take turns, so that every data set is balanced.

    Parameters
    ----------
    index : int
        The sample, from 0.
    parameters : SimulationParameters
        Means and variations.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    Latents
        Of the sample.
    """
    morphology = MORPHOLOGIES[index % len(MORPHOLOGIES)]
    others = [name for name in MORPHOLOGIES if name != morphology]

    def around(mean: float, relative: float) -> float:
        return float(mean * (1 + relative * rng.uniform(-1, 1)))

    spacing = around(parameters.spacing_nm, parameters.spacing_variation)
    return Latents(
        morphology=morphology,
        second=others[int(rng.integers(len(others)))],
        second_share=float(rng.uniform(0, parameters.blend)),
        spacing_nm=spacing,
        pitch_nm=around(spacing * MOTIFS[morphology].pitch, parameters.pitch_variation),
        grating=around(parameters.grating, parameters.variation),
        disorder=around(parameters.disorder, parameters.variation),
        defects=around(parameters.defects, parameters.variation),
        composition=float(parameters.composition_variation * rng.uniform(-1, 1)),
        dots=float(rng.uniform(-0.6, 0.6)),
        halo=float(rng.uniform(0.7, 1.3)),
    )


def field_grid(parameters: SimulationParameters) -> Grid:
    """A grid larger than the SEM and the scattering windows, with multiples of 4 that an FFT is quick on."""
    cell_nm = parameters.sem_nm_per_px / CELLS_PER_PIXEL
    least = parameters.saxs_window_nm / cell_nm

    def cells(pixels: int) -> int:
        needed = max(MARGIN * pixels * CELLS_PER_PIXEL, least)
        return 4 * int(fft.next_fast_len(int(np.ceil(needed / 4)), real=True))

    return Grid(cells(parameters.sem_rows), cells(parameters.sem_columns), cell_nm)


def _region_weights(grid: Grid, latents: Latents, size_nm: float, rng: np.random.Generator) -> Field:
    """Share ``(rows, columns)`` in [0, 1] of the second morphology, its mean close to ``second_share``."""
    if latents.second_share == 0:
        return np.zeros(grid.shape, dtype=np.float32)
    noise = smooth_noise(grid, size_nm, rng)
    threshold = np.quantile(noise[::4, ::4], 1 - latents.second_share)
    return _step(2 * (noise - np.float32(threshold)))


def _slip(grid: Grid, amplitude: float, length_nm: float, rng: np.random.Generator) -> Field:
    """Displacement in turns that winds by one around each of its dislocations.

    They are the zeros of 1 + a z, z a smooth complex random field: the more, the larger the amplitude a.
    """
    real = 1 + np.float32(amplitude) * smooth_noise(grid, length_nm, rng)
    imaginary = np.float32(amplitude) * smooth_noise(grid, length_nm, rng)
    return np.asarray(np.arctan2(imaginary, real) / np.float32(2 * np.pi))


def _frame(grid: Grid, latents: Latents, parameters: SimulationParameters, rng: np.random.Generator) -> Frame:
    y, x = grid.positions()
    spacing, length = np.float32(latents.spacing_nm), parameters.disorder_nm
    displacement = np.float32(latents.disorder)
    slip = _slip(grid, latents.defects, length / 2.5, rng)
    return Frame(
        x=x / spacing + displacement * smooth_noise(grid, length, rng),
        y=y / spacing + displacement * smooth_noise(grid, length, rng),
        slip=slip,
        region=smooth_noise(grid, parameters.domain_nm / 2, rng),
    )


def make_field(latents: Latents, parameters: SimulationParameters, rng: np.random.Generator) -> Field:
    """The phase field of a sample.

    Parameters
    ----------
    latents : Latents
        Of the sample.
    parameters : SimulationParameters
        Of the blend and the grid.
    rng : numpy.random.Generator
        Draws disorder and defects.

    Returns
    -------
    Field
        On ``field_grid(parameters)``, about -1 to 1, above 0 in the bright phase.
    """
    grid = field_grid(parameters)
    frame = _frame(grid, latents, parameters, rng)
    second = _region_weights(grid, latents, parameters.domain_nm, rng)
    first_motif, second_motif = MOTIFS[latents.morphology], MOTIFS[latents.second]
    seed = (1 - second) * first_motif.pattern(frame, latents)
    seed += second * second_motif.pattern(frame, latents)
    seed += np.float32(parameters.roughness) * smooth_noise(grid, parameters.roughness_nm, rng)

    def blended(first: float, other: float) -> Field:
        return np.asarray(np.float32(first) + np.float32(other - first) * second, dtype=np.float32)

    shift = latents.composition
    grating = np.float32(first_motif.locking * latents.grating)
    field = relax(
        seed,
        grating * _wave(grid.positions()[1] / np.float32(latents.pitch_nm)),
        grid,
        wave_number=2 * np.pi / latents.spacing_nm,
        quadratic=blended(first_motif.quadratic + shift, second_motif.quadratic + shift),
        growth=GROWTH,
        step=STEP,
        steps=parameters.relaxation_steps,
    )
    return np.asarray(field + blended(first_motif.bias + shift, second_motif.bias + shift))
