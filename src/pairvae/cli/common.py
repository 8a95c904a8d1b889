"""Arguments and checks that several commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pairvae.errors import InputError

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="a setting to change for this call; repeatable"),
]
Out = Annotated[Path, typer.Option("--out", help="output folder")]
Model = Annotated[str, typer.Option(help="registry URI or model folder")]
Cluster = Annotated[
    str | None, typer.Option(metavar="local|ADDRESS", help="a Dask cluster instead of local processes")
]
NmPerPx = Annotated[
    float | None,
    typer.Option("--nm-per-px", help="pixel size of the micrographs, nm; overrides pairs.csv and the files"),
]
QPerPx = Annotated[
    float | None,
    typer.Option("--q-per-px", help="q per pixel of the patterns, 1/nm; overrides pairs.csv and the files"),
]
BeamCentre = Annotated[
    str | None,
    typer.Option(
        "--beam-centre",
        metavar="ROW,COLUMN",
        help="position of the beam, px; it is moved to the middle",
    ),
]
QUnit = Annotated[
    str | None, typer.Option("--q-unit", metavar="1/nm|1/angstrom", help="unit of q in curve files")
]
Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--condition", metavar="NAME=VALUE", help="condition of the samples; overrides pairs.csv; repeatable"
    ),
]


def modality(name: str) -> str:
    """A modality's name, in letters of any case (a usage error otherwise)."""
    from pairvae.settings import modality_names

    if name.lower() not in modality_names():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(modality_names())}")
    return name.lower()


def given_as(name: str | None) -> str | None:
    """A modality's name or nothing (a usage error otherwise)."""
    return None if name is None else modality(name)


Source = Annotated[
    str | None,
    typer.Option("--from", metavar="saxs|sem|...", callback=given_as, help="technique of the files"),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="sem|saxs|...", callback=given_as, help="the modality that is predicted"),
]
WILD, REGISTRY, PRIOR = "*?[", "models:/", "prior"
CHAMPION = "models:/pairvae@champion"


def one_thread() -> None:
    """Compute with one thread unless ``OMP_NUM_THREADS`` says otherwise; before torch is imported.

    A prediction takes some 30 ms: a second thread gains little of that, and beside another busy process the two wait
    for each other (20 times slower was measured).
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def require_files(files: Sequence[str]) -> None:
    """``InputError`` if no file, folder or pattern of names exists.

    Called before heavy imports, so that a mistyped name fails at once. Where some exist,
    they are worked on, and the others are named.
    """
    if not any(_is_there(entry) for entry in files):
        raise InputError(expected="a file", found="none", where=files[0], remedy="check the name")


def require_folder(folder: Path) -> None:
    """``InputError`` if a folder to watch does not exist; called before heavy imports."""
    if not folder.is_dir():
        actual = "a file" if folder.exists() else "none"
        raise InputError(
            expected="a folder to watch", found=actual, where=str(folder), remedy="check the name"
        )


def require_model(location: str) -> None:
    """``InputError`` if a model folder does not exist; called before heavy imports."""
    if location != PRIOR and not location.startswith(REGISTRY) and not Path(location).is_dir():
        raise InputError(
            expected="a model folder, models:/pairvae@champion, or prior",
            found="a file" if Path(location).exists() else "none",
            where=location,
            remedy="check --model",
        )


def _is_there(entry: str) -> bool:
    path = Path(entry.partition("::")[0])
    try:
        return path.exists() or any(mark in entry for mark in WILD)
    except OSError:  # not a valid file name
        return False


def trainable(name: str) -> str:
    """``pair`` or a modality's name (a usage error otherwise)."""
    return "pair" if name.lower() == "pair" else modality(name)


def integers(text: str, where: str) -> list[int]:
    """Different whole numbers from a text with commas (``InputError`` otherwise)."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise InputError(expected="different whole numbers with commas", found=repr(text), where=where)
    return [int(part) for part in parts]
