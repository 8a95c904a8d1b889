from pathlib import Path

import pytest

from pairvae.errors import InputError
from pairvae.store.project_root import checkout_root, is_local, project_root, shown, tracking_uri, ui_command


def marked(folder: Path, name: str = "params.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    return folder


def test_the_root_is_found_from_a_sub_folder(root: Path) -> None:
    below = root / "data" / "raw"
    below.mkdir(parents=True)
    assert project_root(below) == root == checkout_root(below)


def test_the_root_is_the_nearest_of_two(root: Path) -> None:
    inner = marked(root / "examples" / "small", "dvc.yaml")
    assert project_root(inner) == inner


def test_no_project_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"expected a project folder with params\.yaml or dvc\.yaml, found none"
    ):
        project_root(tmp_path)


@pytest.mark.parametrize("copy", ["tmp1a", "standalone/tmp1a"])
def test_a_temporary_experiment_belongs_to_the_outer_root(root: Path, copy: str) -> None:
    inner = marked(root / ".dvc" / "tmp" / "exps" / copy)
    assert project_root(inner) == root
    assert checkout_root(inner) == inner


def test_a_project_in_a_sub_folder_of_the_repository(tmp_path: Path) -> None:
    outer = marked(tmp_path / "repository" / "saxs")
    inner = marked(tmp_path / "repository" / ".dvc" / "tmp" / "exps" / "standalone" / "tmp1a" / "saxs")
    assert project_root(inner) == outer


def test_dvc_root_names_the_outer_root(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = marked(tmp_path / "scratch" / "copy")
    monkeypatch.chdir(inner)
    monkeypatch.setenv("DVC_ROOT", str(root))
    assert project_root() == inner  # a stale variable alone says nothing
    monkeypatch.setenv("DVC_EXP_NAME", "red-toad")
    assert project_root() == root


def test_the_store_is_the_database_of_the_root_unless_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracking_uri(root) == f"sqlite:///{root}/mlflow.db"
    assert is_local(root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert tracking_uri(root) == "http://server:5000"
    assert not is_local(root)


def test_a_registry_apart_from_the_runs_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://me:secret@models:5000")
    with pytest.raises(
        InputError,
        match=r"MLFLOW_REGISTRY_URI: expected models in the store of the runs, sqlite.*, found http://models",
    ):
        tracking_uri(root)
    for both in ("http://server:5000", "sqlite:///mlflow.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", both)
        monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"{both}/" if both.startswith("http") else both)
        tracking_uri(root)
    assert is_local(root)  # the relative path of the project's own database is that database


def test_the_page_starts_on_the_database_of_the_root(root: Path) -> None:
    command, environment = ui_command(root, 5055)
    assert command[command.index("--backend-store-uri") + 1] == tracking_uri(root)
    assert command[command.index("--port") + 1] == "5055"
    assert command[command.index("--uvicorn-opts") + 1] == "--log-level warning"  # no line for each request
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_credentials_are_neither_taken_from_an_address_nor_shown(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@server/path")
    with pytest.raises(
        InputError, match=r"found https://server/path - give them in MLFLOW_TRACKING_USERNAME"
    ):
        tracking_uri(root)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a-long-token")
    text = "postgresql+psycopg2://me:secret@host/runs refused\nhttp://host, a-long-token"
    assert shown(text) == "postgresql+psycopg2://host/runs refused http://host, ***"


@pytest.mark.parametrize("name", ["what?", "run%20one", "100%ab"])
def test_a_path_that_an_address_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    """Before, `what?` put a database named `what` beside the project, and `%20` could not be opened."""
    folder = marked(tmp_path / name)
    with pytest.raises(InputError, match="rename the folder"):
        project_root(folder)
    with pytest.raises(InputError, match="rename the folder"):
        project_root(folder / "data")


@pytest.mark.parametrize("name", ["a b", "Probe äöü", "a#b", "50 %", "a&b=c", "a;b", "it's"])
def test_other_unusual_paths_are_taken(tmp_path: Path, name: str) -> None:
    folder = marked(tmp_path / name)
    assert project_root(folder) == folder
