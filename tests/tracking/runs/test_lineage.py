import subprocess
from pathlib import Path

import pytest

from pairvae.tracking.runs.lineage import input_hashes, lineage_tags

DVC_YAML = """
stages:
  preprocess:
    cmd: pairvae preprocess
    deps: [data/raw, src/pairvae/data]
    outs: [data/prepared]
  train-saxs:
    cmd: pairvae train saxs
    deps:
      - data/prepared/saxs.npy
      - src/pairvae/models
      - {models/pretrain: null}
    outs: [models/saxs]
"""
DVC_LOCK = """
schema: '2.0'
stages:
  pretrain:
    outs:
      - {path: models/pretrain, md5: 33.dir}
  preprocess:
    outs:
      - {path: data/prepared, md5: 22.dir}
  train-saxs:
    deps:
      - {path: data/prepared/saxs.npy, md5: stale}
    outs:
      - {path: models/saxs, md5: 44.dir}
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def pipeline(root: Path) -> Path:
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "dvc.lock").write_text(DVC_LOCK)
    return root


def test_inputs_take_the_hash_that_their_maker_gave_them(pipeline: Path) -> None:
    assert input_hashes(pipeline, "train-saxs") == {
        "data/prepared/saxs.npy": "22.dir",
        "models/pretrain": "33.dir",
    }
    assert input_hashes(pipeline, "preprocess") == {}  # nothing recorded for data/raw
    assert input_hashes(pipeline, "unknown") == {}


def test_tags_without_git_and_dvc(root: Path) -> None:
    tags = lineage_tags(root, "assess", {"a": 1})
    assert set(tags) == {"DVC_STAGE", "params_hash"}
    assert tags["DVC_STAGE"] == "assess"


def test_a_broken_lock_file_does_not_stop_training(pipeline: Path) -> None:
    (pipeline / "dvc.lock").write_text("stages: [")
    assert "params_hash" in lineage_tags(pipeline, "train-saxs", {})


def test_the_hash_of_params_ignores_order_only(root: Path) -> None:
    first = lineage_tags(root, "s", {"a": 1, "b": {"c": 2, "d": 3}})["params_hash"]
    assert lineage_tags(root, "s", {"b": {"d": 3, "c": 2}, "a": 1})["params_hash"] == first
    assert lineage_tags(root, "s", {"a": 1, "b": {"c": 2, "d": 4}})["params_hash"] != first


def test_dvc_names_the_stage_and_the_experiment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train-saxs")
    monkeypatch.setenv("DVC_EXP_NAME", "red-toad")
    tags = lineage_tags(root, "train", {})
    assert (tags["DVC_STAGE"], tags["DVC_EXP_NAME"]) == ("train-saxs", "red-toad")


def test_commit_and_changes(pipeline: Path) -> None:
    git(pipeline, "init", "-q")
    git(pipeline, "add", ".")
    git(pipeline, "commit", "-qm", "first")
    tags = lineage_tags(pipeline, "train-saxs", {})
    assert tags["mlflow.source.git.commit"] == git(pipeline, "rev-parse", "HEAD")
    assert tags["git_dirty"] == "false"
    assert tags["input_md5/models/pretrain"] == "33.dir"
    (pipeline / "dvc.lock").write_text(DVC_LOCK.replace("44", "45"))
    assert (
        lineage_tags(pipeline, "train-saxs", {})["git_dirty"] == "false"
    )  # the pipeline writes it as it runs
    (pipeline / "params.yaml").write_text("preset: paper\n")
    assert lineage_tags(pipeline, "train-saxs", {})["git_dirty"] == "true"
