"""The registered pair as MLflow serves it: pt2 programs behind one `predict`.

This file is copied into the model ("models from code") and runs where pairvae is not installed: it imports only
torch, numpy and mlflow, and reads its facts from the model's own ``card.json``. Nothing is unpickled.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import torch
from mlflow.models import set_model

FARTHEST = 3.0  # standard deviations, as in pairvae.models.conditions
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
        self.conditions = Conditions(card.get("conditions"))
        self.programs = {path.stem: torch.export.load(path).module() for path in sorted(folder.glob("*.pt2"))}

    def predict(
        self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Images of ``target`` as float32 ``(N * samples, channels, H, W)``, an input's samples in a row.

        ``params``: ``direction`` ``<source>_<target>``, ``samples`` (1: from the posterior's mean), ``seed``, and
        ``conditions``: a JSON object of numbers and words by name, or a list of one for each input.
        """
        chosen = params or {}
        names = list(self.shapes)
        source, _, target = str(chosen.get("direction", f"{names[0]}_{names[-1]}")).partition("_")
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
        told = self.conditions.read(str(chosen.get("conditions", "")), len(values))
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            # Encoder and decoder may have programs of their own for one another.
            encoder = self.programs.get(f"{source}-encoder-{target}", self.programs[f"{source}-encoder"])
            mean, std = encoder(torch.from_numpy(values)).chunk(2, dim=1)
            if told and source == self.conditions.modality:
                mean = mean + self.conditions.shifts(told).view_as(mean)
            images = []
            for one, spread in zip(mean, std, strict=True):
                torch.manual_seed(seed)
                latents = one.expand(samples, *one.shape)
                if samples > 1:
                    noise = torch.randn(
                        (samples + 1) // 2, *one.shape
                    )  # as models/posterior.py draws several
                    antithetic = torch.stack([noise, -noise], dim=1).flatten(0, 1)[:samples]
                    latents = latents + spread * self._correlated(source, antithetic)
                decoder = self.programs.get(f"{target}-decoder-{source}", self.programs[f"{target}-decoder"])
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


class Conditions:
    """What is known of samples, as the shift of a posterior mean that pairvae.models.conditions gives them."""

    def __init__(self, entry: dict[str, Any] | None) -> None:
        known = entry or {"modality": None, "numbers": {}, "words": {}, "weight": []}
        self.modality, self.numbers, self.words = (known[key] for key in ("modality", "numbers", "words"))
        self.weight = np.array(known["weight"], np.float64)

    def read(self, text: str, count: int) -> list[dict[str, Any]]:
        """Conditions of each of ``count`` samples, without those that are not known (``ValueError``)."""
        if not text.strip():
            return []
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            given = None
        rows = [given] * count if isinstance(given, dict) else given
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("conditions: expected JSON, an object or a list of objects")
        if len(rows) != count:
            raise ValueError(f"conditions: expected one object, or {count}, found {len(rows)}")
        for name, value in [item for row in rows for item in row.items()]:
            self._require(name, value)
        return [{name: value for name, value in row.items() if value is not None} for row in rows]

    def _require(self, name: str, value: Any) -> None:
        names = [*self.numbers, *self.words]
        if name not in names:
            known = f"some of {', '.join(names)}" if names else "none, since the model has none"
            raise ValueError(f"conditions: expected {known}, found {name[:40]}")
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is None or (number if name in self.numbers else value in list(self.words[name])):
            return
        wanted = "a finite number" if name in self.numbers else f"one of {', '.join(self.words[name])}"
        raise ValueError(f"condition {name}: expected {wanted}, found {str(value)[:40]!r}")

    def shifts(self, samples: list[dict[str, Any]]) -> torch.Tensor:
        """``(N, C * g * g)`` float32."""
        rows = [[*self._numbers(one), *self._words(one)] for one in samples]
        return torch.from_numpy((np.array(rows, np.float64) @ self.weight).astype(np.float32))

    def _numbers(self, values: dict[str, Any]) -> list[float]:
        away = [
            (values[name] - mean) / std if name in values and std else 0.0
            for name, (mean, std) in self.numbers.items()
        ]
        return [min(max(number, -FARTHEST), FARTHEST) for number in away]

    def _words(self, values: dict[str, Any]) -> list[float]:
        return [
            (word == values[name]) - share if name in values else 0.0
            for name, shares in self.words.items()
            for word, share in shares.items()
        ]


set_model(ServedPair())
