"""Copy runs and models to a server; delete unreferenced ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def sync(
    target: Annotated[
        str | None, typer.Argument(metavar="[SERVER]", help="http://...; default MLFLOW_TRACKING_URI")
    ] = None,
    runs: Annotated[
        list[str] | None,
        typer.Option("--runs", metavar="RUN", help="only this run (id or name) and its tree; repeatable"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what would be sent")] = False,
) -> None:
    """Copy finished runs and registered models to a tracking server; what is there is not sent again."""
    from pairvae.commands.sync import sync as run

    typer.echo("\n".join(run(Path.cwd(), target, runs=runs or (), dry_run=dry_run)))


@app.command()
def gc(
    yes: Annotated[bool, typer.Option("--yes", help="delete what the table lists")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list (the default)")] = False,
) -> None:
    """List unreferenced runs, models and caches with their sizes; --yes deletes them."""
    from pairvae.commands.gc import gc as run
    from pairvae.commands.gc import render

    if yes and dry_run:
        raise typer.BadParameter("--yes and --dry-run exclude each other")
    typer.echo(render(run(Path.cwd(), yes=yes), removed=yes))
