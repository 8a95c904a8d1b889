"""What a watch is asked for, and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pairvae.errors import InputError
from pairvae.modalities.acquisition import ANY, Acquisition


@dataclass(frozen=True)
class Summary:
    """What a watch did until it was stopped."""

    predicted: int
    bad: int


@dataclass(frozen=True)
class Options:
    """What is predicted, how often, and where to."""

    folder: Path
    to: str
    out: Path
    samples: int = 1
    seed: int = 0
    every_s: float = 0.25
    patience_s: float = 10.0
    html: bool = False
    acquisition: Acquisition = ANY
    source: str | None = None


def check_folders(options: Options) -> None:
    """``InputError`` for a folder that is not there, or one for what comes out that is the watched one."""
    if not options.folder.is_dir():
        raise InputError(expected="a folder to watch", found="none", where=str(options.folder))
    if options.out.resolve() == options.folder.resolve():
        raise InputError(
            expected="another folder for what comes out",
            found="the watched one, whose predictions would be predicted from",
            where="--out",
        )
