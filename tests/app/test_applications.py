"""What stands between a request to `/invocations` and MLflow's scoring server, over a real connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import mlflow.pyfunc
import numpy as np
import pytest
import requests
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from pairvae.app.applications import json_fault, scoring
from pairvae.app.guard import App, Rules
from pairvae.app.model_choice import Models
from pairvae.tracking.registry.scoring_app import _Strict

WAIT = 60
SIGNATURE = ModelSignature(
    inputs=Schema([TensorSpec(np.dtype("float32"), (-1, 1, 2, 2))]),
    params=ParamSchema([ParamSpec("seed", DataType.long, 0), ParamSpec("samples", DataType.long, 1)]),
)


class Doubled(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow ships no types
    """As our served model: it says what is wrong with its input by a ValueError."""

    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> np.ndarray:
        if model_input.max() > 1:
            raise ValueError("input: expected values in [0, 1]")
        return 2 * model_input


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("scored") / "model"
    mlflow.pyfunc.save_model(
        str(folder), python_model=Doubled(), signature=SIGNATURE, pip_requirements=["numpy"]
    )
    return scoring_server.init(_Strict(mlflow.pyfunc.load_model(str(folder))))


@pytest.fixture
def address(scored: Any, models: Models, started: Callable[[App, Rules], str]) -> str:
    return started(scoring(models, scored), Rules())


def invoke(address: str, body: bytes | str, kind: str = "application/json") -> requests.Response:
    return requests.post(f"{address}/invocations", data=body, headers={"content-type": kind}, timeout=WAIT)


def test_what_a_request_may_be_is_judged_before_it_is_parsed(address: str) -> None:
    sound = '{"inputs": [[[[0, 0.25], [0.5, 1]]]], "params": {"seed": 3}}'
    answer = invoke(address, sound)
    assert (answer.status_code, answer.json()) == (200, {"predictions": [[[[0, 0.5], [1, 2]]]]})
    asked = {
        "deep": "[" * 100_000 + "]" * 100_000,
        "deep in the middle": '{"inputs": ' + "[" * 900 + "0" + "]" * 900 + "}",
        "never closed": "[" * 900,
        "a long integer": '{"inputs": [[[[0, 0], [0, ' + "1" * 5000 + "]]]]}",
        "a shorter one": '{"inputs": [[[[0, 0], [0, ' + "1" * 4000 + "]]]]}",
        "a seed below 0": sound.replace("3", "-1"),
        "a seed beyond": sound.replace("3", str(2**63)),
        "values beyond": sound.replace("0.25", "25"),
        "not a number": sound.replace("0.25", "NaN"),
        "other keys": '{"input": 1}',
        "no object": "3",
        "nothing": "",
        "a ragged array": '{"inputs": [[[[0, 0], [0]]]]}',
        "text": '{"inputs": "text"}',
    }
    for name, body in asked.items():
        answer = invoke(address, body)
        assert answer.status_code == 400, (name, answer.text[:300])
        assert "Traceback" not in answer.text and "stack_trace" not in answer.text, name
        assert len(answer.content) < 3000, name
        assert answer.json()["message"], name
    told = invoke(address, asked["values beyond"]).json()["message"]
    assert "expected values in [0, 1]" in told
    many = json.dumps({"inputs": np.full((200, 1, 2, 2), 0.123).tolist(), "params": {"sample": 1}})
    assert invoke(address, many).json()["message"] == "params: expected some of seed, samples, found sample"
    assert "seed: expected a whole number from 0" in invoke(address, asked["a seed below 0"]).text
    for kind in ("text/csv", "application/octet-stream", "application/vnd.apache.parquet"):
        answer = invoke(address, b"\xff\x00\n,,,", kind)
        assert 400 <= answer.status_code < 500, (kind, answer.text[:300])
        assert "Traceback" not in answer.text and "File " not in answer.text
    assert requests.head(f"{address}/ping", timeout=WAIT).status_code == 200


def test_brackets_are_counted_in_large_bodies_too() -> None:
    assert json_fault(b"[" * 32 + b"0" + b"]" * 32) is None
    assert "at most 32 levels" in str(json_fault(b"[" * 33 + b"0" + b"]" * 33))
    assert json_fault(b"[0" + b",0" * 1_000_000 + b"]") is None
