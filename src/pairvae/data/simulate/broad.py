"""A broad world of two-phase structures, streamed pair by pair: what the prior is trained on (docs/prior.md).

Lengths are in pixels of the micrograph, wave numbers in radians per pixel: what a pattern says of an image does not
depend on the unit. One physics: the pattern is the scattering of the structure that the image shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial import cKDTree

from pairvae.numerics.colormaps import colormap_table
from pairvae.numerics.phasefield import Field, Grid, relax, scattering, smooth_noise
from pairvae.numerics.scattering.harmonics import Q_EDGE

SIDE = 384  # px of a structure, which is periodic
PATTERN = 192  # px of a pattern's side
WINDOW = 256  # px of the coherent windows whose intensities are added up
SHORTEST, LONGEST = 5.0, 40.0  # px, of the spacings
GRID = Grid(SIDE, SIDE, 1.0)
COARSE = Grid(SIDE // 2, SIDE // 2, 2.0)  # where a structure is relaxed, or measured to its nearest point
COARSEST = 9.0  # px: shorter spacings need the fine grid


@dataclass(frozen=True)
class Truth:
    """What was drawn for a structure: its kind, spacing (px), phase fraction, main direction (radians)."""

    kind: str
    spacing_px: float
    phase_fraction: float
    angle: float
    q_edge_per_px: float

    def row(self) -> dict[str, str | float]:
        """Columns of ``truth.csv``."""
        return dict(asdict(self))


@dataclass(frozen=True)
class BroadPair:
    """One pair of the broad world.

    Parameters
    ----------
    grey : ndarray
        ``(384, 384)`` uint8, the micrograph.
    phase : ndarray
        ``(384, 384)`` bool, true in the bright phase.
    levels : ndarray
        ``(192, 192)`` float32 in [0, 1]: the logarithm of the counts between the ends of the colour scale.
    seen : ndarray
        ``(192, 192)`` bool, false in the beamstop's shadow and in gaps.
    truth : Truth
        What was drawn.
    """

    grey: NDArray[np.uint8]
    phase: NDArray[np.bool_]
    levels: Field
    seen: NDArray[np.bool_]
    truth: Truth


def _waves(spacing: float, angle: float, rng: np.random.Generator) -> Field:
    """A Gaussian field with a ring of waves, wide or narrow, isotropic or about one direction (leveled waves)."""
    return _ring(GRID, spacing, angle, rng, float(np.exp(rng.uniform(np.log(0.03), np.log(0.35)))))


def _ring(grid: Grid, spacing: float, angle: float, rng: np.random.Generator, width: float) -> Field:
    ky = 2 * np.pi * fft.fftfreq(grid.rows, grid.cell_nm).astype(np.float32)[:, None]
    kx = 2 * np.pi * fft.rfftfreq(grid.columns, grid.cell_nm).astype(np.float32)[None, :]
    ratio = np.hypot(ky, kx) * np.float32(spacing / (2 * np.pi))
    amplitude = np.exp(-(((ratio - 1) / width) ** 2) / 4)
    if rng.random() < 0.6:
        order = float(rng.uniform(0.5, 12.0))
        turned = np.cos(2 * (np.arctan2(ky, kx) - np.float32(angle)))
        amplitude = amplitude * np.exp(np.float32(order / 2) * (turned - 1))
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    field = fft.irfft2(fft.rfft2(white) * amplitude.astype(np.float32), s=grid.shape)
    return np.asarray(field / max(float(field.std()), 1e-12), dtype=np.float32)


def _relaxed(spacing: float, angle: float, rng: np.random.Generator) -> Field:
    """A field that has relaxed to one spacing: labyrinths, dots, or lamellae where the noise has a direction."""
    grid = COARSE if spacing >= COARSEST else GRID
    seed = _ring(grid, spacing, angle, rng, 0.3)
    field = relax(
        seed,
        np.zeros(grid.shape, np.float32),
        grid,
        wave_number=2 * np.pi / spacing,
        quadratic=float(rng.uniform(-1.2, 1.2)),
        growth=0.35,
        step=0.6,
        steps=int(rng.integers(4, 14)) if grid is COARSE else 4,
    )
    return _fine(field)


def _fine(field: Field) -> Field:
    """Periodic field on the coarse grid, interpolated on the fine one by zeros in its spectrum."""
    if field.shape == GRID.shape:
        return field
    spectrum = fft.rfft2(field)
    rows, columns = field.shape
    wide = np.zeros((SIDE, SIDE // 2 + 1), dtype=np.complex64)
    half = rows // 2
    wide[:half, : columns // 2] = spectrum[:half, : columns // 2]
    wide[-half:, : columns // 2] = spectrum[half:, : columns // 2]
    return np.asarray(fft.irfft2(wide, s=GRID.shape), dtype=np.float32)


def _displaced(spacing: float, angle: float, rng: np.random.Generator) -> tuple[Field, Field]:
    """Coordinates along and across ``angle`` in spacings, with disorder, and dislocations in the first of them."""
    y, x = GRID.positions()
    length = spacing * float(rng.uniform(3, 12))
    disorder = float(rng.uniform(0, 0.45))
    along = (x * np.cos(angle) + y * np.sin(angle)) / spacing
    across = (y * np.cos(angle) - x * np.sin(angle)) / spacing
    if rng.random() < 0.35:  # grains, each turned and shifted
        turn, shift = _grains(spacing * float(rng.uniform(4, 12)), rng)
        turned = along * np.cos(turn) + across * np.sin(turn) + shift
        along, across = turned, across * np.cos(turn) - along * np.sin(turn)
    along = along + np.float32(disorder) * smooth_noise(GRID, length, rng)
    across = across + np.float32(disorder) * smooth_noise(GRID, length, rng)
    amplitude = np.float32(rng.uniform(0, 1.2))
    real = 1 + amplitude * smooth_noise(GRID, length / 2, rng)
    imaginary = amplitude * smooth_noise(GRID, length / 2, rng)
    return np.asarray(along + np.arctan2(imaginary, real) / np.float32(2 * np.pi), np.float32), np.asarray(
        across, np.float32
    )


def _grains(size: float, rng: np.random.Generator) -> tuple[Field, Field]:
    """Turn (radians) and shift (spacings) of the grain that each pixel lies in, ``(384, 384)`` each."""
    points = rng.uniform(0, SIDE, (max(2, int((SIDE / size) ** 2)), 2))
    y, x = np.meshgrid(np.arange(0, SIDE, 2.0), np.arange(0, SIDE, 2.0), indexing="ij")
    _, grain = cKDTree(points, boxsize=SIDE).query(np.stack([y.ravel(), x.ravel()], 1))
    grain = cv2.resize(
        grain.reshape(COARSE.shape).astype(np.int16), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST
    )
    turns = (rng.uniform(0.2, 1.6) * rng.standard_normal(len(points))).astype(np.float32)
    return turns[grain], rng.random(len(points), dtype=np.float32)[grain]


def _cosine(turns: Field) -> Field:
    return np.asarray(np.cos(np.float32(2 * np.pi) * turns), dtype=np.float32)


def _lamellae(spacing: float, angle: float, rng: np.random.Generator) -> Field:
    """Wavy lamellae with dislocations, in places broken along their length."""
    along, across = _displaced(spacing, angle, rng)
    field = _cosine(along)
    if rng.random() < 0.4:
        field = field + np.float32(rng.uniform(0.2, 0.9)) * _cosine(
            across * np.float32(rng.uniform(0.3, 0.9))
        )
    return field


def _cylinders(spacing: float, angle: float, rng: np.random.Generator) -> Field:
    """Dots on a hexagonal to square lattice, or lying cylinders: two or three waves with weights of their own."""
    along, across = _displaced(spacing, angle, rng)
    tilt = float(rng.uniform(0.45, 0.95))
    waves = [along]
    for sign in (-1, 1) if tilt < 0.75 else (1,):
        waves.append(
            np.float32(1 - tilt) * along + np.float32(sign * math.sqrt(1 - (1 - tilt) ** 2)) * across
        )
    weights = rng.uniform(0.4, 1.2, len(waves)).astype(np.float32)
    bright = np.float32(rng.choice([-1.0, 1.0]))
    field = np.sum([w * _cosine(wave) for w, wave in zip(weights, waves, strict=True)], axis=0)
    return np.asarray(bright * field, dtype=np.float32)


def _centres(spacing: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Points on the torus ``(N, 2)``, about one in a square of the spacing, perhaps kept apart from one another."""
    count = max(8, int((SIDE / spacing) ** 2))
    points = rng.uniform(0, SIDE, (count, 2))
    for _ in range(int(rng.integers(0, 4))):  # a few steps away from the nearest neighbour
        tree = cKDTree(points, boxsize=SIDE)
        distance, nearest = tree.query(points, k=2)
        gap = points - points[nearest[:, 1]]
        gap -= SIDE * np.round(gap / SIDE)
        push = np.maximum(spacing - distance[:, 1], 0) / np.maximum(distance[:, 1], 1e-6)
        points = (points + 0.5 * gap * push[:, None]) % SIDE
        points[points >= SIDE] = 0
    return points


