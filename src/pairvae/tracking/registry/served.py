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
    """``predict`` takes prepared arrays ``(N, channels, H, W)`` in [0, 1]; of several techniques a mapping of them."""

    def load_context(self, context: Any) -> None:
        """Load the programs named in the card."""
        folder = Path(context.artifacts["pair"])
        card = json.loads((folder / "card.json").read_text("utf-8"))
        self.shapes = {name: tuple(entry["shape"]) for name, entry in card["modalities"].items()}
        self.binary = {
            name: entry.get("binary", entry["shape"][0] == 1) for name, entry in card["modalities"].items()
        }
        self.channels = {
            name: entry.get("latent", {}).get("channels") for name, entry in card["modalities"].items()
        }
        self.conditions = Conditions(card.get("conditions"))
        self.joints = {(frozenset(one["sources"]), one["target"]): one for one in card.get("joint", ())}
        self.programs = {path.stem: torch.export.load(path).module() for path in sorted(folder.glob("*.pt2"))}

    def predict(
        self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Images of ``target`` as float32 ``(N * samples, channels, H, W)``, an input's samples in a row.

        ``params``: ``direction`` ``<source>_<target>``, ``samples`` (1: from the posterior's mean), ``seed``, and
        ``conditions``: a JSON object of numbers and words by name, or a list of one for each input. From several
        measurements of a sample: arrays by technique, and the direction ``<source>+<source>_<target>``.
        """
        chosen = params or {}
        names = list(self.shapes)
        sources, target = self._direction(str(chosen.get("direction", f"{names[0]}_{names[-1]}")))
        samples, seed = int(chosen.get("samples", 1)), int(chosen.get("seed", 0))
        if not 1 <= samples <= 1000:
            raise ValueError("samples: expected 1 to 1000")
        inputs = self._inputs(model_input, sources)
        told = self.conditions.read(str(chosen.get("conditions", "")), len(inputs[sources[0]]))
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            means, stds, correlation = self._posterior(inputs, target, told)
            # A decoder may have a program of its own for the encoders of a target.
            special = [f"{target}-decoder-{name}" for name in sources]
            named = next((name for name in special if name in self.programs), f"{target}-decoder")
            decoder = self.programs[named]
            images = []
            for mean, std in zip(means, stds, strict=True):
                torch.manual_seed(seed)
                latents = mean.expand(samples, *mean.shape)
                if samples > 1:
                    noise = torch.randn(
                        (samples + 1) // 2, *mean.shape
                    )  # as models/posterior.py draws several
                    antithetic = torch.stack([noise, -noise], dim=1).flatten(0, 1)[:samples]
                    latents = latents + std * _correlated(correlation, antithetic)
                images += [decoder(few) for few in torch.split(latents.contiguous(), CHUNK)]
            stacked = torch.cat(images)
        if self.binary[target]:
            stacked = (stacked >= 0.5).float()
        return np.asarray(stacked.numpy())

    def _direction(self, direction: str) -> tuple[list[str], str]:
        """The techniques that are given and the one to predict (``ValueError``)."""
        given, _, target = direction.partition("_")
        sources = given.split("+")
        twice = len(sources) > 1 and len({*sources, target}) <= len(sources)
        if twice or not {*sources, target} <= set(self.shapes):
            raise ValueError(f"direction: expected <source>_<target> of {', '.join(self.shapes)}")
        return sources, target

    def _inputs(self, given: Any, sources: list[str]) -> dict[str, torch.Tensor]:
        """Arrays by technique, as many of each (``ValueError``)."""
        arrays = dict(given) if isinstance(given, dict) else {sources[0]: given}
        if set(arrays) != set(sources):
            raise ValueError(
                f"input: expected arrays of {' and '.join(sources)}, found {' and '.join(arrays)}"
            )
        inputs = {name: torch.from_numpy(self._checked(arrays[name], name)) for name in sources}
        counts = {name: len(array) for name, array in inputs.items()}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{count} of {name}" for name, count in counts.items())
            raise ValueError(f"input: expected as many arrays of each technique, found {found}")
        return inputs

    def _checked(self, array: Any, name: str) -> np.ndarray:
        values = np.asarray(array, dtype=np.float32)
        if values.shape[1:] != self.shapes[name]:
            raise ValueError(f"input: expected (N, {self.shapes[name]}), found {values.shape}")
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise ValueError("input: expected values in [0, 1]")
        return values

    def _posterior(
        self, inputs: dict[str, torch.Tensor], target: str, told: list[dict[str, Any]]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Means and standard deviations ``(N, C, g, g)``, and the correlation of channels, as pairvae.models.joint."""
        encoded = {name: self._encoded(name, target, array, told) for name, array in inputs.items()}
        joint = self.joints.get((frozenset(inputs), target))
        if joint is None and len(inputs) == 1:
            ((name, (mean, std)),) = encoded.items()
            return mean, std, self._correlation(name)
        order = joint["sources"] if joint else list(inputs)
        weights = joint["weights"] if joint else [1.0 / len(order)] * len(order)
        channels = self.channels[target]
        mean, std = (
            torch.stack(
                [w * encoded[name][part][:, :channels] for w, name in zip(weights, order, strict=True)]
            ).sum(0)
            for part in (0, 1)
        )
        if joint and joint.get("slopes"):  # a regression on the features of all techniques
            flat = torch.tensor(joint["bias"]).to(mean)
            for name, slopes in joint["slopes"].items():
                flat = (
                    flat + self.programs[f"{name}-features"](inputs[name]) @ torch.tensor(slopes).to(mean).T
                )
            mean = flat[:, :, None, None]
        if joint is None:
            correlation = self._correlation(order[0])
        else:
            tril = torch.tensor(joint["scale_tril"], dtype=torch.float64).to(mean)
            std = (std * tril.square().sum(1)[:, None, None]).sqrt()
            correlation = torch.nn.functional.normalize(tril, dim=1)
        more = [encoded[name][0][:, channels:] for name in order if encoded[name][0].shape[1] > channels]
        if more:  # regressions toward the target
            extra = torch.stack(more).mean(0)
            mean, std = torch.cat([mean, extra], dim=1), torch.cat([std, torch.zeros_like(extra)], dim=1)
        return mean, std, correlation

    def _encoded(
        self, source: str, target: str, array: torch.Tensor, told: list[dict[str, Any]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # Encoder and decoder may have programs of their own for one another.
        encoder = self.programs.get(f"{source}-encoder-{target}", self.programs[f"{source}-encoder"])
        mean, std = encoder(array).chunk(2, dim=1)
        if told and source == self.conditions.modality:
            mean = mean + self.conditions.shifts(told).view_as(mean)
        return mean, std

    def _correlation(self, source: str) -> torch.Tensor | None:
        """``(C, C)`` of the channels, as the encoder's ``scale_tril`` says, if it has one."""
        scale_tril = getattr(self.programs[f"{source}-encoder"], "scale_tril", None)
        return None if scale_tril is None else torch.nn.functional.normalize(scale_tril, dim=1)


def _correlated(correlation: torch.Tensor | None, noise: torch.Tensor) -> torch.Tensor:
    """Unit noise ``(B, C, g, g)`` with correlated channels; those after the correlated ones stay as they are."""
    if correlation is None:
        return noise
    first, rest = noise[:, : len(correlation)], noise[:, len(correlation) :]
    return torch.cat([torch.einsum("cd,bd...->bc...", correlation, first), rest], dim=1)


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
