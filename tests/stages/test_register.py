"""`pairvae register`: from model folder and scores alone, once a model, and a title that comparable scores move."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pairvae import store
from pairvae.commands.init import init
from pairvae.commands.registry import promote_version
from pairvae.commands.repro import write_params
from pairvae.errors import InputError
from pairvae.inference.loader import load, pinned
from pairvae.inference.predictor import Predictor
from pairvae.settings import read_params
from pairvae.stages import champion_score as module
from pairvae.stages import register as stage
from pairvae.stages.project import Project, open_project
from pairvae.stages.register import register
from pairvae.store.model_folder import load_card
from pairvae.store.project_root import PAIR
from pairvae.tracking.registry.aliases import CANDIDATE, CHAMPION, Version, version_for_alias


@pytest.fixture
def folder(tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of its own, as after `git clone` and `dvc pull`. Of five models only the pair is registered: exporting
    the programs takes seconds, and the pipeline's tests have them."""
    monkeypatch.setattr(stage, "_register_programs", lambda *_: {})
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "project"
    shutil.copytree(tiny_pair, place, ignore=shutil.ignore_patterns(".pairvae"))
    monkeypatch.chdir(place)
    return place


def scored(folder: Path, score: float, **more: object) -> Project:
    """The project with such scores; the retrieval baseline has 1."""
    directions = {"saxs_sem": "s2_mae", "sem_saxs": "mae"}

    def block(value: float) -> Mapping[str, object]:
        return {direction: {name: {"median": value}} for direction, name in directions.items()}

    validation = {"pair": block(score), "baselines": {"retrieval": block(1.0)}}
    metrics = {"preset": "fast", "estimator": "unbiased", "splits": {"validation": validation}, **more}
    store.write_json(folder / "reports" / "metrics.json", metrics)
    return open_project(folder=folder)


def changed(folder: Path, **entries: object) -> None:
    """Another card of the trained pair, as another training would write."""
    card = load_card(folder / "models" / "train-pair")
    store.write_json(folder / "models" / "train-pair" / "card.json", {**card, **entries})


def number(folder: Path, alias: str = CHAMPION) -> int | None:
    found = version_for_alias(folder, PAIR, alias)
    return found.number if found else None


def test_projects_that_share_a_store_keep_their_models_apart(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, shared = tmp_path / "other project", tmp_path / "shared"
    shutil.copytree(folder, other)
    changed(other, seed=1)
    projects = {}
    for place in (folder, other):
        made = init(tmp_path / "new" / place.name, store_at=str(shared), cache=tmp_path / "cache")
        assert f"dir = {tmp_path / 'cache'}" in (made.folder / ".dvc" / "config").read_text()
        tracking = read_params(made.folder / "params.yaml")["tracking"]
        write_params(place / "params.yaml", {"tracking": tracking})
        projects[tracking["models"]] = scored(place, 0.5)
        register(projects[tracking["models"]])
    assert len(projects) == 2 and "as champion" in capsys.readouterr().out
    assert not (folder / "mlflow.db").exists() and (shared / "mlflow.db").is_file()
    for name, project in projects.items():
        found = load("models:/pairvae@champion", project.folder)
        assert found.card.get("seed") == load_card(project.model("train-pair")).get("seed")
        assert pinned("models:/pairvae@champion", project.folder) == f"models:/{name}/1"


def test_a_clone_registers_from_its_model_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(folder, run_id="0" * 32)  # of the store that the models were trained with
    with pytest.raises(InputError, match=r"no such model.*mlflow\.db.*run: pairvae repro"):
        load("models:/pairvae@champion", folder)
    project = scored(folder, 0.5)
    with pytest.raises(InputError, match="run: pairvae register"):
        load("models:/pairvae@champion", folder)
    register(project)
    assert f"has no run {'0' * 32}" in capsys.readouterr().out
    assert (number(folder), number(folder, CANDIDATE)) == (1, 1)
    assert set(load("models:/pairvae@champion", folder).vaes) == {"saxs", "sem"}
    tags = version_for_alias(folder, PAIR, CHAMPION).tags  # type: ignore[union-attr]  # there is one
    assert tags["weights_sha256"] == load_card(folder / "models" / "train-pair")["weights_sha256"]

    register(project)  # the same model: no new version, and it keeps its title
    assert "is this model already" in capsys.readouterr().out
    assert (number(folder), number(folder, CANDIDATE)) == (1, 1)
    assert json.loads((folder / "models" / "registered.json").read_text())["champion"] is True

    changed(
        folder, data_digest="of other data"
    )  # scores say nothing about these: the title stays where it is
    register(scored(folder, 0.1))
    told = capsys.readouterr().out
    assert "could not be scored anew" in told and "--promote 2 --force --why" in told
    assert (number(folder), number(folder, CANDIDATE)) == (1, 2)
    load("models:/pairvae@champion")
    assert "is version 1, of other data" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"same training and validation pairs.*--force --why"):
        promote_version("2", root=folder)
    promote_version("2", force=True, why="the new detector", root=folder)
    assert number(folder) == 2
    load("models:/pairvae@champion")
    assert capsys.readouterr().err == ""
    assert pinned("models:/pairvae@champion", folder) == "models:/pairvae/2"


