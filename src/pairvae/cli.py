"""The command line. Heavy imports stand inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pairvae.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="PairVAE: predict SEM images from SAXS patterns and back. Start with `pairvae repro`.",
)
data_app = typer.Typer(no_args_is_help=True, help="Simulate, download and check raw pairs.")
app.add_typer(data_app, name="data")
tune_app = typer.Typer()
app.add_typer(tune_app, name="tune")

Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="a setting to change; repeatable")
]
Out = Annotated[Path, typer.Option("--out", help="folder for what comes out")]


def _modality(name: str) -> str:
    """A modality's name (a usage error otherwise)."""
    from pairvae.settings import modality_names

    if name not in modality_names():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(modality_names())}")
    return name


def _trainable(name: str) -> str:
    """``pair`` or a modality's name (a usage error otherwise)."""
    return name if name == "pair" else _modality(name)


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
) -> None:
    """Options of every command."""
    if debug:
        os.environ["PAIRVAE_DEBUG"] = "1"


@data_app.command()
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


@data_app.command()
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


@data_app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="folder in the data layout")],
    sheet: Annotated[Path | None, typer.Option(help="write a contact sheet of the pairs (png)")] = None,
    changes: Assignments = None,
) -> None:
    """List every problem of a folder of pairs; exit code 1 if there is one."""
    from pairvae.data.check import check_for, render
    from pairvae.settings import PARAMS_FILE, load_settings, resolve

    params = Path(PARAMS_FILE)
    settings = load_settings(params, changes or []) if params.is_file() else resolve({})
    report = check_for(folder, settings.sem.prepare)
    typer.echo(render(report))
    if sheet is not None:
        from pairvae.data.sheet import pair_sheet

        pair_sheet(folder, sheet)
        typer.echo(f"contact sheet in {sheet}")
    if not report.clean:
        raise typer.Exit(1)


@data_app.command()
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


@data_app.command("init")
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


@app.command()
def raw(changes: Assignments = None) -> None:
    """Stage: raw pairs, from the source that params.yaml names."""
    from pairvae.stages.project import open_project
    from pairvae.stages.raw import make_raw

    make_raw(open_project(changes or []))


@app.command()
def preprocess(changes: Assignments = None) -> None:
    """Stage: raw pairs to prepared arrays."""
    from pairvae.stages.preprocess import preprocess as run
    from pairvae.stages.project import open_project

    run(open_project(changes or []))


@app.command()
def pretrain(changes: Assignments = None) -> None:
    """Stage: self-supervised pre-training of the backbone, where the preset asks for it."""
    from pairvae.stages.pretrain import pretrain as run
    from pairvae.stages.project import open_project

    run(open_project(changes or []))


@app.command()
def train(
    what: Annotated[
        str,
        typer.Argument(metavar="MODALITY|pair", callback=_trainable, help="saxs, sem, iq, or pair for both"),
    ],
    changes: Assignments = None,
) -> None:
    """Stage: one modality's VAE alone, or both as a pair."""
    from pairvae.stages.project import open_project
    from pairvae.stages.train import train_pair, train_solo

    project = open_project(changes or [])
    if what == "pair":
        train_pair(project)
    else:
        train_solo(project, what)


@app.command()
def assess(changes: Assignments = None) -> None:
    """Stage: scores beside baselines and the crop-to-crop floor."""
    from pairvae.stages.assess import assess as run
    from pairvae.stages.project import open_project

    run(open_project(changes or []))


@app.command()
def generate(changes: Assignments = None) -> None:
    """Stage: ensembles of images for each morphology."""
    from pairvae.stages.generate import generate as run
    from pairvae.stages.project import open_project

    run(open_project(changes or []))


@app.command()
def report(changes: Assignments = None) -> None:
    """Stage: figures and the report page."""
    from pairvae.stages.project import open_project
    from pairvae.stages.report import report as run

    run(open_project(changes or []))


@app.command()
def register(changes: Assignments = None) -> None:
    """Stage: the five models in the registry."""
    from pairvae.stages.project import open_project
    from pairvae.stages.register import register as run

    run(open_project(changes or []))


@app.command()
def params(changes: Assignments = None) -> None:
    """Print every setting with its value."""
    from pairvae.modalities import check_modalities
    from pairvae.settings import PARAMS_FILE, flatten, load_settings

    settings = check_modalities(load_settings(Path(PARAMS_FILE), changes or []))
    for key, value in flatten(settings.model_dump(mode="json")).items():
        typer.echo(f"{key}: {value}")


@app.command()
def repro(
    stage: Annotated[str | None, typer.Argument(help="stop after this stage")] = None,
    changes: Assignments = None,
) -> None:
    """Run whatever is out of date in the pipeline; `--set` first writes params.yaml."""
    from pairvae.stages.repro import repro as run

    raise typer.Exit(run(Path.cwd(), stage, changes or []))


