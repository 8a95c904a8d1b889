"""What a training is fed: which pairs, which crops of them, and the likelihood with what it knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairvae import store
from pairvae.data.batches import CropSchedule
from pairvae.data.sources import CroppedImages, Featuriser, WholeArrays
from pairvae.data.split import Split, hold_out
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.models.build import build_trainable, describe
from pairvae.models.discriminator import PatchDiscriminator
from pairvae.models.levels import ComponentMatch
from pairvae.models.likelihoods import PIXEL_LIKELIHOODS, Likelihood, TextureMatch
from pairvae.models.vae import VAE
from pairvae.numerics import texture_statistics as texture
from pairvae.progress import track
from pairvae.settings import (
    EarlyStopSettings,
    SemTraining,
    Settings,
)
from pairvae.stages.project import Project
from pairvae.store.code import code_digest
from pairvae.store.prepared import Prepared
from pairvae.store.tensors import load_tensors, save_tensors
from pairvae.training.adversarial import AdversarialLoss
from pairvae.training.plans import Source
from pairvae.training.shared_samples import Partners, partners_of

Sampled = WholeArrays | CroppedImages


def shape_of(settings: Settings, name: str) -> tuple[int, int, int]:
    """What the networks of one modality see: (channels, H, W)."""
    return MODALITIES[name].prepared_shape(prepare_settings(settings, name))


def untrained(settings: Settings, name: str) -> VAE:
    """The VAE of one modality with seeded initial weights."""
    return untrained_with_discriminator(settings, name)[0]


def untrained_with_discriminator(settings: Settings, name: str) -> tuple[VAE, PatchDiscriminator | None]:
    """The VAE of one modality, and the discriminator of its textures where the settings ask for one."""
    names, own = settings.modalities, settings.modality(name)
    seed = settings.seed * len(names) + names.index(name)
    width = own.training.adversarial.width if isinstance(own.training, SemTraining) else 0
    return build_trainable(own.network, settings.latent, shape_of(settings, name), seed, width)


def adversarial_losses(
    settings: Settings, discriminators: Mapping[str, PatchDiscriminator | None]
) -> dict[str, AdversarialLoss]:
    """The adversarial losses that the settings ask for, by the modality that is decoded."""
    losses = {}
    for name, discriminator in discriminators.items():
        training = settings.modality(name).training
        if discriminator is None or not isinstance(training, SemTraining):
            continue
        if training.likelihood == "texture" and training.adversarial.weight > 0:
            two_phases = MODALITIES[name].two_phases(prepare_settings(settings, name))
            losses[name] = AdversarialLoss(discriminator, training.adversarial.weight, two_phases)
    return losses


def training_rows(project: Project, prepared: Prepared, early_stop: EarlyStopSettings) -> Split:
    """The pairs that train and, where the training may end early, those held out of them as ``validation``.

    The report's validation pairs are never among either.
    """
    rows = project.split(prepared).train
    if early_stop.patience == 0:
        return Split(rows, ())
    return hold_out(prepared.pairs, rows, early_stop.held_out, project.settings.split.seed)


def schedule(settings: Settings, name: str, training: str) -> CropSchedule:
    """Which crops a training draws; ``held-out``: those that judge it, always the same."""
    size = shape_of(settings, name)[1]
    if training == "pair":
        pair = settings.pair.training
        return CropSchedule(size, pair.random_rounds, pair.shared_position, settings.seed)
    rounds = 1 if training == "held-out" else len(settings.modality(name).training.logged_epochs)
    return CropSchedule(size, rounds, False, settings.seed)


def lone_samples(settings: Settings, prepared: Prepared, name: str) -> Prepared | None:
    """Samples of one modality without a partner, where there are any and they train."""
    return prepared.unpaired(name) if settings.modality(name).training.unpaired else None


def lone_counts(settings: Settings, prepared: Prepared) -> dict[str, int]:
    """How many samples without a partner train, by modality."""
    counts = prepared.unpaired_counts
    return {name: count for name, count in counts.items() if settings.modality(name).training.unpaired}


def inputs_of(
    project: Project,
    prepared: Prepared,
    name: str,
    encoder: Featuriser,
    rows: Sequence[int],
    training: str,
    device: torch.device,
) -> tuple[Sampled, Likelihood]:
    """Samples of one modality, and the likelihood that knows their statistics.

    Parameters
    ----------
    project : Project
        Its settings say how.
    prepared : Prepared
        Arrays of all pairs, and of the samples without a partner.
    name : str
        The modality.
    encoder : Featuriser
        Gives the frozen features.
    rows : sequence of int
        The pairs; those that were measured by this modality are taken.
    training : str
        ``solo`` or ``pair``; ``held-out``: the pairs judge one, without samples that have no partner.
    device : torch.device
        Where the likelihood's statistics lie.
    """
    settings, rows = project.settings, prepared.rows_with([name], rows)
    lone = None if training == "held-out" else lone_samples(settings, prepared, name)
    arrays = arrays_of(prepared, rows, name, lone)
    samples = source_of(arrays, name, encoder, schedule(settings, name, training))
    kept = statistics_folder(project)
    return samples, likelihood(settings, name, prepared, np.array(rows), device, kept, lone)


def arrays_of(
    prepared: Prepared, rows: Iterable[int], name: str, lone: Prepared | None = None
) -> list[np.ndarray]:
    """The prepared arrays of the pairs ``rows``, memory-mapped, and after them those of all ``lone`` samples."""
    if MODALITIES[name].cropped:
        images = prepared.images(name)
        return [images[row] for row in rows] + ([] if lone is None else lone.images(name))
    whole = prepared.whole(name)
    return [whole[row] for row in rows] + ([] if lone is None else list(lone.whole(name)))


def partners_in(prepared: Prepared, sources: Mapping[str, Sized], rows: Sequence[int]) -> Partners:
    """Which samples of the ``sources`` belong together: those of ``rows``; samples after them have no partner."""
    measured = {name: set(prepared.rows_with([name], rows)) for name in sources}
    lone = {name: len(source) - len(measured[name]) for name, source in sources.items()}
    return partners_of({name: [row in known for row in rows] for name, known in measured.items()}, lone)


def source_of(arrays: list[np.ndarray], name: str, encoder: Featuriser, schedule: CropSchedule) -> Sampled:
    """Training samples of one modality."""
    if MODALITIES[name].cropped:
        return CroppedImages(arrays, encoder, schedule)
    return WholeArrays(arrays, encoder)


def without_crops(names: Sequence[str]) -> tuple[str, ...]:
    """The modalities with one array a sample, where another one has many crops (see ``PairPlan``)."""
    whole = tuple(name for name in names if not MODALITIES[name].cropped)
    return whole if len(whole) < len(names) else ()


def fit_closed_form(vae: VAE, samples: Source, seed: int) -> Tensor:
    """Set the parts that are learned in closed form from training samples (principal components); returns these."""
    assert isinstance(samples, WholeArrays | CroppedImages)
    examples = samples.examples(seed)
    vae.encoder.fit(examples)
    vae.decoder.fit(examples)
    return examples


def likelihood(
    settings: Settings,
    name: str,
    prepared: Prepared,
    members: np.ndarray,
    device: torch.device,
    kept: Path | None = None,
    lone: Prepared | None = None,
) -> Likelihood:
    """The likelihood that the settings name, with what it needs to know of the training samples.

    These are the pairs ``members`` and after them the ``lone`` samples. ``kept``: a folder where the texture
    statistics of whole images are kept for the next training on them.
    """
    training = settings.modality(name).training
    if training.likelihood == "components":
        return ComponentMatch()
    if not isinstance(training, SemTraining) or training.likelihood != "texture":
        return PIXEL_LIKELIHOODS[training.likelihood]
    weights = training.texture.model_dump()
    size, target = weights.pop("crop"), weights.pop("target")
    if target == "crop":
        return TextureMatch(None, weights, size)
    used = tuple(key for key, weight in weights.items() if weight > 0)
    tables = [statistics_of(prepared, name, members, used, kept)]
    if lone is not None:
        tables.append(statistics_of(lone, name, np.arange(len(lone.pairs)), used, kept))
    targets = {key: torch.cat([table[key] for table in tables]).to(device) for key in used}
    return TextureMatch(targets, weights, size)


def statistics_of(
    prepared: Prepared, name: str, members: np.ndarray, used: Sequence[str], kept: Path | None
) -> dict[str, Tensor]:
    """Texture statistics ``(N, D)`` of whole images by name, one image in memory at a time; kept in a file."""
    key = store.digest(
        [prepared.digest, name, members.tolist(), list(used), code_digest("stages.training_inputs")]
    )
    file = None if kept is None else kept / f"{key}.safetensors"
    if file is not None and file.is_file():
        return load_tensors(file)[0]
    images, tables = prepared.images(name), dict[str, Tensor]()
    for row, index in enumerate(track(members, len(members), f"texture statistics {name}")):
        for key, values in image_statistics(images[index], tuple(used)).items():
            table = tables.setdefault(key, values.new_empty((len(members), values.shape[1])))
            table[row] = values[0]
    if file is not None:
        save_tensors(file, tables, {})
    return tables


@torch.no_grad()
def image_statistics(image: np.ndarray, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Texture statistics of one whole image ``(H, W)``, each ``(1, D)``."""
    return texture.statistics(torch.from_numpy(np.array(image, np.float32))[None, None], names=names)


