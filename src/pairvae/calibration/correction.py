"""What a calibration is given, and what each of its steps reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pairvae.models.conditions import ConditionEncoding, Values


@dataclass(frozen=True)
class CalibrationData:
    """Prepared arrays of training pairs.

    Parameters
    ----------
    arrays : mapping of modality to ndarray
        ``(N, K, channels, H, W)`` in [0, 1]: K crops of each of N pairs, or K = 1 whole array.
    groups : sequence of str
        Of each pair; those of one group are left out together.
    pairs : int
        Training pairs in all. Of many, N are evenly spread.
    encoding : ConditionEncoding, optional
        Of the conditions that move the posterior of the pattern, where there are any.
    conditions : sequence of mapping
        What is known of each of the N pairs.
    grey : bool
        Whether crops are grey levels, not two phases.
    """

    arrays: Mapping[str, np.ndarray]
    groups: Sequence[str]
    pairs: int
    encoding: ConditionEncoding | None = None
    conditions: Sequence[Values] = ()
    grey: bool = False

    @property
    def whole(self) -> str | None:
        """The modality with one array where the other has many crops; None for other pairs."""
        single = [name for name, array in self.arrays.items() if array.shape[1] == 1]
        return single[0] if len(single) == 1 and len(self.arrays) == 2 else None


@dataclass(frozen=True)
class SeveralData:
    """Prepared arrays of training samples of more than two techniques.

    Parameters
    ----------
    arrays : mapping of modality to ndarray
        ``(M, K, channels, H, W)`` in [0, 1]: K crops, or K = 1 whole array, of the M samples that it measured.
    rows : mapping of modality to ndarray
        ``(M,)``: numbers of these among the N samples, ascending.
    groups : sequence of str
        Of each of the N samples; those of one group are left out together.
    pairs : int
        Training samples in all. Of many, N are evenly spread.
    grey : collection of str
        Modalities whose crops are grey levels, not two phases.
    encoding, conditions
        As of :class:`CalibrationData`.
    """

    arrays: Mapping[str, np.ndarray]
    rows: Mapping[str, np.ndarray]
    groups: Sequence[str]
    pairs: int
    grey: frozenset[str] = frozenset()
    encoding: ConditionEncoding | None = None
    conditions: Sequence[Values] = ()

    @property
    def whole(self) -> list[str]:
        """Modalities with one array a sample."""
        return [name for name, array in self.arrays.items() if array.shape[1] == 1]

    @property
    def cropped(self) -> list[str]:
        """Modalities with many crops a sample."""
        return [name for name, array in self.arrays.items() if array.shape[1] > 1]

    def of(self, *names: str) -> CalibrationData:
        """The samples that all of some modalities measured, as those of a pair."""
        common = set.intersection(*(set(self.rows[name].tolist()) for name in names))
        rows = sorted(common)
        arrays = {name: self.arrays[name][np.isin(self.rows[name], rows)] for name in names}
        conditions = [self.conditions[row] for row in rows] if self.conditions else ()
        return CalibrationData(
            arrays,
            [self.groups[row] for row in rows],
            self.pairs,
            self.encoding,
            conditions,
            bool(self.grey & set(names)),
        )


@dataclass(frozen=True)
class Correction:
    """One step: what was measured, and what was set.

    Parameters
    ----------
    step, statistic, knob : str
        Names of the step, of what it measures and of what it sets.
    modality : str or None
        Whose networks it changes.
    target, before, after : float or None
        What the statistic should be, and what it was and is; None where the step was not taken.
    value : float or None
        What the knob was set to.
    reason : str
        Why the step was not taken.
    """

    step: str
    statistic: str
    knob: str
    modality: str | None = None
    target: float | None = None
    before: float | None = None
    after: float | None = None
    value: float | None = None
    reason: str = ""

    def skipped(self, reason: str, modality: str | None = None) -> Correction:
        """This step, not taken.

        Parameters
        ----------
        reason : str
            Why, as a clause.
        modality : str or None
            Whose networks it would have changed.

        Returns
        -------
        Correction
            Without numbers.
        """
        return dataclasses.replace(self, reason=reason, modality=modality)

    def taken(self, modality: str, *, target: float, before: float, after: float, value: float) -> Correction:
        """This step, taken.

        Parameters
        ----------
        modality : str
            Whose networks it changed.
        target, before, after : float
            Of the statistic.
        value : float
            What the knob was set to.

        Returns
        -------
        Correction
            With these numbers.
        """
        return dataclasses.replace(
            self,
            modality=modality,
            target=float(target),
            before=float(before),
            after=float(after),
            value=float(value),
        )
