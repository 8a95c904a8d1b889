"""Conditions of a sample in requests to the page's server, and as fields of the page."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
from playwright.sync_api import Browser

from app.test_browser import WIDTHS, Page, browser  # noqa: F401  # a fixture
from app.test_web_page import WAIT, predict
from known_conditions import with_conditions
from pairvae.app.applications import STATIC, page
from pairvae.app.model_choice import Choice, Models
from pairvae.app.server import Address, rules_for
from pairvae.modalities.acquisition import Acquisition
from reports.browser import CHROMIUM


@pytest.fixture(scope="module")
def both(tiny_pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A champion without conditions, and a candidate that was trained with them."""
    folder = tiny_pair / "models" / "train-pair"
    known = with_conditions(folder, tmp_path_factory.mktemp("known") / "model")
    return Models({"champion": Choice(str(folder), "champion"), "candidate": Choice(str(known), "candidate")})


@pytest.fixture
def address(both: Models, started: Callable[..., str]) -> str:
    return started(page(both), rules_for(Address(), None, frozenset(STATIC), 8))


def png_of(answer: requests.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    return np.asarray(pixels)


def test_each_model_tells_its_conditions(address: str) -> None:
    def told(model: str) -> dict[str, list[object]]:
        about = requests.get(f"{address}/api/about", params={"model": model}, timeout=WAIT).json()
        return {one["name"]: one["conditions"] for one in about["modalities"]}

    assert told("") == told("champion") == {"saxs": [], "sem": []}
    known = [{"name": "pitch_nm", "mean": 40.0}, {"name": "blend", "words": ["A", "B"]}]
    assert told("candidate") == {"saxs": known, "sem": []}


def test_predictions_are_those_of_python_with_all_some_and_no_conditions(
    address: str, both: Models, pattern: Path
) -> None:
    content, predictor = pattern.read_bytes(), both.get("candidate")
    array = predictor.prepare(pattern, "saxs")
    for known in ({}, {"pitch_nm": 46.0}, {"pitch_nm": 46.0, "blend": "A"}):
        asked = [f"{name}={value}" for name, value in known.items()]
        found = png_of(predict(address, content, "predict.png", model="candidate", condition=asked))
        wanted = predictor.predict(array, target="sem", acquisition=Acquisition(conditions=known))[0, 0]
        np.testing.assert_array_equal(found, wanted * 255)
    packed = predict(address, content, "predict.zip", model="candidate", condition="blend=A", samples=1)
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert json.loads(archive.read("result.json"))["conditions"] == {"blend": "A"}
    plain, moved = (
        predict(address, content, "predict", model="candidate", condition=one).json()["curve"]["mean"]
        for one in ([], ["pitch_nm=46"])
    )
    assert plain != moved
    why = predict(address, content, "explain", model="candidate", condition="pitch_nm=46").json()
    assert why["lines"] and why != predict(address, content, "explain", model="candidate").json()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("anneal_h=3", "conditions: expected conditions pitch_nm, blend, found anneal_h"),
        ("pitch_nm=wide", "condition pitch_nm: expected a finite number, found 'wide'"),
        ("pitch_nm=nan", "condition pitch_nm: expected a finite number, found nan"),
        ("blend=C", "condition blend: expected one of A, B, found 'C'"),
        ("pitch_nm", "condition: expected NAME=VALUE, found 'pitch_nm'"),
    ],
)
def test_wrong_names_and_values_are_refused_in_one_line(
    address: str, pattern: Path, condition: str, words: str
) -> None:
    for kind in ("predict", "predict.png", "predict.zip", "explain"):
        answer = predict(address, pattern.read_bytes(), kind, model="candidate", condition=condition)
        assert (answer.status_code, answer.json()) == (400, {"error": words})
    refused = predict(address, pattern.read_bytes(), condition="pitch_nm=40")
    assert refused.json() == {
        "error": "conditions: expected no conditions: the model has none, found pitch_nm"
    }


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)")
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_has_a_field_for_each_condition(
    browser: Browser,  # noqa: F811
    address: str,
    width: int,
    pattern: Path,
) -> None:
    one = Page(browser, address, width, dark=False)
    fields = "document.querySelectorAll('#conditions [data-name]')"
    curve = "document.querySelector('#results svg .mean')?.getAttribute('points')"
    one.choose(pattern)
    one.until(curve)
    assert one(f"{fields}.length") == 0
    one("document.getElementById('model').value = 'candidate'")
    one("document.getElementById('model').dispatchEvent(new Event('change', { bubbles: true }))")
    one.until(f"{fields}.length === 2")
    one.until("document.getElementById('results').getAttribute('aria-busy') === 'false'")
    before = one(curve)
    assert one(f"[...{fields}[1].options].map(one => one.value).join()") == ",A,B"
    one(f"{fields}[0].value = '46'; {fields}[0].dispatchEvent(new Event('change', {{ bubbles: true }}))")
    one.until(f"{curve} !== {json.dumps(before)}")
    assert one("document.getElementById('problem').hidden") and one.fits()
    one("document.getElementById('compare').click()")  # the champion takes none, and is asked without
    one.until("document.querySelectorAll('#results article').length === 2")
    assert one(f"{fields}[0].value") == "46" and one("document.getElementById('problem').hidden")
    one.show(f"conditions-{width}")
