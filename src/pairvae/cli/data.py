"""`pairvae data ...`: raw pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pairvae.cli.common import Assignments
from pairvae.errors import number_of, printable

app = typer.Typer(no_args_is_help=True, help="Simulate, download and check raw pairs.")


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="folder to write")],
    pairs: Annotated[int, typer.Option(min=1, help="pairs to simulate")] = 72,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    world: Annotated[
        str, typer.Option(metavar="film|broad", help="the built-in film, or structures of many kinds")
    ] = "film",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="physics, such as curves=true; repeatable",
        ),
    ] = None,
    modalities: Annotated[
        str, typer.Option(metavar="NAMES", help="techniques: saxs,sem and any of iq, afm, tem")
    ] = "saxs,sem",
) -> None:
    """Write simulated pairs in the data layout."""
    from pairvae.data.simulate.simulated_folder import simulate as run
    from pairvae.settings import assignments, resolve
    from pairvae.settings.simulation import simulated_techniques

    parameters = {**simulated_techniques(modalities.split(","), "--modalities"), **assignments(changes or [])}
    physics = {"simulated": {"world": world, "parameters": parameters}}
    data = resolve({"data": physics}, where="--set").data.simulated
    run(out, pairs=pairs, seed=seed, parameters=data.parameters, world=data.world)
    typer.echo(f"{number_of(pairs, 'pair')} in {out}")


@app.command()
def fetch(
    out: Annotated[Path, typer.Argument(help="folder to write")],
    base_url: Annotated[str | None, typer.Option(help="a mirror of the file server")] = None,
    archive: Annotated[Path | None, typer.Option(help="a local archive of the pairs")] = None,
) -> None:
    """Download the published pairs from the Materials Data Facility."""
    from pairvae.data.published.fetch import fetch as run
    from pairvae.data.published.fetch import published_identifiers

    run(out, identifiers=published_identifiers(), base_url=base_url, archive=archive)
    typer.echo(f"published pairs in {out}")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="folder in the data layout")],
    sheet: Annotated[Path | None, typer.Option(help="write a contact sheet of the pairs (png)")] = None,
    changes: Assignments = None,
) -> None:
    """List every problem of a folder of pairs. Exit code 1 if there is one."""
    from pairvae.commands.check import check_project
    from pairvae.data.check.problems import render
    from pairvae.modalities import check_modalities
    from pairvae.modalities.readers.linked_folders import declare_roots
    from pairvae.settings import PARAMS_FILE, assignments, load_settings, resolve
    from pairvae.store.file_cache import FileCache
    from pairvae.store.project_root import OWN_FILES, PREPARED_FILES, project_root

    params = Path(PARAMS_FILE)
    given = load_settings(params, changes or []) if params.is_file() else resolve(assignments(changes or []))
    settings = check_modalities(given)
    declare_roots(settings.data.roots)
    kept = FileCache(project_root() / OWN_FILES / PREPARED_FILES) if params.is_file() else None
    report = check_project(folder, settings, kept)
    typer.echo(render(report))
    if sheet is not None:
        from pairvae.data.check.pair_sheet import pair_sheet

        pair_sheet(folder, sheet, unpaired=settings.data.unpaired, prepare=settings.sem.prepare)
        typer.echo(f"contact sheet in {sheet}")
    if not report.clean:
        raise typer.Exit(1)


@app.command()
def preview(
    place: Annotated[Path, typer.Argument(metavar="DIR", help="folder of pairs, or a micrograph")],
    pair: Annotated[
        str | None, typer.Option(help="draw the micrograph of this pair; default: the first")
    ] = None,
    out: Annotated[Path, typer.Option(help="picture to write (png)")] = Path("preview.png"),
    changes: Assignments = None,
) -> None:
    """Binarise one micrograph with every method. Phase fraction and spacing tell which suits."""
    from pairvae.data.check.preview import preview as run
    from pairvae.data.check.preview import render, write_preview
    from pairvae.settings import PARAMS_FILE, load_settings, resolve

    params = Path(PARAMS_FILE)
    settings = load_settings(params, changes or []) if params.is_file() else resolve({})
    result = run(place, settings.sem.prepare, pair)
    typer.echo(render(result))
    write_preview(result, out)
    typer.echo(f"pictures in {out}")


@app.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="picture to write (png)")],
    folder: Annotated[Path, typer.Argument(help="folder of pairs with morphologies")],
    real: Annotated[
        list[Path] | None, typer.Option(help="real binarised crop to compare with; repeatable")
    ] = None,
) -> None:
    """Draw pairs by morphology, beside real crops. With phase fraction, period and S(r) bands."""
    from pairvae.data.simulate.comparison_sheet import contact_sheet

    contact_sheet(folder, out, real=real or [])
    typer.echo(f"contact sheet in {out}")


@app.command("init")
def init_folder(
    folder: Annotated[Path, typer.Argument(help="folder with SAXS and SEM, or IQ, in it")],
    pattern: Annotated[str | None, typer.Option(help="regular expression with a group named id")] = None,
    by_order: Annotated[bool, typer.Option("--by-order", help="pair files by their order")] = False,
    lone: Annotated[
        bool, typer.Option("--lone", help="keep files without a partner, in rows of their own")
    ] = False,
    called: Annotated[
        list[str] | None,
        typer.Option("--folder", metavar="NAME=FOLDER", help="as saxs=patterns; repeatable"),
    ] = None,
    force: Annotated[
        bool, typer.Option(help="replace an existing pairs.csv; with --by-order, against the numbers too")
    ] = False,
) -> None:
    """Write pairs.csv from the file names, and show the pairs."""
    from pairvae.data.pairs.from_names import NameRules, init_pairs, named_folders

    rules = NameRules(pattern, by_order, lone, named_folders(called or []))
    said: list[str] = []
    pairs = init_pairs(folder, rules=rules, force=force, say=said.append)
    for pair in pairs:
        names = "  ".join(Path(str(file)).name for file in pair.files.values())
        typer.echo(printable(f"{pair.id}: {names}{f'  (group {pair.group})' if pair.group else ''}"))
    for line in said:
        typer.echo(printable(line))
    typer.echo(f"{number_of(len(pairs), 'row' if lone else 'pair')} in {folder / 'pairs.csv'}")
