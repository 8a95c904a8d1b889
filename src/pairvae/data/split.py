"""Which pairs train, validate, or are held out of a training: seeded draws that keep groups together."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from pairvae.data.pairs.sample import PAIRS_FILE, SplitName
from pairvae.errors import InputError, number_of

LEAST_VALIDATION = 4  # pairs that `auto` leaves for validation, where half of all are as many


class Member(Protocol):
    """What the split has to know of a pair."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def split(self) -> SplitName | None:
        """The side it was given, if any."""
        ...

    @property
    def group(self) -> str | None:
        """What it must stay together with, if anything."""
        ...


@dataclass(frozen=True)
class Split:
    """Indices of pairs, ascending.

    Parameters
    ----------
    train, validation : tuple of int
        The pairs of each side.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]


def training_pairs(pairs: Sequence[Member], train: int | Literal["auto"]) -> int:
    """How many pairs train.

    Parameters
    ----------
    pairs : sequence of Member
        All pairs; their column ``split`` bounds ``auto``.
    train : int or "auto"
        A number is the answer; ``auto`` means two thirds, at least four being left to validate.

    Returns
    -------
    int
        At least 1 for ``auto``.

    Raises
    ------
    InputError
        For ``auto`` and a group that the column puts on both sides.
    """
    if train != "auto":
        return train
    count, units = len(pairs), _units(pairs)
    fixed = {key: _fixed_split(pairs, members) for key, members in units.items()}
    least, kept_out = (
        sum(len(members) for key, members in units.items() if fixed[key] == name)
        for name in ("train", "validation")
    )
    share = min(2 * count // 3, max(count - LEAST_VALIDATION, count // 2))
    return max(least, min(share, count - max(kept_out, 1)), 1)


def split_pairs(pairs: Sequence[Member], train: int | Literal["auto"], seed: int) -> Split:
    """Draw training pairs; the rest validate (paper: 32, 48 or 64 of 72).

    The ``split`` of a pair rules, for its whole group. Groups are drawn whole until ``train`` is met as nearly as
    possible.

    Parameters
    ----------
    pairs : sequence of Member
        All pairs.
    train : int or "auto"
        How many train, see :func:`training_pairs`.
    seed : int
        Of the draw.

    Returns
    -------
    Split
        At least one pair on either side.

    Raises
    ------
    InputError
        Where no pair would be left on one of the sides, or a group is given both.
    """
    train = training_pairs(pairs, train)
    units = _units(pairs)
    fixed = {key: _fixed_split(pairs, members) for key, members in units.items()}
    chosen = [i for key, members in units.items() if fixed[key] == "train" for i in members]
    kept_out = sum(len(members) for key, members in units.items() if fixed[key] == "validation")
    free = [members for key, members in units.items() if fixed[key] is None]
    if free:
        _check_room(len(pairs), train, len(chosen), kept_out)
        order = np.random.default_rng(seed).permutation(len(free))
        units_in_order = [free[int(i)] for i in order]
        still_needed = train - len(chosen)
        chosen += _drawn(units_in_order, still_needed, keep_one=kept_out == 0, started=bool(chosen))
    validation = sorted(set(range(len(pairs))) - set(chosen))
    if not chosen or not validation:
        raise InputError(
            expected="training and validation pairs",
            found=f"{len(chosen)} and {len(validation)} of {len(pairs)} pairs",
            where="split",
            remedy="change the columns split and group of pairs.csv, or split.train in params.yaml",
        )
    return Split(tuple(sorted(chosen)), tuple(validation))


def _units(pairs: Sequence[Member]) -> dict[tuple[str, str], list[int]]:
    """What stays together: groups, and pairs without a group on their own."""
    units: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, pair in enumerate(pairs):
        units[("pair", pair.id) if pair.group is None else ("group", pair.group)].append(index)
    return units


def leaking_groups(pairs: Sequence[Member]) -> list[str]:
    """Names of the groups that the column ``split`` puts on both sides."""
    return [key[1] for key, members in _units(pairs).items() if len(_named(pairs, members)) > 1]


def _named(pairs: Sequence[Member], members: Iterable[int]) -> set[SplitName]:
    return {split for i in members if (split := pairs[i].split) is not None}


def _fixed_split(pairs: Sequence[Member], members: Sequence[int]) -> SplitName | None:
    named = _named(pairs, members)
    if len(named) > 1:
        raise InputError(
            expected="a group on one side of the split",
            found=f"group {pairs[members[0]].group} in train and in validation",
            where=PAIRS_FILE,
            remedy="give its pairs the same split",
        )
    return next(iter(named), None)


def _check_room(count: int, train: int, fixed: int, kept_out: int) -> None:
    most = count - max(kept_out, 1)
    if not max(fixed, 1) <= train <= most:
        raise InputError(
            expected=f"split.train between {max(fixed, 1)} and {most}" if most else "at least 2 pairs",
            found=f"{train} with {number_of(count, 'pair')}",
            where="params.yaml, key split.train",
            remedy="set split.train to auto or to fit, or add pairs" if most else "add pairs",
        )


def _drawn(units: Sequence[Sequence[int]], count: int, *, keep_one: bool, started: bool) -> list[int]:
    """Members of whole units in order while they fit; then one more where that comes nearer to ``count``."""
    taken: list[int] = []
    left: list[Sequence[int]] = []
    for unit in units:
        if len(taken) + len(unit) <= count:
            taken += unit
        else:
            left.append(unit)
    missing = count - len(taken)
    nearest = min(left, key=len, default=())
    nearer = len(nearest) - missing < missing or not (taken or started)
    if missing > 0 and nearest and nearer and (len(left) > 1 or not keep_one):
        taken += nearest
    return taken


@dataclasses.dataclass(frozen=True)
class _Free:
    """A pair without the side that it has in the report's split."""

    id: str
    group: str | None
    split: None = None


def hold_out(pairs: Sequence[Member], members: Sequence[int], share: float, seed: int) -> Split:
    """Hold training pairs out of a training, as ``validation``; groups stay together.

    Parameters
    ----------
    pairs : sequence of Member
        All pairs.
    members : sequence of int
        The training pairs among them.
    share : float
        Of these to hold out, in [0, 1].
    seed : int
        Of the draw.

    Returns
    -------
    Split
        Numbers in ``pairs``, at least one on either side.

    Raises
    ------
    InputError
        For fewer than two training pairs.
    """
    if len(members) < 2:
        raise InputError(
            expected="at least 2 training pairs, to hold one out",
            found=str(len(members)),
            where="params.yaml, key split.train",
            remedy="add pairs, or set early_stop.patience 0",
        )
    free = [_Free(pairs[member].id, pairs[member].group) for member in members]
    held = min(max(round(len(members) * share), 1), len(members) - 1)
    inner = split_pairs(free, len(members) - held, seed)
    train, validation = (tuple(members[index] for index in side) for side in (inner.train, inner.validation))
    return Split(train, validation)
