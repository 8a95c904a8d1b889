"""Errors of a training whose numbers are no longer good: not finite, or far above the start."""

from __future__ import annotations

import torch
from torch import nn

from pairvae.errors import InputError

DIVERGED = 1000.0  # times the first loss; a learning rate 100 times too high exceeds it in the first round
STEADIER = "lower learning_rate or set gradient_clip"


def require_finite_weights(module: nn.Module, epoch: int, saved: str) -> None:
    """Refuse weights that are not finite, before they can be saved.

    Parameters
    ----------
    module : Module
        What is trained; frozen weights are not looked at.
    epoch : int
        The last one, from 1.
    saved : str
        Where the last good weights are.

    Raises
    ------
    InputError
        A weight is not finite; it is named.
    """
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and not torch.isfinite(parameter).all():
            raise not_finite("finite weights", name, f"epoch {epoch}", saved)


def require_falling_loss(loss: float, first: float, epoch: int, saved: str) -> None:
    """Refuse a loss that is far above that of the untrained networks.

    Losses are means over pixels in [0, 1], so that 1 is large for a start: a formula of other terms may begin near 0.

    Parameters
    ----------
    loss, first : float
        Mean of a round, and that of the first step.
    epoch : int
        The last one, from 1.
    saved : str
        Where the last good weights are.

    Raises
    ------
    InputError
        The training diverged.
    """
    if loss > DIVERGED * max(abs(first), 1.0):
        raise InputError(
            expected="a loss that falls",
            found=f"{loss:.3g}, after {first:.3g} at the start: the training diverged",
            where=f"epoch {epoch}",
            remedy=f"{STEADIER}; {saved}",
        )


def not_finite(expected: str, found: str, where: str, saved: str) -> InputError:
    """The error for numbers that are not finite, to be raised.

    Parameters
    ----------
    expected, found : str
        What should be finite, and the name of what is not.
    where : str
        Epoch and step.
    saved : str
        Where the last good weights are.

    Returns
    -------
    InputError
        With advice on a steadier training.
    """
    return InputError(
        expected=expected,
        found=f"{found} not finite",
        where=where,
        remedy=f"{STEADIER}; {saved}",
    )
