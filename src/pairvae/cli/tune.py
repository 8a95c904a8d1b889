"""`pairvae tune`: search for better settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pairvae.cli.common import Assignments, Cluster

app = typer.Typer()

Storage = Annotated[str | None, typer.Option(help="a database URL instead of a journal file")]


@app.callback(invoke_without_command=True)
def tune(
    context: typer.Context,
    trials: Annotated[
        int, typer.Option(min=1, help="trials in total, including those of a resumed study")
    ] = 20,
    workers: Annotated[int, typer.Option(min=1, max=256, help="processes, one thread each")] = 1,
    name: Annotated[str | None, typer.Option("--study", help="name of the study")] = None,
    storage: Storage = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue a study (the newest)")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="S", help="start no trial after S seconds")
    ] = None,
    cluster: Cluster = None,
    changes: Assignments = None,
) -> None:
    """Search the settings that params.yaml lists under `tune`. `tune apply` writes the best ones."""
    if context.invoked_subcommand is not None:
        return
    from pairvae.commands.tune import Search
    from pairvae.commands.tune import tune as run
    from pairvae.stages.project import open_project

    outcome = run(
        open_project(changes or []),
        Search(trials, workers, name, storage, resume, timeout, cluster, tuple(changes or ())),
    )
    typer.echo("\n".join(outcome.lines()))
    if outcome.interrupted:
        raise typer.Exit(130)


@app.command("apply")
def tune_apply(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="name of the study")],
    trial: Annotated[int | None, typer.Option(min=0, help="use this trial instead of the best")] = None,
    storage: Storage = None,
    then_repro: Annotated[bool, typer.Option("--then-repro", help="then run the pipeline")] = False,
) -> None:
    """Write the best settings of a study into params.yaml. Comments are kept."""
    from pairvae.commands.repro import repro as run
    from pairvae.commands.tune import apply

    for key, value in apply(Path.cwd(), name, storage=storage, trial=trial).items():
        typer.echo(f"{key}: {value}")
    if then_repro:
        raise typer.Exit(run(Path.cwd(), None, []))
    typer.echo("written into params.yaml; train and assess with them by: pairvae repro")
