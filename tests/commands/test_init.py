"""`pairvae init`: a project of one's own, or one line and nothing written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from pairvae.commands.code_digests import LINK, refresh_link
from pairvae.commands.init import PACKAGE, PLOT, init
from pairvae.commands.repro import dvc_environment
from pairvae.errors import InputError
from pairvae.settings import load_settings
from pairvae.store import code

ROOT = Path(__file__).resolve().parents[2]


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_project_has_what_its_commands_need(tmp_path: Path) -> None:
    folder = tmp_path / "mein Projekt ü"
    made = init(folder)
    assert made.git
    assert load_settings(folder / "params.yaml").data.source == "simulated"
    assert (folder / LINK).resolve() == code.PACKAGE
    ignored = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=folder, capture_output=True, text=True
    )
    assert LINK in ignored.stdout, "the link goes into the copies that `dvc exp run` makes"
    assert len((folder / "README.md").read_text().splitlines()) < 15


def test_own_data_become_the_source(tmp_path: Path) -> None:
    inside, outside = tmp_path / "project" / "my pairs", tmp_path / "pairs"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
    init(tmp_path / "project", inside)
    init(tmp_path / "other", outside)
    sources = [load_settings(tmp_path / name / "params.yaml").data.source for name in ("project", "other")]
    assert sources == ["my pairs", str(outside)]


def test_without_git_dvc_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert not init(tmp_path / "project").git
    assert "no_scm = true" in (tmp_path / "project" / ".dvc" / "config").read_text()


@pytest.mark.parametrize("taken", ["params.yaml", "dvc.yaml", ".gitignore", "README.md", ".dvc/config"])
def test_nothing_of_the_users_is_replaced(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("mine")
    before = listing(tmp_path)
    with pytest.raises(InputError, match=taken):
        init(tmp_path)
    assert listing(tmp_path) == before


def test_data_that_are_not_there_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data"):
        init(tmp_path / "project", tmp_path / "none")
    assert not (tmp_path / "project").exists()


def test_git_ignores_runs_but_not_the_readme_of_their_folder(tmp_path: Path) -> None:
    assert init(tmp_path).git
    for path in (tmp_path / "mlruns" / "pairvae" / "a.png", tmp_path / "mlruns" / "README.md"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    told = subprocess.run(
        ["git", "status", "--porcelain", "-uall", "--", "mlruns"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    ).stdout
    assert told.split() == ["??", "mlruns/README.md"]
    assert (ROOT / "mlruns" / "README.md").is_file()
    ignored = (ROOT / ".gitignore").read_text()
    assert "/mlruns/*\n!/mlruns/README.md\n" in ignored


@pytest.mark.slow
def test_an_experiment_of_dvc_changes_the_keys_of_params_file(tmp_path: Path) -> None:
    """Also without a + the key has to stand there: DVC refuses what it does not find."""
    init(tmp_path)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    change = ["sem.training.epochs=30", "+sem.training.log_every=5", "data.simulated.pairs=2"]
    small = "{sem_rows: 208, sem_columns: 240, saxs_px: 64, saxs_window_nm: 300}"
    change.append(f"+data.simulated.parameters={small}")
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "run", *(f"--set-param={one}" for one in change), "raw"],
        cwd=tmp_path,
        env=dvc_environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    listed = "git ls-tree -r --name-only $(git for-each-ref --format='%(refname)' 'refs/exps/*/*/*')"
    kept = subprocess.run(["sh", "-c", listed], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [path for path in kept.stdout.split() if path.startswith(LINK)] == [LINK], "the code is not copied"


def test_the_repository_is_such_a_project() -> None:
    template = resources.files("pairvae") / "template"
    pipeline = (template / "dvc.yaml").read_text()
    assert (ROOT / "dvc.yaml").read_text() == pipeline.replace(PACKAGE, "src/pairvae")
    assert (ROOT / "params.yaml").read_text() == (template / "params.yaml").read_text()
    assert (ROOT / ".dvcignore").read_text() == (template / "dvcignore").read_text()
    assert (ROOT / PLOT).read_text() == (template / "boxplot.json").read_text()


@pytest.mark.parametrize("followed", [False, True])
def test_a_copied_project_finds_the_package_of_this_machine(tmp_path: Path, followed: bool) -> None:
    init(tmp_path / "project")
    link = tmp_path / "project" / LINK
    link.unlink()
    if followed:
        shutil.copytree(code.PACKAGE, link, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        link.symlink_to("/elsewhere/pairvae")
    refresh_link(tmp_path / "project")
    assert link.is_symlink() and link.resolve() == code.PACKAGE
