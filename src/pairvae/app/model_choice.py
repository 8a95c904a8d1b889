"""The models of a server: each has a name and is loaded at its first use."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pairvae.errors import InputError
from pairvae.inference.explanation import explain
from pairvae.inference.loader import REGISTRY, load, model_folder
from pairvae.inference.predictor import Predictor
from pairvae.reports.validation_scores import PREFIX
from pairvae.store.project_root import how_to_register, pair_name, project_root, store_name

ALIASES = ("champion", "candidate")


@dataclass(frozen=True)
class Choice:
    """A model to choose: its location, its title and its validation scores."""

    location: str
    title: str
    scores: Mapping[str, float] = field(default_factory=dict)


class Models:
    """Predictors by name; ``root`` is the project whose registry is asked."""

    def __init__(self, choices: Mapping[str, Choice], root: Path | None = None) -> None:
        self.choices, self.root = dict(choices), root
        self._loaded: dict[str, Predictor] = {}
        self._lock = threading.Lock()

    @property
    def first(self) -> str:
        """The name of the default model."""
        return next(iter(self.choices))

    def get(self, name: str) -> Predictor:
        """The predictor called ``name`` (``InputError`` for an unknown one)."""
        if name not in self.choices:
            raise InputError(expected=f"a model: {', '.join(self.choices)}", found=repr(name), where="model")
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load(self.choices[name].location, self.root)
            return self._loaded[name]


def models_of(location: str | None) -> Models:
    """One model by its location (folder or registry URI); without one, the project's champion and candidate.

    ``InputError`` where there is no such model.
    """
    if location is not None:
        root = project_root() if location.startswith(REGISTRY) else None
        models = Models({"model": Choice(location, location)}, root)
    else:
        root = project_root()
        models = Models(_registered(root), root)
    warm_up(models.get(models.first))
    return models


def warm_up(predictor: Predictor) -> None:
    """Make a first prediction: it is slower than all others, since code is loaded for it."""
    generator = np.random.default_rng(0)
    for source in predictor.modalities:
        array = generator.integers(0, 2, predictor.shape(source)).astype(np.float32)
        explain(predictor, {source: array}, 2, 0)


def _registered(root: Path) -> dict[str, Choice]:
    from pairvae.tracking.registry.aliases import version_for_alias

    choices: dict[str, Choice] = {}
    for alias in ALIASES:
        version = version_for_alias(root, pair_name(root), alias)
        if version is None or any(
            f"version {version.number}," in choice.title for choice in choices.values()
        ):
            continue
        scores = {
            key.removeprefix(PREFIX): float(value)
            for key, value in version.tags.items()
            if key.startswith(PREFIX)
        }
        # The files themselves: they are loaded when first asked for, and the number may be another model's by then
        location = f"{REGISTRY}{pair_name(root)}/{version.number}"
        try:
            location = str(model_folder(root, location))
        except InputError:
            if not choices:
                raise  # else the page works without it, and says why where it is chosen
        choices[alias] = Choice(location, f"{alias} (version {version.number}, registered)", scores)
    if not choices:
        raise InputError(
            expected="a registered model",
            found="none",
            where=store_name(root),
            remedy=f"{how_to_register(root)}, or name a model folder with --model",
        )
    return choices
