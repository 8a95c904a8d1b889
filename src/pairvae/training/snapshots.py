"""Pictures while a training runs: inputs of the first samples and their reconstructions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from pairvae import store
from pairvae.errors import InputError, reason
from pairvae.numerics.images import contact_sheet
from pairvae.store.picture_files import png_bytes
from pairvae.training.plans import Plan, Source

SAMPLES = 3  # each costs 2 ms to decode and 3 ms as PNG, which a training of seconds would feel
LIVE, LIVE_SECONDS = "training.png", 10.0  # below reports


def live_picture(folder: Path, stage: str, plan: Plan, samples: Mapping[str, Source]) -> Callable[[], None]:
    """What to call after each round of a training that DVC runs: draws ``folder / LIVE`` anew now and then.

    One reads from it in the first minutes whether a training goes anywhere. The first call prints where it lies. A
    picture that cannot be written ends the pictures and not the training.
    """
    last = -math.inf  # when it was drawn (monotonic seconds); inf: never again

    def draw() -> None:
        nonlocal last
        if time.monotonic() - last < LIVE_SECONDS:
            return
        first, last = last == -math.inf, time.monotonic()
        try:
            with store.atomic_path(folder / LIVE) as temporary:
                temporary.write_bytes(png_bytes(snapshot(plan, samples)))
        except (InputError, OSError) as error:
            last = math.inf
            print(f"{stage}: no picture while it trains: {reason(error)}")
            return
        if first:
            rows = [f"{name.upper()} measured" for name in samples]
            rows += [f"{target.upper()} from {source.upper()}" for target in samples for source in samples]
            print(f"{stage}: look at {folder.name}/{LIVE}, updated while it trains (rows: {', '.join(rows)})")

    return draw


@torch.no_grad()
def snapshot(plan: Plan, samples: Mapping[str, Source]) -> np.ndarray:
    """First training inputs and their reconstructions as one uint8 picture ``(H, W, 3)``."""
    plan.module.eval()
    indices = np.arange(min(SAMPLES, len(next(iter(samples.values())))))
    vaes = plan.vaes
    device = next(plan.module.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        inputs = {name: one.inputs(indices, 0, 0).to(device) for name, one in samples.items()}
        latents = {name: vae.posterior(inputs[name]).mean for name, vae in vaes.items()}
        rows = [inputs[name] for name in samples]
        rows += [vaes[target].decoder(latents[source]) for target in samples for source in samples]
    plan.module.train()
    largest = max(max(row.shape[-2:]) for row in rows)
    return contact_sheet(np.concatenate([_colour(row, largest) for row in rows]), columns=len(indices))


def _colour(images: torch.Tensor, size: int) -> np.ndarray:
    """``(B, 1 or 3, H, W)`` in [0, 1] as uint8 ``(B, size, size, 3)``."""
    small = images.float().clamp(0, 1).mul(255).round().byte()
    resized = small if small.shape[-2:] == (size, size) else F.interpolate(small, size=(size, size))
    return resized.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
