"""The package as others get it: a wheel alone in an empty environment, an import that costs nothing, one version."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

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
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=280
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


@pytest.mark.slow
def test_wheel_and_sdist_hold_what_they_should(dist: Path) -> None:
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("py.typed", "presets/fast.yaml", "reports/template.html", "data/mdf.json"):
        assert f"pairvae/{name}" in names, name
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "tools/")) or name.endswith(".pyc")]
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "src/pairvae/__init__.py", "dvc.yaml", "params.yaml"} <= inside


@pytest.mark.slow
def test_wheel_alone_works_in_an_empty_environment(dist: Path, tmp_path: Path) -> None:
    """The package comes from the wheel, its dependencies from this environment (a .pth file): no network."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    python, place = home / "bin" / "python", tmp_path / "elsewhere"
    place.mkdir()
    (wheel,) = dist.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=place)
    installed = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])", cwd=place).strip()
    )
    (installed / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    where = run(python, "-c", "import pairvae; print(pairvae.__file__, pairvae.__version__)", cwd=place)
    assert where.startswith(str(installed)), "not the source tree"
    assert where.split()[1] != "0+unknown"
    pairvae = home / "bin" / "pairvae"
    assert "repro" in run(pairvae, "--help", cwd=place)
    assert "_PAIRVAE_COMPLETE" in run("env", "_PAIRVAE_COMPLETE=source_bash", pairvae, cwd=place)
    run(
        pairvae,
        "data",
        "simulate",
        "pairs",
        "--pairs",
        "8",
        "--set",
        "sem_rows=208",
        "--set",
        "sem_columns=240",
        cwd=place,
    )
    assert len(list((place / "pairs" / "SEM").iterdir())) == 8
    for preset in ("fast", "paper", "gpu"):
        (place / "params.yaml").write_text(f"preset: {preset}\n")
        assert f"preset: {preset}" in run(pairvae, "params", cwd=place)
