"""Errors of all four directions of a trained pair, against the true arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.evaluation.scores.definitions import (
    curve_errors,
    curves,
    descriptor_errors,
    further_properties,
    physics_errors,
    properties,
    saxs_errors,
)
from pairvae.evaluation.scores.patterns import TruePatterns, true_patterns
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.evaluation.scores.statistics import Integers, summary
from pairvae.settings.plugins import SCORES, plugins

Errors = dict[str, np.ndarray]
CURVES = ("s2", "lineal_vertical", "lineal_horizontal", "quantiles")
PHYSICS_CROPS = 1  # a pattern's ring, arcs and spots take 40 ms to measure: of one crop per sample
LEAST_PATTERN = 32  # px; smaller ones have no rings to measure


class Reference:
    """The true patterns and what the true crops are like (nothing where there are no crops), computed once.

    Parameters
    ----------
    data : EvaluationSet
        The samples.
    full : bool
        Whether descriptors and the physics of patterns are scored besides curves and pixels.

    Attributes
    ----------
    properties : dict of str to ndarray
        Curves ``(N, K, bins)`` and, with ``full``, descriptors ``(N, K)``, by name.
    spacing : ndarray
        ``(N, 1)``: median domain spacing of each sample's crops in px; 1 without ``full``.
    """

    def __init__(self, data: EvaluationSet, full: bool = False) -> None:
        self.data, self.full = data, full
        self.properties: dict[str, np.ndarray] = {}
        self._patterns: dict[str, TruePatterns] = {}
        self.spacing = np.ones((len(data.patterns), 1))
        if not data.cropped(data.names[1]):
            return
        self.properties = self.properties_of(data.crops)
        if full:
            self.spacing = _typical(self.properties["spacing"])

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """The curves ``(N, K, bins)`` of the true crops."""
        return {name: self.properties[name] for name in CURVES if name in self.properties}

    def properties_of(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Curves ``(N, K, bins)`` and descriptors ``(N, K)`` of micrographs ``(N, K, h, w)``."""
        n, k, h, w = images.shape
        measured, every = (properties if self.full else curves), images.reshape(n * k, h, w)
        flat = measured(every, self.data.estimator)
        if self.full:
            flat |= further_properties(every)
        return {name: values.reshape(n, k, *values.shape[1:]) for name, values in flat.items()}

    def errors(self, target: str, images: np.ndarray) -> Errors:
        """Errors of one direction, whatever its target.

        Parameters
        ----------
        target : str
            The modality of the images.
        images : ndarray
            As for :meth:`crops` or :meth:`whole`.

        Returns
        -------
        dict of str to ndarray
            By score.
        """
        return self.crops(images) if self.data.cropped(target) else self.whole(target, images)

    def crops(self, images: np.ndarray) -> Errors:
        """Errors ``(N, K)`` of micrographs ``(N, K, h, w)`` against the crops of the same number."""
        return self.against(self.properties_of(images))

    def against(self, measured: Mapping[str, np.ndarray]) -> Errors:
        """Errors ``(N, K)`` of curves ``(N, K, bins)`` and, where there are any, descriptors ``(N, K)``."""
        known = {name: self.properties[name] for name in CURVES if name in measured}
        errors = curve_errors(measured, known, grey=self.data.grey)
        if "spacing" in measured:
            errors |= descriptor_errors(measured, self.properties, self.spacing)
            errors |= {
                f"{name}_error": np.abs(measured[name] - self.properties[name])
                for name in plugins(SCORES)
                if name in measured
            }
        return errors

    def whole(self, target: str, images: np.ndarray) -> Errors:
        """Errors per element of arrays that are not cropped.

        Parameters
        ----------
        target : str
            The modality of the arrays.
        images : ndarray
            ``(N, [K,] channels, H, W)`` in [0, 1].

        Returns
        -------
        dict of str to ndarray
            ``(N,)`` or ``(N, K)`` by score. Those of the physics of patterns are ``(N,)``, or ``(N, PHYSICS_CROPS)``
            of the first crops.
        """
        true = self.data.array(target)
        physics = self.full and true.shape[1] == 3 and min(true.shape[2:]) >= LEAST_PATTERN
        if images.ndim == true.ndim:
            more = physics_errors(images, self.patterns_of(target)) if physics else {}
            return saxs_errors(images, true) | more
        crops = range(images.shape[1])
        errors = _stacked([saxs_errors(images[:, crop], true) for crop in crops])
        if physics:
            patterns = self.patterns_of(target)
            errors |= _stacked([physics_errors(images[:, crop], patterns) for crop in crops[:PHYSICS_CROPS]])
        return errors

    def patterns_of(self, target: str) -> TruePatterns:
        """What the true patterns of modality ``target`` show, measured once for all models and baselines."""
        if target not in self._patterns:
            self._patterns[target] = true_patterns(self.data.array(target))
        return self._patterns[target]


