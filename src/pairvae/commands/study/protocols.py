"""The protocol study of the paper's Figure S3, as settings of the pair plan."""

from __future__ import annotations

import math
from typing import Any

from pairvae.settings import PairTraining

PUBLISHED_EPOCHS = 1100
PUBLISHED_RANDOM = (100, 10, 1)  # the default first; besides these, all of them
RANDOM, FOCUSED, SOLO = (f"pair.training.{name}" for name in ("random_epochs", "focused_epochs", "from_solo"))


def protocols(training: PairTraining) -> dict[str, dict[str, Any]]:
    """Training of the pair without solo weights, and with 100, 10, 1 or only epochs of random crops, of 1,100 in all.

    With another number of epochs the random ones keep their place on a logarithmic scale from 1 to all: of 13
    epochs 5, 2 and 1. What coincides then stands once.
    """
    total = training.epochs
    default = _random(PUBLISHED_RANDOM[0], total)
    found = {"direct": {SOLO: False, **_parts(default, total)}}
    for random in (*(_random(one, total) for one in PUBLISHED_RANDOM), total):
        name = "random-all" if random == total else f"random-{random}"
        found[name] = {SOLO: True, **_parts(random, total)}
    return found


def _random(published: int, total: int) -> int:
    place = math.log(published) / math.log(PUBLISHED_EPOCHS)
    return max(1, round(math.exp(place * math.log(total))))


def _parts(random: int, total: int) -> dict[str, int]:
    return {RANDOM: random, FOCUSED: total - random}
