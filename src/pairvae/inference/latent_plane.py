"""A plane through a latent space that people can walk in: principal axes, and a latent for each of its points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairvae.numerics.components import principal_components

Floats = NDArray[np.float64]
NEIGHBOURS = 3


@dataclass(frozen=True)
class Plane:
    """A plane through a latent space, on two orthonormal axes.

    Parameters
    ----------
    mean : ndarray
        ``(D,)``, where both coordinates are 0.
    axes : ndarray
        ``(2, D)``.
    points : ndarray
        ``(N, 2)`` of the latents.
    residuals : ndarray
        ``(N, D)``: what of the latents lies beside the plane.
    shares : tuple of float
        Of the variance along either axis, in [0, 1].
    """

    mean: Floats
    axes: Floats
    points: Floats
    residuals: Floats
    shares: tuple[float, float]


def plane_of(latents: NDArray[np.floating]) -> Plane:
    """Principal plane of latents.

    Parameters
    ----------
    latents : ndarray
        ``(N, ...)`` of D values each.

    Returns
    -------
    Plane
        Its axes point where their largest values are positive.

    Raises
    ------
    ValueError
        Unless N and D are at least 2.
    """
    flat = np.asarray(latents, dtype=np.float64).reshape(len(latents), -1)
    if min(flat.shape) < 2:
        raise ValueError("a plane needs two latents of two values")
    components = principal_components(flat, 2)
    # An axis may point either way: its largest value is made positive, so that a map looks the same every time.
    signs = np.sign(components.axes[np.arange(2), np.abs(components.axes).argmax(1)])
    axes = components.axes * np.where(signs == 0, 1.0, signs)[:, None]
    centred = flat - components.mean
    points = centred @ axes.T
    first, second = (float(share) for share in components.shares)
    return Plane(components.mean, axes, points, centred - points @ axes, (first, second))


def latent_at(plane: Plane, x: float, y: float) -> Floats:
    """The latent of a point: on the plane, plus what the nearest latents have beside it.

    Residuals are weighed by the inverse square of the distance, so that a latent's own point gives that latent;
    a point of the bare plane would be an average of everything.

    Parameters
    ----------
    plane : Plane
        Of training latents.
    x, y : float
        The point, along either axis.

    Returns
    -------
    ndarray
        ``(D,)``.
    """
    gaps = ((plane.points - np.array([x, y])) ** 2).sum(1)
    nearest = np.argsort(gaps, kind="stable")[:NEIGHBOURS]
    weights = 1 / np.maximum(gaps[nearest], 1e-12)
    residual = weights @ plane.residuals[nearest] / weights.sum()
    return np.asarray(plane.mean + np.array([x, y]) @ plane.axes + residual)
