"""`pairvae export`: encoders and decoders as ONNX files, for programs without torch."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pairvae.errors import InputError, reason
from pairvae.inference.loader import load
from pairvae.stages.register import programs
from pairvae.store import atomic_path

NEEDED = ("onnx", "onnxscript")
MOST_SAMPLES = 1024  # of a batch that a program takes


@dataclass(frozen=True)
class Exported:
    """A network, and its file; or why it has none."""

    name: str
    file: Path | None
    reason: str = ""


def export(out: Path, model: str) -> Iterator[Exported]:
    """Write the encoders and decoders of a pair into ``out`` as ``<modality>-<part>.onnx``, one after the other.

    Inputs and outputs are those of the registered programs: prepared arrays ``(B, channels, H, W)`` in [0, 1] to mean
    and standard deviation ``(B, 2 C, g, g)``, latents ``(B, C, g, g)`` to images in [0, 1]. Decoders of textures draw
    their noise themselves. A network with an operation that ONNX lacks (complex numbers in the spectra of texture
    encoders) has no file. ``InputError`` without the packages for it, or where the model has none that can be written.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            expected=f"the package {missing[0]}", found="none", remedy="pip install 'pairvae[onnx]'"
        )
    predictor = load(model)
    found = []
    for name, network, example in programs(predictor.vaes, predictor.card["modalities"]):
        found.append(_exported(name, network, example, out))
        yield found[-1]
    if not any(one.file for one in found):
        raise InputError(expected="a network that ONNX can hold", found="none", where=model)


def _exported(name: str, network: nn.Module, example: Tensor, out: Path) -> Exported:
    file = out / f"{name}.onnx"
    batch = torch.export.Dim("batch", min=1, max=MOST_SAMPLES)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network.eval(), (example,), dynamo=True, dynamic_shapes=({0: batch},), verbose=False
            )
    except torch.onnx.errors.OnnxExporterError as error:
        return Exported(name, None, reason(error.__cause__ or error))
    assert program is not None  # of dynamo=True
    with atomic_path(file) as temporary:
        program.save(str(temporary), external_data=False)
    return Exported(name, file)