def _nearest(spacing: float, rng: np.random.Generator) -> tuple[Field, Field]:
    """Distances ``(192, 192)`` from each place to its two nearest points, in spacings."""
    y, x = np.meshgrid(np.arange(0, SIDE, 2.0), np.arange(0, SIDE, 2.0), indexing="ij")
    stretch = np.exp(rng.uniform(-0.5, 0.5)) if rng.random() < 0.5 else 1.0
    tree = cKDTree(_centres(spacing, rng), boxsize=SIDE)
    places = np.stack([y.ravel(), x.ravel()], 1)
    distance, which = tree.query(places, k=2)
    if stretch != 1.0:
        gap = places[:, None] - tree.data[which]
        gap -= SIDE * np.round(gap / SIDE)
        distance = np.sort(np.hypot(gap[..., 0] * stretch, gap[..., 1] / stretch), axis=1)
    distance = (distance / spacing).astype(np.float32).reshape(*COARSE.shape, 2)
    return distance[..., 0], distance[..., 1]


def _either_way(field: Field, rng: np.random.Generator) -> Field:
    """A coarse field on the fine grid, its phases exchanged or not."""
    signed = np.float32(rng.choice([-1.0, 1.0])) * field
    return np.asarray(cv2.resize(signed, (SIDE, SIDE)), dtype=np.float32)


