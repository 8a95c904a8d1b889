"""`pairvae prior`: train the pair that ships with the package on the broad world (docs/prior.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import pairvae
from pairvae import store
from pairvae.data.batches import stream
from pairvae.data.simulate import broad
from pairvae.data.simulate.broad_samples import (
    CHUNK,
    LEFT_OUT,
    PER_PAIR,
    BroadSamples,
    PackedCrops,
    StoredFeatures,
    broad_samples,
    turned,
    turned_images,
    unpacked,
)
from pairvae.errors import InputError
from pairvae.inference.out_of_distribution import familiar_arrays, familiar_crops
from pairvae.inference.predictor import Predictor
from pairvae.inference.summary_file import FILE as SUMMARY
from pairvae.inference.summary_file import packed
from pairvae.inference.training_summary import TrainingSummary
from pairvae.modalities import prepare_settings
from pairvae.models.build import build_trainable, build_vae, describe
from pairvae.models.levels import LevelDecoder
from pairvae.models.likelihoods import TextureMatch
from pairvae.models.pair import PairVAE
from pairvae.models.scattering import fraction_feature
from pairvae.models.vae import VAE, Encoder
from pairvae.numerics.ridge import ridge
from pairvae.progress import track
from pairvae.settings import Settings, resolve
from pairvae.settings.networks import ScatteringNetwork
from pairvae.store.model_folder import add_file, save_model
from pairvae.store.tensors import save_tensors
from pairvae.training.adversarial import AdversarialLoss
from pairvae.training.devices import Device, choose
from pairvae.training.early import EarlyStop
from pairvae.training.loop import Checkpointing, History, train
from pairvae.training.plans import PairPlan, SoloPlan

SHAPES = {"saxs": (3, 192, 192), "sem": (1, 192, 192)}
COMPONENTS = {"saxs": 16, "sem": 64}  # of patterns that are decoded, and of the statistics of crops
PATTERN_EPOCHS, PATTERN_BATCH, PATIENCE, HELD_OUT = 200, 128, 20, 0.1
PATTERNS = 600  # with the look of the built-in film, for the decoder of patterns
REMEMBERED = 128  # pairs that are kept, and by whose micrographs an image counts as unlike
COMPARED = 320  # pairs by whose patterns one counts as unlike
FITTED = 2000  # crops of which components are learned


def make_prior(out: Path, work: Path, *, pairs: int, epochs: int, seed: int) -> None:
    """Train both networks on ``pairs`` pairs of the broad world, and write the model folder ``out``.

    Parameters
    ----------
    out : Path
        A model folder: weights in half precision, card, losses.
    work : Path
        Folder of samples and checkpoints; a killed run resumes from it.
    pairs : int
        A multiple of 100.
    epochs : int
        Of the VAE of micrographs; the rest takes minutes.
    seed : int
        Of samples, weights and batches.
    """
    if pairs < 1 or pairs % CHUNK:
        raise InputError(expected=f"a multiple of {CHUNK} pairs", found=str(pairs), where="--pairs")
    settings = resolve({"preset": "fast", "seed": seed}, where="the preset fast")
    device = choose(settings.device)
    samples = broad_samples(work, pairs, seed, torch.get_num_threads())
    place = work / f"{store.digest([pairs, epochs, seed, COMPONENTS])[:12]}"
    sem, history, discriminator = _micrographs(samples, settings, epochs, device, place / "sem")
    saxs = _patterns(samples, sem, settings, device, place / "saxs")
    _fit_decoder(saxs, sem, seed)
    _write(
        out, settings, {"saxs": saxs, "sem": sem}, history, discriminator, {"pairs": pairs, "epochs": epochs}
    )


def _micrographs(
    samples: BroadSamples, settings: Settings, epochs: int, device: Device, folder: Path
) -> tuple[VAE, History, dict[str, Tensor]]:
    """The VAE of micrographs alone, on binary crops; its discriminator's weights are kept for trainings that go on."""
    chosen = settings.sem
    network = chosen.network.model_copy(update={"components": COMPONENTS["sem"]})
    vae, discriminator = build_trainable(
        network, settings.latent, SHAPES["sem"], settings.seed, chosen.training.adversarial.width
    )
    source = PackedCrops(samples.crops, vae.encoder, settings.seed)
    count = min(FITTED, len(source))
    some = np.array_split(np.arange(count), -(-count // 64))
    vae.encoder.fit(torch.cat([source.inputs(part) for part in some]))
    weights = chosen.training.texture.model_dump()
    size, _ = weights.pop("crop"), weights.pop("target")
    training = chosen.training.model_copy(update={"epochs": epochs, "log_every": 1, "input_noise": 0.1})
    assert discriminator is not None
    plan = SoloPlan(
        "sem",
        vae,
        source,
        TextureMatch(None, weights, size),
        training,
        settings.seed,
        device.torch_device,
        {"sem": AdversarialLoss(discriminator, training.adversarial.weight)},
    )
    plan.module.to(device.torch_device)
    history = train(plan, device, label="prior sem", checkpointing=Checkpointing(folder, 60.0))
    plan.module.cpu()
    return vae.eval(), history, {f"sem.{key}": value for key, value in discriminator.state_dict().items()}


def _patterns(samples: BroadSamples, sem: VAE, settings: Settings, device: Device, folder: Path) -> VAE:
    """The encoder of patterns, trained to give the mean and the spread of the latents of the crops."""
    network = ScatteringNetwork(architecture="scattering", components=COMPONENTS["saxs"], width=256)
    saxs = build_vae(network, settings.latent, SHAPES["saxs"], settings.seed)
    curves = torch.stack([turned(torch.from_numpy(samples.curves), turn) for turn in range(PER_PAIR)], 1)
    curves = torch.cat([curves, fraction_feature(torch.from_numpy(_fractions(samples.crops)))], dim=2)
    crops = _crop_features(samples, sem)
    order = stream(settings.seed, 11).permutation(len(crops))
    held = int(len(order) * HELD_OUT)
    training = settings.pair.training.model_copy(
        update={
            "random_epochs": PATTERN_EPOCHS,
            "log_every": 1,
            "batch": PATTERN_BATCH,
            "learning_rate": 1e-3,
            "input_noise": 0.05,
            "kl_weight": 0.0,
            "match_weight": 1.0,
            "weights": dict.fromkeys(settings.pair.training.weights, 0.0),
        }
    )
    pair = PairVAE({"saxs": saxs, "sem": sem})
    for parameter in sem.parameters():
        parameter.requires_grad_(False)

    def plan(rows: np.ndarray) -> PairPlan:
        sources = {
            name: StoredFeatures(stored[torch.from_numpy(rows)], settings.seed)
            for name, stored in (("saxs", curves), ("sem", crops))
        }
        return PairPlan(pair, sources, {}, training, settings.seed, device.torch_device, uncropped=("saxs",))

    train(
        plan(order[held:]),
        device,
        label="prior saxs",
        checkpointing=Checkpointing(folder, 60.0),
        early_stop=EarlyStop(plan(order[:held]), PATIENCE),
    )
    saxs.eval()
    rows = torch.from_numpy(order[:held] if held else order)
    saxs.encoder.scale_tril = _scale_tril(saxs.encoder, sem.encoder, curves[rows], crops[rows])
    return saxs


@torch.no_grad()
def _scale_tril(patterns: Encoder, micrographs: Encoder, curves: Tensor, crops: Tensor) -> Tensor:
    """``(C, C)``: how the latents of crops scatter around the mean that their pattern gives, of pairs not trained on.

    Channels that err together are drawn together: independent draws would be like no structure.
    """
    mean, std = patterns.statistics(curves.flatten(0, 1)).flatten(1).chunk(2, dim=1)
    crop_mean, crop_std = micrographs.statistics(crops.flatten(0, 1)).flatten(1).chunk(2, dim=1)
    residual = ((crop_mean - mean) / std.sqrt()).double()
    within = (crop_std.square() / std).double().mean(0)
    factor: Tensor = torch.linalg.cholesky(residual.T @ residual / len(residual) + torch.diag(within))
    return factor.float()


def _fractions(crops: np.ndarray) -> np.ndarray:
    """Phase fractions ``(N, 4, 1)`` of packed crops."""
    parts = np.array_split(crops, -(-len(crops) // 100))
    means = [unpacked(part).mean((2, 3), np.float64) for part in parts]
    return np.concatenate(means)[..., None].astype(np.float32)


@torch.no_grad()
def _crop_features(samples: BroadSamples, sem: VAE) -> Tensor:
    """Features ``(N, 4, K)`` of the crops, the k-th of each pair turned as the k-th curves of its pattern."""
    stored = []
    parts = np.array_split(samples.crops, -(-len(samples.crops) // 16))
    for part in track(parts, len(parts), "crops"):
        images = unpacked(part)
        each = [turned_images(images[:, turn], turn).astype(np.float32) for turn in range(PER_PAIR)]
        features = [sem.encoder.features(torch.from_numpy(one)[:, None]) for one in each]
        stored.append(torch.stack(features, 1))
    return torch.cat(stored)


@torch.no_grad()
def _fit_decoder(saxs: VAE, sem: VAE, seed: int) -> None:
    """Components of patterns with one look, and their scores by a ridge regression on the latents of crops."""
    assert isinstance(saxs.decoder, LevelDecoder)
    decoder, patterns, latents = saxs.decoder, [], []
    for index in track(range(PATTERNS), PATTERNS, "patterns"):
        pair = broad.broad_pair(index, seed, LEFT_OUT, standard=True)
        rgb = broad.coloured(pair).transpose(2, 0, 1)
        patterns.append(torch.from_numpy(rgb.astype(np.float32) / 255))
        crops = np.stack([pair.phase[:192, :192], pair.phase[-192:, -192:]]).astype(np.float32)
        latents.append(sem.posterior(torch.from_numpy(crops)[:, None]).mean.mean(0).flatten())
    decoder.fit(torch.stack(patterns))
    scores = decoder.project(torch.stack(patterns)) / decoder.spread
    fitted = ridge(torch.stack(latents).double().numpy(), scores.double().numpy())
    weight, bias = fitted.affine()
    decoder.shortcut.weight.copy_(torch.from_numpy(weight))
    decoder.output.weight.zero_()
    decoder.output.bias.copy_(torch.from_numpy(bias))


def _write(
    out: Path,
    settings: Settings,
    vaes: dict[str, VAE],
    history: History,
    discriminators: dict[str, Tensor],
    made: dict[str, Any],
) -> None:
    """The model folder, weights in half precision."""
    networks = {
        "saxs": ScatteringNetwork(architecture="scattering", components=COMPONENTS["saxs"], width=256),
        "sem": settings.sem.network.model_copy(update={"components": COMPONENTS["sem"]}),
    }
    described = {
        name: describe(networks[name], settings.latent, SHAPES[name])
        | {"prepare": prepare_settings(settings, name).model_dump(mode="json"), "binary": name == "sem"}
        for name in vaes
    }
    weights = {
        f"{name}.{key}": value.half() if value.is_floating_point() else value
        for name, vae in vaes.items()
        for key, value in vae.state_dict().items()
    }
    card: dict[str, Any] = {
        "pairvae": pairvae.__version__,
        "stage": "prior",
        "modalities": described,
        "params": {"seed": settings.seed, **made, "left_out": sorted(LEFT_OUT)},
        "data_digest": store.digest(["broad", settings.seed, made]),
        "train_ids": [],
        "estimator": settings.assess.estimator,
        "run_id": None,
        "device": "cpu",
        "seconds": 0.0,
    }
    save_model(
        out,
        weights,
        card,
        history,
        discriminators={key: value.half() for key, value in discriminators.items()},
    )
    tensors, facts = packed(_summary(Predictor(vaes, card), settings.seed))
    save_tensors(out / SUMMARY, tensors, facts)
    add_file(out, SUMMARY)


def _summary(predictor: Predictor, seed: int) -> TrainingSummary:
    """What pairs of the broad world are like, for the distance of an input from them.

    Every second pattern is grey, as detector counts are.
    """
    crops, patterns, kinds = [], [], []
    for index in track(range(COMPARED), COMPARED, "summary"):
        pair = broad.broad_pair(index, seed, LEFT_OUT)
        phase = pair.phase.astype(np.uint8)
        crops.append(np.stack([phase[:192, :192], phase[-192:, -192:]]))
        coloured = broad.coloured(pair).transpose(2, 0, 1).astype(np.float32) / 255
        patterns.append(np.repeat(pair.levels[None], 3, axis=0) if index % 2 else coloured)
        kinds.append(pair.truth.kind)
    whole = np.stack(patterns)
    familiar = {
        "saxs": familiar_arrays(whole, encoder=predictor.vaes["saxs"].encoder),
        "sem": familiar_crops(crops[:REMEMBERED]),
    }
    whole, crops, kinds = whole[:REMEMBERED], crops[:REMEMBERED], kinds[:REMEMBERED]
    latents = {
        "saxs": predictor.posterior(whole, "saxs").mean.numpy(),
        "sem": np.concatenate([predictor.pooled_of_crops(some, "sem").mean.numpy() for some in crops]),
    }
    return TrainingSummary(
        {name: score for name, score in familiar.items() if score is not None},
        latents,
        tuple(f"broad-{index:05d}" for index in range(REMEMBERED)),
        tuple(kinds),
        micrographs=np.stack([some[0] for some in crops]),
    )
