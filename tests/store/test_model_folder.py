from pathlib import Path

import pytest
import torch

from pairvae.errors import InputError
from pairvae.store.model_folder import (
    CARD,
    HISTORY,
    WEIGHTS,
    history_text,
    load_card,
    load_model,
    read_history,
    save_model,
)

HISTORY_ROWS = [{"epoch": 10, "loss": 0.5, "kl": 2.0}, {"epoch": 20, "loss": 0.25, "kl": 1.0}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "train-saxs"
    save_model(folder, {"a": torch.arange(6.0).reshape(2, 3)}, {"preset": "fast"}, HISTORY_ROWS)
    return folder


def test_round_trip(folder: Path) -> None:
    stored = load_model(folder)
    assert torch.equal(stored.weights["a"], torch.arange(6.0).reshape(2, 3))
    assert stored.card["preset"] == "fast"
    assert len(stored.card["weights_sha256"]) == 64


def test_folder_holds_nothing_that_runs_code(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted([WEIGHTS, CARD, HISTORY])


def test_history_begins_with_the_epoch(folder: Path) -> None:
    assert (folder / HISTORY).read_text() == "epoch,loss,kl\n10,0.5,2.0\n20,0.25,1.0\n"
    assert read_history(folder) == HISTORY_ROWS
    assert history_text([]) == "epoch\n"


def test_no_history_is_empty(tmp_path: Path) -> None:
    assert read_history(tmp_path) == []


def test_damaged_history_is_told(folder: Path) -> None:
    (folder / HISTORY).write_text("epoch,loss\n1,abc\n")
    with pytest.raises(InputError, match=r"history\.csv: expected"):
        read_history(folder)


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a trained model, found none - run its stage again"):
        load_card(tmp_path / "absent")


def test_changed_weights_are_refused(folder: Path) -> None:
    weights = folder / WEIGHTS
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(bytes(damaged))
    with pytest.raises(InputError, match=r"weights\.safetensors: expected weights with sha256"):
        load_model(folder)


def test_missing_weights_are_told(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match="found no file"):
        load_model(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1'])
def test_damaged_card_is_told(folder: Path, text: str) -> None:
    (folder / CARD).write_text(text)
    with pytest.raises(InputError, match=r"card\.json: expected a JSON card"):
        load_card(folder)
