"""Where training runs and in which precision: the only place that chooses."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

import torch

from pairvae.errors import InputError
from pairvae.operating_system import cores
from pairvae.settings import DeviceSettings


@dataclass(frozen=True)
class Device:
    """A device and the precision on it.

    Parameters
    ----------
    torch_device : torch.device
        Where tensors are.
    bfloat16 : bool
        Whether convolutions and matrix products are of bfloat16; otherwise float32.
    """

    torch_device: torch.device
    bfloat16: bool

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Context of the forward pass."""
        if not self.bfloat16:
            return contextlib.nullcontext()
        return torch.autocast(self.torch_device.type, dtype=torch.bfloat16)


def choose(settings: DeviceSettings) -> Device:
    """The device that settings ask for; on a CPU it also sets torch's threads.

    Parameters
    ----------
    settings : DeviceSettings
        The section ``device``.

    Returns
    -------
    Device
        With ``auto``, CUDA where there is a GPU, otherwise the CPU.

    Raises
    ------
    InputError
        A GPU is asked for and there is none.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind = settings.kind if settings.kind != "auto" else "cuda" if available["cuda"] else "cpu"
    if not available[kind]:
        raise InputError(
            expected="a CUDA device" if kind == "cuda" else "the GPU of a Mac", found="none",
            where="device.kind", remedy="set it to auto or cpu",
        )  # fmt: skip
    local_rank = os.environ.get("LOCAL_RANK") if kind == "cuda" else None  # several processes: a GPU each
    if kind == "cpu":
        torch.set_num_threads(settings.threads or available_cores())
    bfloat16 = {
        "bfloat16": True,
        "float32": False,
        "auto": kind == "cuda",
        "fastest": kind == "cuda" or (kind == "cpu" and has_matrix_units()),
    }[settings.precision]
    return Device(torch.device(kind if local_rank is None else f"{kind}:{local_rank}"), bfloat16)


def has_matrix_units() -> bool:
    """Whether the CPU multiplies matrices of bfloat16 in units of their own (AMX): several times as fast as float32.

    AVX-512's instructions for bfloat16 are twice as fast at best, and conversions take up what they gain.
    """
    if not hasattr(torch.cpu, "get_capabilities"):  # a release from before it
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def available_cores() -> int:
    """CPU cores that this process may use."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    allowed = cores()
    return min(allowed, int(limit)) if limit.isdigit() and int(limit) > 0 else allowed
