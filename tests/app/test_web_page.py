"""The page's server, asked over a real connection."""

import base64
import http.client
import io
import json
import re
import time
import zipfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
import requests

from pairvae.app.applications import STATIC, page
from pairvae.app.guard import App, Rules
from pairvae.app.model_choice import Models
from pairvae.app.server import Address, listen, rules_for
from pairvae.errors import InputError
from pairvae.numerics.morphology import two_point_correlation

WAIT = 60


def predict(address: str, content: bytes, kind: str = "predict", **query: object) -> requests.Response:
    return requests.post(
        f"{address}/api/{kind}", data=content, params={"source": "saxs", **query}, timeout=WAIT
    )  # type: ignore[arg-type]  # requests' stubs know no object


def picture(uri: str) -> np.ndarray:
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED))


def test_the_page_asks_for_nothing_outside_itself(served: str) -> None:
    for path, (name, kind) in STATIC.items():
        answer = requests.get(served + path, timeout=WAIT)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.content == files("pairvae.app").joinpath("static", name).read_bytes()
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)
        assert not re.search(r"innerHTML|document\.write|eval\(|style=|onclick", answer.text)


def test_no_other_path_is_a_file(served: str) -> None:
    host, port = urlsplit(served).hostname, urlsplit(served).port
    for path in (
        "/static/app.js",
        "/index.html",
        "/../app.css",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/api",
        "/docs",
    ):
        connection = http.client.HTTPConnection(str(host), port, timeout=WAIT)
        connection.request("GET", path)
        assert connection.getresponse().status == 404, path
        connection.close()


def test_a_pattern_gives_images_with_numbers_and_a_curve(served: str, pattern: Path) -> None:
    begun = time.monotonic()
    answer = predict(served, pattern.read_bytes(), name="<b>a</b>/../x\n.jpg", samples=3)
    print(f"app: first result after {time.monotonic() - begun:.2f} s")
    found = answer.json()
    assert (answer.status_code, found["target"], found["name"]) == (200, "sem", "x.jpg")
    kinds = [one["kind"] for one in found["pictures"]]
    assert kinds == ["given", "best", "spread", *3 * ["sample"], *3 * ["measured"]]
    assert picture(found["pictures"][0]["uri"]).shape == (32, 32, 3)
    assert set(np.unique(picture(found["pictures"][1]["uri"]))) <= {0, 255}
    assert found["scale"]["label"].endswith(" nm") and 0 < found["scale"]["share"] <= 0.35
    curve = found["curve"]
    assert len(curve["x"]) == len(curve["mean"]) == 96
    assert all(
        low <= mean <= high
        for low, mean, high in zip(curve["low"], curve["mean"], curve["high"], strict=True)
    )
    assert {one["label"] for one in found["numbers"]} >= {
        "Domain spacing",
        "Phase fraction of the bright phase",
    }
    same = predict(served, pattern.read_bytes(), samples=3, name="<b>a</b>/../x\n.jpg").json()
    assert same == found


def test_a_micrograph_gives_a_pattern(served: str, micrograph: Path) -> None:
    found = predict(served, micrograph.read_bytes(), source="sem", samples=1).json()
    assert (found["target"], [one["kind"] for one in found["pictures"]]) == ("saxs", ["given", "best"])
    assert picture(found["pictures"][1]["uri"]).shape == (32, 32, 3)
    assert found["curve"]["title"].startswith("Azimuthal average I(q)")


def test_numbers_are_those_of_predict(served: str, models: Models, pattern: Path) -> None:
    found = predict(served, pattern.read_bytes(), samples=4, seed=2).json()
    predictor = models.get(models.first)
    images = predictor.decode(predictor.encode(predictor.prepare(pattern, "saxs"), "saxs"), "sem", 4, 2)[0]
    told = {one["label"]: one["value"] for one in found["numbers"]}
    assert told["Phase fraction of the bright phase"].startswith(
        f"{100 * np.median(images.mean((1, 2))):.1f} %"
    )
    s2 = two_point_correlation(images)
    assert np.allclose(found["curve"]["mean"], s2.mean(0), atol=1e-6)
    assert np.allclose(found["curve"]["high"], s2.max(0), atol=1e-6)


