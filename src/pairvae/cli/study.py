"""`pairvae study`: trainings repeated over sizes, splits and variants of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pairvae.cli.common import Assignments, Cluster, integers
from pairvae.errors import InputError

if TYPE_CHECKING:
    from pairvae.commands.study import Grid
    from pairvae.stages.project import Project

app = typer.Typer()


@app.command()
def study(
    sizes: Annotated[
        str | None,
        typer.Option(help="training sizes, with commas; default study.sizes (variants: split.train)"),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="split seeds, with commas; default study.seeds (variants: split.seed)"),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="processes, one thread each")] = 1,
    cluster: Cluster = None,
    variants: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file of variants, name: {setting: value}")
    ] = None,
    protocols: Annotated[
        bool,
        typer.Option("--protocols", help="compare the pair's training protocols (the paper's Figure S3)"),
    ] = False,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="leave out one part of the preset `fast` at a time")
    ] = False,
    draw: Annotated[bool, typer.Option("--draw", help="only redraw the figures from the tables")] = False,
    changes: Assignments = None,
) -> None:
    """Repeat the training over training sizes and split seeds. Resumable; writes tables to reports."""
    from pairvae.commands.study import draw as draw_figures
    from pairvae.commands.study import study as run
    from pairvae.stages.project import open_project

    project = open_project(changes or [])
    if draw:
        typer.echo(f"figures in {draw_figures(project.reports)}")
        return
    grid = _grid(project, sizes, seeds, variants, protocols=protocols, ablation=ablation)
    try:
        outcome = run(project, grid, workers=workers, cluster=cluster)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues", err=True)
        raise typer.Exit(130) from None
    typer.echo("\n".join(outcome.lines))
    typer.echo("tables: " + ", ".join(str(table) for table in outcome.tables))
    if grid.kind == "study" and outcome.lines:
        typer.echo(f"figures in {draw_figures(project.reports)}")
    for reason in outcome.failed:
        typer.secho(f"failed: {reason}", fg=typer.colors.RED, err=True)
    if outcome.failed:
        raise typer.Exit(1)


def _grid(
    project: Project,
    sizes: str | None,
    seeds: str | None,
    variants: Path | None,
    *,
    protocols: bool,
    ablation: bool,
) -> Grid:
    """The grid of the options; variants have one size and one split by default."""
    from pairvae.commands.study import Grid, read_variants, shipped_variants
    from pairvae.commands.study import protocols as protocol_variants
    from pairvae.data.split import training_pairs

    if sum((variants is not None, protocols, ablation)) > 1:
        raise typer.BadParameter("one of --variants, --protocols and --ablation")
    settings = project.settings
    one_cell = variants is not None or protocols or ablation
    chosen_sizes = integers(sizes, "--sizes") if sizes else None
    chosen_seeds = integers(seeds, "--seeds") if seeds else None
    if not one_cell:
        return Grid(chosen_sizes or settings.study.sizes, chosen_seeds or settings.study.seeds)
    if variants is not None:
        kind, grid = variants.stem, read_variants(variants, settings)
        if kind in ("study", "protocols", "metrics"):
            raise InputError(
                expected="a file name that no other table uses", found=str(variants),
                where="--variants", remedy="rename the file",
            )  # fmt: skip
    elif protocols:
        kind, grid = "protocols", protocol_variants(settings.pair.training)
    else:
        kind, grid = "ablation", shipped_variants("ablation", settings)
    sizes_of_one = chosen_sizes or (training_pairs(project.prepared().pairs, settings.split.train),)
    return Grid(sizes_of_one, chosen_seeds or (settings.split.seed,), kind, grid)
