"""MLflow's scoring server for a registered pair, as an ASGI application behind pairvae's limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from pairvae.errors import InputError
from pairvae.store.files import file_digest
from pairvae.tracking.registry.aliases import download
from pairvae.tracking.registry.model_files import SERVED
from pairvae.tracking.registry.programs import program_fault

App = Callable[..., Awaitable[None]]
SEEDS = 2**63
LOADER = "mlflow.pyfunc.loaders.code_model"
EARLIER = frozenset(  # sha256 of served.py in models that earlier versions registered
    {
        "3f67d834e1c28d39b09b0326491f3d965dac6b9540d78d7e2fba8c5a2e37cabb",  # 0.1.0
        "dad225562d4520369af5eda673985ae249ca5af2d4a07b59b343683d2ead31b1",  # before `conditions`
        "bd3f7cac5a3d0109b5545e230c725d37f79087b9250641e4ea12a251c96e7aac",  # before regressions toward patterns
        "9d633ab5c25a0499f718553e36f7cf87bbb293915ff4676314d2d385e15af8dc",  # before several measurements of a sample
        "d9fce4c5d86b14b44dd605710648b8330455734843d26f9f5c585eff2d719e65",  # before regressions on them
    }
)


def scoring_app(root: Path, uri: str, *, trust: bool = False) -> App:
    """The ASGI application with ``/invocations``, ``/ping``, ``/health`` and ``/version`` of model ``uri``.

    MLflow runs the code that a model brings along: it is refused unless it is pairvae's own, of this or an
    earlier version, or ``trust`` is given. ``InputError`` for that, and where there is no such model.
    """
    folder = download(root, uri)
    fault = None if trust else _foreign(folder)
    if fault is not None:
        raise InputError(
            expected="a model whose code is that of this version of pairvae",
            found=f"{fault}, which MLflow would run",
            where=uri,
            remedy="register the model again with `pairvae repro`, or give --trust-code if you know who made it",
        )
    from mlflow.pyfunc import scoring_server

    app: App = scoring_server.init(_Strict(mlflow.pyfunc.load_model(str(folder))))
    return app


class _Strict:
    """A served model that refuses parameters that it does not have, and seeds that no other command takes.

    MLflow would leave them out with a warning that only the server's log shows: a misspelt ``sample`` would be
    answered with another number of images than was asked for.
    """

    def __init__(self, model: mlflow.pyfunc.PyFuncModel) -> None:
        self._model = model
        self.metadata = model.metadata

    def predict(self, data: Any, params: Any = None) -> Any:
        """The model's answer; ``MlflowException`` (status 400) that names the unknown parameters and the known ones."""
        schema = self.metadata.get_params_schema()
        known = [param.name for param in schema.params] if schema else []
        unknown = (
            sorted(str(name) for name in params if name not in known) if isinstance(params, dict) else []
        )
        if unknown:
            raise MlflowException.invalid_parameter_value(
                f"params: expected some of {', '.join(known)}, found {', '.join(unknown)}"
            )
        seed = params.get("seed", 0) if isinstance(params, dict) else 0
        if not (isinstance(seed, int) and 0 <= seed < SEEDS):
            raise MlflowException.invalid_parameter_value(
                f"seed: expected a whole number from 0 to 2**63 - 1, found {str(seed)[:40]}"
            )
        try:
            return self._model.predict(data, params=params)
        except (
            ValueError
        ) as error:  # what the model says of its input; MLflow would answer with a stack trace
            raise MlflowException.invalid_parameter_value(str(error)) from error


def is_own_code(file: Path) -> bool:
    """Whether the code of a registered pair is that of this version of pairvae, or of an earlier one."""
    return file.is_file() and file_digest(file) in {file_digest(SERVED), *EARLIER}


def _foreign(folder: Path) -> str | None:
    """The part of a model that would run code from outside pairvae; None if there is none."""
    flavor: dict[str, Any] = Model.load(str(folder)).flavors.get("python_function", {})
    if flavor.get("loader_module") != LOADER:
        return f"the loader {flavor.get('loader_module')}"
    if flavor.get("code") or flavor.get("python_model"):
        return "code or pickles of its own"
    named = Path(str(flavor.get("model_code_path"))).name
    if named != SERVED.name or not is_own_code(folder / named):
        return f"other code ({named})"
    for program in sorted(folder.rglob("*.pt2")):
        fault = program_fault(program)
        if fault is not None:
            return f"{fault} in {program.name}"
    return None
