"""Epochs of earlier versions, blocks of ``passes``, become passes over the data; few ones without it are reported."""

from pathlib import Path
from typing import Any

import pytest

from pairvae.errors import InputError
from pairvae.settings import load_settings, resolve, with_values


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ("{epochs: 40, passes: 5}", (200, 5, 0)),
        ("{epochs: 3, passes: 1}", (3, 1, 0)),
        ("{passes: 5}", (75, 5, 0)),  # the 15 blocks of the preset
        ("{epochs: null, passes: 30}", (450, 30, 0)),
        ("{epochs: 7, passes: null}", (70, 10, 0)),
        ("{epochs: 40, passes: 5, early_stop: {patience: 3}}", (200, 5, 15)),
        ("{epochs: 300, log_every: 7}", (300, 7, 0)),
        ("{epochs: 300, log_every: 7, passes: 5}", (300, 7, 0)),  # today's name wins
    ],
)
def test_a_section_with_passes_is_converted(
    training: str, expected: tuple[int, int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"sem: {{training: {training}}}\n")
    for _ in range(2):
        found = load_settings(path).sem.training
    assert (found.epochs, found.log_every, found.early_stop.patience) == expected
    told = capsys.readouterr().err.splitlines()
    assert len(told) == ("passes" in training), "one line, once"
    assert all(line.startswith(f"{path}: sem.training.passes is ") for line in told)


def test_pair_and_baseline_are_converted_too() -> None:
    old = {"pair": {"training": {"random_epochs": 2, "focused_epochs": 3, "passes": 4}}}
    old["baselines"] = {"unet": {"epochs": 0, "passes": 5}}
    settings = resolve(old)
    assert settings.pair.training.logged_epochs == (4, 8, 12, 16, 20)
    assert settings.pair.training.random_rounds == 2
    assert (settings.baselines.unet.epochs, settings.baselines.unet.log_every) == (0, 5)
    paper = resolve({"preset": "paper", "pair": {"training": {"passes": 3}}}).pair.training
    assert (paper.random_epochs, paper.focused_epochs, paper.log_every) == (300, 3000, 3)


def test_a_set_value_and_its_file_are_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("sem: {training: {epochs: 40, passes: 5}}\n")
    assert load_settings(path, ["sem.training.epochs=30"]).sem.training.epochs == 150
    assert load_settings(path, ["sem.training.passes=2"]).sem.training.epochs == 80


def test_a_space_beside_passes_is_converted_and_one_over_passes_refused() -> None:
    space = {"sem.training.epochs": {"choices": [20, 40]}, "sem.training.batch": {"low": 4, "high": 8}}
    old: dict[str, Any] = {"sem": {"training": {"passes": 5}}, "tune": {"space": space}}
    found = resolve(old).tune.space
    assert found["sem.training.epochs"].choices == (100, 200)
    assert (found["sem.training.batch"].low, found["sem.training.batch"].high) == (4, 8)
    with pytest.raises(
        InputError, match=r"found sem\.training\.passes - search sem\.training\.epochs: passes"
    ):
        resolve({"tune": {"space": {"sem.training.passes": {"choices": [5, 10]}}}})


def test_variants_under_the_old_name_are_converted() -> None:
    settings = resolve({"sem": {"training": {"epochs": 100, "log_every": 10}}})
    changed = with_values(settings, {"sem.training.passes": 30}, "variant").sem.training
    assert (changed.epochs, changed.log_every) == (300, 30)
    both = {
        "pair.training.passes": 2,
        "pair.training.random_epochs": 6,
        "pair.training.weights.similarity": 0.5,
    }
    pair = with_values(settings, both, "variant").pair.training
    assert (pair.random_epochs, pair.log_every, pair.weights["similarity"]) == (12, 2, 0.5)


@pytest.mark.parametrize("passes", [0, -1, "ten", True])
def test_passes_that_are_none_are_refused(passes: object) -> None:
    with pytest.raises(InputError, match=r"key sem\.training\.log_every: expected"):
        resolve({"sem": {"training": {"epochs": 40, "passes": passes}}})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sem": {"training": {"epochs": 15}}}, "sem.training trains 15 epochs, which are passes over the data"),
        ({"sem": {"training": {"epochs": 14}}}, "write 140 for those, or log_every beside it"),
        ({"pair": {"training": {"random_epochs": 4, "focused_epochs": 5}}}, "pair.training trains 9 epochs"),
        ({"baselines": {"unet": {"epochs": 9}}}, "baselines.unet trains 9 epochs"),
        ({"saxs": {"training": {"early_stop": {"patience": 3}}}}, "patience counts epochs: 3 is less than log_every"),
        ({"sem": {"training": {"epochs": 16}}}, None),
        ({"sem": {"training": {"epochs": 20, "log_every": 10}}}, None),
        ({"pair": {"training": {"random_epochs": 0, "focused_epochs": 130}}}, None),
        ({"baselines": {"unet": {"epochs": 0}}}, None),
        ({"preset": "paper", "sem": {"training": {"epochs": 2}}}, None),
        ({"sem": {"training": {"epochs": None}}}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_epochs_that_look_like_blocks_are_reported(
    values: dict[str, Any],
    words: str | None,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    resolve(values, where=request.node.name)  # each line is printed once a process
    told = capsys.readouterr().err.splitlines()
    assert len(told) == (words is not None)
    assert words is None or words in told[0]
