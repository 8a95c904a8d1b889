"""Plans that train in milliseconds, made anew at each call as by another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.data.batches import CropSchedule
from pairvae.data.sources import CroppedImages, WholeArrays
from pairvae.models.build import build_trainable, build_vae
from pairvae.models.likelihoods import PIXEL_LIKELIHOODS, TextureMatch
from pairvae.models.pair import PairVAE
from pairvae.models.paper.architecture import PaperDecoder
from pairvae.models.vae import VAE
from pairvae.settings import CompactNetwork, LatentSettings, Optimisation, TextureNetwork, resolve
from pairvae.training.adversarial import AdversarialLoss
from pairvae.training.devices import Device
from pairvae.training.loop import Checkpointing
from pairvae.training.optimisers import adam
from pairvae.training.plans import Batch, LossTerms, PairPlan, SoloPlan
from pairvae.training.shared_samples import Partners, partners_of

CPU = torch.device("cpu")
DEVICE = Device(CPU, False)
NOWHERE = Checkpointing(None, 0.0)
LATENT = LatentSettings(channels=4, grid=1)
COMPACT = CompactNetwork(architecture="compact", components=4, width=16, pool=1)
TEXTURE = TextureNetwork(
    architecture="texture", components=4, width=8, noise_channels=4, block_widths=(4, 4, 4)
)
COUNT = 12


def schedule_of(**changes: object) -> Optimisation:
    return resolve({}).saxs.training.model_copy(update=changes)


def solo_plan(**changes: object) -> SoloPlan:
    """A plan over patterns with two degrees of freedom."""
    generator = np.random.default_rng(0)
    patterns = generator.random((COUNT, 2)) @ generator.random((2, 3 * 64))
    arrays = (patterns / patterns.max()).astype(np.float32).reshape(COUNT, 3, 8, 8)
    vae = build_vae(COMPACT, LATENT, (3, 8, 8), seed=1)
    source = WholeArrays(arrays, vae.encoder)
    vae.encoder.fit(source.examples(0))
    vae.decoder.fit(source.examples(0))
    values = {"epochs": 12, "batch": 4, "log_every": 2, "learning_rate": 0.01} | changes
    settings = resolve({}).saxs.training.model_copy(update=values)
    return SoloPlan("saxs", vae, source, PIXEL_LIKELIHOODS["mse"], settings, 3, CPU)


def pair_plan(**changes: object) -> PairPlan:
    """Both kinds of network, random and focused epochs, noise in features, latents and decoder."""
    generator = np.random.default_rng(0)
    arrays = generator.random((COUNT, 3, 8, 8), dtype=np.float32)
    images = [generator.integers(0, 2, (40, 44), dtype=np.uint8) for _ in range(COUNT)]
    vaes = {
        "saxs": build_vae(COMPACT, LATENT, (3, 8, 8), seed=1),
        "sem": build_vae(TEXTURE, LATENT, (1, 32, 32), seed=2),
    }
    sources: dict[str, WholeArrays | CroppedImages] = {
        "saxs": WholeArrays(arrays, vaes["saxs"].encoder),
        "sem": CroppedImages(images, vaes["sem"].encoder, CropSchedule(32, 2, False, 3)),
    }
    for name, vae in vaes.items():
        examples = sources[name].examples(0)
        vae.encoder.fit(examples)
        vae.decoder.fit(examples)
    likelihoods = {"saxs": PIXEL_LIKELIHOODS["mse"], "sem": PIXEL_LIKELIHOODS["bernoulli"]}
    values = {"random_epochs": 2, "focused_epochs": 3, "batch": 5, "log_every": 1} | changes
    settings = resolve({}).pair.training.model_copy(update=values)
    return PairPlan(PairVAE(vaes), sources, likelihoods, settings, 3, CPU)


def first_are_pairs(count: int, of: int = 10) -> Partners:
    """The first ``count`` samples of two sources are pairs, the others of each have no partner."""
    return partners_of(
        {name: [True] * count for name in ("saxs", "sem")}, {"saxs": of - count, "sem": of - count}
    )


def adversarial_plan(**changes: object) -> SoloPlan:
    """A plan whose decoder draws textures and is trained against a discriminator."""
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 2, (40, 44), dtype=np.uint8) for _ in range(COUNT)]
    vae, discriminator = build_trainable(TEXTURE, LATENT, (1, 32, 32), seed=2, discriminator_width=4)
    assert discriminator is not None
    source = CroppedImages(images, vae.encoder, CropSchedule(32, 2, False, 3))
    vae.encoder.fit(source.examples(0))
    values = {"epochs": 3, "batch": 5, "log_every": 1} | changes
    settings = resolve({}).sem.training.model_copy(update=values)
    likelihood = TextureMatch(None, {"autocovariance": 30.0, "phase_fraction": 3.0}, 32)
    adversarial = {"sem": AdversarialLoss(discriminator, 0.3)}
    return SoloPlan("sem", vae, source, likelihood, settings, 3, CPU, adversarial)


def norm_plan(**changes: object) -> SoloPlan:
    """A plan whose decoder, the published one in small, has batch norms."""
    generator = np.random.default_rng(0)
    arrays = generator.integers(0, 2, (COUNT, 1, 32, 32)).astype(np.float32)
    vae = build_vae(COMPACT, LATENT, (1, 32, 32), seed=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        vae.decoder = PaperDecoder(1, latent_channels=4, filters=3, kernel=3, binary=True)
    source = WholeArrays(arrays, vae.encoder)
    vae.encoder.fit(source.examples(0))
    values = {"epochs": 6, "batch": 5, "log_every": 2, "learning_rate": 0.01} | changes
    settings = resolve({}).sem.training.model_copy(update=values)
    return SoloPlan("sem", vae, source, PIXEL_LIKELIHOODS["bernoulli"], settings, 3, CPU)


def assert_same(first: nn.Module, second: nn.Module) -> None:
    a, b = first.state_dict(), second.state_dict()
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


class KilledError(Exception):
    """Stands for a process that ends in the middle of a training."""


@dataclass
class OneWeight:
    """A plan whose loss is a formula of one weight."""

    weight: nn.Module
    formula: Callable[[Tensor], Tensor]
    settings: Optimisation
    epochs: int = 2
    seed: int = 0
    vaes: dict[str, VAE] = field(default_factory=dict)

    @property
    def module(self) -> nn.Module:
        return self.weight

    @property
    def logged_epochs(self) -> Sequence[int]:
        return range(1, self.epochs + 1)

    @property
    def gradient_clip(self) -> float:
        return self.settings.gradient_clip

    def make_optimiser(self) -> torch.optim.Optimizer:
        return adam(self.weight, self.settings)

    def learning_rate(self, step: int) -> float:
        return self.settings.learning_rate

    def steps(self) -> int:
        return 1

    def batches(self, round_number: int) -> Iterator[Batch]:
        yield Batch(torch.zeros(1), {}, {})

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        part = self.formula(next(self.weight.parameters())).sum()
        return LossTerms(part, {"formula": part, "other": torch.zeros(())})


def one_weight(formula: Callable[[Tensor], Tensor], start: float = 0.0, **changes: object) -> OneWeight:
    weight = nn.Linear(1, 1, bias=False)
    nn.init.constant_(weight.weight, start)
    values = {"learning_rate": 1.0, "schedule": "constant", "warmup": 0.0, "gradient_clip": 0.0} | changes
    return OneWeight(weight, formula, schedule_of(**values))