def _typical(spacing: np.ndarray) -> np.ndarray:
    """Median spacing of each sample's crops ``(N, 1)``; that of all samples, or 1 px, where none has a period."""
    known = spacing[np.isfinite(spacing)]
    usual = float(np.median(known)) if len(known) else 1.0
    rows = [row[np.isfinite(row)] for row in spacing]
    return np.array([[float(np.median(row)) if len(row) else usual] for row in rows])


def _stacked(each: Sequence[Errors]) -> Errors:
    """Errors ``(N, K)`` of K times errors ``(N,)``."""
    return {name: np.stack([errors[name] for errors in each], axis=1) for name in each[0]}


def model_errors(
    reference: Reference,
    images: Mapping[str, np.ndarray],
    measured: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> dict[str, Errors]:
    """Errors of each direction's reconstructions.

    Parameters
    ----------
    reference : Reference
        Of the samples.
    images : mapping of str to ndarray
        By direction.
    measured : mapping of str to mapping, optional
        Properties of the images by direction, where they are known already.

    Returns
    -------
    dict of str to dict
        Direction -> score.
    """
    known = measured or {}
    return {
        direction: reference.against(known[direction])
        if direction in known
        else reference.errors(direction.partition("_")[2], decoded)
        for direction, decoded in images.items()
    }


def require_finite(errors: Mapping[str, Any], ids: Sequence[str], where: str = "") -> None:
    """Refuse nested errors of which one is not a finite number.

    Without this, one nan would be no more than a median that is a little off, or a table without numbers.

    Parameters
    ----------
    errors : mapping
        Ends in arrays ``(N,)`` or ``(N, K)``.
    ids : sequence of str
        Of the N samples.
    where : str
        The keys above, for the message.

    Raises
    ------
    InputError
        It names direction and sample.
    """
    for key, value in errors.items():
        path = f"{where}.{key}" if where else str(key)
        if isinstance(value, Mapping):
            require_finite(value, ids, path)
            continue
        bad = np.flatnonzero(~np.isfinite(value.reshape(len(value), -1)).all(1))
        if len(bad):
            raise InputError(
                expected="a finite score",
                found=f"{value[bad[0]].ravel()[~np.isfinite(value[bad[0]].ravel())][0]}",
                where=f"{path}, sample {ids[bad[0]]}",
                remedy="look at its prepared arrays with `pairvae data check`, or leave the pair out",
            )


def summarise(
    errors: Mapping[str, Any], members: Sequence[int], counts: Integers | None = None
) -> dict[str, Any]:
    """Nested errors to nested summaries.

    Parameters
    ----------
    errors : mapping
        Ends in arrays ``(N,)`` or ``(N, K)``.
    members : sequence of int
        The samples to summarise.
    counts : ndarray, optional
        Resamples of the members, for intervals (:func:`pairvae.evaluation.scores.statistics.resamples`).

    Returns
    -------
    dict
        Of the same keys, each as :func:`pairvae.evaluation.scores.statistics.summary` returns it.
    """
    chosen = np.asarray(members)
    return {
        key: summarise(value, members, counts)
        if isinstance(value, Mapping)
        else summary(value[chosen], counts)
        for key, value in errors.items()
    }


def listed(errors: Mapping[str, Any], members: Sequence[int]) -> dict[str, Any]:
    """Nested errors to nested lists of all numbers.

    Parameters
    ----------
    errors, members
        As for :func:`summarise`.

    Returns
    -------
    dict
        Of the same keys.
    """
    chosen = np.asarray(members)
    return {
        key: listed(value, members) if isinstance(value, Mapping) else value[chosen].ravel().tolist()
        for key, value in errors.items()
    }
