"""The package as others get it: a wheel alone in an empty environment, an import that costs nothing, one version."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from small_project import SMALL

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "rich",
    "importlib.metadata",
    "torch",
    "mlflow",
    "numpy",
    "scipy",
    "pandas",
    "cv2",
    "pydantic",
    "matplotlib",
    "optuna",
    "dvc",
    "porespy",
}


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=3000
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_version_stands_in_one_place() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"version: {declared}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    for file in (ROOT / "src").rglob("*.py"):
        assert not re.search(r"^__version__ = [\"']\d", file.read_text("utf-8"), re.M), file


def loaded_by(statement: str) -> set[str]:
    """The modules that a statement leaves loaded in a new interpreter, besides those of its start."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    return set(run(sys.executable, "-c", code, cwd=ROOT).split())


def test_import_loads_nothing_heavy() -> None:
    assert loaded_by("import pairvae") & HEAVY == set()
    assert (
        loaded_by("import pairvae.settings") & (HEAVY - {"pydantic", "importlib.metadata", "rich", "numpy"})
        == set()
    )


def test_dir_shows_the_public_names_and_each_is_there() -> None:
    import pairvae

    wanted = {"load", "fit", "Predictor", "describe", "two_point_correlation", "lineal_path", "InputError"}
    assert wanted < set(dir(pairvae)) == set(pairvae.__all__)
    for name in dir(pairvae):
        assert getattr(pairvae, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = pairvae.fitt


def test_help_loads_nothing_heavy() -> None:
    quiet = "import contextlib, io; sys.argv = ['pairvae', '--help']; from pairvae.cli import main"
    call = "exec('with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()')"
    loaded = loaded_by(f"{quiet}; {call}")
    assert "pairvae.cli.models" in loaded
    assert loaded & HEAVY == set()


def test_syntax_is_that_of_the_oldest_python() -> None:
    """3.11 is what this runs on at least; newer syntax would fail here."""
    import ast

    for file in (ROOT / "src").rglob("*.py"):
        ast.parse(file.read_text("utf-8"), feature_version=(3, 11))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "tools.package", out, cwd=ROOT)
    return out


def test_wheel_and_sdist_hold_what_they_should(dist: Path) -> None:
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("py.typed", "presets/fast.yaml", "reports/template.html", "data/published/mdf.json"):
        assert f"pairvae/{name}" in names, name
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "tools/")) or name.endswith(".pyc")]
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "src/pairvae/__init__.py", "dvc.yaml", "params.yaml"} <= inside


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel alone; its dependencies come from this one (a .pth file): no network."""
    home = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(home, with_pip=True)
    (wheel,) = dist.glob("*.whl")
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=home)
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])", cwd=home).strip()
    others = [place for place in sys.path if place.endswith("site-packages")]
    (Path(purelib) / "dependencies.pth").write_text("\n".join(others) + "\n")
    where = run(python, "-c", "import pairvae; print(pairvae.__file__, pairvae.__version__)", cwd=home)
    assert where.startswith(purelib), "not the source tree"
    assert where.split()[1] != "0+unknown"
    return home / "bin"


@pytest.mark.slow
def test_wheel_alone_works_in_an_empty_environment(installed: Path, tmp_path: Path) -> None:
    pairvae = installed / "pairvae"
    assert "repro" in run(pairvae, "--help", cwd=tmp_path)
    assert "_PAIRVAE_COMPLETE" in run("env", "_PAIRVAE_COMPLETE=source_bash", pairvae, cwd=tmp_path)
    for preset in ("fast", "paper", "gpu"):
        (tmp_path / "params.yaml").write_text(f"preset: {preset}\n")
        assert f"preset: {preset}" in run(pairvae, "params", cwd=tmp_path)


def own_data(pairvae: Sequence[str | Path], folder: Path, lone: int = 0) -> Path:
    """Eight pairs and ``lone`` patterns as a stranger has them: two folders, and no table."""
    small = ("sem_rows=208", "sem_columns=240", "saxs_px=128", "saxs_window_nm=600")
    chosen = [word for change in small for word in ("--set", change)]
    run(*pairvae, "data", "simulate", "meine Däten", "--pairs", str(8 + lone), *chosen, cwd=folder)
    data = folder / "meine Däten"
    for path in (data / "pairs.csv", *sorted((data / "SEM").iterdir())[8:]):
        path.unlink()
    return data


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("git", "lone"), [(True, 0), (False, 40)], ids=["git", "no git, lone patterns"])
def test_five_commands_from_an_empty_folder_to_a_prediction(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: bool, lone: int
) -> None:
    if not git:
        monkeypatch.setenv("PATH", str(installed))
    folder = tmp_path / "Über mess 1"
    folder.mkdir()
    data = own_data([installed / "pairvae"], folder, lone)
    use = ["--set", "data.unpaired=use"] if lone else []
    small = [word for change in (*SMALL, "baselines.unet.epochs=0") for word in ("--set", change)]
    run(installed / "pairvae", "init", "mein Projekt", "--data", data, cwd=folder)
    project = folder / "mein Projekt"
    assert (project / ".git").exists() == git
    run(installed / "pairvae", "data", "check", data, *use, cwd=project)
    run(installed / "pairvae", "repro", *small[2:], *use, cwd=project)
    new = max((data / "SAXS").iterdir())
    run(installed / "pairvae", "predict", new, "--to", "sem", cwd=project)
    assert (project / "predictions" / f"{new.stem}-sem-00.png").is_file()
    assert (project / "reports" / "index.html").is_file()
    facts = json.loads((project / "data" / "prepared" / "card.json").read_text("utf-8"))
    assert len(facts["pairs"]) == 8
    assert len(list((project / "data" / "raw" / "SAXS").iterdir())) == 8 + lone
