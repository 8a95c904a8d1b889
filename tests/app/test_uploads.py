"""What is posted with what is known of it: formats without a name, scales, another technique, no room."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import cv2
import fabio
import numpy as np
import pytest
import requests

from pairvae.app import uploads
from pairvae.app.uploads import FullError, measured, several, upload_of
from pairvae.errors import InputError
from pairvae.inference.loader import load
from pairvae.inference.predictor import Predictor
from pairvae.modalities.readers.image import read_image

WAIT = 60


@pytest.fixture(scope="module")
def predictor(tiny_pair: Path) -> Predictor:
    return load(tiny_pair / "models" / "train-pair")


def post(address: str, route: str, content: bytes, **query: object) -> requests.Response:
    return requests.post(f"{address}/api/{route}", data=content, params=query, timeout=WAIT)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["edf", "cbf"])
@pytest.mark.parametrize("name", ["", "the scan", "scan.bin"])
def test_detector_files_need_no_name(
    pattern: Path, predictor: Predictor, tmp_path: Path, kind: str, name: str
) -> None:
    counts = (read_image(pattern).pixels[..., :3].max(axis=2).astype(np.int32) ** 2).astype(np.int32)
    file = tmp_path / f"a.{kind}"
    getattr(fabio, f"{kind}image").__dict__[f"{kind.capitalize()}Image"](data=counts).write(str(file))
    expected = predictor.prepare(file, "saxs")
    given = measured(upload_of(file.read_bytes(), name), predictor, "saxs")
    assert np.array_equal(given.array, expected)


def test_a_technique_is_recognised(served: str, pattern: Path, micrograph: Path) -> None:
    assert post(served, "technique", pattern.read_bytes()).json() == {"source": "saxs"}
    assert post(served, "technique", micrograph.read_bytes(), name="a.tif").json() == {"source": "sem"}
    plain = cv2.imencode(".png", cv2.imread(str(micrograph), cv2.IMREAD_GRAYSCALE)[:208])[1].tobytes()
    assert post(served, "technique", plain).json() == {"source": "sem"}  # without its metadata
    refused = post(served, "technique", b"no image")
    assert (refused.status_code, refused.json()) == (200, {"source": None})


def test_a_micrograph_given_as_a_pattern_is_named(served: str, pattern: Path, micrograph: Path) -> None:
    found = post(served, "predict", micrograph.read_bytes(), source="saxs").json()
    assert any(line.startswith("This looks like an SEM image: choose that") for line in found["warnings"])
    found = post(served, "predict", pattern.read_bytes(), source="saxs").json()
    assert not any("looks like" in line for line in found["warnings"])


def test_what_is_known_of_a_file_is_taken_and_checked(served: str, pattern: Path, micrograph: Path) -> None:
    content = micrograph.read_bytes()
    other = post(served, "predict", content, source="sem", nm_per_px=1.5).json()
    assert any(
        line.startswith("1.5 nm per px, where the training data have 2.9") for line in other["warnings"]
    )
    own = post(served, "predict", content, source="sem").json()
    assert not any("per px" in line for line in own["warnings"])
    moved = post(served, "predict.png", pattern.read_bytes(), source="saxs", beam_centre="60,60")
    assert moved.status_code == 200
    for query, words in (
        ({"source": "saxs", "beam_centre": "60"}, "beam centre: expected ROW,COLUMN"),
        ({"source": "saxs", "nm_per_px": 2}, "nm per px: expected files that have one"),
        ({"source": "saxs", "q_unit": "1/m"}, "q unit: expected 1/nm or 1/angstrom"),
    ):
        refused = post(served, "predict", pattern.read_bytes(), **query)
        assert (refused.status_code, words in refused.text) == (400, True), refused.text
    assert post(served, "predict", content, source="sem", nm_per_px=0).status_code == 422


def test_no_room_is_507_with_the_reason(
    served: str, pattern: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for owner, name in ((uploads.Path, "write_bytes"), (uploads.tempfile, "TemporaryDirectory")):
        with monkeypatch.context() as context:
            context.setattr(owner, name, full)
            for route in ("predict", "predict.zip", "predict.png", "technique"):
                answer = post(served, route, pattern.read_bytes(), source="saxs")
                assert answer.status_code == 507
                assert "No space left on device; its temporary folder" in answer.json()["error"]
            with pytest.raises(FullError):
                measured(upload_of(b"x", "a.png"), predictor, "saxs")
    assert post(served, "predict.png", pattern.read_bytes(), source="saxs").status_code == 200


@pytest.mark.parametrize(
    ("beside", "found"),
    [
        ([], {"saxs": b"abcdef"}),
        (["iq:2"], {"saxs": b"abcd", "iq": b"ef"}),
        (["iq:2", "afm:1"], {"saxs": b"abc", "iq": b"de", "afm": b"f"}),
    ],
)
def test_files_of_one_sample_follow_one_another(beside: list[str], found: dict[str, bytes]) -> None:
    assert several(b"abcdef", "saxs", beside) == found


@pytest.mark.parametrize("beside", [["saxs:2"], ["iq:2", "iq:1"], ["iq"], ["iq:-1"], ["iq:7"]])
def test_wrong_lengths_are_refused(beside: list[str]) -> None:
    with pytest.raises(InputError, match="beside"):
        several(b"abcdef", "saxs", beside)


def test_the_target_is_one_of_the_model_and_another_one(served: str, pattern: Path) -> None:
    content = pattern.read_bytes()
    usual = post(served, "predict.png", content, source="saxs")
    assert post(served, "predict.png", content, source="saxs", target="sem").content == usual.content
    for target in ("saxs", "afm"):
        for route in ("predict", "predict.png"):
            assert post(served, route, content, source="saxs", target=target).status_code == 400
    refused = post(served, "predict", content, source="saxs", beside="afm:10").json()["error"]
    assert "expected a modality" in refused
