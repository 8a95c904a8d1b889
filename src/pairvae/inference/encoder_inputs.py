"""What goes into an encoder: checked arrays, crops that cover a whole image, and what is known of a measurement."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from pairvae.errors import InputError
from pairvae.modalities.acquisition import Acquisition
from pairvae.models.conditions import ConditionShift
from pairvae.models.posterior import Posterior

Known = Acquisition | Sequence[Acquisition] | None  # of all inputs, or of each
OVERLAP = 0.25  # least share of a crop that lies in its neighbour, too


def acquisitions(known: Known, count: int) -> Sequence[Acquisition]:
    """What is known of each of several inputs.

    Parameters
    ----------
    known : Acquisition, sequence of Acquisition or None
        Of all inputs, or of each.
    count : int
        How many inputs there are.

    Returns
    -------
    sequence of Acquisition
        One for each input.

    Raises
    ------
    InputError
        Where another number was given.
    """
    if known is None or isinstance(known, Acquisition):
        return [known or Acquisition()] * count
    if len(known) != count:
        raise InputError(
            expected=f"one acquisition, or {count}, one for each input",
            found=str(len(known)),
            where="acquisition",
        )
    return known


def network_inputs(arrays: np.ndarray, shape: tuple[int, int, int], source: str) -> Tensor:
    """Prepared arrays as a network takes them.

    Parameters
    ----------
    arrays : ndarray
        ``(N, channels, H, W)`` in [0, 1]; of one channel the axis may be left out.
    shape : tuple of int
        ``(channels, H, W)`` that the network takes.
    source : str
        The modality, for the message.

    Returns
    -------
    Tensor
        ``(N, channels, H, W)`` float32.

    Raises
    ------
    InputError
        For arrays of another shape, what is no number, and values outside [0, 1].
    """
    values = np.asarray(arrays)
    if values.ndim == 3 and shape[0] == 1:
        values = values[:, None]
    if values.shape[1:] != shape:
        raise InputError(
            expected=f"arrays of shape (N, {', '.join(map(str, shape))})",
            found=str(np.asarray(arrays).shape),
            where=source,
            remedy="give raw measurements to `predict`, which prepares them",
        )
    if values.dtype.kind not in "biuf":
        raise InputError(expected="numbers", found=f"dtype {values.dtype}", where=source)
    numbers = values.astype(np.float32)
    if numbers.size and not (np.isfinite(numbers).all() and numbers.min() >= 0 and numbers.max() <= 1):
        raise InputError(
            expected="values in [0, 1]", found=f"{numbers.min():.3g} to {numbers.max():.3g}", where=source
        )
    return torch.from_numpy(np.ascontiguousarray(numbers))


def covering_crops(image: np.ndarray, shape: tuple[int, int, int], source: str) -> Iterator[np.ndarray]:
    """Crops that cover an array, each overlapping the next by a quarter or more.

    One crop is in memory at a time, so that a memory-mapped image of any size will do.

    Parameters
    ----------
    image : ndarray
        ``(channels, H, W)``.
    shape : tuple of int
        ``(channels, h, w)`` of the crops.
    source : str
        The modality, for the message.

    Returns
    -------
    iterator of ndarray
        Views ``(channels, h, w)``, row by row.

    Raises
    ------
    InputError
        For an array that is smaller than a crop, or of other channels.
    """
    channels, rows, columns = shape
    if (
        image.ndim != 3
        or image.shape[0] != channels
        or min(image.shape[1] - rows, image.shape[2] - columns) < 0
    ):
        raise InputError(
            expected=f"an array of {channels} x {rows} x {columns} or more",
            found=" x ".join(map(str, image.shape)),
            where=source,
        )
    return (
        image[:, row : row + rows, column : column + columns]
        for row in _starts(image.shape[1], rows)
        for column in _starts(image.shape[2], columns)
    )


def _starts(length: int, size: int) -> list[int]:
    """First pixels of the fewest evenly spread windows of ``size`` px that cover ``length`` px with overlap."""
    step = size * (1 - OVERLAP)
    count = 1 + max(0, math.ceil((length - size) / step))
    return [int(start) for start in np.linspace(0, length - size, count).round()]


def shifted(posterior: Posterior, shift: ConditionShift | None, source: str, known: Acquisition) -> Posterior:
    """The posterior of one input, moved by the conditions of its sample.

    Parameters
    ----------
    posterior : Posterior
        Of one input.
    shift : ConditionShift or None
        The model's; None where it has no conditions.
    source : str
        The modality of the input.
    known : Acquisition
        What is known of the input.

    Returns
    -------
    Posterior
        The same where no conditions are known, or the model moves another modality.

    Raises
    ------
    InputError
        For a condition that the model lacks.
    """
    if not known.conditions:
        return posterior
    if shift is None:
        name = next(iter(known.conditions))
        raise InputError(expected="no conditions: the model has none", found=name[:40], where="conditions")
    shift.encoding.require_known(known.conditions)
    if shift.modality != source:
        return posterior
    return dataclasses.replace(posterior, mean=posterior.mean + shift.of([known.conditions]))
