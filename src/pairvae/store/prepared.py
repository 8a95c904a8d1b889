"""Prepared arrays: what preprocessing writes and everything after it reads.

A folder with ``card.json`` (pairs, shapes, what was done, sha256 of each array file) and, for each modality,
``<name>.npy``: ``(N, channels, H, W)`` float32 for whole arrays; for cropped ones the micrographs of all samples,
flattened one after the other, as uint8 (two phases) or float16 (grey levels), and their evaluation crops in
``<name>-crops.npy`` ``(N, K, h, w)``.
Samples without a partner lie in a folder of the same kind for each modality that has any, ``unpaired-<name>``.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.lib.format import open_memmap
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pairvae.errors import InputError
from pairvae.store.files import file_digest, read_json, require_digest, write_json

FORMAT = 1
CARD = "card.json"
UNPAIRED = "unpaired-"  # and the modality: the folder of samples without a partner
REMEDY = "run `pairvae preprocess`, or `pairvae repro`"
Side = Annotated[int, Field(strict=True, gt=0)]


@dataclass(frozen=True)
class PreparedPair:
    """What is known of a pair besides its arrays; scales (nm, 1/nm) are those of the prepared pixels.

    ``lacks`` are the techniques that did not measure it, where there are more than two: its arrays of these are blank.
    """

    id: str
    morphology: str | None = None
    split: Literal["train", "validation"] | None = None
    group: str | None = None
    sem_nm_per_px: float | None = None
    saxs_q_per_px_inv_nm: float | None = None
    conditions: Mapping[str, float | str] = field(default_factory=dict)
    pixel_sizes: Mapping[str, float | None] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()

    def nm_per_px(self, name: str) -> float | None:
        """nm per prepared pixel of this sample's image of modality ``name``, where it is known."""
        return self.sem_nm_per_px if name == "sem" else self.pixel_sizes.get(name)


class _Card(BaseModel):
    """What a card must hold; files are named without a folder, so that none leads elsewhere."""

    pairs: list[PreparedPair]
    shapes: dict[str, list[tuple[Side, ...]]] = {}
    digest: str
    sha256: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")], str]


@dataclass(frozen=True)
class Prepared:
    """Prepared arrays of a data set, memory-mapped: they need not fit in memory."""

    folder: Path
    card: dict[str, Any]

    @cached_property
    def pairs(self) -> list[PreparedPair]:
        """The pairs, in the order of the arrays."""
        return TypeAdapter(list[PreparedPair]).validate_python(self.card["pairs"])

    @property
    def full(self) -> Prepared:
        """All pairs, where these are a part of them."""
        return self

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Numbers of these pairs among all."""
        return tuple(range(len(self.pairs)))

    def rows_with(self, names: Iterable[str], rows: Iterable[int] | None = None) -> tuple[int, ...]:
        """Those of ``rows``, all by default, that all techniques ``names`` measured."""
        wanted = set(names)
        chosen = range(len(self.pairs)) if rows is None else rows
        return tuple(row for row in chosen if not wanted & {*self.pairs[row].lacks})

    def having(self, names: Iterable[str]) -> Prepared:
        """The pairs that all techniques ``names`` measured: these ones, where that is all of them."""
        rows = self.rows_with(names)
        return self if len(rows) == len(self.pairs) else PreparedPart(self, rows)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name the contents of all arrays."""
        return str(self.card["digest"])

    def whole(self, name: str) -> np.ndarray:
        """``(N, channels, H, W)`` float32 in [0, 1]."""
        return self._map(f"{name}.npy")

    def images(self, name: str) -> list[np.ndarray]:
        """Micrographs, each ``(H, W)`` uint8 of 0 and 1, or float16 in [0, 1] (views of one memory map)."""
        flat, views, start = self._map(f"{name}.npy"), [], 0
        shapes = self.card.get("shapes", {}).get(name, [])
        plane = all(len(shape) == 2 for shape in shapes)
        if flat.ndim != 1 or not plane or flat.size != sum(map(prod, shapes)):
            raise InputError(
                expected=f"images of the shapes in {CARD}",
                found=f"{flat.size} pixels",
                where=str(self.folder / f"{name}.npy"),
                remedy=REMEDY,
            )
        for height, width in shapes:
            views.append(flat[start : start + height * width].reshape(height, width))
            start += height * width
        return views

    def crops(self, name: str) -> np.ndarray:
        """The fixed evaluation crops ``(N, K, h, w)`` uint8 of 0 and 1, or float16 in [0, 1]."""
        return self._map(f"{name}-crops.npy")

    def unpaired(self, name: str) -> Prepared | None:
        """Samples of modality ``name`` without a partner: they may train, but are in no score; None without any.

        ``InputError`` where they are not those that were prepared with these pairs.
        """
        expected = self.card.get("unpaired", {}).get(name)
        if expected is None:
            return None
        lone = open_prepared(self.folder / f"{UNPAIRED}{name}")
        lone.verify()
        if lone.digest != expected:
            raise InputError(
                expected=f"data {expected}", found=lone.digest, where=str(lone.folder), remedy=REMEDY
            )
        return lone

    @cached_property
    def unpaired_counts(self) -> dict[str, int]:
        """How many samples have no partner, by modality; those without any are left out."""
        names = self.card.get("unpaired", {})
        return {name: len(open_prepared(self.folder / f"{UNPAIRED}{name}").pairs) for name in names}

    def _map(self, file: str) -> np.ndarray:
        path = self.folder / file
        try:
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
        except (OSError, ValueError, EOFError) as error:  # an empty file is an EOFError
            raise InputError(
                expected="a whole npy file", found=str(error), where=str(path), remedy=REMEDY
            ) from error

    def verify(self) -> None:
        """``InputError`` where an array file is not the one that its card describes."""
        for file, expected in self.card["sha256"].items():
            require_digest(self.folder / file, expected, "an array", REMEDY)


