"""Checkpoints of a training at the end of a round: one safetensors file, replaced atomically."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pairvae.errors import InputError
from pairvae.models.weights import load_weights
from pairvae.store.tensors import load_tensors, save_tensors

FILE = "checkpoint.safetensors"
BEST = "best/"


@dataclass(frozen=True)
class Progressed:
    """How far a training had come.

    Parameters
    ----------
    epochs : int
        Epochs done.
    history : list of dict
        Their losses, one row a round.
    run_id : str or None
        The tracking run that they belong to.
    micro_batch_size : int or None
        Samples decoded at a time after memory ran out.
    best : dict of Tensor, optional
        The weights of least held-out loss, where a training may stop early.
    """

    epochs: int
    history: list[dict[str, float]]
    run_id: str | None
    micro_batch_size: int | None = None
    best: dict[str, Tensor] | None = field(default=None, compare=False)


def save(folder: Path, module: nn.Module, optimiser: torch.optim.Optimizer, done: Progressed) -> None:
    """Write weights, optimiser state and history; an older checkpoint is replaced atomically.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.
    module : Module
        Its weights and buffers are saved.
    optimiser : Optimizer
        Its state is saved.
    done : Progressed
        How far the training has come.
    """
    tensors: dict[str, Tensor] = {f"module/{name}": value for name, value in module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        for key, value in state.items():
            tensors[f"optimiser/{index}/{key}"] = torch.as_tensor(value)
    tensors |= {f"{BEST}{name}": value for name, value in (done.best or {}).items()}
    card = {
        "epochs": done.epochs,
        "history": done.history,
        "run_id": done.run_id,
        "micro_batch_size": done.micro_batch_size,
    }
    save_tensors(folder / FILE, tensors, card)


def load(folder: Path, module: nn.Module, optimiser: torch.optim.Optimizer) -> Progressed | None:
    """Restore what :func:`save` wrote.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.
    module : Module
        Gets the weights and buffers.
    optimiser : Optimizer
        Gets the state; its own groups of parameters stay.

    Returns
    -------
    Progressed or None
        How far the training had come; None where there is no checkpoint.

    Raises
    ------
    InputError
        The file is damaged or holds the weights of another network.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    tensors, card = load_tensors(path)
    weights = {k.removeprefix("module/"): v for k, v in tensors.items() if k.startswith("module/")}
    load_weights(module, weights, str(path))
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser/"):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    best = {k.removeprefix(BEST): v for k, v in tensors.items() if k.startswith(BEST)}
    try:
        return Progressed(
            card["epochs"], card["history"], card["run_id"], card["micro_batch_size"], best or None
        )
    except KeyError as error:
        raise InputError(
            expected="a checkpoint with epochs, history and run_id",
            found=f"none of name {error}",
            where=str(path),
            remedy="delete it and run again",
        ) from error


def peek_run(folder: Path) -> str | None:
    """The tracking run that wrote a checkpoint.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.

    Returns
    -------
    str or None
        The run's id; None where there is no checkpoint, or it had no run.
    """
    path = folder / FILE
    return load_tensors(path)[1].get("run_id") if path.is_file() else None
