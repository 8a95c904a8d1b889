"""`pairvae data ...`: raw pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pairvae.cli.common import Assignments

app = typer.Typer(no_args_is_help=True, help="Simulate, download and check raw pairs.")


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="folder to write")],
    pairs: Annotated[int, typer.Option(min=1, help="pairs to simulate")] = 72,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="physics, as curves=true or sem_views=3; repeatable"),
    ] = None,
) -> None:
    """Write simulated pairs in the data layout."""
    from pairvae.data.simulate import simulate as run
    from pairvae.settings import assignments, resolve

    physics = {"simulated": {"parameters": assignments(changes or [])}}
    settings = resolve({"data": physics}, where="--set")
    run(out, pairs=pairs, seed=seed, parameters=settings.data.simulated.parameters)
    typer.echo(f"{pairs} pairs in {out}")


@app.command()
def fetch(
    out: Annotated[Path, typer.Argument(help="folder to write")],
    base_url: Annotated[str | None, typer.Option(help="a mirror of the file server")] = None,
    archive: Annotated[Path | None, typer.Option(help="a local archive of the pairs")] = None,
) -> None:
    """Download the published pairs from the Materials Data Facility."""
    from pairvae.data.fetch import fetch as run
    from pairvae.data.fetch import published_identifiers

    run(out, identifiers=published_identifiers(), base_url=base_url, archive=archive)
    typer.echo(f"published pairs in {out}")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="folder in the data layout")],
    sheet: Annotated[Path | None, typer.Option(help="write a contact sheet of the pairs (png)")] = None,
    changes: Assignments = None,
) -> None:
    """List every problem of a folder of pairs; exit code 1 if there is one."""
    from pairvae.data.check import check_for, render
    from pairvae.modalities.roots import declare_roots
    from pairvae.settings import PARAMS_FILE, load_settings, resolve

    params = Path(PARAMS_FILE)
    settings = load_settings(params, changes or []) if params.is_file() else resolve({})
    declare_roots(settings.data.roots)
    report = check_for(folder, settings.sem.prepare)
    typer.echo(render(report))
    if sheet is not None:
        from pairvae.data.sheet import pair_sheet

        pair_sheet(folder, sheet)
        typer.echo(f"contact sheet in {sheet}")
    if not report.clean:
        raise typer.Exit(1)


@app.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="picture to write (png)")],
    folder: Annotated[Path, typer.Argument(help="folder of pairs with morphologies")],
    real: Annotated[
        list[Path] | None, typer.Option(help="a real binarised crop beside them; repeatable")
    ] = None,
) -> None:
    """Draw pairs by morphology with phase fraction, period and S(r) bands, beside real crops."""
    from pairvae.data.sim_sheet import contact_sheet

    contact_sheet(folder, out, real=real or [])
    typer.echo(f"contact sheet in {out}")


@app.command("init")
def init_folder(
    folder: Annotated[Path, typer.Argument(help="folder with SAXS and SEM in it")],
    pattern: Annotated[str | None, typer.Option(help="regular expression with a group named id")] = None,
    force: Annotated[bool, typer.Option(help="replace an existing pairs.csv")] = False,
) -> None:
    """Write pairs.csv from the file names, and show the pairs."""
    from pairvae.data.init import init_pairs

    pairs = init_pairs(folder, pattern=pattern, force=force)
    for pair in pairs:
        typer.echo(f"{pair.id}: {Path(str(pair.saxs)).name}  {Path(str(pair.sem)).name}")
    typer.echo(f"{len(pairs)} pairs in {folder / 'pairs.csv'}")
