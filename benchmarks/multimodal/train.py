"""Train MultiVae's JMVAE or MoPoE on exported pairs and write its predictions. Does not import pairvae.

`python benchmarks/multimodal/train.py DATA OUT --model jmvae` reads what `export.py` wrote and writes
`OUT/sem_saxs.npy` (N, K, 3, H, W) and `OUT/saxs_sem.npy` (N, K, h, w), float16 probabilities or intensities in
[0, 1], and `OUT/card.json`. See README.md for the environment.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# torchvision comes without its compiled operators beside a CPU build of torch, and then declares two of them for
# its own use before they exist. MultiVae imports torchvision for data sets alone; the operators are never called.
for _name in ("nms", "qnms"):
    torch.library.define(f"torchvision::{_name}", "(Tensor dets, Tensor scores, float threshold) -> Tensor")

from multivae.data.datasets.base import MultimodalBaseDataset  # noqa: E402 - after the two declarations
from multivae.models import JMVAE, JMVAEConfig, MoPoE, MoPoEConfig  # noqa: E402
from pythae.models.base.base_utils import ModelOutput  # noqa: E402
from pythae.models.nn import BaseDecoder, BaseEncoder  # noqa: E402

MODELS = {"jmvae": (JMVAE, JMVAEConfig), "mopoe": (MoPoE, MoPoEConfig)}
WIDTHS = (16, 32, 64, 64, 64)
LIKELIHOODS = {"saxs": "normal", "sem": "bernoulli"}
SAXS_SCALE = 0.1  # standard deviation of the normal likelihood, in units of the full range


class Encoder(BaseEncoder):
    """Five strided convolutions and a linear layer to mean and logarithm of the variance."""

    def __init__(self, shape: tuple[int, int, int], latent: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((shape[0], *WIDTHS[:-1]), WIDTHS, strict=True):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.GroupNorm(4, outputs), nn.SiLU()]
        self.convolutions = nn.Sequential(*layers)
        self.latent_dim = latent
        side = 2 ** len(WIDTHS)
        self.dense = nn.Linear(WIDTHS[-1] * (shape[1] // side) * (shape[2] // side), 2 * latent)

    def forward(self, x: Tensor) -> ModelOutput:
        """Posterior of ``(B, channels, H, W)``."""
        mean, log_variance = self.dense(self.convolutions(x).flatten(1)).chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=log_variance.clamp(-10, 10))


class Decoder(BaseDecoder):
    """The mirror image of the encoder; it adds to ``mean``, the training samples' (a logit for binary images)."""

    def __init__(self, shape: tuple[int, int, int], latent: int, mean: Tensor) -> None:
        super().__init__()
        side = 2 ** len(WIDTHS)
        self.start = (WIDTHS[-1], shape[1] // side, shape[2] // side)
        self.dense = nn.Linear(latent, int(np.prod(self.start)))
        layers: list[nn.Module] = []
        widths = (*WIDTHS[::-1], shape[0])
        for number, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1))
            if number < len(WIDTHS) - 1:
                layers += [nn.GroupNorm(4, outputs), nn.SiLU()]
        self.convolutions = nn.Sequential(*layers)
        self.register_buffer("mean", mean)

    def forward(self, z: Tensor) -> ModelOutput:
        """Reconstruction of ``(..., latent)``."""
        flat = z.reshape(-1, z.shape[-1])
        found = self.convolutions(F.silu(self.dense(flat)).view(-1, *self.start)) + self.mean
        return ModelOutput(reconstruction=found.reshape(*z.shape[:-1], *found.shape[1:]))


