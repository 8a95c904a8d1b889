"""Pictures while a training runs: inputs of the first samples and their reconstructions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from pairvae import store
from pairvae.errors import InputError, reason
from pairvae.numerics.images import contact_sheet
from pairvae.store.picture_files import png_bytes
from pairvae.training.plans import PairPlan, Plan, Source

SAMPLES = 3  # each costs 2 ms to decode and 3 ms as PNG, which a training of seconds would feel
NAMES_PX = 124  # width of the band with the names of the rows
LIVE, LIVE_SECONDS = "training.png", 10.0  # below reports


def live_picture(folder: Path, stage: str, plan: Plan, samples: Mapping[str, Source]) -> Callable[[], None]:
    """What to call after each round of a training that DVC runs: draws a picture anew now and then.

    One reads from it in the first minutes whether a training goes anywhere. The first call prints where it lies.
    A picture that cannot be written ends the pictures and not the training.

    Parameters
    ----------
    folder : Path
        Of the picture, ``LIVE``.
    stage : str
        The training's name in messages.
    plan : Plan
        What is trained.
    samples : mapping of str to Source
        Training samples by modality.

    Returns
    -------
    callable
        Without arguments; draws at most once in ``LIVE_SECONDS``.
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
            print(f"{stage}: look at {folder.name}/{LIVE}, updated while it trains")

    return draw


@torch.no_grad()
def snapshot(plan: Plan, samples: Mapping[str, Source]) -> np.ndarray:
    """First training inputs and their reconstructions as one picture, a named row each.

    Parameters
    ----------
    plan : Plan
        What is trained; its module is in training mode afterwards.
    samples : mapping of str to Source
        Training samples by modality.

    Returns
    -------
    ndarray
        ``(H, W, 3)`` uint8.
    """
    plan.module.eval()
    numbers = _first(plan, samples)
    columns = len(next(iter(numbers.values())))
    vaes = plan.vaes
    device = next(plan.module.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        inputs = {name: source.inputs(numbers[name], 0, 0).to(device) for name, source in samples.items()}
        latents = {name: vae.posterior(inputs[name]).mean for name, vae in vaes.items()}
        rows: dict[str, torch.Tensor] = {}
        for target in samples:
            rows[f"{target.upper()} measured"] = inputs[target]
            for source in samples:
                rows[f"{target.upper()} from {source.upper()}"] = vaes[target].decoder(latents[source])
    plan.module.train()
    largest = max(max(row.shape[-2:]) for row in rows.values())
    sheet = contact_sheet(np.concatenate([_colour(row, largest) for row in rows.values()]), columns=columns)
    return np.concatenate([_names(list(rows), len(sheet)), sheet], axis=1)


def _first(plan: Plan, samples: Mapping[str, Source]) -> dict[str, np.ndarray]:
    """Numbers of the same first samples in each source; of samples that all measured, where there are any."""
    partners = plan.partners if isinstance(plan, PairPlan) else None
    if partners is not None and partners.complete:
        return {name: numbers[:SAMPLES] for name, numbers in partners.complete.items()}
    count = min(SAMPLES, *map(len, samples.values())) if len(samples) > 1 else SAMPLES
    return {name: np.arange(min(count, len(source))) for name, source in samples.items()}


def _names(rows: Sequence[str], height: int) -> np.ndarray:
    """A white band ``(height, NAMES_PX, 3)`` uint8 with the name of each row beside its middle."""
    band = np.full((height, NAMES_PX, 3), 255, np.uint8)
    for number, name in enumerate(rows):
        middle = round((number + 0.5) * height / len(rows))
        cv2.putText(band, name, (4, middle), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), lineType=cv2.LINE_AA)
    return band


def _colour(images: torch.Tensor, size: int) -> np.ndarray:
    """``(B, 1 or 3, H, W)`` in [0, 1] as uint8 ``(B, size, size, 3)``."""
    small = images.float().clamp(0, 1).mul(255).round().byte()
    resized = small if small.shape[-2:] == (size, size) else F.interpolate(small, size=(size, size))
    return resized.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
