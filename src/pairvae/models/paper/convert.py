"""Weights of the two exact forms of the SEM decoder's last layer, turned into each other.

The last layer is linear and its channels are averaged, so only the mean kernel and the mean bias matter.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pairvae.models.paper.architecture import LAYERS

LAST = f"convolutions.{LAYERS - 1}"


def widened(state: Mapping[str, Tensor], channels: int, prefix: str = "") -> dict[str, Tensor]:
    """Weights whose last layer has ``channels`` equal channels: their mean kernel ``(I, 1, k, k)`` and bias.

    ``prefix`` is where the binary decoder's own keys begin (``vaes.sem.decoder.`` in a pair's weights).
    """
    weight, bias = f"{prefix}{LAST}.weight", f"{prefix}{LAST}.bias"
    mean_kernel, mean_bias = state[weight].mean(1, keepdim=True), state[bias].mean(0, keepdim=True)
    return {**state, weight: mean_kernel.repeat(1, channels, 1, 1), bias: mean_bias.repeat(channels)}


def collapsed(state: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Weights whose last layer has one channel with the mean kernel and bias; as :func:`widened`."""
    return widened(state, 1, prefix)
