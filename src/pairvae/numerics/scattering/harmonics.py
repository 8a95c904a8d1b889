"""A pattern as radial curves of its angular harmonics, whatever detector, dose and colour scale it was seen with."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

RADII = 48
LONGEST, SHORTEST = 80.0, 4.4  # px of the image: the periods at the first and the last radius
ANGLES = 48  # over half a turn; the other half follows from Friedel's law
ORDERS = (0, 2, 4, 6)
LEAST_SEEN = 0.3  # share of a circle
DARK = 0.02  # levels at most this high are shadows, or as dark as one
Q_EDGE = 1.044  # radians per px of the image at the middle of an edge: of the built-in film, and where none is known
CURVES = 2 * len(ORDERS) - 1
SIZE = (CURVES + 1) * RADII


def curves_of_levels(levels: Tensor, q_edge: Tensor) -> Tensor:
    """Radial curves of patterns whose shadows and gaps are dark; what touches these is not seen, either.

    Parameters
    ----------
    levels : Tensor
        ``(B, H, H)`` in [0, 1]: 0 in shadows and gaps.
    q_edge : Tensor
        ``(B,)``, as of :func:`radial_harmonics`.

    Returns
    -------
    Tensor
        ``(B, 8 * 48)``, see :func:`radial_harmonics`.
    """
    dark = (levels <= DARK).to(levels.dtype)[:, None]
    seen = 1.0 - F.max_pool2d(dark, 3, stride=1, padding=1)[:, 0]
    return radial_harmonics(levels, seen, q_edge)


def radial_harmonics(levels: Tensor, seen: Tensor, q_edge: Tensor) -> Tensor:
    """Radial curves of angular harmonics of patterns, free of the level's scale and offset.

    A circle of which less than a share ``LEAST_SEEN`` was seen counts as not seen. What was not seen at one place is
    taken from the opposite one (Friedel's law), else from the circle's mean.

    Parameters
    ----------
    levels : Tensor
        ``(B, H, H)``: logarithms of intensity, on any scale; the beam hits the middle.
    seen : Tensor
        ``(B, H, H)`` in [0, 1]: 0 in shadows and gaps.
    q_edge : Tensor
        ``(B,)``: q at the middle of an edge, in radians per pixel of the image.

    Returns
    -------
    Tensor
        ``(B, 8 * 48)``: orders 0, cos 2, sin 2, cos 4, sin 4, cos 6, sin 6 and 1 where a circle was seen, at periods
        from 80 to 4.4 px; 0 where it was not. Over the circles of a pattern the zeroth has mean 0 and variance 1.
    """
    device, kind = levels.device, levels.dtype
    periods = torch.linspace(math.log(LONGEST), math.log(SHORTEST), RADII, device=device, dtype=kind).exp()
    radius = (2 * math.pi / periods)[None] / q_edge[:, None].to(kind)  # (B, R), 1 at the middle of an edge
    angle = torch.arange(2 * ANGLES, device=device, dtype=kind) * (math.pi / ANGLES)
    where = torch.stack(
        [radius[:, :, None] * torch.cos(angle), radius[:, :, None] * torch.sin(angle)], dim=-1
    )
    planes = torch.stack([levels * seen, seen], dim=1)
    sampled = F.grid_sample(planes, where, mode="bilinear", padding_mode="zeros", align_corners=False)
    both = sampled[..., :ANGLES] + sampled[..., ANGLES:]  # (B, 2, R, A)
    weight = both[:, 1]
    value = both[:, 0] / weight.clamp_min(1e-3)
    known = (weight > 0.5).to(kind)
    share = known.mean(2)
    mean = (value * known).sum(2) / known.sum(2).clamp_min(1.0)
    inside = ((share >= LEAST_SEEN) & (radius < 1.0)).to(kind)
    filled = torch.where(known > 0, value, mean[:, :, None])
    turns = angle[:ANGLES]
    curves = [mean]
    for order in ORDERS[1:]:
        curves.append(2 * (filled * torch.cos(order * turns)).mean(2))
        curves.append(2 * (filled * torch.sin(order * turns)).mean(2))
    stacked = torch.stack(curves, dim=1)  # (B, CURVES, R)
    count = inside.sum(1, keepdim=True).clamp_min(1.0)
    centre = (mean * inside).sum(1, keepdim=True) / count
    scale = (((mean - centre).square() * inside).sum(1, keepdim=True) / count).sqrt().clamp_min(1e-3)
    offset = torch.zeros_like(stacked)
    offset[:, 0] = centre
    normed = (stacked - offset) / scale[:, None] * inside[:, None]
    return torch.cat([normed, inside[:, None]], dim=1).flatten(1)