def _cells(spacing: float, angle: float, rng: np.random.Generator) -> Field:
    """Cells of a Voronoi tessellation and the walls between them."""
    first, second = _nearest(spacing, rng)
    return _either_way(second - first, rng)


def _spheres(spacing: float, angle: float, rng: np.random.Generator) -> Field:
    """Discs at points that overlap or keep apart."""
    first, _ = _nearest(spacing, rng)
    return _either_way(0.5 - first, rng)


def _fibres(spacing: float, angle: float, rng: np.random.Generator) -> Field:
    """Straight fibres with a spread of directions: the distance to the nearest one."""
    length = spacing * float(rng.uniform(2, 12))
    count = max(4, int(SIDE**2 / (spacing * length)))
    spread = float(rng.uniform(0.05, 1.6))
    drawn = np.full((2 * SIDE, 2 * SIDE), 255, np.uint8)
    middles = rng.uniform(0, SIDE, (count, 2))
    angles = angle + spread * rng.standard_normal(count)
    steps = 0.5 * length * np.stack([np.cos(angles), np.sin(angles)], 1)
    for shift in ((0, 0), (0, SIDE), (SIDE, 0), (SIDE, SIDE)):
        for middle, half in zip(middles + shift, steps, strict=True):
            start, end = np.rint(middle - half).astype(int), np.rint(middle + half).astype(int)
            cv2.line(drawn, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 0, 1)
    quarter = SIDE // 2
    middle_part = drawn[quarter : quarter + SIDE, quarter : quarter + SIDE]
    distance = cv2.distanceTransform(middle_part, cv2.DIST_L2, 3)
    return np.asarray(np.float32(rng.choice([-1.0, 1.0])) * -distance / np.float32(spacing), np.float32)


def _rough(spacing: float, angle: float, rng: np.random.Generator) -> Field:
    """A Gaussian field without a spacing: random two-phase media (Debye and Bueche 1949)."""
    ky = 2 * np.pi * fft.fftfreq(SIDE).astype(np.float32)[:, None]
    kx = 2 * np.pi * fft.rfftfreq(SIDE).astype(np.float32)[None, :]
    stretch = np.float32(np.exp(rng.uniform(-0.6, 0.6)))
    k2 = (ky * stretch) ** 2 + (kx / stretch) ** 2
    amplitude = (1 + k2 * np.float32((spacing / 4) ** 2)) ** np.float32(-rng.uniform(1.0, 2.5))
    amplitude[0, 0] = 0
    field = fft.irfft2(fft.rfft2(rng.standard_normal(GRID.shape, dtype=np.float32)) * amplitude, s=GRID.shape)
    return np.asarray(field / max(float(field.std()), 1e-12), dtype=np.float32)


