"""Which training samples of several techniques belong together, where not every technique measured each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from pairvae.errors import InputError


@dataclass(frozen=True)
class Partners:
    """Numbers of the same samples in the sources of several techniques.

    Parameters
    ----------
    count : int
        Samples of two techniques or more.
    together : mapping of two names to two arrays
        Of the samples that both techniques measured, the numbers ``(N,)`` in either source.
    lone : mapping of str to ndarray
        Numbers ``(M,)`` of the samples that one technique alone measured.
    complete : mapping of str to ndarray
        Of the samples that all techniques measured, the numbers in each source; empty where there are none.
    """

    count: int
    together: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]
    lone: Mapping[str, np.ndarray]
    complete: Mapping[str, np.ndarray] = field(default_factory=dict)


def partners_of(measured: Mapping[str, Sequence[bool]], lone: Mapping[str, int]) -> Partners:
    """Partners in sources that hold the samples a technique measured, in their order, and then its lone ones.

    Parameters
    ----------
    measured : mapping of str to sequence of bool
        By technique, whether it measured each of N samples.
    lone : mapping of str to int
        How many samples a technique alone measured.

    Returns
    -------
    Partners
        Without pairs of techniques that no sample has both of.

    Raises
    ------
    InputError
        Where a technique shares no sample with another one.

    Examples
    --------
    >>> partners_of({"saxs": [True, True], "sem": [False, True]}, {"sem": 1}).together
    {('saxs', 'sem'): (array([1]), array([0]))}
    """
    flags = {name: np.asarray(values, bool) for name, values in measured.items()}
    numbers = {name: np.cumsum(known) - 1 for name, known in flags.items()}
    together = {
        (a, b): (numbers[a][both], numbers[b][both])
        for a, b in combinations(flags, 2)
        if (both := flags[a] & flags[b]).any()
    }
    for name in flags:
        if not any(name in names for names in together):
            raise InputError(
                expected=f"training samples with {name} and another technique",
                found="none",
                where="modalities",
                remedy=f"measure some, or leave {name} out of modalities in params.yaml",
            )
    in_all = np.all(list(flags.values()), axis=0)
    first = {name: int(known.sum()) for name, known in flags.items()}
    return Partners(
        len(next(iter(flags.values()))),
        together,
        {name: np.arange(first[name], first[name] + more) for name, more in lone.items()},
        {name: own[in_all] for name, own in numbers.items()} if in_all.any() else {},
    )
