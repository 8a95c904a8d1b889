"""Latents of training pairs, and where the posterior of a pair that was not seen would be centred."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pairvae.calibration.correction import CalibrationData
from pairvae.models.compact import ComponentEncoder
from pairvae.models.conditions import ConditionEncoding, Values
from pairvae.models.pair import PairVAE
from pairvae.models.posterior import Posterior
from pairvae.models.vae import VAE, Encoder
from pairvae.numerics.ridge import alpha_of_error, cross_val_predict, ridge

LEAST_GROUPS = 3


@dataclass(frozen=True)
class Latents:
    """What the two encoders say of N training pairs: one array of modality ``whole``, K crops of ``cropped``.

    Latents have C channels at P places.

    Parameters
    ----------
    features : ndarray
        ``(N, D)``: the arrays, as regressions see them (:func:`feature_weights`).
    last_hidden : ndarray
        ``(N, H)``: the arrays, as the last layer of their encoder sees them.
    crop_features : ndarray
        ``(N, K, ...)``: the crops, as the head of their encoder sees them.
    mean, std : ndarray
        ``(N, C, P)``: posteriors of the arrays, by the network alone.
    centre, left_out_centre : ndarray
        ``(N, C, P)``: the means of these posteriors as the model gives them by now, and as it would give them to pairs
        that it had not seen: an estimate (:func:`left_out_by_network`).
    crop_mean, crop_std : ndarray
        ``(N, K, C, P)``: posteriors of the crops.
    crop_values : ndarray
        ``(N, K)`` in [0, 1]: phase fractions of the crops, or the contrast of grey levels (:func:`values_of_images`).
    grey : bool
        Whether crops are grey levels, not two phases.
    groups, pairs, encoding, conditions
        As of :class:`CalibrationData`.
    """

    whole: str
    cropped: str
    features: np.ndarray
    last_hidden: np.ndarray
    crop_features: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    centre: np.ndarray
    left_out_centre: np.ndarray
    crop_mean: np.ndarray
    crop_std: np.ndarray
    crop_values: np.ndarray
    grey: bool
    groups: Sequence[str]
    pairs: int
    encoding: ConditionEncoding | None = None
    conditions: Sequence[Values] = ()

    @property
    def target(self) -> np.ndarray:
        """``(N, C P)``: what the posterior mean of an array should be, the mean latent of its crops."""
        return flat(self.crop_mean.mean(1))


def encode_pairs(pair: PairVAE, data: CalibrationData, whole: str) -> Latents:
    """Encode training pairs by both networks.

    Parameters
    ----------
    pair : PairVAE
        The trained pair, in evaluation mode.
    data : CalibrationData
        Its training pairs.
    whole : str
        The modality with one array for the many crops of the other.

    Returns
    -------
    Latents
        With ``left_out_centre`` by :func:`left_out_by_network`.
    """
    (cropped,) = data.arrays.keys() - {whole}
    encoder = pair.vae(whole).encoder
    arrays = [_encoded(pair.vae(whole), array) for array in data.arrays[whole]]
    crop_features, posteriors = zip(
        *(_encoded(pair.vae(cropped), array) for array in data.arrays[cropped]), strict=True
    )
    mean, std = (
        _at_places([getattr(posterior, part)[0] for _, posterior in arrays]) for part in ("mean", "std")
    )
    crop_mean, crop_std = (
        _at_places([getattr(posterior, part) for posterior in posteriors]) for part in ("mean", "std")
    )
    features = torch.cat([row for row, _ in arrays])
    with torch.inference_mode():
        hidden = encoder.last_hidden(features.to(_device(pair.vae(whole)))).double().cpu().numpy()
    crops = (torch.from_numpy(np.array(images, np.float64)) for images in data.arrays[cropped])
    values = np.stack([values_of_images(images, grey=data.grey).numpy() for images in crops])
    latents = Latents(
        whole=whole,
        cropped=cropped,
        features=flat(features.double().numpy()) * feature_weights(encoder),
        last_hidden=flat(hidden),
        crop_features=torch.stack(crop_features).numpy(),
        mean=mean,
        std=std,
        centre=mean,
        left_out_centre=mean,
        crop_mean=crop_mean,
        crop_std=crop_std,
        crop_values=values,
        grey=data.grey,
        groups=data.groups,
        pairs=data.pairs,
        encoding=data.encoding,
        conditions=data.conditions,
    )
    unseen = left_out_by_network(
        latents.last_hidden, flat(mean), latents.target, data.groups, len(mean) / data.pairs
    )
    return dataclasses.replace(latents, left_out_centre=unseen.reshape(mean.shape))


def values_of_images(images: Tensor, *, grey: bool) -> Tensor:
    """The number by which images of one sample differ most: the phase fraction, or the contrast of grey levels.

    Parameters
    ----------
    images : Tensor
        ``(N, 1, h, w)``: 0 and 1, or in [0, 1].
    grey : bool
        Whether they are grey levels.

    Returns
    -------
    Tensor
        ``(N,)`` float64 in [0, 1]: means, or standard deviations.
    """
    pixels = images.flatten(1)
    return (pixels.std(1, correction=0) if grey else pixels.mean(1)).double()


def feature_weights(encoder: Encoder) -> np.ndarray:
    """What a regression multiplies an encoder's features by.

    The scores of N patterns in N - 1 whitened components are all equally far from each other and tell a
    regression nothing. Square roots of the standard deviations undo half of the whitening: what differs most
    between patterns counts most, and the weak components, in which few patterns give mostly noise, count little.

    Parameters
    ----------
    encoder : Encoder
        Of whole arrays or of crops.

    Returns
    -------
    ndarray
        ``(D,)`` in (0, 1], or ``(1,)`` of 1 where the features are no principal components.
    """
    if not isinstance(encoder, ComponentEncoder):
        return np.ones(1)
    spread = encoder.spread.double().cpu().numpy()
    return np.asarray(np.sqrt(spread / spread.max()))


def left_out_by_ridge(latents: Latents) -> np.ndarray:
    """Posterior means that the ridge regression gives to pairs it was not fitted to.

    Parameters
    ----------
    latents : Latents
        Of the training pairs.

    Returns
    -------
    ndarray
        ``(N, C P)``.
    """
    return cross_val_predict(latents.features, latents.target, latents.groups)


def left_out_by_network(
    last_hidden: np.ndarray, given: np.ndarray, target: np.ndarray, groups: Sequence[str], seen_share: float
) -> np.ndarray:
    """Latents that the network would give to pairs that it had not been trained on: an estimate.

    Training it anew without each pair would take hours. A ridge regression from the inputs of its last layer
    stands for it, only as much regularised as to miss the pairs that it is fitted to by as much as the network
    does. What leaving a pair out adds to the error of that regression is added to the network's error; of many
    training pairs, of which the regression sees N, that share of it.

    Parameters
    ----------
    last_hidden : ndarray
        ``(N, H)``: what the last layer sees.
    given, target : ndarray
        ``(N, C P)``: the latents that it gives, and those that it should give.
    groups : sequence of str
        Of the pairs; those of one are left out together.
    seen_share : float
        N over the number of training pairs, in (0, 1].

    Returns
    -------
    ndarray
        ``(N, C P)``.
    """
    alpha = alpha_of_error(last_hidden, target, float(np.square(given - target).mean()))
    seen = ridge(last_hidden, target, alphas=[alpha])(last_hidden)
    unseen = cross_val_predict(last_hidden, target, groups, [alpha])
    return np.asarray(given + (unseen - seen) * seen_share)


def flat(values: np.ndarray) -> np.ndarray:
    """All axes but the first as one.

    Parameters
    ----------
    values : ndarray
        ``(N, ...)``.

    Returns
    -------
    ndarray
        ``(N, D)``.
    """
    return values.reshape(len(values), -1)


@torch.inference_mode()
def _encoded(vae: VAE, arrays: np.ndarray) -> tuple[Tensor, Posterior]:
    """Features ``(B, ...)`` and posteriors of arrays ``(B, channels, H, W)``, on the CPU."""
    features = vae.encoder.features(torch.from_numpy(np.array(arrays, np.float32)).to(_device(vae)))
    posterior = vae.posterior_of(features)
    return features.cpu(), Posterior(posterior.mean.cpu(), posterior.std.cpu())


def _device(vae: VAE) -> torch.device:
    return next(vae.parameters()).device


def _at_places(latents: Sequence[Tensor]) -> np.ndarray:
    """``(N, ..., C, g g)`` float64 of N latents ``(..., C, g, g)``."""
    return torch.stack(list(latents)).flatten(-2).double().numpy()
