"""Adam and its learning rate over the steps of a training."""

from __future__ import annotations

import math

import torch
from torch import nn

from pairvae.settings import Optimisation


def learning_rate(settings: Optimisation, step: int, steps: int) -> float:
    """Adam's step size: a linear rise over the warm-up, then constant or half a cosine to 0.

    Parameters
    ----------
    settings : Optimisation
        The highest rate, the schedule, and the warm-up's share of the training.
    step : int
        The step, from 0.
    steps : int
        Steps of the whole training, over all epochs.

    Returns
    -------
    float
        The rate, above 0 and at most ``settings.learning_rate``.
    """
    rise = settings.warmup * steps
    if step < rise:
        return settings.learning_rate * (step + 1) / (rise + 1)
    if settings.schedule == "constant":
        return settings.learning_rate
    share = (step - rise) / max(steps - rise, 1)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def adam(module: nn.Module, settings: Optimisation) -> torch.optim.Adam:
    """Adam over the trainable parameters of a module.

    Parameters
    ----------
    module : Module
        Frozen parameters are left out.
    settings : Optimisation
        Highest rate, moments and epsilon.

    Returns
    -------
    Adam
        At the highest rate; :func:`learning_rate` gives that of a step.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return torch.optim.Adam(
        parameters,
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=True,
    )
