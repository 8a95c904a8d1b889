"""One raw file predicted: its images, what they show, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pairvae.evaluation.scores.patterns import properties_of
from pairvae.inference.known_acquisition import known_of
from pairvae.inference.measurement import doubt, measurement
from pairvae.inference.out_of_distribution import Confidence
from pairvae.inference.prediction_inputs import Input
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.models.posterior import Posterior
from pairvae.numerics import descriptors
from pairvae.numerics.colormaps import levels
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.scattering import PhysicalCheck
from pairvae.settings import Section


@dataclass(frozen=True)
class Prediction:
    """Images of one input and what is known of them.

    Parameters
    ----------
    given : ndarray
        The prepared input, ``(channels, H, W)`` in [0, 1].
    images : ndarray
        ``(S, H, W)`` of 0 and 1, or ``(S, channels, H, W)`` in [0, 1].
    confidence : Confidence or None
        How like the training data the input is; None for a model that does not know.
    check : PhysicalCheck or None
        Whether image and pattern scatter alike; None where they are no such pair.
    remarks : tuple of str
        What may be wrong with the file, a line each.
    """

    given: np.ndarray
    images: np.ndarray
    confidence: Confidence | None
    check: PhysicalCheck | None
    remarks: tuple[str, ...] = ()


def predict_file(
    predictor: Predictor,
    path: str,
    item: Input,
    samples: int,
    seed: int,
    acquisition: Acquisition = ANY,
    size: int | None = None,
    beside: Mapping[str, str] | None = None,
) -> Prediction:
    """Predict from a raw file, or from several of one sample.

    Parameters
    ----------
    predictor : Predictor
        The model.
    path : str
        The file.
    item : Input
        The same file with its direction.
    samples, seed, size
        As for :meth:`Predictor.predict`.
    acquisition : Acquisition
        It goes before what a ``pairs.csv`` around the file says, and that before the file itself.
    beside : mapping of str to str, optional
        Files of the same sample by other modalities.

    Returns
    -------
    Prediction
        With remarks.

    Raises
    ------
    InputError
        Where the file cannot be read.
    """
    known = known_of(predictor, path, item.source, acquisition)
    given = measurement(predictor, path, item.source, known)
    read = {item.source: given}
    for name, file in (beside or {}).items():
        read[name] = measurement(predictor, file, name, known_of(predictor, file, name, acquisition))
    arrays = {name: one.array for name, one in read.items()}
    prediction = predict_together(predictor, arrays, item.target, samples, seed, size, known)
    doubted = prediction.confidence is None or prediction.confidence.out_of_distribution
    remarks = []
    for name, one in read.items():
        looks = doubt(predictor, one, name) if doubted else None
        remarks += [*one.remarks, *([looks] if looks else ())]
    return replace(prediction, remarks=tuple(remarks))


def predict_together(
    predictor: Predictor,
    arrays: Mapping[str, np.ndarray],
    target: str,
    samples: int,
    seed: int,
    size: int | None = None,
    acquisition: Acquisition = ANY,
) -> Prediction:
    """Predict from prepared arrays of one sample.

    Parameters
    ----------
    predictor : Predictor
        The model.
    arrays : mapping of str to ndarray
        ``(channels, H, W)`` in [0, 1], by modality.
    target : str
        The modality to predict.
    samples, seed : int
        As for :meth:`Predictor.predict`.
    size : int, optional
        Side of the images in px, which counts for textures alone.
    acquisition : Acquisition
        What is known of the sample besides, of which the conditions count.

    Returns
    -------
    Prediction
        Without remarks; its input is the first array, its confidence that of the array least like the training data.
    """
    source, array = next(iter(arrays.items()))
    side = size if predictor.draws_any_size(target) else None
    posterior = predictor.encode_together(arrays, target, acquisition)
    images = predictor.decode(posterior, target, samples, seed, side)[0]
    known = [one for name in arrays if (one := predictor.confidence(arrays[name], name)) is not None]
    return Prediction(
        array,
        images,
        max(known, key=lambda one: one.distance, default=None),
        agreement(predictor, array, images, source, target),
    )


def posterior_of_file(predictor: Predictor, path: str, source: str) -> Posterior:
    """Posterior of one raw file, prepared as the model's training data were.

    Parameters
    ----------
    predictor : Predictor
        The model.
    path : str
        The file.
    source : str
        Its modality.

    Returns
    -------
    Posterior
        ``(1, C, g, g)``.
    """
    return predictor.encode(predictor.prepare(path, source), source)


def prepared_with(predictor: Predictor, name: str) -> Section:
    """The settings that a model's training data were prepared with.

    Parameters
    ----------
    predictor : Predictor
        The model.
    name : str
        The modality.

    Returns
    -------
    Section
        Of that modality.
    """
    return predictor.prepared_with(name)


def agreement(
    predictor: Predictor, given: np.ndarray, images: np.ndarray, source: str, target: str
) -> PhysicalCheck | None:
    """Whether what is predicted scatters like what is given.

    Parameters
    ----------
    predictor : Predictor
        The model.
    given : ndarray
        The prepared input, ``(channels, H, W)``.
    images : ndarray
        Predicted from it, ``(S, ...)``.
    source, target : str
        Their modalities.

    Returns
    -------
    PhysicalCheck or None
        None where neither is an image of the other's kind, or the model does not know its training data.
    """
    known = predictor.facts.scattering if predictor.facts is not None else None
    if known is None:
        return None
    if (source, target) == (known.pattern, known.image):
        return predictor.physical_check(images, given)
    if (source, target) == (known.image, known.pattern):
        return predictor.physical_check(given, images.mean(0))
    return None


def nm_per_px(predictor: Predictor, modality: str) -> float | None:
    """Pixel size of predicted micrographs: the one that they were prepared to, else the training data's.

    Parameters
    ----------
    predictor : Predictor
        The model.
    modality : str
        Of the images.

    Returns
    -------
    float or None
        nm; None where it is not known, and for other images.
    """
    if not MODALITIES[modality].cropped:
        return None
    prepared: float | None = getattr(predictor.prepared_with(modality), "nm_per_px", None)
    if prepared or predictor.facts is None:
        return prepared
    return predictor.facts.scale("nm_per_px", modality)


def measured(predictor: Predictor, images: np.ndarray, target: str) -> dict[str, np.ndarray]:
    """What predicted images show.

    Parameters
    ----------
    predictor : Predictor
        The model.
    images : ndarray
        ``(S, H, W)`` of micrographs, or ``(S, channels, H, W)`` in [0, 1].
    target : str
        Their modality.

    Returns
    -------
    dict of str to ndarray
        ``(S,)`` by name, with its unit; nan where an image has no such thing. Empty for curves.
    """
    if MODALITIES[target].cropped:
        return _of_morphologies(images, nm_per_px(predictor, target))
    known = predictor.facts.scattering if predictor.facts is not None else None
    if known is None or target != known.pattern:
        return {}
    rings = properties_of(levels(images, known.colormap), known.mask).ring
    q = predictor.facts.q_per_px if predictor.facts is not None else None
    return {"ring_px": rings} if q is None else {"ring_px": rings, "ring_q_inv_nm": rings * q}


def _of_morphologies(images: np.ndarray, nm: float | None) -> dict[str, np.ndarray]:
    shown = descriptors.describe(images)
    ranges: dict[str, np.ndarray] = {
        name: shown[name] for name in ("phase_fraction", "contrast") if name in shown
    }
    ranges |= {
        "domain_spacing_px": shown["spacing"],
        "orientation_deg": np.degrees(np.arctan2(shown["orientation_y"], shown["orientation_x"]) / 2),
        "orientation_order": np.hypot(shown["orientation_x"], shown["orientation_y"]),
        "correlation_length_px": correlation_length(two_point_correlation(images), shown.get("mean_level")),
    }
    return ranges if nm is None else ranges | {"spacing_nm": nm * shown["spacing"]}


def correlation_length(s2: np.ndarray, mean: np.ndarray | None = None) -> np.ndarray:
    """Where S(r) - f^2 has fallen to 1/e of f (1 - f); of grey levels with their mean f, of S(0) - f^2.

    Parameters
    ----------
    s2 : ndarray
        S(r) ``(N, bins)`` in steps of 1 px; f is its start, the phase fraction, where there is no ``mean``.
    mean : ndarray, optional
        Mean grey levels ``(N,)``.

    Returns
    -------
    ndarray
        ``(N,)`` px; nan for a uniform image, and where it does not fall that far.
    """
    fraction = s2[:, :1] if mean is None else mean[:, None]
    variance = s2[:, :1] - fraction**2 if mean is not None else fraction * (1 - fraction)
    left = (s2 - fraction**2) / np.where(variance > 0, variance, np.nan)
    lengths = np.full(len(s2), np.nan)
    for row, curve in enumerate(left):
        below = np.flatnonzero(curve < np.exp(-1))
        if len(below) and below[0]:
            after = below[0]
            lengths[row] = after - (np.exp(-1) - curve[after]) / (curve[after - 1] - curve[after])
    return lengths
