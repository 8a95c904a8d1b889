"""What the families of commands share: the kinds of their arguments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pairvae.errors import InputError

Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="a setting to change; repeatable")
]
Out = Annotated[Path, typer.Option("--out", help="folder for what comes out")]
Model = Annotated[str, typer.Option(help="registry URI or model folder")]
Cluster = Annotated[
    str | None, typer.Option(metavar="local|ADDRESS", help="a Dask cluster instead of local processes")
]
CHAMPION = "models:/pairvae@champion"


def one_thread() -> None:
    """Compute with one thread unless ``OMP_NUM_THREADS`` says otherwise; before torch is imported.

    A prediction takes some 30 ms: a second thread gains little of that, and beside another busy process the two wait
    for each other (20 times slower was measured).
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def modality(name: str) -> str:
    """A modality's name (a usage error otherwise)."""
    from pairvae.settings import modality_names

    if name not in modality_names():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(modality_names())}")
    return name


def trainable(name: str) -> str:
    """``pair`` or a modality's name (a usage error otherwise)."""
    return name if name == "pair" else modality(name)


def integers(text: str, where: str) -> list[int]:
    """Different whole numbers from a text with commas (``InputError`` otherwise)."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise InputError(expected="different whole numbers with commas", found=repr(text), where=where)
    return [int(part) for part in parts]
