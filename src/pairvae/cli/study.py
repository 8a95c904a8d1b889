"""`pairvae study`: trainings repeated over sizes and splits."""

from __future__ import annotations

from typing import Annotated

import typer

from pairvae.cli.common import Assignments, integers

app = typer.Typer()


@app.command()
def study(
    sizes: Annotated[str, typer.Option(help="training sizes, with commas")] = "32,48,64",
    seeds: Annotated[str, typer.Option(help="split seeds, with commas")] = "42,43,44,45,46",
    workers: Annotated[int, typer.Option(min=1, max=256, help="processes, one thread each")] = 1,
    changes: Assignments = None,
) -> None:
    """The repetition study: training sizes x split seeds, resumable; a table in reports/study.csv."""
    from pairvae.stages.project import open_project
    from pairvae.stages.study import study as run

    table = run(open_project(changes or []), integers(sizes, "--sizes"), integers(seeds, "--seeds"), workers)
    typer.echo(f"study in {table}")
