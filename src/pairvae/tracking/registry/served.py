"""The registered pair as MLflow serves it: pt2 programs behind one `predict`.

This file is copied into the model ("models from code") and runs where pairvae is not installed: it imports only
torch, numpy and mlflow, and reads its facts from the model's own ``card.json``. Nothing is unpickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import torch
from mlflow.models import set_model

CHUNK = 5  # latents decoded at a time, as pairvae.models.vae does, so that a seed gives the same images


class ServedPair(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow ships no types
    """``predict`` takes prepared arrays ``(N, channels, H, W)`` in [0, 1]."""

    def load_context(self, context: Any) -> None:
        """Load the programs named in the card."""
        folder = Path(context.artifacts["pair"])
        card = json.loads((folder / "card.json").read_text("utf-8"))
        self.shapes = {name: tuple(entry["shape"]) for name, entry in card["modalities"].items()}
        self.binary = {
            name: entry.get("binary", entry["shape"][0] == 1) for name, entry in card["modalities"].items()
        }
        self.programs = {path.stem: torch.export.load(path).module() for path in sorted(folder.glob("*.pt2"))}

    def predict(
        self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Images of ``target`` as float32 ``(N * samples, channels, H, W)``, an input's samples in a row.

        ``params``: ``direction`` ``<source>_<target>``, ``samples`` (1: from the posterior's mean), ``seed``.
        """
        chosen = params or {}
        source, _, target = str(chosen.get("direction", "_".join(self.shapes))).partition("_")
        samples, seed = int(chosen.get("samples", 1)), int(chosen.get("seed", 0))
        if source not in self.shapes or target not in self.shapes:
            raise ValueError(f"direction: expected <source>_<target> of {', '.join(self.shapes)}")
        if not 1 <= samples <= 1000:
            raise ValueError("samples: expected 1 to 1000")
        values = np.asarray(model_input, dtype=np.float32)
        if values.shape[1:] != self.shapes[source]:
            raise ValueError(f"input: expected (N, {self.shapes[source]}), found {values.shape}")
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise ValueError("input: expected values in [0, 1]")
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            # An encoder may have a program of its own for the decoder of another technique.
            encoder = self.programs.get(f"{source}-encoder-{target}", self.programs[f"{source}-encoder"])
            mean, std = encoder(torch.from_numpy(values)).chunk(2, dim=1)
            images = []
            for one, spread in zip(mean, std, strict=True):
                torch.manual_seed(seed)
                latents = one.expand(samples, *one.shape)
                if samples > 1:
                    noise = torch.randn((samples + 1) // 2, *one.shape)  # as models/vae.py draws several
                    antithetic = torch.stack([noise, -noise], dim=1).flatten(0, 1)[:samples]
                    latents = latents + spread * self._correlated(source, antithetic)
                decoder = self.programs[f"{target}-decoder"]
                images += [decoder(few) for few in torch.split(latents.contiguous(), CHUNK)]
            stacked = torch.cat(images)
        if self.binary[target]:
            stacked = (stacked >= 0.5).float()
        return np.asarray(stacked.numpy())

    def _correlated(self, source: str, noise: torch.Tensor) -> torch.Tensor:
        """Unit noise ``(B, C, g, g)``, its channels correlated as the encoder's ``scale_tril`` says, if it has one."""
        scale_tril = getattr(self.programs[f"{source}-encoder"], "scale_tril", None)
        if scale_tril is None:
            return noise
        return torch.einsum("cd,bd...->bc...", torch.nn.functional.normalize(scale_tril, dim=1), noise)


set_model(ServedPair())
