"""Guards against wrong numbers: files and arrays that do not belong to a model never reach it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fuzz import models
from pairvae.errors import InputError
from pairvae.inference.loader import load
from pairvae.inference.predictor import Predictor
from pairvae.models.weights import trained
from pairvae.store.model_folder import add_file, load_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return models.write_model(tmp_path / "model")


@pytest.fixture
def predictor(folder: Path) -> Predictor:
    return load(folder)


def test_changed_facts_are_refused(folder: Path) -> None:
    add_file(folder, models.FACTS)
    load(folder)
    content = bytearray((folder / models.FACTS).read_bytes())
    content[-1] ^= 1
    (folder / models.FACTS).write_bytes(content)
    with pytest.raises(
        InputError, match=r"facts\.safetensors: expected a file with sha256 \w{12}, found \w{12}"
    ):
        load(folder)
    (folder / models.FACTS).unlink()
    with pytest.raises(InputError, match="found no file"):
        load(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    stored = load_model(folder)
    own = {
        key.removeprefix("saxs."): value for key, value in stored.weights.items() if key.startswith("saxs.")
    }
    with pytest.raises(InputError, match=r"expected \S+ of shape .*|expected the weights of this network"):
        trained(stored.card["modalities"]["sem"], own, "model")
    name = next(name for name, values in own.items() if values.is_floating_point())
    with pytest.raises(InputError, match=f"expected finite weights, found NaN or infinity in {name}"):
        trained(
            stored.card["modalities"]["saxs"], {**own, name: torch.full_like(own[name], torch.inf)}, "model"
        )


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_an_array_prepared_otherwise_is_refused(predictor: Predictor, value: float) -> None:
    with pytest.raises(InputError, match=r"expected values in \[0, 1\]"):
        predictor.predict(np.full((1, 3, 32, 32), value, np.float32), "saxs", "sem")
    with pytest.raises(InputError, match="expected arrays of shape"):
        predictor.predict(np.zeros((1, 3, 64, 64), np.float32), "saxs", "sem")
