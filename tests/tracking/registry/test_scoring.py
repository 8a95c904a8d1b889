"""What is put between MLflow's scoring server and a registered pair."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from pairvae.tracking.registry.model_files import SERVED
from pairvae.tracking.registry.scoring_app import _Strict, is_own_code


def model(*known: str) -> Any:
    names = [SimpleNamespace(name=name) for name in known]
    schema = SimpleNamespace(params=names) if known else None
    return SimpleNamespace(
        metadata=SimpleNamespace(get_params_schema=lambda: schema),
        predict=lambda data, params=None: (data, params),
    )


@pytest.mark.parametrize("params", [None, {}, {"seed": 3}])
def test_what_a_model_knows_reaches_it(params: dict[str, int] | None) -> None:
    assert _Strict(model("samples", "seed")).predict("arrays", params) == ("arrays", params)


def test_unknown_parameters_are_named_beside_the_known_ones() -> None:
    with pytest.raises(MlflowException, match="expected some of samples, seed, found sample, x") as refused:
        _Strict(model("samples", "seed")).predict("arrays", {"x": 1, "sample": 2, "seed": 3})
    assert refused.value.get_http_status_code() == 400


def test_code_of_this_and_of_earlier_versions_runs_and_no_other(tmp_path: Path) -> None:
    kept = Path(__file__).parents[2] / "data" / "model-of-0.1" / "served.txt"
    assert is_own_code(SERVED)
    assert is_own_code(kept)
    shutil.copy(kept, tmp_path / "served.py")
    with (tmp_path / "served.py").open("a") as stream:
        stream.write("print()\n")
    assert not is_own_code(tmp_path / "served.py")
    assert not is_own_code(tmp_path / "missing.py")
