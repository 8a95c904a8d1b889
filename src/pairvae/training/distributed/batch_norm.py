"""Batch norm over a batch that several processes share (torch's own ``SyncBatchNorm`` wants GPUs)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pairvae.training.distributed.process_group import all_reduce_with_gradient


def has_batch_norms(module: nn.Module) -> bool:
    """Whether a loss in training depends on statistics of its batch.

    Parameters
    ----------
    module : Module
        What is trained.

    Returns
    -------
    bool
    """
    return any(isinstance(layer, _BatchNorm) for layer in module.modules())


class SynchronisedBatchNorm(_BatchNorm):
    """A batch norm whose training statistics are those of all processes' samples.

    Mean and variance are reduced one after the other, as a single process computes them, and carry gradients.
    """

    def _check_input_dim(self, inputs: Tensor) -> None:
        if inputs.ndim < 2:
            raise ValueError(f"expected (B, C, ...), found {tuple(inputs.shape)}")

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise maps, by float32 statistics whatever their precision.

        Parameters
        ----------
        inputs : Tensor
            ``(B, C, ...)``.

        Returns
        -------
        Tensor
            Of the shape and dtype of ``inputs``.
        """
        if not self.training:
            return super().forward(inputs)
        axes = [0, *range(2, inputs.ndim)]
        shape = [1, -1] + [1] * (inputs.ndim - 2)
        maps = inputs.float()
        own_count = maps.new_tensor([maps.numel() / maps.shape[1]])
        sums = all_reduce_with_gradient(torch.cat([maps.sum(axes), own_count]))
        count, mean = sums[-1].detach(), sums[:-1] / sums[-1].detach()
        centred = maps - mean.view(shape)
        variance = all_reduce_with_gradient(centred.square().sum(axes)) / count
        self._update_running(mean.detach(), variance.detach() * count / (count - 1))
        normalised = centred * (variance.view(shape) + self.eps).rsqrt()
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(inputs.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        for running, value in ((self.running_mean, mean), (self.running_var, variance)):
            assert running is not None
            running.lerp_(value.to(running.dtype), momentum)


def synchronise_batch_norms(module: nn.Module) -> None:
    """Replace every batch norm by a :class:`SynchronisedBatchNorm` of the same name and parameters.

    Parameters
    ----------
    module : Module
        Changed in place.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, SynchronisedBatchNorm):
                synchronised = SynchronisedBatchNorm(
                    child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
                )
                synchronised.weight, synchronised.bias = child.weight, child.bias
                for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                    setattr(synchronised, buffer, getattr(child, buffer))
                parent.add_module(name, synchronised.train(child.training))
