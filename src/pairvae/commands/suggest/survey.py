"""What is known before a choice: measured pairs, samples without a partner, their features and conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from pairvae.errors import InputError
from pairvae.evaluation.experimental_design.features import component_scores
from pairvae.inference.out_of_distribution import pooled, spread_crops, texture_summary
from pairvae.inference.prediction_inputs import BOTH, inputs_of, source_of, unique_names
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES, main_pair
from pairvae.numerics.colormaps import known_colormap, levels
from pairvae.numerics.descriptors import describe
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.series import evenly_spread
from pairvae.stages.project import Project
from pairvae.store.prepared import Prepared, PreparedPart

CHUNK = 256  # arrays that are in memory at a time
CROPS = 4  # of a measured micrograph
LAGS = 64  # px of S(r)
MOST_MEASURED = 500  # pairs that the choice rests on, evenly spread
LEAST_MEASURED = 4
Conditions = Mapping[str, float | str]


@dataclass(frozen=True)
class Outcome:
    """Numbers of one measured sample: ``descriptors`` by name, and a ``curve`` ``(B,)`` as S(r), or None."""

    descriptors: Mapping[str, float]
    curve: np.ndarray | None = None


@dataclass(frozen=True)
class Survey:
    """``measured`` ids with their ``outcomes``, ``candidates`` without a partner, and ``features`` ``(N + M, K)`` of
    both, measured first. ``conditions`` are the candidates' further columns of ``pairs.csv``; ``arrays`` their
    prepared measurements, ``files`` what they were read from (empty for prepared samples)."""

    source: str
    target: str
    measured: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    candidates: tuple[str, ...]
    features: np.ndarray
    arrays: Sequence[np.ndarray]
    measured_arrays: Sequence[np.ndarray]
    conditions: tuple[Conditions, ...] = ()
    files: tuple[str, ...] = ()
    spread: np.ndarray | None = None
    distance: np.ndarray | None = None
    nm_per_px: float | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


def survey(
    project: Project,
    files: Sequence[str],
    source: str | None,
    predictor: Predictor | None,
    target: str | None = None,
) -> Survey:
    """The survey of a project: candidates are its samples without ``target``, or new ``files`` of ``source``.

    ``InputError`` where there is nothing to choose from, or too few pairs to learn from. With a ``predictor`` new files
    are prepared as its training data were, and the spread and distance of its predictions are known.
    """
    full = project.prepared()
    source, target = _direction(project, source or _likely_source(full, project, files), target)
    prepared = full.having((source, target))
    if len(prepared.pairs) < LEAST_MEASURED:
        raise InputError(
            expected=f"at least {LEAST_MEASURED} measured pairs",
            found=str(len(prepared.pairs)),
            where=str(project.prepared_folder),
            remedy="measure the first few at random",
        )
    rows = evenly_spread(len(prepared.pairs), MOST_MEASURED)
    known = _arrays(prepared, source)
    measured = [known[row] for row in rows]
    if files:
        ids, arrays, conditions, names = _new_files(files, source, target, predictor)
    else:
        ids, arrays, conditions, names = _unpaired(full, source, target)
    if not ids:
        raise InputError(
            expected=f"samples with {MODALITIES[source].title} and without {MODALITIES[target].title}",
            found="none",
            where=str(project.prepared_folder),
            remedy="set data.unpaired to use and run `pairvae repro preprocess`, or name a folder of new files",
        )
    return Survey(
        source,
        target,
        tuple(prepared.pairs[row].id for row in rows),
        tuple(_outcomes(prepared, rows, target)),
        tuple(ids),
        component_scores(summaries([*_lazily(measured), *_lazily(arrays)], source)),
        arrays,
        measured,
        tuple(conditions),
        tuple(names),
        None if predictor is None else _spread(predictor, arrays, source),
        None if predictor is None else _distances(predictor, arrays, source),
        prepared.pairs[int(rows[0])].nm_per_px(target) if MODALITIES[target].cropped else None,
    )


def _direction(project: Project, source: str, target: str | None) -> tuple[str, str]:
    """``source`` and the other modality of the project; of several, the one of the main pair, or its first."""
    names = project.settings.modalities
    for name, option in ((source, "--from"), (target or source, "--to")):
        if name not in names:
            raise InputError(expected=f"one of {', '.join(names)}", found=repr(name), where=option)
    if target == source:
        raise InputError(expected=f"another technique than {source}", found=repr(target), where="--to")
    if target is not None:
        return source, target
    return source, next(name for name in (*main_pair(names)[::-1], *names) if name != source)


def _likely_source(prepared: Prepared, project: Project, files: Sequence[str]) -> str:
    """The modality with samples without a partner; the one without crops, where both have some or files are given."""
    names = project.settings.modalities
    if files and len(names) > 2:
        return source_of(files, names, BOTH)
    whole = next((name for name in names if not MODALITIES[name].cropped), names[0])
    lone = [name for name in names if prepared.card.get("unpaired", {}).get(name)]
    return lone[0] if len(lone) == 1 and not files else whole


def _arrays(prepared: Prepared, name: str) -> Sequence[np.ndarray]:
    """Prepared arrays ``(channels, H, W)`` of all samples, views of memory maps."""
    if MODALITIES[name].cropped:
        return [image[None] for image in prepared.images(name)]
    return list(prepared.whole(name))


Candidates = tuple[list[str], Sequence[np.ndarray], list[Conditions], list[str]]


def _unpaired(prepared: Prepared, source: str, target: str) -> Candidates:
    """Samples of ``source`` alone, and those of further techniques that lack ``target``."""
    have, lone = set(prepared.rows_with((source, target))), prepared.unpaired(source)
    lacking = [row for row in prepared.rows_with([source]) if row not in have]
    parts = [
        part for part in (lone, PreparedPart(prepared, lacking) if lacking else None) if part is not None
    ]
    return (
        [pair.id for part in parts for pair in part.pairs],
        [array for part in parts for array in _arrays(part, source)],
        [pair.conditions for part in parts for pair in part.pairs],
        [],
    )


def _new_files(files: Sequence[str], source: str, target: str, predictor: Predictor | None) -> Candidates:
    if predictor is None:
        raise InputError(
            expected="a model, to prepare new files as its training data were", found="none", where="--model"
        )
    inputs = inputs_of(files, predictor.modalities, target, source)
    arrays = [predictor.prepare(one.given, source) for one in inputs]
    names = unique_names([one.given for one in inputs])
    known = _conditions_beside(files)
    return names, arrays, [known.get(name, {}) for name in names], [one.given for one in inputs]


def _conditions_beside(files: Sequence[str]) -> dict[str, Conditions]:
    """Conditions by id of a ``pairs.csv`` in, or one above, each folder that is given."""
    from pairvae.data.pairs.pairs_table import read_table
    from pairvae.data.pairs.sample import PAIRS_FILE

    found: dict[str, Conditions] = {}
    for entry in files:
        place = Path(entry)
        for folder in (place, place.parent):
            if (folder / PAIRS_FILE).is_file():
                found |= {pair.id: pair.conditions for pair in read_table(folder / PAIRS_FILE).pairs}
    return found


def _lazily(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    return list(arrays)


def summaries(arrays: Sequence[np.ndarray], name: str) -> np.ndarray:
    """Summaries ``(N, D)`` of prepared arrays: pooled intensity levels of patterns, curves as they are, texture
    statistics of micrographs; a few arrays in memory at a time."""
    if MODALITIES[name].cropped:
        shape = (1, *(min(min(array.shape[axis] for array in arrays), 192) for axis in (1, 2)))
        return np.concatenate(
            [texture_summary(spread_crops(array, shape)).mean(0, keepdims=True) for array in arrays]
        )
    parts = []
    for start in range(0, len(arrays), CHUNK):
        parts.append(np.stack([pooled(array[None])[0] for array in arrays[start : start + CHUNK]]))
    flat = np.concatenate(parts)
    channels, height, width = arrays[0].shape
    if channels != 3:
        return flat
    side = [length // -(-length // 48) for length in (height, width)]
    coloured = flat.reshape(len(flat), 3, *side)
    colormap = known_colormap(coloured)
    seen = [levels(coloured[at : at + CHUNK], colormap) for at in range(0, len(flat), CHUNK)]
    return np.concatenate(seen).reshape(len(flat), -1)


def outcome_of(array: np.ndarray, name: str, crop: int = 192) -> Outcome:
    """Numbers of one prepared array ``(channels, H, W)``: descriptors and S(r) of a micrograph, else pooled values."""
    if not MODALITIES[name].cropped:
        return Outcome({}, np.asarray(pooled(array[None])[0], dtype=np.float64))
    side = min(crop, *array.shape[1:])
    return _of_crops(spread_crops(array, (1, side, side))[:CROPS, 0])


def _of_crops(crops: np.ndarray) -> Outcome:
    """Means over crops ``(K, h, w)``; nan where no crop has such a thing."""
    with np.errstate(invalid="ignore"):
        described = {
            key: float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")
            for key, values in describe(crops).items()
        }
    curve = two_point_correlation(crops).mean(0)[:LAGS]
    return Outcome(described, curve)


def _outcomes(prepared: Prepared, rows: np.ndarray, target: str) -> Iterable[Outcome]:
    if MODALITIES[target].cropped:
        crops = prepared.crops(target)
        return [_of_crops(np.asarray(crops[row, :CROPS])) for row in rows]
    whole = prepared.whole(target)
    return [outcome_of(np.asarray(whole[row]), target) for row in rows]


def _spread(predictor: Predictor, arrays: Sequence[np.ndarray], source: str) -> np.ndarray | None:
    """The spread of the model's posterior for each candidate ``(M,)``: the root mean square of its deviations."""
    if MODALITIES[source].cropped:
        return None
    vae, found = predictor.vaes[source], []
    with torch.inference_mode():
        for start in range(0, len(arrays), CHUNK):
            some = torch.from_numpy(np.stack(arrays[start : start + CHUNK]).astype(np.float32))
            found.append(np.sqrt((vae.posterior(some).numpy()[1] ** 2).mean((1, 2, 3))))
    return np.concatenate(found)


def _distances(predictor: Predictor, arrays: Sequence[np.ndarray], source: str) -> np.ndarray | None:
    """The model's distance from its training data for each candidate ``(M,)``; None where it does not know."""
    if predictor.facts is None or source not in predictor.facts.familiar:
        return None
    familiar, shape = predictor.facts.familiar[source], predictor.shape(source)
    encoder = predictor.vaes[source].encoder
    return np.array([familiar.confidence(np.asarray(array), shape, encoder).distance for array in arrays])
