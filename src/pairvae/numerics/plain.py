"""What ``pairvae`` offers of morphology on plain arrays: the functions beside this file, with their input checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairvae.errors import InputError
from pairvae.numerics import descriptors, morphology
from pairvae.numerics.spacing import Floats

LEAST_SIDE = 8


def describe(images: ArrayLike) -> dict[str, Floats]:
    """Phase fraction, domain spacing, orientation and more of two-phase images.

    Parameters
    ----------
    images : array_like
        Binary images ``(N, H, W)`` of {0, 1}, or one ``(H, W)``. 1 is the bright phase.

    Returns
    -------
    dict of ndarray
        ``(N,)`` each: ``phase_fraction`` in [0, 1], ``spacing`` in px and its relative ``spacing_spread`` (nan for
        a uniform image), ``orientation_x`` and ``orientation_y`` (order times cosine and sine of twice the direction
        along the domains), ``euler_density`` per px^2, ``coherence`` and ``edge_roughness`` in [0, 1].

    Raises
    ------
    InputError
        For arrays of another shape, or that hold anything but 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> import pairvae
    >>> stripes = np.tile(np.repeat([0, 1], 8), 8) * np.ones((128, 1), int)  # 16 px apart
    >>> shown = pairvae.describe(stripes)
    >>> float(shown["phase_fraction"][0]), round(float(shown["spacing"][0]))
    (0.5, 16)
    """
    return descriptors.describe(_two_phases(images))


def two_point_correlation(
    images: ArrayLike, *, estimator: str = "unbiased", bins: int | None = None
) -> Floats:
    """Two-point correlation S(r) of the bright phase: the probability that both ends of a line of length r lie in it.

    Parameters
    ----------
    images : array_like
        Binary images ``(N, H, W)`` of {0, 1}, or one ``(H, W)``.
    estimator : str
        ``unbiased``: pairs inside the image over their number, as in PoreSpy 3.2. ``periodic``: pairs across the
        edges too, as in PoreSpy 2.2.2 (the paper).
    bins : int, optional
        Number of distances, in steps of 1 px from 0; half of the shorter side by default.

    Returns
    -------
    ndarray
        ``(N, bins)`` in [0, 1]; the first is the phase fraction.

    Raises
    ------
    InputError
        For arrays of another shape or other values, an unknown estimator, or too many bins.

    Examples
    --------
    >>> import numpy as np
    >>> import pairvae
    >>> half = np.zeros((64, 64)); half[:, :32] = 1
    >>> curve = pairvae.two_point_correlation(half)
    >>> curve.shape, float(curve[0, 0])
    ((1, 32), 0.5)
    """
    return morphology.two_point_correlation(_two_phases(images), estimator=estimator, bins=bins)


def lineal_path(images: ArrayLike, axis: str, *, bins: int | None = None) -> Floats:
    """Lineal path function P(L): share of bright pixels at least L px from the dark phase along ``axis``.

    Parameters
    ----------
    images : array_like
        Binary images ``(N, H, W)`` of {0, 1}, or one ``(H, W)``.
    axis : str
        ``vertical`` (along axis 0 of an image) or ``horizontal``.
    bins : int, optional
        Number of lengths, in steps of 1 px from 1; half of that side by default.

    Returns
    -------
    ndarray
        ``(N, bins)`` in [0, 1]; 0 for an image without a bright phase.

    Raises
    ------
    InputError
        For arrays of another shape or other values, or an unknown axis.

    Examples
    --------
    >>> import numpy as np
    >>> import pairvae
    >>> bar = np.zeros((16, 16), int); bar[4:8] = 1  # 4 px high: 1, 2, 2, 1 px to the nearer edge
    >>> pairvae.lineal_path(bar, "vertical", bins=3)
    array([[1. , 0.5, 0. ]])
    """
    return morphology.lineal_path(_two_phases(images), axis, bins=bins)


def _two_phases(images: ArrayLike) -> NDArray[np.uint8]:
    """``(N, H, W)`` uint8 of {0, 1}."""
    values = np.asarray(images)
    if values.ndim not in (2, 3) or min(values.shape[-2:]) < LEAST_SIDE or not values.size:
        raise InputError(
            expected=f"images (N, H, W) or (H, W) of at least {LEAST_SIDE} x {LEAST_SIDE} px",
            found=f"shape {values.shape}",
            where="images",
            remedy="take images[0] of (N, samples, H, W)" if values.ndim == 4 else "",
        )
    if values.dtype.kind not in "biuf" or not ((values == 0) | (values == 1)).all():
        numbers = values.dtype.kind in "biuf"
        given = f"{values.min():.4g} to {values.max():.4g}" if numbers else f"dtype {values.dtype}"
        raise InputError(
            expected="two phases, 0 and 1",
            found=given,
            where="images",
            remedy="threshold grey levels first: images > threshold",
        )
    return np.asarray(values if values.ndim == 3 else values[None], np.uint8)