class Pairs:
    """Training pairs in memory: patterns whole, a random crop of each image at each draw."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.card = json.loads((folder / "split.json").read_text())
        self.saxs = torch.from_numpy(np.load(folder / "saxs.npy"))
        self.crops = torch.from_numpy(np.load(folder / "crops.npy"))
        self.train = self.card["train"]
        self.images = [np.load(folder / "images" / f"{row}.npy") for row in self.train]
        self.generator = np.random.default_rng(seed)

    def batches(self, size: int) -> list[MultimodalBaseDataset]:
        """One epoch: every training pair once, but for the remainder."""
        order = self.generator.permutation(len(self.train))
        whole = max(len(order) - len(order) % size, min(size, len(order)))
        return [self.batch(order[start : start + size]) for start in range(0, whole, size)]

    def batch(self, chosen: np.ndarray) -> MultimodalBaseDataset:
        """Patterns and new crops of some training pairs."""
        side = self.crops.shape[-1]
        crops = np.empty((len(chosen), 1, side, side), np.float32)
        for place, index in enumerate(chosen):
            image = self.images[index]
            row, column = (self.generator.integers(length - side + 1) for length in image.shape)
            crops[place, 0] = image[row : row + side, column : column + side]
        rows = [self.train[index] for index in chosen]
        return MultimodalBaseDataset(data={"saxs": self.saxs[rows], "sem": torch.from_numpy(crops)})


def build(name: str, pairs: Pairs, latent: int) -> nn.Module:
    """The untrained model, with the published defaults but for what is named here."""
    shapes = {"saxs": tuple(pairs.saxs.shape[1:]), "sem": (1, *pairs.crops.shape[-2:])}
    fraction = pairs.crops[pairs.train].float().mean()
    means = {"saxs": pairs.saxs[pairs.train].mean(0), "sem": torch.logit(fraction)}
    kind, config = MODELS[name]
    return kind(
        config(
            n_modalities=2,
            latent_dim=latent,
            input_dims=shapes,
            decoders_dist=LIKELIHOODS,
            decoder_dist_params={"saxs": {"scale": SAXS_SCALE}},
        ),
        encoders={one: Encoder(shape, latent) for one, shape in shapes.items()},
        decoders={one: Decoder(shape, latent, means[one]) for one, shape in shapes.items()},
    )


def fit(model: nn.Module, pairs: Pairs, given: argparse.Namespace) -> int:
    """Adam with a cosine over ``given.seconds`` of processor time; returns the number of steps."""
    optimiser = torch.optim.Adam(model.parameters(), lr=given.learning_rate)
    started, steps, epoch = time.process_time(), 0, 0
    model.train()
    while (spent := time.process_time() - started) < given.seconds:
        epoch += 1
        for group in optimiser.param_groups:
            group["lr"] = given.learning_rate * 0.5 * (1 + np.cos(np.pi * spent / given.seconds))
        for batch in pairs.batches(given.batch):
            loss = model(batch, epoch=epoch).loss
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            steps += 1
        if epoch % 10 == 1:
            print(
                f"{given.model}: {spent:.0f} of {given.seconds:.0f} s, step {steps}, loss {loss.item():.1f}",
                flush=True,
            )
    model.eval()
    return steps


@torch.no_grad()
def predict(model: nn.Module, pairs: Pairs) -> dict[str, np.ndarray]:
    """A pattern from each crop (posterior means), and an image for each crop (sampled latents)."""
    k, side = pairs.crops.shape[1:3]
    images, patterns = [], []
    for pattern, crops in zip(pairs.saxs, pairs.crops, strict=True):
        one = MultimodalBaseDataset(data={"saxs": pattern[None], "sem": torch.zeros(1, 1, side, side)})
        latent = model.encode(one, cond_mod="saxs", N=k).z.reshape(k, -1)
        images.append(torch.sigmoid(model.decoders["sem"](latent).reconstruction)[:, 0].half())
        several = MultimodalBaseDataset(
            data={"saxs": pattern[None].expand(k, -1, -1, -1), "sem": crops[:, None].float()}
        )
        latent = model.encode(several, cond_mod="sem", return_mean=True).z.reshape(k, -1)
        patterns.append(model.decoders["saxs"](latent).reconstruction.clamp(0, 1).half())
    return {"saxs_sem": torch.stack(images).numpy(), "sem_saxs": torch.stack(patterns).numpy()}


def main() -> None:
    """Train, predict, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", choices=sorted(MODELS), required=True)
    parser.add_argument("--seconds", type=float, default=600.0, help="processor time of the training")
    parser.add_argument("--latent", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    pairs = Pairs(given.data, given.seed)
    model = build(given.model, pairs, given.latent)
    steps = fit(model, pairs, given)
    given.out.mkdir(parents=True, exist_ok=True)
    for direction, array in predict(model, pairs).items():
        np.save(given.out / f"{direction}.npy", array)
    card = {
        "model": given.model,
        "steps": steps,
        "digest": pairs.card["digest"],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **{
            key: value for key, value in vars(given).items() if not isinstance(value, Path) and key != "model"
        },
    }
    (given.out / "card.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
