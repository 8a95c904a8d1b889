"""A pair from arrays and files, without a project: what is trained, kept, opened again, and refused."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ruamel.yaml import YAML

import pairvae
from pairvae.commands.fit import _kept, _training_pairs
from pairvae.commands.predict import Request, predict
from pairvae.errors import InputError
from tiny_project import TINY

COUNT = 7
SIDES = ((80, 96), (104, 72))


def tiny_settings() -> dict[str, Any]:
    settings = YAML(typ="safe").load(TINY)
    for key in ("data", "split"):
        del settings[key]
    settings["sem"]["prepare"] = {"crop": 64}
    return dict(settings)


def micrograph(seed: int) -> np.ndarray:
    rows, columns = SIDES[seed % 2]
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).random((rows, columns)), (0, 0), 3 + seed / 2)
    return np.rint(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def patterns() -> np.ndarray:
    rows, columns = np.mgrid[-48:48, -48:48] + 0.5
    distance = np.hypot(rows, columns)
    rings = [1000 * np.exp(-(((distance - 10 - 3 * index) / 3) ** 2)) + 5 for index in range(COUNT)]
    return np.random.default_rng(0).poisson(np.stack(rings))


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return {"sem": [micrograph(seed) for seed in range(COUNT)], "saxs": patterns()}


@pytest.fixture(scope="module")
def model(data: dict[str, Any]) -> pairvae.Predictor:
    return pairvae.fit(
        data,
        settings={**tiny_settings(), "saxs.training.batch": 2},
        seed=3,
        acquisition=pairvae.Acquisition(nm_per_px=1.5, q_per_px=0.01),
        unpaired={"saxs": patterns()[:2]},
        conditions={
            "width_px": [3 + seed / 2 for seed in range(COUNT)],
            "side": ["wide", None] * 3 + ["wide"],
        },
    )


def test_a_third_validates_and_the_settings_hold(model: pairvae.Predictor) -> None:
    assert model.modalities == ("saxs", "sem")
    numbers = [int(number) for number in model.card["train_ids"]]
    assert len(set(numbers)) == 3 and set(numbers) < set(range(COUNT))  # of few pairs four validate
    assert model.card["params"]["seed"] == model.card["params"]["split"]["seed"] == 3
    assert model.card["params"]["saxs"]["training"]["batch"] == 2
    assert [one.get("unpaired") for one in model.card["modalities"].values()] == [2, None]
    assert model.card["params"]["pair"]["conditions"] == ["width_px", "side"]
    assert model.facts is not None
    assert model.facts.nm_per_px == 1.5
    assert model.facts.q_per_px == pytest.approx(0.03)  # 96 px in 32


def test_it_predicts_from_what_it_was_given(
    model: pairvae.Predictor, data: dict[str, Any], tmp_path: Path
) -> None:
    images = model.predict(data["saxs"], target="sem", samples=2)
    assert images.shape == (COUNT, 2, 64, 64) and set(np.unique(images)) == {0, 1}
    made = model.predict(data["sem"], target="saxs")
    assert made.shape == (COUNT, 1, 3, 32, 32)
    np.save(tmp_path / "image.npy", data["sem"][1])
    np.testing.assert_array_equal(model.predict(tmp_path / "image.npy", target="saxs")[0], made[1])
    assert model.confidence(data["saxs"][0], "saxs") is not None


def test_saved_model_is_the_same_and_predicts_as_the_command_does(
    model: pairvae.Predictor, data: dict[str, Any], tmp_path: Path
) -> None:
    folder = model.save(tmp_path / "kept")
    assert model.save(str(folder)) == folder  # once more, in its place
    loaded = pairvae.load(folder)
    expected = model.predict(data["saxs"][:2], target="sem", samples=2, seed=1)
    np.testing.assert_array_equal(loaded.predict(data["saxs"][:2], target="sem", samples=2, seed=1), expected)
    np.save(tmp_path / "pattern.npy", data["saxs"][0])
    predict(
        [str(tmp_path / "pattern.npy")],
        Request(to="sem", out=tmp_path / "out", model=str(folder), samples=2, seed=1),
    )
    for number in range(2):
        written = cv2.imread(str(tmp_path / "out" / f"pattern-sem-{number:02d}.png"), cv2.IMREAD_GRAYSCALE)
        assert written is not None
        np.testing.assert_array_equal(written // 255, expected[0, number])


def test_a_model_that_nobody_kept_leaves_nothing_behind(
    model: pairvae.Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, temporary = model.save(tmp_path / "kept"), tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    held = _kept(folder)
    assert len(list(temporary.iterdir())) == 1
    del held
    gc.collect()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("inside", ["notes.txt", "card.json"])
def test_a_folder_of_other_things_is_not_replaced(
    model: pairvae.Predictor, tmp_path: Path, inside: str
) -> None:
    folder = model.save(tmp_path / "kept") if inside == "notes.txt" else tmp_path
    (folder / inside).write_text("[]")
    with pytest.raises(
        InputError, match=r"kept: expected a new or empty folder|card\.json: expected a JSON card"
    ):
        model.save(folder)
    assert (folder / inside).is_file()


def test_a_model_trained_anew_since_is_not_saved_for_the_loaded_one(
    model: pairvae.Predictor, tmp_path: Path
) -> None:
    loaded = pairvae.load(model.save(tmp_path / "kept"))
    other = pairvae.Predictor(loaded.vaes, {**loaded.card, "weights_sha256": "0"}, None, loaded.folder)
    with pytest.raises(InputError, match="expected the model that was loaded, found another one"):
        other.save(tmp_path / "copy")


def small(**changes: Any) -> Mapping[str, Any]:
    given: dict[str, Any] = {"saxs": np.ones((5, 40, 40)), "sem": np.zeros((5, 200, 200), np.uint8)}
    given["sem"][:, ::2] = 1
    return given | changes


def nan_image() -> list[np.ndarray]:
    images = [np.random.default_rng(0).random((200, 200)) for _ in range(5)]
    images[3][7, 7] = np.nan
    return images


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (
            {"saxs": np.ones((5, 40, 40))},
            {},
            r"fit: expected a mapping of two or more of saxs, sem, iq, .* found 'saxs'",
        ),
        (small(raman=[]), {}, "expected a mapping of two or more of"),
        ([np.ones((5, 40, 40))] * 2, {}, "expected a mapping of two or more of .* found list"),
        (small(sem=np.eye(200)[None]), {}, "as many measurements .* found 5 of saxs and 1 of sem"),
        ({name: some[:3] for name, some in small().items()}, {}, "at least 4 pairs, found 3"),
        (small(saxs="patterns"), {}, "saxs: expected arrays, or a list of files, found one path"),
        (small(saxs=np.ones((5, 6, 7, 8))), {}, r"saxs: expected arrays .* found \(5, 6, 7, 8\)"),
        (small(saxs=["a.edf"] * 5), {}, r"a\.edf: expected a file, found none"),
        (small(sem=nan_image()), {}, r"sem\[3\]: expected finite pixels, found 1 NaN"),
        (
            small(sem=[np.eye(100, dtype=int)] * 5),
            {},
            r"sem\[0\]: expected an image of at least 192 x 192 px",
        ),
        (small(sem=np.zeros((5, 200, 200))), {}, r"sem\[0\]: expected an image of two phases"),
        (
            small(saxs=[np.full((3, 32, 32), 2.0)] * 5),
            {},
            r"saxs\[0\]: expected values in \[0, 1\], found 2 to 2",
        ),
        (small(), {"validation": 1.5}, "validation: expected a share between 0 and 1, found 1.5"),
        (small(), {"unpaired": {"iq": []}}, "unpaired: expected measurements of saxs or sem, found 'iq'"),
        (
            small(),
            {"unpaired": {"sem": [np.eye(100, dtype=int)]}},
            r"unpaired sem\[0\]: expected an image of at least 192 x 192 px",
        ),
        (
            small(),
            {"conditions": {"a_nm": [1.0]}},
            "condition a_nm: expected 5 values, one for each pair, found 1",
        ),
        (
            small(),
            {"conditions": {"a_nm": [1.0] * 5}, "settings": {"pair.conditions": ["b_nm"]}},
            "training pairs with the condition b_nm, found conditions a_nm",
        ),
        (small(), {"preset": "quick"}, "expected preset fast, paper or gpu, found 'quick'"),
        (
            small(),
            {"settings": {"saxs.training.epoch": 3}},
            "unknown key saxs.training.epoch - did you mean epochs",
        ),
    ],
)
def test_what_cannot_be_trained_is_told(given: Any, options: dict[str, Any], message: str) -> None:
    changes = options.pop("settings", {"saxs": {"prepare": {"size": 32}}})
    with pytest.raises(InputError, match=message):
        pairvae.fit(given, settings=changes, **options)


def test_share_of_validation_pairs() -> None:
    assert [_training_pairs(10, share) for share in (0.01, 0.3, 0.99)] == [9, 7, 1]
