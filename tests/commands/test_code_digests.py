"""What DVC sees of changed code: the first stage at once, after it those stages that run the code, and no others."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pairvae.commands.code_digests import FOLDER, LINK
from pairvae.commands.init import init
from pairvae.store.code import PACKAGE

# A stage's command is replaced by one that writes its outputs: which stages are out of date is DVC's to say
WRITE = """
import pathlib, sys

for path in map(pathlib.Path, sys.argv[1:]):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(path))
"""
DIGESTS = """
from pairvae.commands.code_digests import write_code_digests
from pairvae.stages.project import open_project

write_code_digests(open_project())
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose link leads to a copy of the package, in which `pairvae raw` writes the digests of that copy."""
    folder = tmp_path_factory.mktemp("a project") / "mine"
    init(folder)
    package = folder.parent / "copy" / "pairvae"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / LINK).unlink()
    (folder / LINK).symlink_to(package, target_is_directory=True)
    yaml = YAML()
    pipeline = yaml.load((folder / "dvc.yaml").read_text())
    (folder / "write.py").write_text(WRITE)
    (folder / "digests.py").write_text(DIGESTS)
    for name, stage in pipeline["stages"].items():
        entries = (*stage["outs"], *stage.get("metrics", []))
        outputs = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]
        paths = " ".join(path for path in outputs if path != FOLDER)
        stage["cmd"] = f"{sys.executable} write.py {paths}" + (
            f" && PYTHONPATH='{package.parent}' {sys.executable} digests.py" if name == "raw" else ""
        )
    del pipeline["plots"]
    with (folder / "dvc.yaml").open("w") as stream:
        yaml.dump(pipeline, stream)
    dvc(folder, "repro")
    return folder


def dvc(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def running(folder: Path) -> set[str]:
    """The stages that `dvc repro` runs again."""
    lines = dvc(folder, "repro").splitlines()
    return {line.split("'")[1] for line in lines if line.startswith("Running stage")}


def edit(copied: Path, file: str, old: str, new: str) -> None:
    path = (copied / LINK).readlink() / file
    before = path.read_text()
    path.write_text(before.replace(old, new, 1))
    assert path.read_text() != before


@pytest.mark.slow
def test_dvc_runs_the_stages_whose_code_changed(copied: Path) -> None:
    edit(copied, "calibration/latents.py", '"""', '"""Another text. ')
    assert list(YAML().load(dvc(copied, "status", "--json"))) == ["raw"]
    assert running(copied) == {"raw"}
    edit(copied, "calibration/latents.py", "LEAST_GROUPS = 3", "LEAST_GROUPS = 4")
    edit(copied, "reports/template.html", "</body>", "<hr></body>")
    assert running(copied) == {"raw", "train-pair", "report"}
    assert dvc(copied, "status", "--json").strip() == "{}"
