"""PostgreSQL and MLflow servers, as real as they come; skipped where PostgreSQL is not installed."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servers.services import Postgres, Server, postgres_programs
from small_project import make_project, run_pairvae

VARIABLES = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg2")
    # Not below pytest's own folder, which only the user of the tests may enter
    folder = Path(tempfile.mkdtemp(prefix="pairvae-postgres-"))
    cluster = Postgres(programs, folder)
    try:
        cluster.create()
        yield cluster
        cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database(postgres: Postgres) -> Callable[[], str]:
    """Makes an empty database each time; its address."""
    made = iter(range(1000))
    return lambda: postgres.create_database(f"runs{next(made)}")


@pytest.fixture(scope="session")
def one_server(database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(database(), tmp_path_factory.mktemp("server"))
    yield one
    one.stop()


@pytest.fixture
def server(one_server: Server) -> Server:
    """A running server without passwords; a test may stop it."""
    if one_server.process is None:
        one_server.start()
    return one_server


@pytest.fixture(scope="session")
def prepared_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with prepared data and without runs."""
    folder = make_project(tmp_path_factory.mktemp("prepared") / "project")
    for stage in ("raw", "preprocess", "pretrain"):
        run_pairvae(stage, cwd=folder)
    return folder