Kind = Callable[[float, float, np.random.Generator], Field]
KINDS: dict[str, Kind] = {
    "waves": _waves,
    "relaxed": _relaxed,
    "lamellae": _lamellae,
    "cylinders": _cylinders,
    "cells": _cells,
    "spheres": _spheres,
    "fibres": _fibres,
    "rough": _rough,
}


def _structure(kind: str, rng: np.random.Generator) -> tuple[Field, float, float, float]:
    """A field above 0 in the bright phase, in units of its own scatter; spacing, phase fraction, angle."""
    spacing = float(np.exp(rng.uniform(np.log(SHORTEST), np.log(LONGEST))))
    axis = float(rng.integers(2)) * np.pi / 2  # many samples are aligned with the instrument
    angle = axis + float(rng.normal(0, 0.05)) if rng.random() < 0.5 else float(rng.uniform(0, np.pi))
    fraction = (
        float(rng.uniform(0.1, 0.9))
        if rng.random() < 0.5
        else float(np.clip(rng.normal(0.5, 0.12), 0.1, 0.9))
    )
    field = KINDS[kind](spacing, angle, rng)
    edge = np.quantile(field[::3, ::3], 1 - fraction)
    field = field - np.float32(edge)
    return field / np.float32(max(float(field.std()), 1e-6)), spacing, fraction, angle


def broad_pair(
    index: int, seed: int, left_out: frozenset[str] = frozenset(), *, standard: bool = False
) -> BroadPair:
    """Pair ``index`` of the broad world: it depends on the arguments alone.

    Parameters
    ----------
    index, seed : int
        At least 0 each.
    left_out : frozenset of str
        Of ``KINDS``: families that are not drawn.
    standard : bool
        Every pattern with the same look: q range, background, dose and colour scale, nothing hidden.
    """
    rng = np.random.default_rng([seed, index, 2])
    kinds = [name for name in KINDS if name not in left_out]
    kind = kinds[index % len(kinds)]
    field, spacing, fraction, angle = _structure(kind, rng)
    smooth = np.tanh(np.float32(rng.uniform(2, 8)) * field)
    grey = _micrograph(smooth, rng)
    levels, seen, q_edge = _standard(smooth) if standard else _pattern(smooth, spacing, rng)
    return BroadPair(grey, field > 0, levels, seen, Truth(kind, spacing, fraction, angle, q_edge))


def coloured(pair: BroadPair) -> NDArray[np.uint8]:
    """The pattern in the published colours, ``(192, 192, 3)`` RGB; black where nothing is seen."""
    table = np.rint(colormap_table("vge") * 255).astype(np.uint8)
    return np.asarray(table[np.rint(pair.levels * (len(table) - 1)).astype(np.intp)])


