"""What is known of a sample besides its measurement (pitch, blend), as a shift of a posterior's mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, FiniteFloat
from torch import Tensor

from pairvae.errors import InputError

Values = Mapping[str, float | str]  # of one sample, by condition; what is not known is left out
CARD_KEY = "conditions"
FARTHEST = 3.0  # standard deviations of the training pairs: a line says nothing of what lies far outside


class ConditionEncoding(BaseModel):
    """Conditions as numbers: standardised numbers, and a share of 0 or 1 for each word, less its mean.

    What is not known is 0, the mean of the training pairs, and so is a word that they did not have.

    Attributes
    ----------
    numbers : dict of str to (float, float)
        Mean and standard deviation over the training pairs that have it.
    words : dict of str to dict
        The share of each word among these, in (0, 1].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    numbers: dict[str, tuple[FiniteFloat, FiniteFloat]] = {}
    words: dict[str, dict[str, FiniteFloat]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the conditions."""
        return (*self.numbers, *self.words)

    @property
    def width(self) -> int:
        """Numbers for each sample."""
        return len(self.numbers) + sum(map(len, self.words.values()))

    def require_known(self, values: Values) -> None:
        """Refuse conditions that the model does not know.

        Parameters
        ----------
        values : mapping of str to float or str
            The conditions of one sample.

        Raises
        ------
        InputError
            For a condition, or the word of one, that the training pairs did not have.
        """
        for name, value in values.items():
            if name not in self.names:
                raise InputError(
                    expected=f"conditions {', '.join(self.names)}", found=name[:40], where="conditions"
                )
            shares = self.words.get(name)
            if shares is not None and _word(value) not in shares:
                known = ", ".join(shares)
                raise InputError(
                    expected=f"one of {known}", found=repr(value)[:40], where=f"condition {name}"
                )

    def takes(self, name: str, value: float | str) -> bool:
        """Whether it is a condition of the training pairs, with a word that they had.

        Parameters
        ----------
        name : str
            Name of the condition.
        value : float or str
            Its value, or one of its words.

        Returns
        -------
        bool
            True for a condition of numbers, whatever the value.
        """
        return name in self.numbers or _word(value) in self.words.get(name, ())

    def encode(self, samples: Sequence[Values]) -> np.ndarray:
        """Conditions as numbers, at most 3 standard deviations from the mean.

        Parameters
        ----------
        samples : sequence of mapping
            Conditions of N samples, by name.

        Returns
        -------
        ndarray
            ``(N, D)`` float64, D the ``width``.

        Raises
        ------
        InputError
            For a word in place of a number, or a number that is not finite.
        """
        rows = [[*self._numbers(sample), *self._words(sample)] for sample in samples]
        return np.array(rows, np.float64).reshape(len(samples), self.width)

    def _numbers(self, values: Values) -> list[float]:
        standardised = []
        for name, (mean, std) in self.numbers.items():
            value = values.get(name)
            if value is not None and not (isinstance(value, float | int) and np.isfinite(value)):
                raise InputError(expected="a finite number", found=repr(value), where=f"condition {name}")
            away = 0.0 if value is None or std == 0 else (float(value) - mean) / std
            standardised.append(min(max(away, -FARTHEST), FARTHEST))
        return standardised

    def _words(self, values: Values) -> list[float]:
        centred: list[float] = []
        for name, shares in self.words.items():
            value = _word(values[name]) if name in values else None
            centred += [(word == value) - share if value in shares else 0.0 for word, share in shares.items()]
        return centred


def fit_encoding(names: Sequence[str], samples: Sequence[Values]) -> ConditionEncoding:
    """Learn the encoding of conditions from training samples.

    Parameters
    ----------
    names : sequence of str
        The conditions to encode.
    samples : sequence of mapping
        Conditions of the training samples, by name.

    Returns
    -------
    ConditionEncoding
        A condition is one of words where any sample has a word.

    Raises
    ------
    InputError
        Where no sample has one of the conditions.
    """
    numbers: dict[str, tuple[float, float]] = {}
    words: dict[str, dict[str, float]] = {}
    for name in names:
        known = [sample[name] for sample in samples if name in sample]
        if not known:
            present = ", ".join(dict.fromkeys(key for sample in samples for key in sample)) or "none"
            raise InputError(
                expected=f"training pairs with the condition {name}",
                found=f"conditions {present}",
                where="pair.conditions",
                remedy="add the column to pairs.csv, or leave the condition out",
            )
        if all(isinstance(value, float | int) for value in known):
            values = np.array(known, np.float64)
            numbers[name] = (float(values.mean()), float(values.std()))
        else:
            counted = Counter(sorted(map(_word, known)))
            words[name] = {word: count / len(known) for word, count in counted.items()}
    return ConditionEncoding(numbers=numbers, words=words)


def _word(value: float | str) -> str:
    """The text of a word; 1 of a typed number, as a table has it."""
    return value if isinstance(value, str) else f"{value:g}"


@dataclass(frozen=True)
class ConditionShift:
    """A linear shift of the posterior mean of one modality by the conditions of a sample.

    Parameters
    ----------
    modality : str
        The modality whose posteriors move.
    encoding : ConditionEncoding
        Of D numbers.
    weight : ndarray
        ``(D, C, g, g)``.
    """

    modality: str
    encoding: ConditionEncoding
    weight: np.ndarray

    def of(self, samples: Sequence[Values]) -> Tensor:
        """Shifts of samples; 0 where nothing is known.

        Parameters
        ----------
        samples : sequence of mapping
            Conditions of N samples, by name.

        Returns
        -------
        Tensor
            ``(N, C, g, g)`` float32.

        Raises
        ------
        InputError
            As from :meth:`ConditionEncoding.encode`.
        """
        shifts = np.tensordot(self.encoding.encode(samples), self.weight, 1)
        return torch.from_numpy(shifts.astype(np.float32))

    def card(self) -> dict[str, Any]:
        """The entry ``CARD_KEY`` of a model card."""
        return {
            "modality": self.modality,
            **self.encoding.model_dump(),
            "weight": np.round(self.weight.reshape(len(self.weight), -1), 7).tolist(),
        }


def shifts_of(card: Mapping[str, Any], samples: Sequence[Values], modality: str) -> Tensor | None:
    """Shifts of samples by the model of a card.

    Parameters
    ----------
    card : mapping
        The model's card.
    samples : sequence of mapping
        Conditions of N samples, by name.
    modality : str
        The modality that is encoded.

    Returns
    -------
    Tensor or None
        ``(N, C, g, g)`` float32; None where the model moves no posteriors of ``modality``.
    """
    shift = shift_of_card(card)
    return None if shift is None or shift.modality != modality else shift.of(samples)


def shift_of_card(card: Mapping[str, Any]) -> ConditionShift | None:
    """The shift of a model card.

    Parameters
    ----------
    card : mapping
        The model's card.

    Returns
    -------
    ConditionShift or None
        None where the model has no conditions.

    Raises
    ------
    ValueError
        Where the weights do not fit the latent space, or are not finite.
    """
    entry = card.get(CARD_KEY)
    if entry is None:
        return None
    latent = card["modalities"][entry["modality"]]["latent"]
    encoding = ConditionEncoding.model_validate({key: entry[key] for key in ("numbers", "words")})
    weight = np.array(entry["weight"], np.float64)
    shape = (encoding.width, latent["channels"], latent["grid"], latent["grid"])
    if weight.shape != (shape[0], int(np.prod(shape[1:]))) or not np.isfinite(weight).all():
        raise ValueError(f"expected finite weights of shape {shape}")
    return ConditionShift(str(entry["modality"]), encoding, weight.reshape(shape))