Storage = Annotated[str | None, typer.Option(help="a database URL instead of a journal file")]


@tune_app.callback(invoke_without_command=True)
def tune(
    context: typer.Context,
    trials: Annotated[int, typer.Option(min=1, help="trials in all, those of a resumed study included")] = 20,
    workers: Annotated[int, typer.Option(min=1, max=256, help="processes, one thread each")] = 1,
    name: Annotated[str | None, typer.Option("--study", help="the study's name")] = None,
    storage: Storage = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a study (the newest)")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="S", help="begin no trial after S seconds")
    ] = None,
    changes: Assignments = None,
) -> None:
    """Search the settings that params.yaml declares under `tune`; `tune apply` writes the best ones."""
    if context.invoked_subcommand is not None:
        return
    from pairvae.stages.project import open_project
    from pairvae.stages.tune import tune as run

    outcome = run(
        open_project(changes or []),
        trials=trials,
        workers=workers,
        name=name,
        storage=storage,
        resume=resume,
        timeout=timeout,
        changes=tuple(changes or ()),
    )
    typer.echo("\n".join(outcome.lines()))
    if outcome.interrupted:
        raise typer.Exit(130)


@tune_app.command("apply")
def tune_apply(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="the study's name")],
    trial: Annotated[int | None, typer.Option(min=0, help="this trial instead of the best")] = None,
    storage: Storage = None,
    then_repro: Annotated[bool, typer.Option("--then-repro", help="run the pipeline with them")] = False,
) -> None:
    """Write the best settings of a study into params.yaml, its comments kept."""
    from pairvae.stages.repro import repro as run
    from pairvae.stages.tune import apply

    for key, value in apply(Path.cwd(), name, storage=storage, trial=trial).items():
        typer.echo(f"{key}: {value}")
    if then_repro:
        raise typer.Exit(run(Path.cwd(), None, []))


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
def study(
    sizes: Annotated[str, typer.Option(help="training sizes, with commas")] = "32,48,64",
    seeds: Annotated[str, typer.Option(help="split seeds, with commas")] = "42,43,44,45,46",
    workers: Annotated[int, typer.Option(min=1, max=256, help="processes, one thread each")] = 1,
    changes: Assignments = None,
) -> None:
    """The repetition study: training sizes x split seeds, resumable; a table in reports/study.csv."""
    from pairvae.stages.project import open_project
    from pairvae.stages.study import study as run

    table = run(
        open_project(changes or []), _integers(sizes, "--sizes"), _integers(seeds, "--seeds"), workers
    )
    typer.echo(f"study in {table}")


def _integers(text: str, where: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise InputError(expected="different whole numbers with commas", found=repr(text), where=where)
    return [int(part) for part in parts]


@app.command()
def predict(
    files: Annotated[list[str], typer.Argument(help="raw files")],
    to: Annotated[
        str, typer.Option(metavar="sem|saxs|...", callback=_modality, help="the modality to predict")
    ],
    out: Out = Path("predictions"),
    model: Annotated[str, typer.Option(help="registry URI or model folder")] = "models:/pairvae@champion",
    samples: Annotated[int, typer.Option(min=1, max=1000, help="images per input")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Predict SEM images from SAXS patterns, or the reverse."""
    from pairvae.stages.predict import predict as run

    written = run(files, to=to, out=out, model=model, samples=samples, seed=seed)
    typer.echo(f"{written} predictions in {out}")


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000) -> None:
    """Open MLflow's UI on the runs of this project."""
    from pairvae.tracking.roots import project_root, ui_command

    command, environment = ui_command(project_root(), port)
    typer.echo(f"http://127.0.0.1:{port}  (Ctrl-C stops)")
    os.execvpe(command[0], command, {**os.environ, **environment})


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 1."""
    try:
        app()
    except (InputError, OSError) as error:
        if os.environ.get("PAIRVAE_DEBUG"):
            raise
        told = error if isinstance(error, InputError) else _file_error(error)
        typer.secho(str(told), fg=typer.colors.RED, err=True)
        sys.exit(1)


def _file_error(error: OSError) -> InputError:
    """What the operating system refused, as one line."""
    remedies = {
        errno.ENOSPC: "free some space and run it again",
        errno.EDQUOT: "free some of your quota and run it again",
        errno.EACCES: "check the permissions",
        errno.EPERM: "check the permissions",
        errno.EROFS: "choose a folder that can be written",
    }
    code = error.errno or 0
    found = error.strerror or str(error) or type(error).__name__
    if not code and "requested and" in found:  # numpy's words for a write that was cut short
        code, found = errno.ENOSPC, f"a write cut short, {found}"
    return InputError(
        expected="a file that can be read or written",
        found=found,
        where=str(error.filename or ""),
        remedy=remedies.get(code, ""),
    )


if __name__ == "__main__":
    main()
