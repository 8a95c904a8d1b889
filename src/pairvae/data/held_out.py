"""Training pairs that are held out of a training, to judge it: never the report's validation pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pairvae.data.split import Member, Split, split_pairs
from pairvae.errors import InputError


@dataclasses.dataclass(frozen=True)
class _Free:
    """A pair without the side that it has in the report's split."""

    id: str
    group: str | None
    split: None = None


def hold_out(pairs: Sequence[Member], members: Sequence[int], share: float, seed: int) -> Split:
    """A seeded ``share`` (0 to 1) of the training pairs ``members`` (numbers in ``pairs``) as ``validation``.

    Groups stay together; at least one pair is on each side. ``InputError`` for fewer than two.
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
