"""The backbone of the published encoders: its weight file, and the encoders that it is put into.

Weights come from torchvision's ``.pth`` (read without running its pickle) or from safetensors.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from pairvae.errors import InputError
from pairvae.models.paper.architecture import PaperEncoder, attach_backbone
from pairvae.models.paper.resnet import Backbone, ResNet50
from pairvae.models.vae import VAE
from pairvae.store import file_digest
from pairvae.store.tensors import load_tensors, save_tensors

FILE = "backbone.safetensors"
WANTED = "the weights of a ResNet-50 under torchvision's names"
REMEDY = "give another file in pretrain.backbone, or null"
CLASSIFIER = "fc."
BATCH_COUNT = "num_batches_tracked"  # of no use in inference; old torchvision files lack it


def _read(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        raise InputError(expected="a weight file", found="no such file", where=str(path), remedy=REMEDY)
    if path.suffix == ".safetensors":
        return load_tensors(path)[0]
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            expected="a torch file that holds tensors alone", found=first[:99], where=str(path), remedy=REMEDY
        ) from error
    if not isinstance(value, Mapping):
        raise InputError(expected=WANTED, found=type(value).__name__, where=str(path), remedy=REMEDY)
    return value


def _problem(weights: Mapping[str, object], expected: Mapping[str, Tensor]) -> str | None:
    """What keeps ``weights`` from being loaded as ``expected``, with the first key at fault."""
    missing = [key for key in expected if key not in weights and not key.endswith(BATCH_COUNT)]
    if missing:
        return f"{len(missing)} missing, the first {missing[0]}"
    unknown = [key for key in weights if key not in expected and not key.startswith(CLASSIFIER)]
    if unknown:
        return f"{len(unknown)} unknown, the first {unknown[0]}"
    for key, template in expected.items():
        tensor = weights.get(key, template)
        if not isinstance(tensor, Tensor):
            return f"{key} of type {type(tensor).__name__}"
        if tensor.shape != template.shape:
            return f"{key} of shape {tuple(tensor.shape)} instead of {tuple(template.shape)}"
        if not bool(torch.isfinite(tensor).all()):
            return f"{key} with values that are not finite"
    return None


def read_backbone(path: Path) -> ResNet50:
    """The network of a weight file; a classifier (``fc.*``) in it is left out.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file, or one of torch.

    Returns
    -------
    ResNet50
        In inference mode.

    Raises
    ------
    InputError
        It names the file and the key: a weight is missing, unknown, of another shape or not finite.
    """
    weights = _read(path)
    network = ResNet50()
    expected = network.state_dict()
    problem = _problem(weights, expected)
    if problem is not None:
        raise InputError(expected=WANTED, found=problem, where=str(path), remedy=REMEDY)
    network.load_state_dict({key: weights.get(key, tensor) for key, tensor in expected.items()})
    return network.eval()


def write_backbone(path: Path, network: ResNet50, card: Mapping[str, object]) -> None:
    """Write the weights (float32, about 94 MB) and a JSON card, atomically.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file.
    network : ResNet50
        Its weights are written.
    card : mapping
        What JSON can hold.
    """
    save_tensors(path, network.state_dict(), card)


def _wanting(vaes: Iterable[VAE]) -> list[VAE]:
    return [vae for vae in vaes if isinstance(vae.encoder, PaperEncoder)]


def backbone_files(vaes: Iterable[VAE], folder: Path) -> list[Path]:
    """The files that published encoders need: a model folder has to be whole.

    Parameters
    ----------
    vaes : iterable of VAE
        Of any architecture.
    folder : Path
        Where the backbone is stored.

    Returns
    -------
    list of Path
        The backbone's, or nothing where none of the VAEs needs it.
    """
    return [folder / FILE] if _wanting(vaes) else []


def give_backbone(vaes: Iterable[VAE], folder: Path, *, bfloat16: bool = False) -> str | None:
    """Put the stored backbone into the published encoders among several; others need none.

    Parameters
    ----------
    vaes : iterable of VAE
        Of any architecture.
    folder : Path
        Where the backbone is stored.
    bfloat16 : bool
        Run it in that precision.

    Returns
    -------
    str or None
        The sha256 of its file: what is trained on its features depends on it. None where no encoder needs it.

    Raises
    ------
    InputError
        Where the folder has none, or one that does not fit.
    """
    wanting = _wanting(vaes)
    if not wanting:
        return None
    path = folder / FILE
    if not path.is_file():
        raise InputError(
            expected="a backbone",
            found="none",
            where=str(folder),
            remedy="run `pairvae pretrain` with pretrain.enabled true, or `pairvae repro`",
        )
    attach_backbone(wanting, Backbone(read_backbone(path), bfloat16=bfloat16))
    return file_digest(path)
