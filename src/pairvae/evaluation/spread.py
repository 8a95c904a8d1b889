"""How far the latents of a sample's crops lie from what its pattern tells, and in which directions together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairvae.evaluation.ridge import ridge

FOLDS = 48  # of up to so many samples each is left out alone
NARROWEST, WIDEST = 0.5, 3.0  # times the width that draws had along one direction


def left_out(inputs: np.ndarray, outputs: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Outputs ``(N, T)`` of each sample predicted by a ridge regression on ``inputs`` ``(N, D)`` that never saw it.

    Samples of one of the ``groups`` are left out together, several groups at a time where there are more than
    ``FOLDS``. There are two groups at least.
    """
    number = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    fold = np.array([number[name] for name in groups]) % min(FOLDS, len(number))
    predicted = np.empty(outputs.shape)
    for one in np.unique(fold):
        out = fold == one
        predicted[out] = ridge(inputs[~out], outputs[~out])(inputs[out])
    return predicted


def mixing(residuals: np.ndarray, own: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Lower triangular factor ``(C, C)`` of the second moment of crops' latents around a left-out prediction.

    ``residuals`` ``(N, K, C, P)``: posterior means of K crops of N samples minus what was predicted for the
    sample, at P places; ``own`` ``(N, K, C, P)``: the crops' posterior standard deviations; ``std``
    ``(N, C, P)``: those of the pattern's posterior, by whose square roots D all is divided. So L with
    L L^T = E[z z^T] turns independent unit noise e into D L e, what crops of a sample that was not seen differ by
    from its prediction: their own scatter, and the error of the prediction.
    """
    scale = np.sqrt(std)[:, None]
    scaled = residuals / scale
    channels = scaled.shape[2]
    rows = scaled.transpose(0, 1, 3, 2).reshape(-1, channels)
    noise = np.square(own / scale).mean((0, 1, 3))
    return np.linalg.cholesky(rows.T @ rows / len(rows) + np.diag(noise))


def widened(factor: np.ndarray, draws: np.ndarray, values: np.ndarray, wanted: float) -> np.ndarray:
    """Lower triangular factor ``(C, C)`` of draws whose decoded ``values`` have the variance ``wanted``.

    ``draws`` ``(N, K, C)``: L e of K draws for each of N samples, with L the ``factor``; ``values`` ``(N, K)``: a
    property of what was decoded of them. A linear regression tells which direction w of the draws the values follow
    within a sample. Along it alone the covariance S = L L^T is changed, to S + (k^2 - 1) S w w^T S / (w^T S w), so that
    k^2 times the variance that follows the draws and the rest, which is the decoder's own noise, add up to ``wanted``.
    ``k`` stays within ``NARROWEST`` and ``WIDEST``: these are estimates.
    """
    count, each, channels = draws.shape
    along = (draws - draws.mean(1, keepdims=True)).reshape(-1, channels)
    found = (values - values.mean(1, keepdims=True)).reshape(-1)
    weight = np.linalg.lstsq(along, found, rcond=None)[0]
    covariance = factor @ factor.T
    toward = covariance @ weight
    explained = float(weight @ toward)
    if explained <= 0:
        return factor
    rest = float(np.square(found).sum()) / (count * (each - 1)) - explained
    ratio = np.clip((wanted - rest) / explained, NARROWEST**2, WIDEST**2)
    return np.linalg.cholesky(covariance + (ratio - 1.0) * np.outer(toward, toward) / explained)
