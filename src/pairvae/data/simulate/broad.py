"""A broad world of two-phase structures, streamed pair by pair: what the prior is trained on (docs/prior.md).

Lengths are in pixels of the micrograph, wave numbers in radians per pixel: what a pattern says of an image does not
depend on the unit. One physics: the pattern is the scattering of the structure that the image shows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pairvae.data.simulate.broad_structures import GRID, KINDS, draw_structure
from pairvae.data.simulate.saxs_pattern import published_colours
from pairvae.numerics.phasefield import Field, scattering, smooth_noise
from pairvae.numerics.scattering.harmonics import Q_EDGE

PATTERN = 192  # px of a pattern's side
WINDOW = 256  # px of the coherent windows whose intensities are added up


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
    field, spacing, fraction, angle = draw_structure(kind, rng)
    smooth = np.tanh(np.float32(rng.uniform(2, 8)) * field)
    grey = _micrograph(smooth, rng)
    levels, seen, q_edge = _standard(smooth) if standard else _pattern(smooth, spacing, rng)
    return BroadPair(grey, field > 0, levels, seen, Truth(kind, spacing, fraction, angle, q_edge))


def coloured(pair: BroadPair) -> NDArray[np.uint8]:
    """The pattern in the published colours, ``(192, 192, 3)`` RGB; black where nothing is seen."""
    return published_colours(pair.levels)


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
