"""Registering models: networks as pt2 programs, the whole as a pyfunc."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.models import Model, ModelSignature
from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

from pairvae.tracking.database import as_default, connect, plainly, prepare_store
from pairvae.tracking.registry.aliases import PROGRAM_FILE, ensure_registered
from pairvae.tracking.registry.model_files import CONTENT_TAG, content_digest
from pairvae.tracking.runs.mlflow_run import active_run
from pairvae.tracking.sync import copy_of_local

if TYPE_CHECKING:
    import torch

PACKAGES = ("mlflow", "torch", "numpy")  # of a model, pinned for a server
PARAM_TYPES = {bool: "boolean", int: "long", float: "double", str: "string"}


@dataclass(frozen=True)
class About:
    """Metadata of a registered model: its run, metadata inside its files, tags of the version, and what it is."""

    experiment: str
    run_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, object] = field(default_factory=dict)
    description: str = ""


def _requirements() -> list[str]:
    """Pinned to what is installed: without a list, MLflow tries imports for 10 to 18 s to find out."""
    return [f"{package}=={installed(package).partition('+')[0]}" for package in PACKAGES]


def _tags(tags: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in tags.items()}


@contextmanager
def _logged_model(client: MlflowClient, experiment_id: str, name: str, run_id: str | None) -> Iterator[Model]:
    """A model entry that is READY when the block succeeds and FAILED otherwise."""
    entry = client.create_logged_model(experiment_id, name=name, source_run_id=run_id)
    status = LoggedModelStatus.FAILED
    try:
        yield Model(
            artifact_path=entry.artifact_location,
            run_id=run_id,
            model_uuid=entry.model_id,
            model_id=entry.model_id,
        )
        status = LoggedModelStatus.READY
    finally:
        client.finalize_logged_model(entry.model_id, status)


def usable_run(root: Path, run_id: str | None) -> str | None:
    """A run as the project's store knows it; None where that has none: deleted, or trained elsewhere."""
    known = copy_of_local(root, run_id)
    if known is None or active_run(connect(root), known) is None:
        return None
    return known


def _register(root: Path, name: str, about: About, save: Callable[[Path, Model], None]) -> int:
    """Save a model with ``save``, upload it, and make it a version; a failure leaves no version behind.

    A run that the store does not have, or no longer, is left out.
    """
    experiment_id = prepare_store(root, about.experiment)
    client = connect(root)
    run_id = usable_run(root, about.run_id)
    with plainly(root), as_default(root), tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        with _logged_model(client, experiment_id, name, run_id) as model:
            save(folder, model)
            content = {CONTENT_TAG: content_digest(folder)}
            client.log_model_artifacts(model.model_id, str(folder))
        if run_id is not None:
            client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        ensure_registered(client, name, about.description)
        made = client.create_model_version(
            name,
            source=f"models:/{model.model_id}",
            run_id=run_id,
            tags=_tags({**about.tags, **content}),
            model_id=model.model_id,
        )
    return int(made.version)


def _check_program(program: torch.nn.Module, path: Path, example: torch.Tensor) -> None:
    """``ValueError`` unless the saved program equals ``program`` for one, three and eight samples.

    torch.export silently freezes a batch that the code turns into a plain number, and then runs on no other.
    """
    import torch

    loaded = torch.export.load(path).module()
    for batch in (1, 3, 8):
        problem = f"the exported program differs from the module for a batch of {batch}"
        samples = example[torch.arange(batch) % example.shape[0]]
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(batch)
            expected = program(samples)
            torch.manual_seed(batch)
            try:
                prediction = loaded(samples)
            except (AssertionError, RuntimeError) as error:  # the guards of the export
                raise ValueError(f"{problem}: {error}") from error
        if prediction.shape != expected.shape or not torch.allclose(
            prediction, expected, rtol=1e-3, atol=1e-4
        ):
            raise ValueError(problem)


def _tensor_schema(dtype: str, shape: Sequence[int]) -> Schema:
    # Without a name: mlflow hands a named tensor to the program as a dict
    return Schema([TensorSpec(np.dtype(dtype), (-1, *shape[1:]))])


def register_program(
    root: Path, name: str, program: torch.nn.Module, example: torch.Tensor, about: About
) -> int:
    """Register a network (one tensor in, one out) as a pt2 program without pickle; returns its version.

    ``example``: ``(B, ...)`` float32 with B >= 2; the batch of the program is free, other sizes are fixed. A
    ``torch.randn`` inside ``forward`` draws anew at each call and follows ``torch.manual_seed``. ``program``
    itself is left as it is. ``ValueError`` for a batch below 2, several outputs, or a program that holds for
    one batch only.
    """
    import copy

    import mlflow.pytorch
    import torch

    if example.shape[0] < 2:
        raise ValueError("expected an example of at least two samples: torch.export freezes a batch of one")
    frozen = copy.deepcopy(program).to("cpu").eval().requires_grad_(False)
    example = example.detach().to("cpu")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        output = frozen(example)
    if not isinstance(output, torch.Tensor) or output.shape[0] != example.shape[0]:
        raise ValueError("expected one tensor out with the batch of the input")
    signature = ModelSignature(
        _tensor_schema(str(example.numpy().dtype), example.shape),
        _tensor_schema(str(output.numpy().dtype), output.shape),
    )

    def save(folder: Path, model: Model) -> None:
        mlflow.pytorch.save_model(
            frozen,
            str(folder),
            mlflow_model=model,
            signature=signature,
            input_example=example,
            pip_requirements=_requirements(),
            metadata=dict(about.metadata),
            serialization_format="pt2",
        )
        _check_program(frozen, folder / PROGRAM_FILE, example)

    return _register(root, name, about, save)


def register_pyfunc(
    root: Path,
    name: str,
    code_path: Path,
    shapes: tuple[Sequence[int] | None, Sequence[int]],
    about: About,
    *,
    artifacts: Mapping[str, Path],
    params: Mapping[str, bool | int | float | str],
) -> int:
    """Register a "model from code" (a file that calls ``mlflow.models.set_model``); returns its version.

    ``shapes``: of the float32 tensors that go in and come out, -1 where any size goes; None for what goes in: the
    code itself checks it, a mapping of arrays or one array. ``artifacts``: files by name,
    copied into the model (pt2 programs, JSON cards). ``params``: what a caller may give beside the input, with the
    default of each. No pickle anywhere.
    """
    import mlflow.pyfunc

    specs = [ParamSpec(key, PARAM_TYPES[type(value)], value) for key, value in params.items()]
    signature = ModelSignature(
        None if shapes[0] is None else Schema([TensorSpec(np.dtype("float32"), tuple(shapes[0]))]),
        Schema([TensorSpec(np.dtype("float32"), tuple(shapes[1]))]),
        ParamSchema(specs) if specs else None,
    )

    def save(folder: Path, model: Model) -> None:
        with warnings.catch_warnings():
            # advice on type hints and input examples that a signature with params makes superfluous
            warnings.simplefilter("ignore", UserWarning)
            mlflow.pyfunc.save_model(
                str(folder),
                python_model=str(code_path),
                artifacts={key: str(path) for key, path in artifacts.items()},
                signature=signature,
                mlflow_model=model,
                pip_requirements=_requirements(),
                metadata=dict(about.metadata),
            )

    return _register(root, name, about, save)
