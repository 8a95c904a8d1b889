"""What `pairvae tune` searches: objectives, sampler and the space of settings, as declared under ``tune``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Scalar = str | int | float | bool | None
Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
TIME = "seconds"  # an objective: what the training of the pair takes, s
WEIGHTS = "pair.training.weights."


class Declared(BaseModel):
    """A part of the section ``tune``: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Parameter(Declared):
    """One setting that is searched: a range ``low`` to ``high`` (ends included), or ``choices``."""

    low: Number | None = None
    high: Number | None = None
    step: Number | None = None
    log: bool = False
    choices: Annotated[tuple[Any, ...], Field(strict=False, min_length=1)] | None = None
    when: dict[str, Scalar] = Field(default={}, description="searched only where these settings are so")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.choices is not None:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("either choices, or low and high")
            if len({label(choice) for choice in self.choices}) < len(self.choices):
                raise ValueError("choices that all differ")
            return self
        if self.low is None or self.high is None or not self.low < self.high:
            raise ValueError("choices, or low below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("low above 0 and no step where log is true")
        if self.step is not None and self.step <= 0:
            raise ValueError("a step above 0")
        return self

    @model_serializer(mode="wrap")
    def _as_declared(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys that say nothing."""
        return {
            key: value
            for key, value in handler(self).items()
            if not (value is None or value is False or value == {})
        }

    @property
    def extremes(self) -> tuple[Any, ...]:
        """The values that the settings have to accept: both ends, or every choice."""
        return (self.low, self.high) if self.choices is None else self.choices

    def applies(self, chosen: Mapping[str, Any]) -> bool:
        """Whether the settings ``chosen`` so far (dotted keys) are those of ``when``."""
        return all(key in chosen and chosen[key] == value for key, value in self.when.items())


class Objective(Declared):
    """A number to improve: ``<from>_<to>.<score>`` (its median over held-out pairs), or ``seconds``."""

    metric: str = Field(pattern=r"^(seconds|[a-z0-9]+_[a-z0-9]+\.[a-z0-9_]+)$")
    direction: Literal["minimize", "maximize"]


class TuneSettings(Declared):
    """The search of `pairvae tune`."""

    objectives: tuple[Objective, ...] = Field(
        strict=False,
        min_length=1,
        max_length=3,
        description="what to improve: metric and direction (minimize, maximize); several: a Pareto front",
    )
    sampler: Literal["tpe", "random", "gp", "nsga2"] = Field(description="how trials are chosen")
    pruner: Literal["percentile", "hyperband", "none"] = Field(description="which trials end early")
    startup_trials: int = Field(ge=1, le=1000, description="trials drawn at random, and before any is pruned")
    keep_percent: float = Field(gt=0, le=100, description="percentile pruner: the share that goes on, %")
    reports: int = Field(ge=1, le=1000, description="scores of a trial on its way, evenly over its epochs")
    held_out: float = Field(gt=0, lt=1, description="share of the training pairs that gives the scores")
    space: dict[str, Parameter] = Field(
        description="dotted keys of settings; replaces the preset's as a whole"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        metrics = [objective.metric for objective in self.objectives]
        if len(set(metrics)) < len(metrics):
            raise ValueError("objectives that all differ")
        seen: set[str] = set()
        for key, parameter in self.space.items():
            missing = set(parameter.when) - seen
            if missing:
                raise ValueError(f"{missing.pop()} before {key} in the space, since its `when` names it")
            seen.add(key)
        return self

    def extremes(self) -> Iterator[tuple[str, Any]]:
        """Each key with each value that the settings have to accept."""
        for key, parameter in self.space.items():
            yield from ((key, value) for value in parameter.extremes)


def label(choice: object) -> Scalar:
    """A choice as Optuna can keep it: itself, or a list as JSON text."""
    return choice if isinstance(choice, str | int | float | bool | None) else json.dumps(choice)


def searchable(key: str) -> bool:
    """Whether a setting may vary between trials: networks, latent space, training and calibration, never the data."""
    section, _, rest = key.partition(".")
    if section in ("latent", "pretrain"):
        return bool(rest)
    parts = ("network.", "training.", "calibration.")
    return key == "pair.conditions" or (section not in ("data", "tune") and rest.startswith(parts))


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested mappings: ``{"latent.grid": 1}`` is ``{"latent": {"grid": 1}}``."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *parents, last = key.split(".")
        section = tree
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return tree


def renamed(tune: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A preset's section ``tune`` for another pair: ``names`` gives the new modality for each old one."""

    def direction(text: str) -> str:
        return "_".join(names.get(part, part) for part in text.split("_"))

    def key(text: str) -> str:
        if text.startswith(WEIGHTS):
            return WEIGHTS + direction(text.removeprefix(WEIGHTS))
        section, _, rest = text.partition(".")
        return f"{names.get(section, section)}.{rest}"

    objectives = []
    for objective in tune["objectives"]:
        pair, dot, score = objective["metric"].partition(".")
        objectives.append({**objective, "metric": direction(pair) + dot + score})
    return {**tune, "objectives": objectives, "space": {key(k): value for k, value in tune["space"].items()}}
