"""Whether validation samples are known from training: the same content twice, split groups, near siblings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairvae.errors import InputError
from pairvae.evaluation.baselines.retrieval import neighbours

Floats = NDArray[np.float64]
Warnings = list[dict[str, str]]

PERMUTATIONS = 2000
CHANCE = 0.01
MOST = 1000  # samples that the splits are drawn from: the distances between all of them are kept in memory
FAR_BELOW = 6.0  # robust standard deviations of the logarithm of the nearest distances
SAME_CONTENT = 0.5  # correlation of pixels
LEAST_SHARED = 3  # samples whose mean says what all share
REMEDY = "leave one of the two out, or give both the same group in pairs.csv"


def warning(name: str, text: str) -> dict[str, str]:
    """An entry of ``warnings`` in ``metrics.json``.

    Parameters
    ----------
    name : str
        Its kind.
    text : str
        One sentence for the reader.

    Returns
    -------
    dict of str to str
        Both, by these names.
    """
    return {"name": name, "text": text}


def content_digests(arrays: Iterable[NDArray[Any]]) -> list[str]:
    """One digest per array that names its shape and values; the arrays may be memory maps larger than memory."""
    digests = []
    for array in arrays:
        values = np.ascontiguousarray(array)
        digest = hashlib.blake2b(repr((values.shape, values.dtype.str)).encode(), digest_size=16)
        digest.update(values.data)
        digests.append(digest.hexdigest())
    return digests


def refuse_same_content(
    digests: Mapping[str, Sequence[str]], ids: Sequence[str], train: Sequence[int], validation: Sequence[int]
) -> None:
    """Refuse a validation sample whose array of any modality is that of a training sample.

    Parameters
    ----------
    digests : mapping of str to sequence of str
        :func:`content_digests` of all samples by modality.
    ids : sequence of str
        Of all samples.
    train, validation : sequence of int
        The samples of each split.

    Raises
    ------
    InputError
        It names both samples.
    """
    for modality, samples in digests.items():
        known = {samples[index]: index for index in train}
        for index in validation:
            if samples[index] in known:
                twin = ids[known[samples[index]]]
                raise InputError(
                    expected="validation pairs that no training pair repeats",
                    found=f"the same {modality} data in {ids[index]} (validation) and {twin} (training)",
                    where="data/prepared",
                    remedy=REMEDY,
                )


def refuse_shared(
    names: Sequence[str | None], train: Sequence[int], validation: Sequence[int], kind: str
) -> None:
    """Refuse a name that training and validation share.

    Parameters
    ----------
    names : sequence of str or None
        Of all samples: ids or groups; None is none.
    train, validation : sequence of int
        The samples of each split.
    kind : str
        What the names are, for the message.

    Raises
    ------
    InputError
        It gives the name.
    """
    shared = {names[index] for index in train} & {names[index] for index in validation} - {None}
    if shared:
        raise InputError(
            expected=f"every {kind} on one side of the split",
            found=f"{kind} {min(str(name) for name in shared)} in training and in validation",
            where="data/prepared",
            remedy="mend the columns split and group of pairs.csv, and run `pairvae repro`",
        )


def nearest_distances(features: Floats, queries: Sequence[int], references: Sequence[int]) -> Floats:
    """Distance of each query to its nearest other reference.

    Parameters
    ----------
    features : ndarray
        ``(N, D)`` of all samples.
    queries, references : sequence of int
        Samples; a query is no reference of its own.

    Returns
    -------
    ndarray
        ``(Q,)``, in units of the features.
    """
    rows, others = np.asarray(queries), np.asarray(references)
    nearest = others[neighbours(features[rows], features[others], 1, rows, others)[:, 0]]
    return np.asarray(np.linalg.norm(features[rows] - features[nearest], axis=1))


def siblings(
    features: Floats, train: Sequence[int], validation: Sequence[int], seed: int
) -> dict[str, float | int | None]:
    """Whether validation samples lie nearer to training samples than chance.

    Parameters
    ----------
    features : ndarray
        ``(N, D)`` of all samples.
    train, validation : sequence of int
        The samples of each split, at least one to validate.
    seed : int
        Of the random splits.

    Returns
    -------
    dict
        ``p``: share of random splits of the same sizes in which the mean logarithm of the validation samples' nearest
        distances is as low as in this one. ``nearest``: the sample with the lowest distance to training, and
        ``far_below``: by how many robust standard deviations its logarithm lies below the median of the same
        distances among the training samples; two looks at one sample lie far below. ``p`` and ``far_below`` are None
        with fewer than three training samples.
    """
    flat = features.reshape(len(features), -1).astype(np.float64)
    flat = flat - flat.mean(0)
    if len(train) < 3:
        return {"p": None, "far_below": None, "nearest": int(validation[0])}
    floor = 1e-12 + 1e-9 * float(np.linalg.norm(flat, axis=1).mean())
    gaps = np.log(nearest_distances(flat, validation, train) + floor)
    usual = np.log(nearest_distances(flat, train, train) + floor)
    middle = np.median(usual)
    deviation = max(1.4826 * float(np.median(np.abs(usual - middle))), 0.05)
    return {
        "p": _chance(flat, train, validation, floor, seed),
        "far_below": float((middle - gaps.min()) / deviation),
        "nearest": int(np.asarray(validation)[gaps.argmin()]),
    }


def _chance(flat: Floats, train: Sequence[int], validation: Sequence[int], floor: float, seed: int) -> float:
    """Share of random splits, this one among them, whose mean logarithm of nearest distances is as low."""
    generator = np.random.default_rng([seed, len(flat)])
    share = min(1.0, MOST / (len(train) + len(validation)))
    rows = [
        np.sort(generator.permutation(side)[: max(1, int(share * len(side)))]) for side in (validation, train)
    ]
    held, known = len(rows[0]), flat[np.concatenate(rows)]
    squares = (known**2).sum(1)
    gaps = np.log(np.sqrt(np.maximum(squares[:, None] - 2 * known @ known.T + squares[None], 0.0)) + floor)
    expected = gaps[:held, held:].min(1).mean()
    count = 1
    for _ in range(PERMUTATIONS):
        order = generator.permutation(len(known))
        count += bool(gaps[np.ix_(order[:held], order[held:])].min(1).mean() <= expected + 1e-12)
    return count / (PERMUTATIONS + 1)


def suspicions(distances: Mapping[str, Mapping[str, float | int | None]], ids: Sequence[str]) -> list[str]:
    """What distances give reason to look into.

    Parameters
    ----------
    distances : mapping of str to mapping
        :func:`siblings` by modality.
    ids : sequence of str
        Of all samples.

    Returns
    -------
    list of str
        Sentences.
    """
    texts = []
    for modality, entry in distances.items():
        p, far, index = entry["p"], entry["far_below"], entry["nearest"]
        if far is not None and far > FAR_BELOW:
            texts.append(
                f"the {modality} data of {ids[int(index or 0)]} lie {far:.0f} robust standard deviations nearer to a "
                "training pair than training pairs lie to each other"
            )
        if p is not None and p < CHANCE:
            texts.append(
                f"validation pairs are nearer to training pairs than in random splits by their {modality} data "
                f"(p = {p:.2g})"
            )
    return texts


def unseen_morphologies(
    morphologies: Sequence[str | None], train: Sequence[int], validation: Sequence[int]
) -> Warnings:
    """A warning for each morphology of validation samples that no training sample has.

    Parameters
    ----------
    morphologies : sequence of str or None
        Of all samples; None where it is not known.
    train, validation : sequence of int
        The samples of each split.

    Returns
    -------
    list of dict
        See :func:`warning`.
    """
    trained = {morphologies[index] for index in train}
    held_out = [name for index in validation if (name := morphologies[index]) is not None]
    return [
        warning(
            "unseen morphology",
            f"{name}: none of the training pairs has this morphology, and {held_out.count(name)} validation pairs have",
        )
        for name in sorted(set(held_out) - trained)
    ]


def copies(
    signatures: Floats, train: Sequence[int], validation: Sequence[int]
) -> list[tuple[int, int, float]]:
    """Validation and training samples of the same content.

    Copies of the built-in data correlate by 0.66 and more (encoded again, brighter, with noise), others by at most
    0.28.

    Parameters
    ----------
    signatures : ndarray
        ``(N, D)``: pixels, of patterns without what varies slowly; what all share is taken out.
    train, validation : sequence of int
        The samples of each split.

    Returns
    -------
    list of tuple
        Validation sample, training sample and the correlation of their pixels, above 0.5.
    """
    values = signatures - signatures.mean(1, keepdims=True)
    if len(train) >= LEAST_SHARED:
        values = values - values.mean(0)
    values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    rows = np.asarray(train)
    similarities = values[np.asarray(validation)] @ values[rows].T
    nearest_one = similarities.argmax(1)
    return [
        (int(sample), int(rows[column]), float(line[column]))
        for sample, column, line in zip(validation, nearest_one, similarities, strict=True)
        if line[column] > SAME_CONTENT
    ]
