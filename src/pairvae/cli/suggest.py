"""`pairvae suggest` (what to measure next) and `pairvae explain` (parts of an input that a prediction depends on)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pairvae.cli.common import CHAMPION, Model, Out, Source, To, one_thread, require_files, require_model
from pairvae.errors import printable

app = typer.Typer()


@app.command()
def suggest(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="new files or folders; by default the project's samples without a partner"),
    ] = None,
    count: Annotated[int, typer.Option("--next", min=1, max=1000, help="samples to measure together")] = 3,
    out: Out = Path("suggestions"),
    model: Model = CHAMPION,
    source: Source = None,
    to: To = None,
    weights: Annotated[
        str,
        typer.Option(metavar="TERM=W,...", help="weights of error, novelty and spread; 0 switches one off"),
    ] = "error=1",
    cost: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="column of pairs.csv with the cost of a measurement")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN<=VALUE", help="only candidates that satisfy this condition; repeatable"),
    ] = None,
    stop: Annotated[
        float, typer.Option(min=0, max=1, help="stop below this expected relative gain of a measurement")
    ] = 0.01,
    ask: Annotated[
        int | None,
        typer.Option(min=1, help="print the ids of N samples and note that they are being measured"),
    ] = None,
    tell: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=FILE", help="note a measured sample (ID=failed: no result); repeatable"),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="file of suggestions and results, by default .pairvae/campaign.json")
    ] = None,
) -> None:
    """Suggest the samples to measure next. Each has a reason and an expected gain."""
    require_files(files) if files else None
    require_model(model)
    one_thread()
    from pairvae.commands.suggest import command

    chosen = command.Choice(
        tuple(files or ()), model, source, command.wanted_of(count, weights, cost, where, stop), to
    )
    if ask is None and not tell:
        result = command.suggest(chosen, out, state)
        for line in result.lines:
            typer.echo(line)
        typer.echo(f"{printable(str(result.table))}, {printable(str(result.page))}")
        return
    for line in command.ask_and_tell(chosen, tell or [], ask, state):
        typer.echo(line)


@app.command()
def explain(
    files: Annotated[list[str], typer.Argument(help="raw files or folders")],
    to: To = None,
    source: Source = None,
    out: Out = Path("explanations"),
    model: Model = CHAMPION,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="repeat it with randomised weights, as a sanity check")
    ] = True,
) -> None:
    """Show which part of an input moved the prediction. Parts are sectors of a pattern, places of a micrograph."""
    require_files(files)
    require_model(model)
    one_thread()
    from pairvae.commands.explain import explain as run

    for line in run(files, to=to, source=source, out=out, model=model, seed=seed, check=check):
        typer.echo(line)
