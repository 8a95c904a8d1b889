"""Commands that use trained models: register, predict, ensemble, movie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pairvae.cli.common import (
    CHAMPION,
    Assignments,
    BeamCentre,
    Cluster,
    Conditions,
    Model,
    NmPerPx,
    Out,
    QPerPx,
    QUnit,
    Source,
    To,
    modality,
    one_thread,
    require_files,
    require_model,
)
from pairvae.errors import number_of, printable

app = typer.Typer()


@app.command()
def register(
    changes: Assignments = None,
    show: Annotated[bool, typer.Option("--list", help="list the versions, newest first")] = False,
    promote: Annotated[
        str | None, typer.Option(metavar="VERSION", help="make a version champion if its score is better")
    ] = None,
    demote: Annotated[
        bool, typer.Option("--demote", help="make the previous champion champion again")
    ] = False,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="compare the scores of two versions or aliases"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="promote regardless of the scores; needs --why")
    ] = False,
    why: Annotated[str, typer.Option(help="reason, kept with the version beside user and time")] = "",
) -> None:
    """Stage: register the pair and its networks. With options: list the versions and move the champion."""
    from pairvae.commands import registry as registered

    if sum((show, promote is not None, demote, compare is not None)) > 1:
        raise typer.BadParameter("one of --list, --promote, --demote, --compare at a time")
    if (force or why) and promote is None and not demote:
        raise typer.BadParameter("--force and --why go with --promote or --demote")
    if show:
        lines = registered.list_versions()
    elif promote is not None:
        lines = registered.promote_version(promote, force=force, why=why)
    elif demote:
        lines = registered.demote_champion(why=why)
    elif compare is not None:
        lines = registered.compare_versions(compare)
    else:
        from pairvae.stages.project import open_project
        from pairvae.stages.register import register as run
        from pairvae.store.outputs import guarded

        project = open_project(changes or [])
        with guarded(project.folder, "register"):
            run(project)
        return
    for line in lines:
        typer.echo(line)


def direction(name: str) -> str:
    """A modality's name, or ``both`` (a usage error otherwise)."""
    return "both" if name.lower() == "both" else modality(name)


@app.command()
def predict(
    to: Annotated[
        str, typer.Option(metavar="sem|saxs|both|...", callback=direction, help="the modality to predict")
    ],
    files: Annotated[
        list[str] | None, typer.Argument(help="raw files, folders of them, or quoted patterns")
    ] = None,
    out: Out = Path("predictions"),
    model: Model = CHAMPION,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="images per input")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    source: Source = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="png|tiff|ome-tiff|nexus",
            help="file format of the images; of curves csv, or NXcanSAS with nexus",
        ),
    ] = "png",
    neighbours: Annotated[
        int, typer.Option(min=0, max=100, help="measured training micrographs to show beside each")
    ] = 0,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PX", help="side of predicted micrographs; by default that of the training crops"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, help="processes, one thread each; for hundreds of files one per core by default"
        ),
    ] = None,
    cluster: Cluster = None,
    nm_per_px: NmPerPx = None,
    q_per_px: QPerPx = None,
    beam_centre: BeamCentre = None,
    q_unit: QUnit = None,
    conditions: Conditions = None,
    unpaired: Annotated[
        bool,
        typer.Option(
            "--unpaired", help="predict the samples without a partner in folders of pairs (default data/raw)"
        ),
    ] = False,
) -> None:
    """Predict SEM images from SAXS patterns, or the reverse. A table lists their descriptors."""
    given = files or (["data/raw"] if unpaired else [])
    if not given:
        raise typer.BadParameter("name files, or use --unpaired")
    require_files(given)
    require_model(model)
    one_thread()
    from pairvae.modalities.acquisition import acquisition_of

    acquisition = acquisition_of(nm_per_px, q_per_px, beam_centre, q_unit, conditions or [])
    from pairvae.commands.predict import Request
    from pairvae.commands.predict import predict as run

    request = Request(to, out, model, samples, seed, source, kind, acquisition, neighbours, size, unpaired)
    written = run(given, request, workers=workers, cluster=cluster)
    typer.echo(f"{number_of(written, 'prediction')} in {printable(str(out))}")


@app.command()
def ensemble(
    out: Annotated[Path, typer.Option(help="output file, .h5 or .npz; TIFF stacks go beside it")],
    patterns: Annotated[list[str] | None, typer.Argument(help="pattern files to sample around")] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="interpolate between two patterns"),
    ] = None,
    steps: Annotated[int, typer.Option(min=2, max=1000, help="points of the interpolation")] = 5,
    morphology: Annotated[
        str | None, typer.Option(help="sample around the mean of its training patterns")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=100_000, help="images for each centre")] = 100,
    scale: Annotated[float, typer.Option(min=0, help="factor on the variance of the training latents")] = 1.0,
    spacing: Annotated[
        str | None, typer.Option(metavar="LO:HI", help="accept only images with this spacing, nm")
    ] = None,
    phase_fraction: Annotated[
        str | None, typer.Option(metavar="LO:HI", help="accept only images with this bright phase fraction")
    ] = None,
    source: Source = None,
    to: To = None,
    model: Model = CHAMPION,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Sample many SEM images around patterns or a morphology. `--between` interpolates two patterns."""
    for given in (patterns or [], between or ()):
        if given:
            require_files(given)
    require_model(model)
    one_thread()
    from pairvae.commands.ensemble import Constraints, range_of
    from pairvae.commands.ensemble import ensemble as run

    constraints = Constraints(
        samples, scale, range_of(spacing, "--spacing"), range_of(phase_fraction, "--phase-fraction"), seed
    )
    result = run(
        patterns or [],
        out,
        model=model,
        constraints=constraints,
        between=between,
        steps=steps,
        morphology=morphology,
        direction=(source, to),
    )
    typer.echo(
        f"{number_of(result.images, 'image')}, {100 * result.acceptance:.0f} % of those drawn, in {result.files[0]} "
        f"({result.direction})"
    )
    for file in result.files[1:]:
        typer.echo(f"  {file}")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="folder of the files")],
    model: Model = CHAMPION,
) -> None:
    """Write the encoders and decoders of a pair as ONNX files."""
    require_model(model)
    from pairvae.commands.export import export as run

    for file in run(out, model):
        typer.echo(f"{file.name}: {file.file or f'not exported, {file.reason}'}")


@app.command()
def movie(
    files: Annotated[list[str], typer.Argument(help="pattern files in order of time")],
    out: Annotated[Path, typer.Option(help="output file, .mp4 or .gif; the numbers go beside it as .csv")],
    source: Source = None,
    to: To = None,
    smooth: Annotated[
        float, typer.Option(min=0, help="width of the smoothing of the latent, frames; 0: none")
    ] = 1.5,
    fps: Annotated[float, typer.Option(min=0.1, max=120, help="frames per second")] = 10.0,
    model: Model = CHAMPION,
    seed: Annotated[int, typer.Option(min=0, help="seed of the noise that all frames share")] = 0,
) -> None:
    """Make a movie of SEM images from a time series of patterns. A table holds S(r) and spacing."""
    require_files(files)
    require_model(model)
    one_thread()
    from pairvae.commands.movie import movie as run

    shown = run(files, out, model=model, smooth=smooth, fps=fps, seed=seed, source=source, to=to)
    typer.echo(
        f"{number_of(shown.frames, 'frame')} in {shown.file} ({shown.direction}); "
        f"{100 * shown.flicker:.1f} % mean change of a pixel from frame to frame "
        f"({100 * shown.plain_flicker:.1f} % without smoothing)"
    )
