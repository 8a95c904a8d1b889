"""Baselines that have to be fitted on the training pairs: their predictions for every pair, for `assess` to score.

| name | direction | what it is |
| --- | --- | --- |
| `fft`, `fft_whole` | image to pattern | power spectrum of a crop, or of the whole image, in the detector's look |
| `ridge`, `ridge_whole` | image to pattern | ridge regression on the autocovariance map of a crop, or the whole image |
| `dual_vae` | both | the solo VAEs, and a ridge regression between their latents (Yaman et al.) |
| `unet` | both | a U-Net trained directly on paired crops |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pairvae import store
from pairvae.data.batches import CropSchedule
from pairvae.evaluation.baselines import fft as fft_baseline
from pairvae.evaluation.baselines.dual_vae import by_view, mapped_latents
from pairvae.evaluation.baselines.retrieval import at_own_fraction
from pairvae.evaluation.scores.evaluate import Errors, Reference
from pairvae.evaluation.scores.reconstruct import EvaluationSet, decode, reconstruct
from pairvae.inference.card import load_vaes
from pairvae.modalities import MODALITIES
from pairvae.models.unet import UNet, fits
from pairvae.models.vae import CHUNK, VAE
from pairvae.numerics import texture_statistics as texture
from pairvae.numerics.images import micrographs
from pairvae.numerics.ridge import ridge
from pairvae.stages.project import Project
from pairvae.stages.training_inputs import Sampled, arrays_of, shape_of, source_of
from pairvae.store.code import code_digest
from pairvae.store.prepared import Prepared
from pairvae.training.devices import choose
from pairvae.training.loop import Checkpointing, train
from pairvae.training.supervised import SupervisedPlan

Images = dict[str, np.ndarray]


@dataclass(frozen=True)
class Alone:
    """The solo stages' VAEs and what they make of the samples, by modality: their own images, posterior means."""

    vaes: dict[str, VAE]
    images: Images
    latents: Images


def trained_alone(project: Project, what: EvaluationSet) -> Alone:
    """Load the VAEs of the solo stages and let each reconstruct its own modality; conditions are unknown to them."""
    vaes = {name: load_vaes(project.solo(name))[0][name] for name in what.names}
    images: Images = {}
    latents: Images = {}
    for name, vae in vaes.items():
        found = reconstruct({name: vae}, replace(what, shift=None))
        images |= found.images
        latents |= found.latents
    return Alone(vaes, images, latents)


class Unencoded:
    """Stands where training samples want an encoder: a regression looks at the arrays themselves."""

    def features(self, inputs: Tensor) -> Tensor:
        """The inputs."""
        return inputs


def fitted_errors(
    project: Project, prepared: Prepared, reference: Reference, alone: Alone
) -> tuple[dict[str, dict[str, Errors]], dict[str, Errors]]:
    """Errors of every fitted baseline that the settings ask for, by name and direction, and the properties
    ``(N, K, ...)`` of the micrographs that it gives, by name."""
    found: dict[str, dict[str, Errors]] = {}
    properties: dict[str, Errors] = {}
    for name, predicted in trained_predictions(project, prepared, reference.data, alone):
        found[name] = {}
        for direction, images in predicted.items():
            target = direction.partition("_")[2]
            if reference.data.cropped(target):
                properties[name] = reference.properties_of(images)
                found[name][direction] = reference.against(properties[name])
            else:
                found[name][direction] = reference.errors(target, images)
    return found, properties


def trained_predictions(
    project: Project, prepared: Prepared, what: EvaluationSet, alone: Alone
) -> Iterator[tuple[str, Images]]:
    """Name and predictions by direction of one baseline after the other: together they may not fit in memory.

    Patterns ``(N, [K,] channels, H, W)`` in [0, 1], crops ``(N, K, h, w)``. Only training pairs are
    fitted to. A baseline that makes no sense for the modalities (the spectrum of a curve) is left out.
    """
    wanted, (first, second) = project.settings.baselines, what.names
    if what.cropped(second):
        if wanted.fft and min(what.patterns.shape[-2:]) > 1:
            yield from _named("fft", f"{second}_{first}", _spectra(prepared, what))
        if wanted.ridge:
            yield from _named("ridge", f"{second}_{first}", _autocovariances(prepared, what))
    if wanted.dual_vae:
        yield "dual_vae", _dual(alone, what)
    shapes = [shape_of(project.settings, name) for name in what.names]
    if wanted.unet.epochs and all(fits(shape, len(wanted.unet.widths)) for shape in shapes):
        yield "unet", _unets(project, prepared, what)


def _named(name: str, direction: str, predicted: Iterator[np.ndarray]) -> Iterator[tuple[str, Images]]:
    """First the predictions from crops, then those from whole images."""
    for label, images in zip((name, f"{name}_whole"), predicted, strict=True):
        yield label, {direction: images}


def _spectra(prepared: Prepared, what: EvaluationSet) -> Iterator[np.ndarray]:
    """Patterns by the power spectrum: ``(N, K, channels, H, W)`` of crops, ``(N, channels, H, W)`` of images."""
    members, images = np.asarray(what.train), prepared.images(what.names[1])
    training = what.patterns[members]
    known = [
        fft_baseline.px_per_frequency(pair.nm_per_px(what.names[1]), pair.saxs_q_per_px_inv_nm)
        for pair in prepared.pairs
    ]
    scales = [scale for scale in known if scale is not None]
    if len(scales) < len(known):
        scales = [fft_baseline.fitted_scale([images[index] for index in members], training)] * len(known)

    def fitted(of: Sequence[np.ndarray]) -> fft_baseline.Look:
        return fft_baseline.best_look([of[i] for i in members], [scales[i] for i in members], training)

    look = fitted(list(what.crops[:, 0]))
    crops = what.crops.swapaxes(0, 1)
    yield np.stack([fft_baseline.predict(look, one, scales) for one in map(list, crops)], axis=1)
    yield fft_baseline.predict(fitted(images), images, scales)


