"""Commands for single stages, the whole pipeline, and its settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pairvae.cli.common import Assignments, trainable

if TYPE_CHECKING:
    from pairvae.stages.project import Project

app = typer.Typer()


@contextmanager
def _stage(name: str, changes: list[str] | None) -> Iterator[Project]:
    """The project for one stage; its outputs hold no files that would be lost."""
    from pairvae.commands.code_digests import warn_of_other_code
    from pairvae.stages.project import open_project
    from pairvae.store.outputs import BY_DVC, guarded

    project = open_project(changes or [])
    if BY_DVC not in os.environ:
        warn_of_other_code(project, name)
    with guarded(project.folder, name):
        yield project


@app.command()
def raw(changes: Assignments = None) -> None:
    """Stage: get raw pairs from the source that params.yaml names."""
    from pairvae.commands.code_digests import write_code_digests
    from pairvae.commands.preflight import check_before
    from pairvae.stages.raw import make_raw

    with _stage("raw", changes) as project:
        check_before(project)
        make_raw(project)
        write_code_digests(project)


@app.command()
def preprocess(changes: Assignments = None) -> None:
    """Stage: prepare arrays from raw pairs."""
    from pairvae.stages.preprocess import preprocess as run

    with _stage("preprocess", changes) as project:
        run(project)


@app.command()
def pretrain(changes: Assignments = None) -> None:
    """Stage: pre-train the backbone without labels. Presets without a backbone skip it."""
    from pairvae.stages.pretrain import pretrain as run

    with _stage("pretrain", changes) as project:
        run(project)


@app.command()
def train(
    what: Annotated[
        str,
        typer.Argument(metavar="MODALITY|pair", callback=trainable, help="saxs, sem, iq, or pair for both"),
    ],
    changes: Assignments = None,
) -> None:
    """Stage: train the VAE of one modality, or both as a pair."""
    from pairvae.stages.train_pair import train_pair
    from pairvae.stages.train_solo import train_solo

    with _stage(f"train-{what}", changes) as project:
        if what == "pair":
            train_pair(project)
        else:
            train_solo(project, what)


@app.command()
def assess(changes: Assignments = None) -> None:
    """Stage: score the models beside baselines and the floor. The floor compares crops of one image."""
    from pairvae.stages.assess import assess as run

    with _stage("assess", changes) as project:
        run(project)


@app.command()
def generate(changes: Assignments = None) -> None:
    """Stage: generate an ensemble of images for each morphology."""
    from pairvae.stages.generate import generate as run

    with _stage("generate", changes) as project:
        run(project)


@app.command()
def report(changes: Assignments = None) -> None:
    """Stage: draw the figures and write the report."""
    from pairvae.stages.report import report as run

    with _stage("report", changes) as project:
        run(project)


@app.command()
def params(
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="print the settings with this change; params.yaml stays unchanged; repeatable",
        ),
    ] = None,
) -> None:
    """Print every setting with its value."""
    from pairvae.modalities import check_modalities
    from pairvae.settings import PARAMS_FILE, flatten, load_settings

    settings = check_modalities(load_settings(Path(PARAMS_FILE), changes or []))
    for key, value in flatten(settings.model_dump(mode="json")).items():
        typer.echo(f"{key}: {value}")


@app.command()
def repro(
    stage: Annotated[str | None, typer.Argument(help="stop after this stage")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="a setting to write into params.yaml first; repeatable"
        ),
    ] = None,
) -> None:
    """Run the stages of the pipeline that are out of date. `--set` first writes params.yaml."""
    from pairvae.commands.repro import repro as run

    raise typer.Exit(run(Path.cwd(), stage, changes or []))
