"""Which changes of code make results stale: those of the statements that are run, and no others."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pairvae.store import code

FILES = {
    "__init__.py": '"""The package."""\nfrom toy.unused import never\n',
    "unused.py": "never = 1\n",
    "stage.py": "import toy.direct\nfrom toy import parts\n\n\ndef run():\n    from toy.late import f\n",
    "direct.py": '"""Text."""\n\n\ndef f(x):\n    """Text."""\n    return x + 1  # why\n',
    "late.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from toy.types import T\nf = 2\n",
    "types.py": "T = int\n",
    "parts/__init__.py": "from .inner import a\n\n\ndef load():\n    from toy.only_for_callers import b\n",
    "parts/inner.py": 'from importlib import resources\n\na = resources.files("toy.parts") / "page.html", "lists"\n',
    "parts/page.html": "<p>page</p>\n",
    "parts/other.html": "<p>other</p>\n",
    "lists/first.yaml": "a: 1\n",
    "only_for_callers.py": "b = 3\n",
}
RUN = {
    "stage.py",
    "direct.py",
    "late.py",
    "parts/__init__.py",
    "parts/inner.py",
    "parts/page.html",
    "lists/first.yaml",
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    package = tmp_path / "toy"
    for name, text in FILES.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def fresh(module: str, package: Path) -> str:
    for cached in (code._digest, code._meaning, code._used, code._data_files):
        cached.cache_clear()
    return code._digest(module, package)


def test_a_closure_is_what_runs(toy: Path) -> None:
    assert {path.relative_to(toy).as_posix() for path in code.closure("stage", toy)} == RUN


@pytest.mark.parametrize("name", sorted(FILES))
def test_only_a_changed_statement_of_what_runs_counts(toy: Path, name: str) -> None:
    before, file = fresh("stage", toy), toy / name
    is_module = file.suffix == ".py"
    file.write_text(FILES[name] + ("added = 1\n" if is_module else "added: 1\n"))
    assert (fresh("stage", toy) != before) == (name in RUN)
    if is_module:
        file.write_text(
            FILES[name].replace("Text", "Another text").replace("# why", "# a reason") + "\n# end\n"
        )
        assert fresh("stage", toy) == before


def test_a_moved_import_takes_its_closure_along(toy: Path) -> None:
    before = fresh("stage", toy)
    (toy / "direct.py").write_text("import toy.unused\n" + FILES["direct.py"])
    changed = fresh("stage", toy)
    (toy / "unused.py").write_text("never = 2\n")
    assert len({before, changed, fresh("stage", toy)}) == 3


@pytest.mark.parametrize(
    ("stage", "within", "without"),
    [
        (
            "stages.raw",
            {"data/simulate/samples.py", "numerics/phasefield.py"},
            {"models/texture.py", "training/loop.py"},
        ),
        (
            "stages.preprocess",
            {"modalities/readers/tiff.py", "store/prepared.py"},
            {"models/texture.py", "data/simulate/samples.py"},
        ),
        (
            "stages.train_solo",
            {"models/texture.py", "data/split.py"},
            {"calibration/length_scale.py", "data/simulate/samples.py"},
        ),
        (
            "stages.train_pair",
            {"calibration/__init__.py", "calibration/length_scale.py", "numerics/ridge.py"}
            | {
                "calibration/variance_matching.py",
                "data/batches.py",
                "data/sources.py",
                "inference/summary_file.py",
            },
            {"evaluation/scores/definitions.py", "reports/page.py", "cli/stages.py"},
        ),
        (
            "stages.assess",
            {"evaluation/scores/definitions.py", "models/unet.py"},
            {"calibration/length_scale.py", "reports/page.py"},
        ),
        ("stages.generate", {"evaluation/ensembles.py"}, {"calibration/length_scale.py", "reports/page.py"}),
        (
            "stages.report",
            {"reports/page.py", "reports/template.html"},
            {"training/loop.py", "stages/train_pair.py"},
        ),
        (
            "stages.register",
            {"tracking/registry/registration.py"},
            {"stages/train_pair.py", "app/applications.py"},
        ),
    ],
)
def test_the_code_of_a_stage(stage: str, within: set[str], without: set[str]) -> None:
    names = {path.relative_to(code.PACKAGE).as_posix() for path in code.closure(stage)}
    assert within <= names
    assert not without & names


def test_every_import_of_a_closure_is_in_it() -> None:
    """Held against what Python itself loads when the module is imported, functions not run."""
    module = "stages.train_pair"
    script = f"import sys, pairvae.{module}; print([n for n in sys.modules if n.startswith('pairvae.')])"
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    names = [name.split(".")[1:] for name in ast.literal_eval(printed)]
    paths = [code.PACKAGE.joinpath(*parts) for parts in names]
    files = {path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in paths}
    assert files <= set(code.closure(module))