def _autocovariances(prepared: Prepared, what: EvaluationSet) -> Iterator[np.ndarray]:
    """Patterns by ridge regression on autocovariance maps; shapes as of :func:`_spectra`."""
    members, (n, k) = np.asarray(what.train), what.crops.shape[:2]
    patterns = what.patterns.reshape(n, -1)
    crops = torch.cat([_maps(part) for part in torch.split(what.crop_tensor(), CHUNK)]).numpy()
    by_sample = crops.reshape(n, k, -1)
    fitted = ridge(
        by_sample[members].reshape(-1, crops.shape[1]),
        patterns[members],
        np.repeat(np.arange(len(members)), k),
    )
    yield np.clip(fitted(crops), 0, 1).reshape(n, k, *what.patterns.shape[1:])
    images = prepared.images(what.names[1])
    whole = torch.cat([_maps(torch.from_numpy(np.array(image, np.float32))[None, None]) for image in images])
    fitted = ridge(whole.numpy()[members], patterns[members])
    yield np.clip(fitted(whole.numpy()), 0, 1).reshape(what.patterns.shape)


def _maps(images: Tensor) -> Tensor:
    """Autocovariance maps ``(B, D)`` of images ``(B, 1, H, W)``."""
    return texture.autocovariance(images, periodic=False).flatten(1)


def _dual(alone: Alone, what: EvaluationSet) -> Images:
    """Both directions through the solo VAEs; patterns from each crop, an image for each crop."""
    vaes, shapes = alone.vaes, {name: means.shape[1:] for name, means in alone.latents.items()}
    views = by_view(alone.latents, len(what.patterns))
    images: Images = {}
    for source, target in (what.names, what.names[::-1]):
        found = mapped_latents(views[source], views[target], what.train)
        if what.cropped(target):
            found = np.repeat(found, what.crops.shape[1], axis=1)
        flat = torch.from_numpy(found.reshape(-1, *shapes[target]))
        decoded = decode(vaes[target], flat, what.seed)
        decoded = micrographs(decoded, grey=what.grey) if what.cropped(target) else decoded
        several = found.shape[1] > 1 or what.cropped(source)
        leading = found.shape[:2] if several else found.shape[:1]
        images[f"{source}_{target}"] = decoded.reshape(*leading, *decoded.shape[1:])
    return images


def _unets(project: Project, prepared: Prepared, what: EvaluationSet) -> Images:
    images: Images = {}
    for source, target in (what.names, what.names[::-1]):
        found = _translated(_trained_unet(project, prepared, source, target), what, source, target)
        images[f"{source}_{target}"] = found
    return images


def _trained_unet(project: Project, prepared: Prepared, source: str, target: str) -> UNet:
    """The U-Net of one direction, from its finished checkpoint where equal settings trained one before."""
    settings, device = project.settings, choose(project.settings.device)
    shapes = {name: shape_of(settings, name) for name in (source, target)}
    members = np.array(project.split(prepared).train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = UNet(shapes[source], shapes[target], settings.baselines.unet.widths)
    samples = {name: _samples(project, prepared, members, name) for name in (source, target)}
    examples = samples[target].examples(settings.seed)
    network.fit(examples.mean() if _cropped(target) else examples.mean(0))
    plan = SupervisedPlan(
        network.to(device.torch_device),
        samples,
        source,
        target,
        shapes[target][0] == 1 and _cropped(target),
        settings.baselines.unet,
        settings.seed,
        device.torch_device,
    )
    checkpointing = Checkpointing(
        _folder(project, prepared, f"{source}_{target}"), settings.device.checkpoint_seconds
    )
    train(plan, device, label=f"u-net {source} to {target}", checkpointing=checkpointing)
    return network


def _cropped(name: str) -> bool:
    return MODALITIES[name].cropped


def _folder(project: Project, prepared: Prepared, direction: str) -> Path:
    """Where a U-Net is kept, named by everything that it depends on."""
    settings = project.settings
    relevant = {
        "unet": settings.baselines.unet.model_dump(mode="json"),
        "split": project.resolved_split(prepared).model_dump(),
        "seed": settings.seed,
        "precision": settings.device.precision,
        "direction": direction,
        "data": prepared.digest,
        "code": code_digest("stages.baselines"),
    }
    return project.root / ".pairvae" / "baselines" / store.digest(relevant)


def _samples(project: Project, prepared: Prepared, members: np.ndarray, name: str) -> Sampled:
    size, settings = shape_of(project.settings, name)[1], project.settings
    schedule = CropSchedule(size, len(settings.baselines.unet.logged_epochs), False, settings.seed)
    return source_of(arrays_of(prepared, members, name), name, Unencoded(), schedule)


@torch.no_grad()
def _translated(network: UNet, what: EvaluationSet, source: str, target: str) -> np.ndarray:
    """Predictions in the shapes of :func:`trained_predictions`; the same image for every crop of a sample."""
    where = next(network.parameters()).device
    parts = torch.split(what.inputs(source), CHUNK)
    found = torch.cat([torch.sigmoid(network(part.to(where)).float()).cpu() for part in parts]).numpy()
    n, k = what.crops.shape[:2]
    if what.cropped(target):
        images = micrographs(found, grey=True) if what.grey else at_own_fraction(found)
        return np.repeat(images[:, None], k, axis=1)
    return found.reshape(n, k, *found.shape[1:]) if what.cropped(source) else found
