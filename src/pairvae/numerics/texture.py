"""Statistics that all crops of one stationary texture share, as differentiable functions of the image.

They say what a two-phase morphology looks like without saying where anything lies: the autocovariance map
(the Fourier partner of the scattering pattern), the phase fraction, the lineal path of both phases along both
axes, and the responses of oriented filters, which tell dots from lines of equal autocovariance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.numerics import straight_runs

LAGS = 32
FILTER_SCALES = (1.5, 3.0)
FILTER_ANGLES = 6
FILTER_SIDE = 15
FILTER_THRESHOLDS = (-0.5, 0.0, 0.5)
NAMES = ("autocovariance", "phase_fraction", "lineal_path", "filters")


def autocovariance(images: Tensor, *, periodic: bool, lags: int = LAGS) -> Tensor:
    """Autocovariance of images ``(B, 1, H, W)`` at row lags 0..lags, column lags -lags..lags.

    ``(B, lags + 1, 2 lags + 1)``; the other half follows from symmetry. ``periodic`` images wrap around;
    of others only overlapping pixels are averaged.
    """
    height, width = images.shape[-2:]
    reach = min(lags, height // 2, width // 2)
    centred = (images - images.mean((-2, -1), keepdim=True)).squeeze(1)
    size = (height, width) if periodic else (height + lags, width + lags)
    power = torch.fft.rfft2(centred, s=size).abs().square()
    full = torch.fft.irfft2(power, s=size)
    half = torch.cat([full[:, : reach + 1, -reach:], full[:, : reach + 1, : reach + 1]], dim=2)
    if periodic:
        half = half / (height * width)
    else:
        rows = height - torch.arange(reach + 1, device=images.device)
        columns = width - torch.arange(-reach, reach + 1, device=images.device).abs()
        half = half / (rows[:, None] * columns[None, :]).to(half.dtype)
    pad = lags - reach
    return F.pad(half, (pad, pad, 0, pad)) if pad else half


def lineal_paths(images: Tensor) -> Tensor:
    """Share of straight runs of each of ``straight_runs.LENGTHS`` px that lie in one phase: ``(B, 4 * 9)`` in [0, 1].

    ``images`` ``(B, 1, H, W)`` in [0, 1]; bright vertical, bright horizontal, dark vertical, dark horizontal
    (Lu and Torquato 1992). The minimum along a run makes it differentiable and, for 0/1 images, exact.
    """
    parts = [straight_runs.shares(phase, axis) for phase in (images, 1.0 - images) for axis in (2, 3)]
    return torch.cat(parts, dim=1)


@cache
@torch.inference_mode(False)  # a tensor that is made in inference mode could never be trained through
def filter_bank(device: torch.device | None = None) -> Tensor:
    """Second derivatives of Gaussians, ``FILTER_ANGLES`` orientations and one isotropic, two scales.

    ``(14, 1, 15, 15)``, each with zero sum and an absolute sum of 2: responses to 0/1 images lie in [-1, 1].
    Made once for each device: not to be written into.
    """
    reach = FILTER_SIDE // 2
    grid = torch.arange(-reach, reach + 1, dtype=torch.float32)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    kernels = []
    for scale in FILTER_SCALES:
        envelope = torch.exp(-(x.square() + y.square()) / (2 * scale**2))
        for index in range(FILTER_ANGLES):
            angle = math.pi * index / FILTER_ANGLES
            along = (x * math.cos(angle) + y * math.sin(angle)) / scale
            kernels.append((1 - along.square()) * envelope)
        kernels.append((2 - (x.square() + y.square()) / scale**2) * envelope)
    bank = torch.stack(kernels)
    bank = bank - bank.mean((1, 2), keepdim=True)
    bank = 2 * bank / bank.abs().sum((1, 2), keepdim=True)
    return bank[:, None].to(device)


def filter_responses(images: Tensor) -> Tensor:
    """Mean excess of each filter's response over each threshold: ``(B, 14 * 3)``; images ``(B, 1, H, W)``."""
    responses = F.conv2d(images, filter_bank(images.device))
    excess = [F.relu(responses - threshold).mean((2, 3)) for threshold in FILTER_THRESHOLDS]
    return torch.cat(excess, dim=1)


def statistics(images: Tensor, *, periodic: bool = False, names: Sequence[str] = NAMES) -> dict[str, Tensor]:
    """Texture statistics of images ``(B, 1, H, W)`` in [0, 1], each ``(B, D)``, keyed by ``names``."""
    images = images.float()
    measures: dict[str, Callable[[], Tensor]] = {
        "autocovariance": lambda: autocovariance(images, periodic=periodic).flatten(1),
        "phase_fraction": lambda: images.mean((2, 3)),
        "lineal_path": lambda: lineal_paths(images),
        "filters": lambda: filter_responses(images),
    }
    return {name: measures[name]() for name in names}


def discrepancy(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean absolute difference of each statistic over batch and elements: scalars >= 0 by name."""
    return {name: (value - wanted[name]).abs().mean() for name, value in found.items()}
