"""Validation samples that the model knows: a definite leak stops `assess`, a suspicion becomes a warning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pairvae.errors import InputError
from pairvae.evaluation import leakage
from pairvae.evaluation.leakage import Warnings, warning
from pairvae.evaluation.scores.evaluate import Reference
from pairvae.store.prepared import Prepared

POOL = 8
SLOW_PX = 2.0  # smoothing that leaves of a pattern what all of its kind have
LOOKED_AT = 192  # px


def refuse_leakage(prepared: Prepared, reference: Reference, card: dict[str, Any]) -> None:
    """Refuse validation samples that were trained on, under their own name or another.

    By the model's own list of training pairs, by ids and groups on both sides of the split, and by the content of
    every modality's prepared arrays.

    Parameters
    ----------
    prepared : Prepared
        The data that are assessed.
    reference : Reference
        The samples and their split.
    card : dict
        Of the model, with ``train_ids`` and ``data_digest``.

    Raises
    ------
    InputError
        At the first leak.
    """
    data, ids = reference.data, [pair.id for pair in prepared.pairs]
    trained = set(card["train_ids"])
    leaked = [ids[index] for index in data.validation if ids[index] in trained]
    if leaked or card["data_digest"] != prepared.digest:
        reason = f"{leaked[0]} among its training pairs" if leaked else "a model of other prepared data"
        raise InputError(
            expected="a model that has not seen the validation pairs",
            found=reason,
            where="models/train-pair",
            remedy="train it again with `pairvae repro`",
        )
    leakage.refuse_shared(ids, data.train, data.validation, "id")
    groups = [pair.group for pair in prepared.pairs]
    leakage.refuse_shared(groups, data.train, data.validation, "group")
    digests = {
        name: leakage.content_digests(_arrays(prepared, name, cropped=data.cropped(name)))
        for name in data.names
    }
    leakage.refuse_same_content(digests, ids, data.train, data.validation)


def _arrays(prepared: Prepared, name: str, *, cropped: bool) -> Iterator[NDArray[Any]]:
    """The prepared arrays of one modality, one after the other."""
    return iter(prepared.images(name) if cropped else prepared.whole(name))


def leakage_summary(prepared: Prepared, reference: Reference) -> tuple[dict[str, Any], Warnings]:
    """How near validation samples are to training samples, and which look like copies.

    Parameters
    ----------
    prepared : Prepared
        The data that are assessed.
    reference : Reference
        The samples and their split.

    Returns
    -------
    tuple of dict and list
        The block ``leakage`` of ``metrics.json``, by modality, and warnings.
    """
    data = reference.data
    distances = {
        name: leakage.siblings(_features(reference, name), data.train, data.validation, data.seed)
        for name in data.names
    }
    ids = [pair.id for pair in prepared.pairs]
    block = {
        name: {**values, "nearest": ids[int(values["nearest"] or 0)]} for name, values in distances.items()
    }
    texts = leakage.suspicions(distances, ids)
    for name in data.names:
        for sample, twin, correlation in leakage.copies(
            _signatures(prepared, name, cropped=data.cropped(name)), data.train, data.validation
        ):
            texts.append(
                f"the {name} data of {ids[sample]} (validation) look like a copy of those of {ids[twin]} (training): "
                f"their pixels correlate by {correlation:.2f}"
            )
    return block, [warning("possible leakage", text) for text in texts]


def _signatures(prepared: Prepared, name: str, *, cropped: bool) -> NDArray[Any]:
    """``(N, D)``: the middle of each image, or each pattern without what varies slowly; nothing of curves."""
    signatures = []
    for array in _arrays(prepared, name, cropped=cropped):
        plane = np.asarray(array if array.ndim == 2 else array.mean(0), np.float32)
        if min(plane.shape) == 1:
            return np.zeros((len(prepared.pairs), 1), np.float32)
        if array.ndim == 3:
            plane = plane - cv2.GaussianBlur(plane, (0, 0), SLOW_PX)
        top, left = ((side - min(side, LOOKED_AT)) // 2 for side in plane.shape)
        signatures.append(plane[top : top + LOOKED_AT, left : left + LOOKED_AT])
    side = [min(part.shape[axis] for part in signatures) for axis in (0, 1)]
    return np.stack([part[: side[0], : side[1]].ravel() for part in signatures])


def _features(reference: Reference, name: str) -> NDArray[Any]:
    """``(N, D)``: mean S(r) and lineal paths of a sample's crops, or arrays averaged over 8 x 8 px."""
    if reference.data.cropped(name):
        return np.concatenate([curve.mean(1) for curve in reference.curves.values()], axis=1)
    arrays = reference.data.array(name)
    n, channels, height, width = arrays.shape
    pool = (min(POOL, height), min(POOL, width)) if min(height, width) > 1 else (1, 1)
    rows, columns = height // pool[0], width // pool[1]
    cut = arrays[:, :, : rows * pool[0], : columns * pool[1]]
    blocks = cut.reshape(n, channels, rows, pool[0], columns, pool[1]).mean((3, 5))
    return np.asarray(blocks.reshape(n, -1))