def test_results_come_as_png_and_as_zip(served: str, pattern: Path) -> None:
    found = predict(served, pattern.read_bytes(), samples=2, seed=4).json()
    best = predict(served, pattern.read_bytes(), "predict.png", seed=4)
    assert best.headers["content-type"] == "image/png"
    pixels = cv2.imdecode(np.frombuffer(best.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(pixels, picture(found["pictures"][1]["uri"]))
    told = {one["label"]: one["value"] for one in found["numbers"]}
    distance = float(best.headers["x-pairvae-distance"])
    assert f"{distance:.2f}" == told["Distance from the training data (usual: below 1)"]
    packed = predict(served, pattern.read_bytes(), "predict.zip", samples=2, seed=4, name="../../etc/x")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert sorted(archive.namelist()) == [
            "curve.csv", "result.json", "saxs-given.png", "sem-best.png",
            *(f"sem-measured-0{number}.png" for number in (1, 2, 3)),
            "sem-sample-01.png", "sem-sample-02.png", "sem-spread.png",
        ]  # fmt: skip
        told = json.loads(archive.read("result.json"))
        assert (told["input"], told["seed"]) == ("x", 4)
        assert len(archive.read("curve.csv").splitlines()) == 97


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "an empty file"), (b"hello, this is no image", "a text file"), (b"GIF89a" + b"\0" * 60, "a GIF picture"),
     (b"\x80\x04\x95" + b"\xff" * 60, "a Python pickle"), (b"\x89HDF\r\n\x1a\n" + b"\0" * 60, "an HDF5 file"),
     (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "upload.png")],
)  # fmt: skip
def test_what_is_no_image_is_refused_in_one_line(served: str, content: bytes, words: str) -> None:
    answer = predict(served, content, name="upload.png")
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert words in answer.json()["error"]
    assert "upload.png" in answer.json()["error"]
    assert "/tmp" not in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_headers_that_lie_about_the_size_are_refused(served: str) -> None:
    big = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        big, {"descr": "|u1", "fortran_order": False, "shape": (100_000, 90_000)}
    )
    answer = predict(served, big.getvalue() + b"\0" * 100)
    assert (answer.status_code, "100000 x 90000" in answer.text or "cut short" in answer.text) == (400, True)


def test_unknown_modalities_models_and_numbers_are_refused(served: str, pattern: Path) -> None:
    content = pattern.read_bytes()
    assert "expected a modality" in predict(served, content, source="../x").json()["error"]
    assert "expected a model" in predict(served, content, model="models:/other/1").json()["error"]
    for query in ({"samples": 33}, {"samples": 0}, {"seed": -1}, {"samples": "x"}, {"name": "x" * 201}):
        assert predict(served, content, **query).status_code == 422
    for x in ("nan", "inf", "1e300"):
        wanted = {"modality": "saxs", "x": x, "y": "0"}
        assert requests.get(f"{served}/api/point", params=wanted, timeout=WAIT).status_code == 422


def test_the_latent_plane_has_the_training_pairs_and_points_between_them(served: str) -> None:
    plane = requests.get(f"{served}/api/plane", params={"modality": "saxs"}, timeout=WAIT).json()
    assert len(plane["points"]) == len(plane["ids"]) or not plane["ids"]
    x, y = plane["points"][0]
    wanted = {"modality": "saxs", "x": str(x), "y": str(y)}
    found = requests.get(f"{served}/api/point", params=wanted, timeout=WAIT).json()
    assert [one["target"] for one in found] == ["saxs", "sem"]
    assert all(len(one["pictures"]) == 1 for one in found)


def test_the_description_names_every_request(served: str) -> None:
    described = requests.get(f"{served}/api/openapi.json", timeout=WAIT).json()
    assert set(described["paths"]) == {
        "/api/about", "/api/predict", "/api/predict.zip", "/api/predict.png", "/api/plane", "/api/point",
        "/api/technique", "/api/explain", "/api/suggestions",
    }  # fmt: skip


def test_a_taken_port_is_one_clear_line() -> None:
    with (
        listen(Address()) as bound,
        pytest.raises(InputError, match="expected a free port, found Address already in use"),
    ):
        listen(Address(port=bound.getsockname()[1]))


def test_bound_elsewhere_the_api_wants_the_token(
    started: Callable[[App, Rules], str], models: Models
) -> None:
    address = started(page(models), rules_for(Address("0.0.0.0"), "a-token-of-our-own", frozenset(STATIC), 8))
    assert requests.get(f"{address}/", timeout=WAIT).status_code == 200
    assert requests.get(f"{address}/api/about", timeout=WAIT).status_code == 401
    shown = {"Authorization": "Bearer a-token-of-our-own"}
    assert requests.get(f"{address}/api/about", headers=shown, timeout=WAIT).status_code == 200


def test_the_page_says_why_and_what_to_measure_next(
    served: str, pattern: Path, tiny_pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = predict(served, pattern.read_bytes(), "explain", name=pattern.name).json()
    assert any(line.startswith("phase fraction: ") for line in told["lines"])
    assert picture(told["uri"]).shape[2] >= 3
    monkeypatch.chdir(tiny_pair)
    found = requests.get(f"{served}/api/suggestions", timeout=WAIT)
    error = found.json()["error"]  # every sample of this project has a partner
    assert (
        found.status_code == 400
        and "samples with SAXS pattern and without SEM image" in error
        and str(tiny_pair) not in error
    )
