"""Pairs exported for other libraries, and their predictions scored: the truth itself has no error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.settings.simulation import SimulationParameters
from pairvae.stages.preprocess import prepare_folder
from pairvae.stages.project import Project, open_project

ROOT = Path(__file__).resolve().parents[2]
PHYSICS = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600)
PARAMS = """
split: {train: 4}
saxs: {prepare: {size: 32}}
sem: {prepare: {rows: 208, columns: 240, crop: 64}}
assess: {crops: 2, realism_steps: 2}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    from pairvae.data.simulate.simulated_folder import simulate

    folder = tmp_path_factory.mktemp("multimodal")
    simulate(folder / "raw", pairs=6, seed=0, parameters=PHYSICS, workers=1)
    (folder / "params.yaml").write_text(PARAMS)
    made = open_project(folder=folder, track=False)
    prepare_folder(folder / "raw", made.prepared_folder, made.settings)
    return made


@pytest.fixture
def multimodal(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.multimodal import export, score

    return export, score


def test_images_of_validation_pairs_are_not_exported(
    project: Project, multimodal: Any, tmp_path: Path
) -> None:
    multimodal[0].export(project, tmp_path / "out")
    card = json.loads((tmp_path / "out" / "split.json").read_text())
    assert sorted(card["train"] + card["validation"]) == list(range(6))
    assert {int(path.stem) for path in (tmp_path / "out" / "images").iterdir()} == set(card["train"])
    assert np.load(tmp_path / "out" / "saxs.npy").shape == (6, 3, 32, 32)
    assert np.load(tmp_path / "out" / "crops.npy").shape == (6, 2, 64, 64)


def predictions(folder: Path, exported: Path, digest: str) -> Path:
    """The truth, in the form of predictions."""
    folder.mkdir()
    np.save(folder / "saxs_sem.npy", np.load(exported / "crops.npy").astype(np.float16))
    patterns = np.load(exported / "saxs.npy")
    np.save(folder / "sem_saxs.npy", np.repeat(patterns[:, None], 2, axis=1).astype(np.float16))
    (folder / "card.json").write_text(json.dumps({"digest": digest}))
    return folder


def test_the_truth_has_no_error(project: Project, multimodal: Any, tmp_path: Path) -> None:
    export, score = multimodal
    export.export(project, tmp_path / "out")
    digest = project.prepared().digest
    found = score.score(project, [predictions(tmp_path / "truth", tmp_path / "out", digest)])
    validation = found["truth"]["splits"]["validation"]
    assert validation["saxs_sem"]["s2_mae"]["median"] == 0
    assert validation["sem_saxs"]["mae"]["median"] < 1e-3  # half precision
    assert validation["saxs_sem"]["s2_mae"]["n"] == 4
    assert "| truth | saxs_sem | s2_mae | 0.0000 |" in score.table(found)


def test_predictions_of_other_data_are_refused(project: Project, multimodal: Any, tmp_path: Path) -> None:
    export, score = multimodal
    export.export(project, tmp_path / "out")
    folder = predictions(tmp_path / "truth", tmp_path / "out", "0" * 16)
    with pytest.raises(InputError, match="export and train again"):
        score.score(project, [folder])
