"""Commands that serve predictions: for new files in a folder, on a web page, over HTTP."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pairvae.cli.common import (
    CHAMPION,
    REGISTRY,
    BeamCentre,
    Conditions,
    Model,
    NmPerPx,
    QPerPx,
    QUnit,
    Source,
    modality,
    one_thread,
    require_folder,
    require_model,
)
from pairvae.errors import InputError, printable

if TYPE_CHECKING:
    from pairvae.app.server import Address

app = typer.Typer()

Port = Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")]
Host = Annotated[str, typer.Option(help="address to listen on; one that others can reach needs a token")]
Names = Annotated[
    list[str] | None, typer.Option("--name", metavar="HOST", help="host name to answer to; repeatable")
]
Capacity = Annotated[int, typer.Option(min=1, max=64, help="requests that may wait; more get 503")]


@app.command()
def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder to watch")],
    to: Annotated[
        str, typer.Option(metavar="sem|saxs|...", callback=modality, help="the modality to predict")
    ],
    out: Annotated[Path, typer.Option("--out", help="folder for predictions and their table")],
    source: Source = None,
    model: Model = CHAMPION,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="images per input")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    every: Annotated[
        float, typer.Option(min=0.05, max=3600, help="seconds between two scans of the folder")
    ] = 0.25,
    patience: Annotated[
        float, typer.Option(min=0, max=86400, help="seconds to wait for a file that cannot be read yet")
    ] = 10.0,
    html: Annotated[
        bool, typer.Option("--html", help="also write a page, watch.html, beside the table")
    ] = False,
    nm_per_px: NmPerPx = None,
    q_per_px: QPerPx = None,
    beam_centre: BeamCentre = None,
    q_unit: QUnit = None,
    conditions: Conditions = None,
) -> None:
    """Predict from new files in a folder until Ctrl-C. A restart continues where it stopped."""
    require_folder(folder)
    require_model(model)
    one_thread()
    from pairvae.commands.watch import Options, Status
    from pairvae.commands.watch import watch as run
    from pairvae.modalities.acquisition import acquisition_of

    acquisition = acquisition_of(nm_per_px, q_per_px, beam_centre, q_unit, conditions or [])
    status = Status(printable(str(folder)))

    def tell(line: str) -> None:
        status.clear()
        typer.echo(line, err=True)

    options = Options(folder, to, out, samples, seed, every, patience, html, acquisition, source)
    with _until_stopped() as stop:
        done = run(options, model, stop, tell, status)
    typer.echo(f"{done.predicted} predicted, {done.bad} left out, in {printable(str(out))}")


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the process at once."""
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command("app")
def web_page(
    port: Port = 8600,
    host: Host = "127.0.0.1",
    model: Annotated[
        str | None,
        typer.Option(help="registry URI or model folder; by default the project's champion and candidate"),
    ] = None,
    name: Names = None,
    capacity: Capacity = 8,
) -> None:
    """Open the web page for predictions. Drop a measurement to predict the other one; explore the latent space."""
    _need_app()
    if model is not None:
        require_model(model)
    one_thread()
    from pairvae.app.server import run, token_for

    address = _address(host, port, name)
    token = token_for(address)
    from pairvae.app.applications import STATIC, page
    from pairvae.app.model_choice import models_of

    run(page(models_of(model)), address, token, frozenset(STATIC), capacity, typer.echo)


@app.command()
def serve(
    port: Port = 8601,
    host: Host = "127.0.0.1",
    model: Annotated[str, typer.Option(help="registry URI")] = CHAMPION,
    name: Names = None,
    capacity: Capacity = 8,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="run the code in a model that another version wrote")
    ] = False,
) -> None:
    """Serve a registered pair over HTTP. It takes MLflow's scoring requests, and image files."""
    _need_app()
    if not model.startswith(REGISTRY):
        raise InputError(expected=f"a registered model, {CHAMPION}", found=repr(model), where="--model")
    one_thread()
    from pairvae.app.server import run, token_for

    address = _address(host, port, name)
    token = token_for(address)
    from pairvae.app.applications import scoring
    from pairvae.app.model_choice import models_of
    from pairvae.inference.loader import pinned
    from pairvae.store.project_root import project_root
    from pairvae.tracking.registry.scoring_app import scoring_app

    model = pinned(model, project_root())  # both parts of the server use the same version
    mlflow_app = scoring_app(project_root(), model, trust=trust_code)
    run(scoring(models_of(model), mlflow_app), address, token, frozenset(), capacity, typer.echo)


def _address(host: str, port: int, names: list[str] | None) -> Address:
    from pairvae.app.server import Address

    return Address(host, port, tuple(names or ()))


def _need_app() -> None:
    """``InputError`` without the packages of the extra [app]."""
    from importlib.util import find_spec

    missing = [package for package in ("fastapi", "uvicorn") if find_spec(package) is None]
    if missing:
        raise InputError(
            expected=f"the package {missing[0]}", found="none", remedy="install pairvae with the extra [app]"
        )
