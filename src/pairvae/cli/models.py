"""Trained models at work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pairvae.cli.common import CHAMPION, Model, Out, modality

app = typer.Typer()


@app.command()
def predict(
    files: Annotated[list[str], typer.Argument(help="raw files")],
    to: Annotated[
        str, typer.Option(metavar="sem|saxs|...", callback=modality, help="the modality to predict")
    ],
    out: Out = Path("predictions"),
    model: Model = CHAMPION,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="images per input")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Predict SEM images from SAXS patterns, or the reverse."""
    from pairvae.stages.predict import predict as run

    written = run(files, to=to, out=out, model=model, samples=samples, seed=seed)
    typer.echo(f"{written} predictions in {out}")
