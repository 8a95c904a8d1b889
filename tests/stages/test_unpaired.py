"""Samples without a partner, from the folder to the trainings: in no pair, no split, no score."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairvae.commands.check import check_project
from pairvae.data.pairs.manifest import read_pairs, write_pairs
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.errors import InputError
from pairvae.settings import merge, parse_yaml, resolve
from pairvae.settings.simulation import SimulationParameters
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import Project, open_project
from pairvae.stages.raw import make_raw
from pairvae.stages.tracked_training import describe
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.store.model_folder import load_model, read_history
from pairvae.store.prepared import open_prepared
from tiny_project import TINY

SMALL = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "mine"
    simulate(folder, pairs=11, seed=0, parameters=SMALL, workers=1)
    pairs = [
        replace(pair, conditions={"pitch_nm": 28.0 + i, "blend": "A"})
        for i, pair in enumerate(read_pairs(folder))
    ]
    lone = [replace(pairs[8], sem=None), replace(pairs[9], sem=None), replace(pairs[10], saxs=None)]
    write_pairs(folder / "pairs.csv", [*pairs[:8], *lone])
    return folder


def project(folder: Path, source: Path, *changes: str) -> Project:
    folder.mkdir()
    (folder / "params.yaml").write_text(TINY)
    return open_project([f"data.source={source}", *changes], folder=folder, track=False)


def test_they_are_refused_unless_asked_for(simulated: Path, tmp_path: Path) -> None:
    mine = project(tmp_path / "project", simulated)
    with pytest.raises(
        InputError, match=r"line 10, column sem: .* set data\.unpaired to use; 2 more like it"
    ):
        make_raw(mine)
    report = check_project(simulated, mine.settings)
    assert [problem.kind for problem in report.problems if problem.severity == "error"] == [
        "missing partner"
    ] * 3


def test_they_are_counted_and_prepared_apart(simulated: Path, tmp_path: Path) -> None:
    mine = project(tmp_path / "project", simulated, "data.unpaired=use")
    report = check_project(simulated, mine.settings)
    assert report.clean and report.counts["pairs"] == 8 and report.counts["unpaired"] == 3
    assert "samples without a partner: 3 (2 SAXS, 1 SEM), for training alone, in no score" in report.notes
    assert "condition pitch_nm: 28 to 38, known of 11 of 11 samples" in report.notes
    assert "condition blend: A (11), known of 11 of 11 samples" in report.notes
    make_raw(mine)
    preprocess(mine)
    prepared = mine.prepared()
    assert prepared.whole("saxs").shape[0] == len(prepared.images("sem")) == len(prepared.pairs) == 8
    assert prepared.pairs[3].conditions == {"pitch_nm": 31.0, "blend": "A"}
    split = mine.split(prepared)
    assert sorted(split.train + split.validation) == list(range(8))
    patterns, micrographs = prepared.unpaired("saxs"), prepared.unpaired("sem")
    assert patterns is not None and micrographs is not None
    assert [pair.id for pair in patterns.pairs] == ["00008", "00009"]
    assert patterns.whole("saxs").shape == (2, 3, 32, 32) and patterns.card["shapes"].keys() == {"saxs"}
    assert [image.shape for image in micrographs.images("sem")] == [(208, 240)]
    (mine.prepared_folder / "unpaired-saxs/saxs.npy").write_bytes(b"")
    with pytest.raises(InputError, match="sha256"):
        prepared.unpaired("saxs")


def trained(mine: Project) -> dict[str, Any]:
    """Weights of all three trainings, and the pair's card and history."""
    for name in ("saxs", "sem"):
        train_solo(mine, name)
    train_pair(mine)
    folders = {stage: mine.model(f"train-{stage}") for stage in ("saxs", "sem", "pair")}
    weights = {stage: load_model(folder).card["weights_sha256"] for stage, folder in folders.items()}
    return {
        **weights, "card": load_model(folders["pair"]).card, "history": read_history(folders["pair"])
    }  # fmt: skip


def test_the_arrays_of_pairs_do_not_know_of_them_but_the_trainings_do(
    simulated: Path, tmp_path: Path
) -> None:
    unused = ("saxs.training.unpaired=false", "sem.training.unpaired=false")
    with_lone = project(tmp_path / "with", simulated, "data.unpaired=use")
    shutil.copytree(simulated, tmp_path / "pairs only")
    write_pairs(tmp_path / "pairs only/pairs.csv", read_pairs(tmp_path / "pairs only", "use"))
    without = project(tmp_path / "without", tmp_path / "pairs only")
    for one in (with_lone, without):
        make_raw(one)
        preprocess(one)
    for file in ("saxs.npy", "sem.npy", "sem-crops.npy"):
        first, second = (np.load(one.prepared_folder / file) for one in (with_lone, without))
        assert (first == second).all()
    assert not list(without.prepared_folder.glob("unpaired*"))
    assert open_prepared(without.prepared_folder).unpaired("saxs") is None
    assert with_lone.prepared().digest != without.prepared().digest
    assert describe(with_lone, "train-saxs", with_lone.prepared()).startswith(
        "The SAXS VAE alone, preset fast, on 5 of 8 pairs and 2 SAXS samples without a partner ("
    )
    alone = trained(without)
    left_out = trained(
        dataclasses.replace(
            with_lone,
            settings=open_project([*unused], folder=with_lone.folder).settings,
        )
    )
    learned = trained(with_lone)
    for stage in ("saxs", "sem", "pair"):
        assert alone[stage] == left_out[stage] != learned[stage]
    counts = [one.get("unpaired") for one in learned["card"]["modalities"].values()]
    assert counts == [2, 1] and "unpaired" not in alone["card"]["modalities"]["saxs"]
    assert learned["card"]["train_ids"] == alone["card"]["train_ids"]
    assert all(row.keys() == alone["history"][0].keys() for row in learned["history"])


def test_a_folder_without_a_single_pair_is_told_by_the_check_too(simulated: Path, tmp_path: Path) -> None:
    (tmp_path / "mine/SAXS").mkdir(parents=True)
    shutil.copy(simulated / "SAXS/00008.jpg", tmp_path / "mine/SAXS/a.jpg")
    mine = project(tmp_path / "project", tmp_path / "mine", "data.unpaired=use")
    report = check_project(tmp_path / "mine", mine.settings)
    assert [problem.kind for problem in report.problems if problem.severity == "error"] == ["no pairs"]
    with pytest.raises(InputError, match="found 1 sample without a partner and no pair"):
        make_raw(mine)


def test_an_unreadable_lone_file_is_told_by_the_check(simulated: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(simulated, folder)
    (folder / "SAXS/00008.jpg").write_text("no picture")
    settings = resolve(merge(parse_yaml(TINY, "tiny"), {"data": {"unpaired": "use"}}))
    errors = [problem for problem in check_project(folder, settings).problems if problem.severity == "error"]
    assert [(problem.pair, problem.kind) for problem in errors] == [("00008", "preprocessing")]
