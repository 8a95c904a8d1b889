"""A project refuses what would end in a wrong number: arrays of other settings, checkpoints of another precision."""

from __future__ import annotations

from pathlib import Path

import pytest

from many_pairs import SMALL, write_prepared
from pairvae import store
from pairvae.errors import InputError
from pairvae.modalities import prepare_settings
from pairvae.stages.project import open_project
from pairvae.stages.train_solo import train_solo
from pairvae.store.model_folder import load_model
from pairvae.store.prepared import CARD

TINY = [
    *SMALL, "split.train=9", "saxs.network.components=4", "saxs.network.width=16", "saxs.training.batch=4",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data" / "prepared"
    write_prepared(place, 12)
    (tmp_path / "params.yaml").write_text("preset: fast\n")
    settings = open_project(TINY, folder=tmp_path).settings
    card = store.read_json(place / CARD)
    card["prepare"] = {
        name: prepare_settings(settings, name).model_dump(mode="json") for name in settings.modalities
    }
    card["assess"] = settings.assess.model_dump()
    store.write_json(place / CARD, card)
    return tmp_path


def test_arrays_prepared_with_the_settings_of_now_are_taken(folder: Path) -> None:
    assert len(open_project(TINY, folder=folder).prepared().pairs) == 12


@pytest.mark.parametrize(("change", "expected"), [
    ("sem.prepare.crop=160", "data prepared with sem.prepare.crop: 160"),
    ("sem.prepare.offset=7.5", "data prepared with sem.prepare.offset: 7.5"),
    ("saxs.prepare.size=160", "data prepared with saxs.prepare.size: 160"),
    ("assess.crop_seed=7", "data prepared with assess.crop_seed: 7"),
])  # fmt: skip
def test_arrays_prepared_with_other_settings_are_refused(folder: Path, change: str, expected: str) -> None:
    with pytest.raises(InputError, match="run `pairvae repro`") as error:
        open_project([*TINY, change], folder=folder).prepared()
    assert error.value.expected == expected


def test_a_training_in_another_precision_starts_afresh(folder: Path) -> None:
    """A finished float32 checkpoint must not become the result of a bfloat16 training."""
    found: dict[str, list[float]] = {}
    for precision in ("float32", "bfloat16", "float32"):
        project = open_project([*TINY, f"device.precision={precision}"], folder=folder, track=False)
        train_solo(project, "saxs")
        weights = load_model(project.model("train-saxs")).weights
        found.setdefault(precision, []).append(sum(float(one.double().sum()) for one in weights.values()))
    assert found["float32"][0] == found["float32"][1]
    assert found["bfloat16"][0] != found["float32"][0]
