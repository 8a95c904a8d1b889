"""Commands that create, check and clean a project and open its runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="folder of the project; created if it does not exist")
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="your pairs: a folder with SAXS/ and SEM/, or with a pairs.csv"),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="FOLDER|URI",
            help="tracking store that projects share: runs and registered models",
        ),
    ] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="DVC's cache that projects share")] = None,
) -> None:
    """Create a project. It gets settings, the pipeline, and a README with the first commands."""
    from pairvae.commands.init import init as run

    made = run(folder, data, store, cache)
    typer.echo(f"{made.folder}: a project{' under git' if made.git else ', without git'}")
    typer.echo(f"cd {folder}")
    typer.echo("pairvae repro")
    if data is None:
        typer.echo("(runs on the built-in data; on your own: pairvae repro --set data.source=FOLDER)")


@app.command()
def doctor(
    fix_paths: Annotated[
        bool, typer.Option("--fix-paths", help="after a move: correct the paths of runs and models")
    ] = False,
) -> None:
    """Check the installation, settings, data, stores and device. Exit code 1 if there is a problem."""
    from pairvae.commands.doctor import doctor as run
    from pairvae.commands.doctor import render

    findings = run(Path.cwd(), fix_paths=fix_paths)
    typer.echo(render(findings))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000) -> None:
    """Open MLflow's UI with the runs of this project. If they are on a server, print its address."""
    from pairvae.store.project_root import is_server, project_root, tracking_uri, ui_command

    root = project_root()
    if is_server(tracking_uri(root)):
        typer.echo(tracking_uri(root))
        return
    from pairvae.stages.project import open_project
    from pairvae.tracking.database import page_with_runs  # mlflow takes 2 s to import; the page takes longer

    command, environment = ui_command(root, port)
    page = page_with_runs(root, open_project(folder=root).settings.tracking.experiment)
    typer.echo(f"http://127.0.0.1:{port}/{page}  (Ctrl-C stops)")
    os.execvpe(command[0], command, {**os.environ, **environment})


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
    """Copy finished runs and registered models to a tracking server. Existing ones are not sent again."""
    from pairvae.commands.sync import sync as run

    typer.echo("\n".join(run(Path.cwd(), target, runs=runs or (), dry_run=dry_run)))


@app.command()
def prior(
    out: Annotated[Path, typer.Argument(help="model folder to write")],
    pairs: Annotated[int, typer.Option(min=100, help="pairs of the broad world, a multiple of 100")] = 10_000,
    epochs: Annotated[int, typer.Option(min=1, help="epochs of the VAE of micrographs")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    work: Annotated[Path, typer.Option(help="samples and checkpoints; a killed run resumes")] = Path(
        ".pairvae/prior"
    ),
) -> None:
    """Train the prior anew, on simulated structures of many kinds."""
    from pairvae.commands.prior import make_prior

    make_prior(out, work, pairs=pairs, epochs=epochs, seed=seed)
    typer.echo(f"{out}: try it with `pairvae predict FILE --to sem --model {out}`")


@app.command()
def gc(
    yes: Annotated[bool, typer.Option("--yes", help="delete what the table lists")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list (the default)")] = False,
) -> None:
    """List unreferenced runs, models and caches with their sizes. --yes deletes them."""
    from pairvae.commands.gc import gc as run
    from pairvae.commands.gc import render

    if yes and dry_run:
        raise typer.BadParameter("--yes and --dry-run exclude each other")
    typer.echo(render(run(Path.cwd(), yes=yes), removed=yes))
