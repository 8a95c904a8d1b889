"""The figures of a study: history, importance, parallel coordinates, contours, Pareto front."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from pairvae.settings.search_space import TuneSettings

DRAWN = 4  # settings in the contour plot, the most important ones


def save_figures(study: optuna.Study, tune: TuneSettings, folder: Path) -> list[Path]:
    """History, importance, parallel coordinates, contours (and the Pareto front) as PNG files in ``folder``.

    A figure that needs more finished trials than there are is left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    import optuna.visualization.matplotlib as draw

    drawn: dict[str, Callable[[], Any]] = {}
    several = len(tune.objectives) > 1
    for number, objective in enumerate(tune.objectives):
        name = objective.metric
        about: dict[str, Any] = {"target_name": name}
        if several:
            about["target"] = partial(_score, number)
        drawn |= {
            f"history-{name}": partial(draw.plot_optimization_history, study, **about),
            f"importance-{name}": partial(draw.plot_param_importances, study, **about),
            f"parallel-{name}": partial(_parallel, study, about),
            f"contour-{name}": partial(_contour, study, about),
        }
    if several:
        names = [objective.metric for objective in tune.objectives]
        drawn["pareto"] = partial(draw.plot_pareto_front, study, target_names=names)
    return [
        path for name, make in drawn.items() if (path := _saved(make, folder / f"{name}.png")) is not None
    ]


def _score(number: int, trial: FrozenTrial) -> float:
    return float(trial.values[number])


def _short(key: str) -> str:
    """A setting's name where there is little room: ``pair.training.weights.x`` is ``pair weights.x``."""
    return key.replace(".training.", " ").replace(".network.", " ")


def _parallel(study: optuna.Study, about: dict[str, Any]) -> Any:
    import optuna.visualization.matplotlib as draw

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    common = sorted(set.intersection(*(set(trial.params) for trial in complete)))
    axes = draw.plot_parallel_coordinate(study, params=common, **about)
    if len(axes.get_xticks()) == len(common) + 1:  # optuna cuts the names after 17 letters
        axes.set_xticklabels(
            [about["target_name"], *map(_short, common)], rotation=30, ha="right", fontsize=8
        )
    return axes


def _contour(study: optuna.Study, about: dict[str, Any]) -> Any:
    import optuna.visualization.matplotlib as draw

    important = optuna.importance.get_param_importances(study, target=about.get("target"))
    grid: Any = draw.plot_contour(study, params=list(important)[:DRAWN], **about)
    for axes in np.ravel(grid):
        axes.set_xlabel(_short(axes.get_xlabel()), fontsize=8)
        axes.set_ylabel(_short(axes.get_ylabel()), fontsize=8)
        axes.tick_params(labelsize=7)
        axes.tick_params(which="minor", labelbottom=False, labelleft=False)
        axes.label_outer()
    return grid


def _saved(make: Callable[[], Any], path: Path) -> Path | None:
    import matplotlib.pyplot as plt

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # optuna calls these functions experimental
            figure = np.ravel(make())[0].figure
            figure.set_size_inches(11, 8)
            figure.savefig(path, dpi=110, bbox_inches="tight")
    except (ValueError, RuntimeError):  # too few trials, or all with the same score
        return None
    finally:
        plt.close("all")
    return path
