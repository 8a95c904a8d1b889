"""The state of a project: its health, its runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def doctor(
    fix_paths: Annotated[
        bool, typer.Option("--fix-paths", help="after a move: mend the paths of runs and models")
    ] = False,
) -> None:
    """Check the installation, the settings, the data, the stores and the device; exit code 1 for a problem."""
    from pairvae.stages.doctor import doctor as run
    from pairvae.stages.doctor import render

    findings = run(Path.cwd(), fix_paths=fix_paths)
    typer.echo(render(findings))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000) -> None:
    """Open MLflow's UI on the runs of this project."""
    from pairvae.tracking.roots import project_root, ui_command

    command, environment = ui_command(project_root(), port)
    typer.echo(f"http://127.0.0.1:{port}  (Ctrl-C stops)")
    os.execvpe(command[0], command, {**os.environ, **environment})