@pytest.mark.parametrize(
    ("more", "problem"),
    [(None, "found none - run: pairvae assess"), ({"weights_sha256": "0"}, "those of another one")],
)
def test_scores_of_no_or_another_model_are_refused(
    folder: Path, more: Mapping[str, object] | None, problem: str
) -> None:
    project = open_project(folder=folder) if more is None else scored(folder, 0.5, **more)
    with pytest.raises(InputError, match=problem):
        register(project)
    assert not (folder / "mlflow.db").exists()


@pytest.mark.parametrize(("score", "title"), [(1e-6, 2), (1e6, 1)])
def test_a_champion_of_another_split_is_scored_on_todays_pairs(
    folder: Path, score: float, title: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own score is of other pairs: neither a better nor a worse one decides."""
    card = load_card(folder / "models" / "train-pair")
    changed(folder, train_ids=card["train_ids"][1:])
    register(scored(folder, score * 10 if title == 1 else score / 10))  # of another split
    changed(folder, train_ids=card["train_ids"])
    register(scored(folder, score))
    told = capsys.readouterr().out
    assert "scored anew on today's validation pairs it has" in told
    assert number(folder) == title and number(folder, CANDIDATE) == 2


def test_scoring_anew_gives_the_score_of_assess(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same model on the same pairs; prepared otherwise, or of other modalities, it has none."""
    from pairvae.evaluation.scores.evaluate import Reference, model_errors, summarise
    from pairvae.evaluation.scores.reconstruct import reconstruct
    from pairvae.stages.assess import evaluated

    project, predictor = scored(folder, 1.0), load(folder / "models" / "train-pair")
    monkeypatch.setattr(module, "load", lambda *_: predictor)
    champion = Version(PAIR, 1, None)
    metrics = store.read_json(folder / "reports" / "metrics.json")
    found = module.score_anew(project, champion, predictor.card, metrics)
    what = evaluated(project, project.prepared())
    errors = model_errors(Reference(what), reconstruct(predictor.vaes, what).images)
    whole = summarise(errors, what.validation)
    expected = (whole["saxs_sem"]["s2_mae"]["median"] * whole["sem_saxs"]["mae"]["median"]) ** 0.5
    assert found.score == pytest.approx(expected, rel=0.05)  # decoders draw their noise anew
    assert found.remark == ""
    card = json.loads(json.dumps(predictor.card))
    card["train_ids"] += [project.prepared().pairs[index].id for index in what.validation]
    flattered = Predictor(predictor.vaes, card)
    monkeypatch.setattr(module, "load", lambda *_: flattered)
    assert "hold 3 of these" in module.score_anew(project, champion, predictor.card, metrics).remark
    card["modalities"]["sem"]["prepare"]["offset"] += 1
    found = module.score_anew(project, champion, predictor.card, metrics)
    assert found.score is None and "prepared with another offset" in found.remark


@pytest.fixture
def two_projects(folder: Path, tmp_path: Path) -> Callable[[], Path]:
    """Registers a champion, and copies the project elsewhere."""

    def copy() -> Path:
        register(scored(folder, 0.5))
        return Path(shutil.copytree(folder, tmp_path / "copied"))

    return copy


def test_a_copied_project_does_not_answer_with_the_files_of_the_other(
    two_projects: Callable[[], Path],
) -> None:
    from pairvae.tracking.relocate import fix_paths

    copied = two_projects()
    with pytest.raises(InputError, match=r"moved or copied.*doctor --fix-paths"):
        load("models:/pairvae@champion", copied)
    fix_paths(copied)
    assert load("models:/pairvae@champion", copied).modalities == ("saxs", "sem")


def test_the_page_answers_from_the_models_that_it_names(folder: Path) -> None:
    """The candidate is loaded when first chosen; meanwhile its number may have become another model's."""
    from mlflow import MlflowClient

    from pairvae.app.model_choice import models_of
    from pairvae.store.project_root import tracking_uri

    with pytest.raises(InputError, match=r"expected a registered model, found none.*--model"):
        models_of(None)
    register(scored(folder, 0.5))
    changed(folder, data_digest="of other data")
    register(scored(folder, 0.5))
    models = models_of(None)
    assert list(models.choices) == ["champion", "candidate"]
    MlflowClient(tracking_uri=tracking_uri(folder)).delete_registered_model(PAIR)
    changed(folder, data_digest="of a third kind")
    for _ in range(2):
        changed(folder, data_digest="of a third kind", preset=str(_))
        register(scored(folder, 0.5))
    assert models.get("candidate").card["data_digest"] == "of other data"
