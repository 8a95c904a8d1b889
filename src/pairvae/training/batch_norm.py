"""Batch norm over a batch that several processes share (torch's own ``SyncBatchNorm`` wants GPUs)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pairvae.training.team import added_up


def has_batch_norms(module: nn.Module) -> bool:
    """Whether a loss of ``module`` in training depends on statistics of its batch."""
    return any(isinstance(one, _BatchNorm) for one in module.modules())


class SharedBatchNorm(_BatchNorm):
    """A batch norm of ``(B, C, ...)`` whose training statistics are those of all processes' samples.

    Mean and variance are added up one after the other, as a single process computes them, and carry gradients.
    """

    def _check_input_dim(self, inputs: Tensor) -> None:
        if inputs.ndim < 2:
            raise ValueError(f"expected (B, C, ...), found {tuple(inputs.shape)}")

    def forward(self, inputs: Tensor) -> Tensor:
        """The normalised maps, float32 statistics whatever the precision of ``inputs``."""
        if not self.training:
            return super().forward(inputs)
        axes = [0, *range(2, inputs.ndim)]
        shape = [1, -1] + [1] * (inputs.ndim - 2)
        maps = inputs.float()
        counted = added_up(torch.cat([maps.sum(axes), maps.new_tensor([maps.numel() / maps.shape[1]])]))
        count, mean = counted[-1].detach(), counted[:-1] / counted[-1].detach()
        centred = maps - mean.view(shape)
        variance = added_up(centred.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        normalised = centred * (variance.view(shape) + self.eps).rsqrt()
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(inputs.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        new = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        for kept, value in ((self.running_mean, mean), (self.running_var, variance)):
            assert kept is not None
            kept.lerp_(value.to(kept.dtype), new)


def share_batch_norms(module: nn.Module) -> None:
    """Put a :class:`SharedBatchNorm` with the same parameters in every batch norm's place; names stay."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
                shared = SharedBatchNorm(
                    child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
                )
                shared.weight, shared.bias = child.weight, child.bias
                for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                    setattr(shared, buffer, getattr(child, buffer))
                parent.add_module(name, shared.train(child.training))