def card_description(settings: Settings, name: str, prepared: Prepared | None = None) -> dict[str, Any]:
    """What the card of a trained modality says of its network, latent space, shape and preprocessing.

    Of masks and geometries it holds the content that ``prepared`` knows, so that a model predicts anywhere.
    """
    described = describe(settings.modality(name).network, settings.latent, shape_of(settings, name))
    kept = {} if prepared is None else prepared.card.get("with_files", {})
    section = prepare_settings(settings, name)
    prepare = kept.get(name) or section.model_dump(mode="json")
    return described | {"prepare": prepare, "binary": MODALITIES[name].two_phases(section)}


def statistics_folder(project: Project) -> Path:
    """Where texture statistics of whole images are kept."""
    return project.root / ".pairvae" / "statistics"


def measured_descriptions(project: Project, prepared: Prepared, names: Iterable[str]) -> dict[str, Any]:
    """What the card says of each modality, with what was measured on the training files, where predictions are
    written in its units, and with how many samples without a partner train, where there are any.
    """
    settings, train = project.settings, project.split(prepared).train
    done, lone = prepared.card.get("done", {}), lone_counts(settings, prepared)
    found: dict[str, Any] = {}
    for name in names:
        described, summary = card_description(settings, name, prepared), MODALITIES[name].summary
        if name in lone:
            described |= {"unpaired": lone[name]}
        if name in done and summary is not None:
            rows = prepared.rows_with([name], train)
            described |= {"measured": summary([done[name][row] for row in rows])}
        found[name] = described
    return found
