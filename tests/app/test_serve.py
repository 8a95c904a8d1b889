"""`pairvae serve`: MLflow's scoring requests and image files, of a pair that was registered."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests

from pairvae.errors import InputError
from pairvae.inference.loader import load

pytestmark = pytest.mark.slow
WAIT = 120


@pytest.fixture(scope="module")
def address(finished_project: Path) -> Iterator[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "pairvae.cli", "serve", "--port", "0"],
        cwd=finished_project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = process.stdout.readline()
    assert told.startswith("http://127.0.0.1:"), process.communicate()[1]
    yield told.split("/  ")[0]
    process.terminate()
    process.communicate(timeout=60)


def test_mlflows_requests_give_what_predict_gives(address: str, finished_project: Path) -> None:
    assert requests.get(f"{address}/ping", timeout=WAIT).status_code == 200
    predictor = load("models:/pairvae@champion", finished_project)
    file = min((finished_project / "data" / "raw" / "SAXS").iterdir())
    array = predictor.prepare(file, "saxs")
    wanted = {"inputs": array[None].tolist(), "params": {"direction": "saxs_sem", "samples": 7, "seed": 3}}
    answer = requests.post(f"{address}/invocations", json=wanted, timeout=WAIT)
    assert answer.status_code == 200, answer.text
    images = np.array(answer.json()["predictions"])
    expected = predictor.predict(array[None], "saxs", "sem", 7, 3)[0]  # more than are decoded at a time
    assert images.shape == (7, 1, 192, 192)
    assert (images[:, 0] != expected).mean() < 0.001  # a pixel at the threshold may fall either way


def test_an_unknown_parameter_is_refused(address: str, finished_project: Path) -> None:
    file = min((finished_project / "data" / "raw" / "SAXS").iterdir())
    array = load("models:/pairvae@champion", finished_project).prepare(file, "saxs")
    wanted = {"inputs": array[None].tolist(), "params": {"direction": "saxs_sem", "sample": 7}}
    answer = requests.post(f"{address}/invocations", json=wanted, timeout=WAIT)
    assert answer.status_code == 400
    assert "expected some of direction, samples, seed, conditions, found sample" in answer.text


def test_image_files_go_in_and_come_out(address: str, finished_project: Path) -> None:
    file = min((finished_project / "data" / "raw" / "SAXS").iterdir())
    answer = requests.post(
        f"{address}/api/predict.png", params={"source": "saxs"}, data=file.read_bytes(), timeout=WAIT
    )
    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels.shape == (192, 192)
    assert set(np.unique(pixels)) <= {0, 255}


def test_other_sites_and_large_bodies_are_refused(address: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        answer = requests.post(f"{address}/invocations", json={}, headers=headers, timeout=WAIT)
        assert answer.status_code == 403
    large = requests.post(f"{address}/invocations", data=b" " * 40_000_000, timeout=WAIT)
    assert large.status_code == 413
    wrong = requests.post(f"{address}/invocations", json={"inputs": [[1]]}, timeout=WAIT)
    assert 400 <= wrong.status_code < 600


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    from pairvae.tracking.registry import scoring_app as scoring

    (tmp_path / "served.py").write_text("raise SystemExit('run')")
    description = (
        f"flavors:\n  python_function:\n    loader_module: {scoring.LOADER}\n"
        "    model_code_path: x/served.py\n"
    )
    (tmp_path / "MLmodel").write_text(description)
    assert scoring._foreign(tmp_path) == "other code (served.py)"
    (tmp_path / "served.py").write_bytes(scoring.SERVED.read_bytes())
    assert scoring._foreign(tmp_path) is None
    (tmp_path / "MLmodel").write_text(description + "    code: code\n")
    assert scoring._foreign(tmp_path) == "code or pickles of its own"
    (tmp_path / "MLmodel").write_text(description.replace(scoring.LOADER, "mlflow.sklearn"))
    assert scoring._foreign(tmp_path) == "the loader mlflow.sklearn"


def test_a_folder_is_no_registered_model(tmp_path: Path) -> None:
    from pairvae.cli.serving import serve

    with pytest.raises(InputError, match="expected a registered model"):
        serve(model=str(tmp_path))
