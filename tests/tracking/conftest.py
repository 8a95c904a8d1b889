import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME")


def make_root(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text("preset: fast\n")
    return folder


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the caller's server nor its DVC stage; the working folder is a throw-away one."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of its own, whose name holds a space and a percent sign."""
    return make_root(tmp_path / "my project 50%")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs to copy from: to make one takes over a second."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    SqlAlchemyStore(f"sqlite:///{path}", "artifacts")
    return path


@pytest.fixture
def ready_root(root: Path, empty_database: Path) -> Path:
    """A project of its own with an empty database."""
    shutil.copy(empty_database, root)
    return root


@pytest.fixture(scope="module")
def shared_root(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Path]:
    """One project for the tests of a module that only add to it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        folder = make_root(tmp_path_factory.mktemp("shared") / "project")
        shutil.copy(empty_database, folder)
        yield folder