class PreparedPart(Prepared):
    """Some of the pairs of prepared arrays, in their order.

    Parameters
    ----------
    full : Prepared
        All pairs.
    rows : sequence of int
        Which of them.
    """

    def __init__(self, full: Prepared, rows: Sequence[int]) -> None:
        card = dict(full.card)
        for key in ("shapes", "done"):
            card[key] = {name: [values[row] for row in rows] for name, values in card.get(key, {}).items()}
        card["pairs"] = [card["pairs"][row] for row in rows]
        super().__init__(full.folder, card)
        self.__dict__.update(_full=full, rows=tuple(rows))

    @property
    def full(self) -> Prepared:
        """All pairs."""
        full: Prepared = self.__dict__["_full"]
        return full

    def whole(self, name: str) -> np.ndarray:
        """As of all pairs, in memory."""
        return self.full.whole(name)[list(self.rows)]

    def images(self, name: str) -> list[np.ndarray]:
        """As of all pairs."""
        images = self.full.images(name)
        return [images[row] for row in self.rows]

    def crops(self, name: str) -> np.ndarray:
        """As of all pairs, in memory."""
        return self.full.crops(name)[list(self.rows)]


def open_prepared(folder: Path) -> Prepared:
    """Prepared arrays in ``folder`` (``InputError`` when there are none, or of another format)."""
    path = folder / CARD
    if not path.is_file():
        raise InputError(expected="prepared data", found="none", where=str(folder), remedy=REMEDY)
    card = read_json(path, "a JSON card", REMEDY)
    if card.get("format") != FORMAT:
        raise InputError(
            expected=f"format {FORMAT}", found=repr(card.get("format")), where=str(path), remedy=REMEDY
        )
    try:
        _Card.model_validate(card)
    except ValidationError as error:
        first = error.errors()[0]
        found = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(
            expected="a card of prepared data", found=found[:160], where=str(path), remedy=REMEDY
        ) from error
    return Prepared(folder, card)


def create_array(folder: Path, file: str, shape: Sequence[int], dtype: str) -> np.ndarray:
    """A new memory-mapped npy file to fill; ``OSError`` where the disk has no room for all of it."""
    array = open_memmap(folder / file, mode="w+", dtype=np.dtype(dtype), shape=tuple(shape))
    with (folder / file).open("r+b") as stream:
        # Without its blocks reserved, a memory map on a full disk ends the process with SIGBUS.
        os.posix_fallocate(stream.fileno(), 0, (folder / file).stat().st_size)
    return array


def write_card(folder: Path, card: dict[str, Any], files: Sequence[str]) -> None:
    """Write ``card.json`` with the format and the sha256 of each of ``files``."""
    hashes = {file: file_digest(folder / file) for file in files}
    write_json(folder / CARD, {"format": FORMAT, **card, "sha256": hashes})


def read_arrays(path: Path, remedy: str) -> dict[str, np.ndarray]:
    """All arrays of an npz file by name (``InputError`` with ``remedy`` where it is damaged); nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise InputError(expected="an npz file", found="none", where=str(path), remedy=remedy) from error
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        found = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise InputError(expected="a whole npz file", found=found, where=str(path), remedy=remedy) from error