def _micrograph(smooth: Field, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Grey levels of one look: contrast, bright edges, uneven brightness, the beam's width, counting noise."""
    signal = np.float32(rng.uniform(0.1, 0.35)) + np.float32(rng.uniform(0.2, 0.5)) * (0.5 + 0.5 * smooth)
    signal = signal + np.float32(rng.uniform(0, 0.12)) * (1 - smooth * smooth)
    signal *= 1 + np.float32(rng.uniform(0, 0.1)) * smooth_noise(GRID, 150.0, rng)
    signal = np.maximum(cv2.GaussianBlur(signal, (0, 0), float(rng.uniform(0.4, 1.0))), 0)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    signal += np.sqrt(signal / np.float32(np.exp(rng.uniform(np.log(25), np.log(300))))) * noise
    return np.asarray(np.clip(signal * 255 + 0.5, 0, 255).astype(np.uint8))


def _standard(smooth: Field) -> tuple[Field, NDArray[np.bool_], float]:
    """Levels of the expected intensity, on the scale of the built-in film's patterns, all of them seen."""
    qy, qx = _grid(Q_EDGE)
    damping = np.exp(-(qx**2 + qy**2) / np.float32(0.87**2))  # of diffuse interfaces
    mapped = damping * _on_detector(scattering(smooth, WINDOW), Q_EDGE) + np.float32(0.05)
    level = np.log1p(mapped / np.float32(0.12)) / np.float32(np.log1p(80.0 / 0.12))
    return np.clip(level, 0, 1).astype(np.float32), np.ones((PATTERN, PATTERN), bool), Q_EDGE


def _on_detector(centred: Field, q_edge: float) -> Field:
    """The spectrum of the coherent windows on the detector's pixels, ``(192, 192)``."""
    qy, qx = _grid(q_edge)
    shape, q_cell = (PATTERN, PATTERN), np.float32(2 * np.pi / WINDOW)
    column = np.ascontiguousarray(np.broadcast_to(qx / q_cell + WINDOW // 2, shape))
    row = np.ascontiguousarray(np.broadcast_to(qy / q_cell + WINDOW // 2, shape))
    mapped = cv2.remap(centred, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.maximum(mapped, 0), dtype=np.float32)


def _pattern(
    smooth: Field, spacing: float, rng: np.random.Generator
) -> tuple[Field, NDArray[np.bool_], float]:
    """Levels ``(192, 192)``, what is seen, and q at the middle of an edge (radians per px of the image)."""
    q_ring = 2 * np.pi / spacing
    q_edge = float(min(q_ring * rng.uniform(1.25, 4.0), np.pi * 0.98))
    centred, q_cell = scattering(smooth, WINDOW), 2 * np.pi / WINDOW
    resolution = float(q_ring * rng.uniform(0.0, 0.06))
    if resolution > 0.3 * q_cell:
        centred = cv2.GaussianBlur(centred, (0, 0), resolution / q_cell)
    mapped = _on_detector(centred, q_edge)
    qy, qx = _grid(q_edge)
    q2 = qx**2 + qy**2
    mapped = mapped * np.exp(-q2 / np.float32((q_ring * rng.uniform(1.2, 6.0)) ** 2))
    top = float(np.quantile(mapped[::2, ::2], 0.995)) + 1e-9
    halo = (
        np.float32(top * np.exp(rng.uniform(np.log(0.05), np.log(30))))
        / (1 + q2 * np.float32((spacing * rng.uniform(0.3, 2.0)) ** 2)) ** 2
    )
    expected = mapped + halo + np.float32(top * np.exp(rng.uniform(np.log(1e-4), np.log(3e-2))))
    counts_at_top = float(np.exp(rng.uniform(np.log(100), np.log(2e4))))
    counts = rng.poisson(expected * np.float32(counts_at_top / top)).astype(np.float32)
    if rng.random() < 0.6:
        counts = cv2.GaussianBlur(counts, (3, 3), 0.8)
    linear = np.float32(counts_at_top * np.exp(rng.uniform(np.log(1e-4), np.log(2e-2))))
    level = np.log1p(counts / linear)
    brightest = float(np.quantile(level[::2, ::2], rng.uniform(0.985, 1.0)))
    seen = _seen(rng)
    level = np.clip(level / max(brightest, 1e-6), 0, 1).astype(np.float32)
    return np.where(seen, level, np.float32(0)), seen, q_edge


@cache
def _unit_grid() -> tuple[Field, Field]:
    axis = (((np.arange(PATTERN) + 0.5) / PATTERN) * 2 - 1).astype(np.float32)
    return axis[:, None], axis[None, :]


def _grid(q_edge: float) -> tuple[Field, Field]:
    y, x = _unit_grid()
    return y * np.float32(q_edge), x * np.float32(q_edge)


def _seen(rng: np.random.Generator) -> NDArray[np.bool_]:
    """True where the detector sees: without a beamstop's disc or bar, and gaps between modules, where there are any."""
    y, x = _unit_grid()
    hidden = np.zeros((PATTERN, PATTERN), bool)
    if rng.random() < 0.8:
        hidden |= np.hypot(y, x) < rng.uniform(0.02, 0.13)
    if rng.random() < 0.4:
        bar = np.abs(x) < rng.uniform(0.01, 0.08)
        side = rng.integers(3)
        hidden |= bar & ((y > 0) if side == 0 else (y < 0) if side == 1 else (y > -2))
    if rng.random() < 0.4:
        for place in rng.uniform(-0.95, 0.95, int(rng.integers(1, 4))):
            gap = np.abs((y if rng.random() < 0.6 else x) - place) < rng.uniform(0.01, 0.06)
            hidden |= gap & np.ones_like(hidden)
    return ~hidden
