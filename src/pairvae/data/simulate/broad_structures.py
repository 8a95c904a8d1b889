"""The structures of the broad world: eight kinds of periodic two-phase fields, each with spacing, fraction and angle.

Lengths are in pixels of the micrograph, wave numbers in radians per pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial import cKDTree

from pairvae.numerics.phasefield import Field, Grid, relax, smooth_noise

SIDE = 384  # px of a structure, which is periodic
SHORTEST, LONGEST = 5.0, 40.0  # px, of the spacings
GRID = Grid(SIDE, SIDE, 1.0)
COARSE = Grid(SIDE // 2, SIDE // 2, 2.0)  # where a structure is relaxed, or measured to its nearest point
COARSEST = 9.0  # px: shorter spacings need the fine grid


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


def draw_structure(kind: str, rng: np.random.Generator) -> tuple[Field, float, float, float]:
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
