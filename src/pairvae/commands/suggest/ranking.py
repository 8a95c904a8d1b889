"""Candidates in the order in which to measure them, with reasons in words and the gain that is expected."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pairvae.commands.suggest.survey import Outcome, Survey
from pairvae.errors import InputError, number_of
from pairvae.evaluation.experimental_design.batch import Batch, Preferences, greedy_batch
from pairvae.evaluation.experimental_design.features import Targets, targets_of
from pairvae.evaluation.experimental_design.gaussian_process import GaussianProcess, fit

TERMS = ("error", "novelty", "spread")
COMPARISONS = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "==": operator.eq, "=": operator.eq,
    "<": operator.lt, ">": operator.gt,
}  # fmt: skip
CONSTRAINT = re.compile(r"\s*(.+?)\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*")
CORRELATED = 0.8  # correlation from which the measurement of one sample predicts another
NAMED = {
    "spacing": "domain spacing", "phase_fraction": "phase fraction", "euler_density": "defect density",
    "contrast": "contrast",
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """How to choose: ``count`` samples, ``weights`` of the terms, the column of the ``cost``, ``constraints`` such as
    ``temperature<=180``, and ``stop``: the least expected reduction of the error by one more measurement."""

    count: int = 3
    weights: Mapping[str, float] = field(default_factory=lambda: {"error": 1.0})
    cost: str | None = None
    constraints: tuple[str, ...] = ()
    stop: float = 0.01


@dataclass(frozen=True)
class Ranking:
    """``chosen`` candidates (numbers, the first to measure first) with ``reasons``; ``order`` of all the others.

    ``utility`` ``(M,)`` of each candidate alone, ``gains`` ``(K,)`` the expected relative reduction of the error over
    all candidates by each chosen one, ``errors`` a line of words a descriptor, ``advice`` what the stop rule says.
    """

    chosen: tuple[int, ...]
    reasons: tuple[str, ...]
    order: tuple[int, ...]
    utility: np.ndarray
    gains: np.ndarray
    errors: tuple[str, ...]
    advice: str
    novelty: np.ndarray
    stop: bool


def outcomes_table(outcomes: Sequence[Outcome]) -> Targets:
    """Targets of measured samples; curves count where all have one of the same length."""
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.descriptors))
    table = {
        name: np.array([outcome.descriptors.get(name, np.nan) for outcome in outcomes]) for name in names
    }
    curves = [outcome.curve for outcome in outcomes if outcome.curve is not None]
    whole = len(curves) == len(outcomes) and len({len(curve) for curve in curves}) == 1
    if not whole and not names:
        raise InputError(expected="numbers of measured samples", found="none", where="tell")
    return targets_of(table, np.stack(curves) if whole else np.zeros((len(outcomes), 0)))


def rank(
    known: Survey,
    wanted: Wanted,
    told: Mapping[str, Outcome | None] | None = None,
    pending: Sequence[str] = (),
) -> Ranking:
    """Choose among the candidates of a survey.

    ``told``: outcomes of candidates that were measured since (None: they failed); ``pending``: candidates that are
    being measured. Neither is chosen again, and what they will tell is taken into account.
    """
    told = told or {}
    numbers = {name: number for number, name in enumerate(known.candidates)}
    count = len(known.measured)
    learned = [(numbers[name], one) for name, one in told.items() if one is not None and name in numbers]
    targets = outcomes_table([*known.outcomes, *(one for _, one in learned)])
    rows = [*range(count), *(count + number for number, _ in learned)]
    process = fit(known.features[rows], targets.values)
    candidates = known.features[count:]
    taken = [numbers[name] for name in (*told, *pending) if name in numbers]
    allowed = satisfies(known, wanted.constraints)
    allowed[taken] = False
    nearest = nearest_gap(candidates, known.features[rows])
    waiting = [numbers[name] for name in pending if name in numbers]
    terms, share = _terms(known, wanted, nearest), wanted.weights.get("error", 0.0)
    preferences = Preferences(terms, share, costs_of(known, wanted.cost), allowed, waiting)
    batch = greedy_batch(process, candidates, wanted.count, preferences, targets.weights)
    if not batch.chosen:
        raise InputError(
            expected="a sample that is neither measured nor excluded",
            found=f"none of {len(known.candidates)}",
            where="--where" if wanted.constraints else "candidates",
        )
    score = sum(weight * batch.terms[name] for name, weight in wanted.weights.items() if name in batch.terms)
    utility = np.asarray(score / costs_of(known, wanted.cost))
    others = [int(one) for one in np.argsort(-utility, kind="stable") if int(one) not in batch.chosen]
    gains = 1 - batch.total[1:] / np.maximum(batch.total[:-1], 1e-300)
    typical = float(np.median(nearest_gap(known.features[rows], known.features[rows], itself=True)))
    novelty = nearest / max(typical, 1e-12)
    reasons = tuple(
        _reason(
            known, batch, place, process, rows, novelty, [numbers[name] for name in told if name in numbers]
        )
        for place in range(len(batch.chosen))
    )
    stop = bool(gains[0] < wanted.stop)
    return Ranking(
        batch.chosen, reasons, tuple(others), utility, gains, _errors_in_words(known, targets, process, batch),
        _advice(gains, wanted.stop, stop), novelty, stop,
    )  # fmt: skip


def nearest_gap(features: np.ndarray, measured: np.ndarray, itself: bool = False) -> np.ndarray:
    """Distance ``(M,)`` of each sample from the nearest measured one (``itself``: from the nearest other one)."""
    squares = (features**2).sum(1)[:, None] + (measured**2).sum(1)[None] - 2 * features @ measured.T
    if itself:
        np.fill_diagonal(squares, np.inf)
    return np.asarray(np.sqrt(np.maximum(squares.min(1), 0.0)))


def _terms(known: Survey, wanted: Wanted, nearest: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
    values: dict[str, np.ndarray | None] = {"novelty": nearest, "spread": known.spread}
    found: dict[str, tuple[float, np.ndarray]] = {}
    for name, weight in wanted.weights.items():
        if name not in TERMS:
            raise InputError(expected=f"a term: {', '.join(TERMS)}", found=repr(name), where="--weights")
        if name == "error" or weight == 0:
            continue
        term = values[name]
        if term is None:
            raise InputError(
                expected="a model, whose spread is meant",
                found="none",
                where="--weights",
                remedy="give --model",
            )
        found[name] = (weight, term)
    return found


def costs_of(known: Survey, column: str | None) -> np.ndarray:
    """The cost ``(M,)`` of each candidate (``InputError`` where a cell is no number above 0)."""
    if column is None:
        return np.ones(len(known.candidates))
    costs = []
    for name, conditions in zip(known.candidates, known.conditions, strict=True):
        value = conditions.get(column)
        if isinstance(value, str) or value is None or not value > 0:
            raise InputError(
                expected=f"a number above 0 in column {column}", found=repr(value), where=f"sample {name}",
                remedy="fill it in pairs.csv, or choose another --cost",
            )  # fmt: skip
        costs.append(float(value))
    return np.array(costs)


def satisfies(known: Survey, constraints: Sequence[str]) -> np.ndarray:
    """Which candidates ``(M,)`` satisfy all ``constraints`` (``InputError`` for one that is none)."""
    kept = np.ones(len(known.candidates), bool)
    for text in constraints:
        found = CONSTRAINT.fullmatch(text)
        columns = sorted({name for condition in known.conditions for name in condition})
        if found is None or found[1] not in columns:
            raise InputError(
                expected=f"a condition such as temperature<=180 on {', '.join(columns) or 'a column of pairs.csv'}",
                found=repr(text),
                where="--where",
            )
        column, comparison, value = found[1], COMPARISONS[found[2]], found[3]
        for number, conditions in enumerate(known.conditions):
            kept[number] &= column in conditions and _compared(conditions[column], value, comparison, text)
    return kept


def _compared(cell: float | str, value: str, comparison: object, text: str) -> bool:
    assert callable(comparison)
    if isinstance(cell, str):
        return bool(comparison(cell, value))
    try:
        return bool(comparison(cell, float(value)))
    except ValueError as error:
        raise InputError(expected="a number", found=repr(value), where=f"--where {text!r}") from error


def _reason(
    known: Survey,
    batch: Batch,
    place: int,
    process: GaussianProcess,
    rows: Sequence[int],
    novelty: np.ndarray,
    told: Sequence[int],
) -> str:
    """Why one candidate is chosen: how new it is, what it is like, how many others it tells of."""
    number = batch.chosen[place]
    features, count = known.features[len(known.measured) :], len(known.measured)
    others = np.setdiff1d(np.arange(len(features)), [*batch.chosen[: place + 1], *told])
    correlation = process.kernel.correlation(features[number : number + 1], features[others])[0]
    similar = int((correlation > CORRELATED).sum())
    names = [known.measured[row] if row < count else known.candidates[row - count] for row in rows]
    measured = process.kernel.correlation(features[number : number + 1], known.features[list(rows)])[0]
    close = np.flatnonzero(measured > CORRELATED)
    if novelty[number] > 2:
        first = (
            f"unlike anything measured ({novelty[number]:.1f} times the usual distance between neighbours)"
        )
    elif len(close):
        shown = ", ".join(names[one] for one in close[np.argsort(-measured[close])][:3])
        first = (
            f"{number_of(len(close), 'measured sample')} like it ({shown}), which do not settle what it shows"
        )
    else:
        first = f"no measured sample is like it (nearest: {names[int(np.argmax(measured))]})"
    return f"{first}; it stands for {number_of(similar, 'other')} without a partner" if similar else first


def _errors_in_words(
    known: Survey, targets: Targets, process: GaussianProcess, batch: Batch
) -> tuple[str, ...]:
    """Expected error of the descriptors that people ask for: now, and with the batch measured."""
    lines = []
    noise = np.sqrt(process.noise_variance)
    for name, words in NAMED.items():
        if name not in targets.names:
            continue
        column = targets.names.index(name)
        factor, unit, digits = {"phase_fraction": (100.0, "%", 1), "spacing": (1.0, "px", 2)}.get(
            name, (1.0, "", 5)
        )
        if name == "spacing" and known.nm_per_px is not None:
            factor, unit = known.nm_per_px, "nm"
        if name == "euler_density":
            factor, unit, digits = 1e4, "per 100 px x 100 px", 2
        now, then = (factor * float(np.hypot(one, noise[column])) for one in batch.error[[0, -1], column])
        floor = factor * float(noise[column])
        lines.append(
            f"{words}: ±{now:.{digits}f} {unit} now, ±{then:.{digits}f} {unit} after these, "
            f"±{floor:.{digits}f} {unit} at best"
        )
    return tuple(lines)


def _advice(gains: np.ndarray, stop: float, stopped: bool) -> str:
    total = 1 - float(np.prod(1 - gains))
    first = f"The next measurement is expected to lower the error over all of them by {100 * gains[0]:.1f} %"
    if len(gains) > 1:
        first += f", all {len(gains)} by {100 * total:.1f} %"
    rule = (
        f"below the limit of {100 * stop:g} %: it is time to stop"
        if stopped
        else f"stop below {100 * stop:g} %"
    )
    return f"{first} ({rule})."
