"""Five simulated films that differ in kind, trained and scored by the preset `fast`: `python -m benchmarks.films OUT`.

A method that is tuned to one film may fail on another, so the table gives the median over the films and the worst.
Each film is a small project below OUT (24 training and 12 validation pairs, half the epochs of the preset; an hour on
two cores for all). What is finished there is kept, and a killed run goes on from its checkpoints.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from benchmarks import machine, waves
from pairvae import store
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.settings import resolve
from pairvae.settings.simulation import SimulationParameters
from pairvae.stages.assess import assess
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import Project, open_project
from pairvae.stages.raw import make_raw
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo

PAIRS, TRAIN = 36, 24
LOOKING_UP = ("nearest_pattern", "three_nearest_patterns", "latent_crops")
COLUMNS = {
    "film": "film",
    "energy_floor": "energy score / floor|.2f",
    "energy_looked_up": "/ best looking up|.2f",
    "curve_looked_up": "mean curve / latent crops|.2f",
    "pixels_ridge": "SEM to SAXS: pixels / ridge|.3f",
    "ring_ridge": "ring position / ridge|.2f",
    "least_coverage": "least coverage|.2f",
}


@dataclass(frozen=True)
class Film:
    """A data set: its simulator, that simulator's parameters, and the seed of its samples."""

    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    leveled_waves: bool = False


FILMS = {
    "default": Film(0),
    "seed": Film(11),
    "noisy": Film(
        12,
        {
            "saxs_dose": 3.0, "sem_electrons": 25.0, "domain_nm": 450.0, "disorder_nm": 450.0, "saxs_window_nm": 800.0,
            "sem_rows": 500, "sem_columns": 700,
        },
    ),
    "spacing": Film(
        13,
        {
            "spacing_nm": 52.0, "spacing_variation": 0.1, "sem_nm_per_px": 3.4, "saxs_q_max_per_nm": 0.25,
            "composition_variation": 0.25,
        },
    ),
    "waves": Film(14, {"sem_rows": 640, "sem_columns": 960, "sem_nm_per_px": 2.5}, leveled_waves=True),
}  # fmt: skip


def film_project(folder: Path, film: Film, pairs: int, train: int, changes: list[str]) -> Project:
    """The film's project in ``folder``, with its prepared data; made where it is not there."""
    raw = folder / "pairs"
    make = waves.simulate if film.leveled_waves else simulate
    make(raw, pairs=pairs, seed=film.seed, parameters=SimulationParameters.model_validate(film.parameters))
    settings = resolve({})
    values = {
        "data": {"source": str(raw)},
        "split": {"train": train},
        "saxs": {"training": {"epochs": settings.saxs.training.epochs // 2}},
        "sem": {"training": {"epochs": settings.sem.training.epochs // 2}},
        "pair": {"training": {"random_epochs": settings.pair.training.random_epochs // 2}},
        "baselines": {"fft": False, "dual_vae": False, "unet": {"epochs": 0}},
    }
    YAML().dump(values, folder / "params.yaml")
    project = open_project(changes, folder=folder, track=False)
    if not project.prepared_folder.is_dir():
        make_raw(project)
        preprocess(project)
    return project


def score(project: Project) -> dict[str, Any]:
    """Train and assess what is not finished; the scores of the validation pairs."""
    if not (project.reports / "metrics.json").is_file():
        for name in project.settings.modalities:
            train_solo(project, name)
        train_pair(project)
        assess(project)
    return row(store.read_json(project.reports / "metrics.json"))


def row(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the table, from the metrics of a film."""
    scores = metrics["splits"]["validation"]
    ensembles, ridge = scores["ensembles"], scores["baselines"]["ridge_whole"]["sem_saxs"]
    energy, whole = ensembles["pair"]["energy_score"], scores["whole"]["sem_saxs"]
    coverage = metrics["uncertainty"]["validation"]["saxs_sem"]["coverage"]
    numbers = {
        "energy": energy,
        "mean_curve": ensembles["pair"]["mean_curve_mae"],
        "energy_floor": energy / ensembles["floor"]["energy_score"],
        "energy_looked_up": energy / min(ensembles[name]["energy_score"] for name in LOOKING_UP),
        "curve_looked_up": ensembles["pair"]["mean_curve_mae"] / ensembles["latent_crops"]["mean_curve_mae"],
        "pixels_ridge": whole["mae"]["median"] / ridge["mae"]["median"],
        "ring_ridge": whole["ring_position"]["median"] / ridge["ring_position"]["median"],
        "least_coverage": min(one["value"] for one in coverage.values()),
        "largest_coverage": max(one["value"] for one in coverage.values()),
    }
    for name in ("mae", "ring_position"):
        numbers |= {name: whole[name]["median"], f"{name}_of_ridge": ridge[name]["median"]}
    return numbers


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, and below them their median and the worst of each column."""
    ends: dict[str, Callable[[list[float]], float]] = {"median": median, "worst": max}
    found = [{"film": name} | {key: end([one[key] for one in rows]) for key in rows[0] if key != "film"}
             for name, end in ends.items()]  # fmt: skip
    found[1]["least_coverage"] = min(one["least_coverage"] for one in rows)
    return [*rows, *found]


def main() -> None:
    """Make, train and score the films; print the table, write it beside this file, and all numbers to OUT/films.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--films", default=",".join(FILMS), help=f"with commas, of {', '.join(FILMS)}")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--train", type=int, default=TRAIN)
    parser.add_argument(
        "--seed", type=int, default=0, help="added to the films' own: others to make choices on"
    )
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    about, rows = machine.describe(), []
    for name in given.films.split(","):
        film = FILMS[name]
        film = Film(film.seed + given.seed, film.parameters, film.leveled_waves)
        folder = given.out / f"{name}-{film.seed}-{given.pairs}"
        folder.mkdir(parents=True, exist_ok=True)
        project = film_project(folder, film, given.pairs, given.train, given.changes)
        rows.append({"film": name} | score(project))
    with (given.out / "films.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(machine.table(COLUMNS, summary(rows)), machine.in_words(about))


if __name__ == "__main__":
    main()
