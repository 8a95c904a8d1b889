"""The declared space of `pairvae tune` and Optuna: the settings of a trial, and the current ones as the first."""

from __future__ import annotations

from typing import Any

from optuna.trial import Trial

from pairvae.errors import InputError
from pairvae.settings import PARAMS_FILE, Settings, flatten
from pairvae.settings.search_space import Parameter, label


def suggest(trial: Trial, settings: Settings) -> dict[str, Any]:
    """The settings of a trial, by dotted key; what is conditional is left out where its condition is not met."""
    current = flatten(settings.model_dump(mode="json"))
    chosen: dict[str, Any] = {}
    for key, parameter in settings.tune.space.items():
        if not parameter.applies(chosen):
            continue
        if parameter.choices is not None:
            by_label = {label(choice): choice for choice in parameter.choices}
            chosen[key] = by_label[trial.suggest_categorical(key, list(by_label))]
        elif _whole(parameter, current[key]):
            low, high = int(parameter.low or 0), int(parameter.high or 0)
            chosen[key] = trial.suggest_int(key, low, high, step=int(parameter.step or 1), log=parameter.log)
        else:
            low_, high_ = float(parameter.low or 0), float(parameter.high or 0)
            step = None if parameter.step is None else float(parameter.step)
            chosen[key] = trial.suggest_float(key, low_, high_, step=step, log=parameter.log)
    return chosen


def _whole(parameter: Parameter, current: object) -> bool:
    bounds = (parameter.low, parameter.high, parameter.step or 1)
    return all(isinstance(bound, int) for bound in bounds) and not isinstance(current, float)


def start_values(settings: Settings) -> dict[str, Any]:
    """The current settings as the first trial; ``InputError`` where one lies outside the space."""
    if not settings.tune.space:
        raise InputError(expected="settings to search", found="none", where=f"{PARAMS_FILE}, key tune.space")
    current = flatten(settings.model_dump(mode="json"))
    values: dict[str, Any] = {}
    for key, parameter in settings.tune.space.items():
        if not parameter.applies(values):
            continue
        if not contains(parameter, current[key]):
            allowed = parameter.model_dump()
            raise InputError(
                expected=f"the current value among {allowed}",
                found=repr(current[key]),
                where=f"{PARAMS_FILE}, key tune.space.{key}",
                remedy="widen the space: the first trial is the current params.yaml",
            )
        values[key] = current[key]
    return {key: label(value) for key, value in values.items()}


def contains(parameter: Parameter, value: Any) -> bool:
    """Whether a value is one that a trial may take."""
    if parameter.choices is not None:
        return label(value) in [label(choice) for choice in parameter.choices]
    if value is None or parameter.low is None or parameter.high is None:
        return False
    steps = (value - parameter.low) / parameter.step if parameter.step else 0.0
    return bool(parameter.low <= value <= parameter.high and abs(steps - round(steps)) < 1e-8)
