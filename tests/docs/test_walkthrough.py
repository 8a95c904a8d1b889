"""Every command of the tutorial and the README, in order, in a fresh project; each prints what the page says.

What differs from the page: the environment of the tests stands in for a new one (``make`` finds it ready), networks and
data are those of ``small_project`` (8 pairs, not 72; minutes, not a quarter of an hour), and numbers of what is printed
are not compared. Left out: ``make test``, which is this suite, and what serves until it is stopped.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from small_project import ROOT, make_project

SMALLER = {"split.train=32": "split.train=4", "split.train=48": "split.train=5"}
PLACEHOLDERS = {
    "FILES...": "data/raw/SAXS/00000.jpg data/raw/SAXS/00001.jpg",
    "PATTERN": "data/raw/SAXS/00000.jpg",
    "FILE.": "out.",
    "`": "",
    "sem\\|saxs\\|both": "sem",
}
ROWS = ("pairvae predict FILES", "pairvae movie", "pairvae ensemble", "pairvae register --list")
ELSEWHERE = ("make test",)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


@dataclass(frozen=True)
class Step:
    """One block of commands or Python, and what the page says that it prints (``...`` stands for anything)."""

    language: str
    code: str
    prints: str


def steps(page: str) -> list[Step]:
    """The blocks of a page in order, each with the ``text`` block before the next."""
    found: list[Step] = []
    for language, body in BLOCK.findall(page):
        if language == "text" and found and not found[-1].prints:
            found[-1] = Step(found[-1].language, found[-1].code, body)
        elif language in ("", "sh", "python"):
            found.append(Step(language or "sh", body, ""))
    return found


def pattern(prints: str) -> re.Pattern[str]:
    """What a ``text`` block demands: its words in order; a word with a digit stands for any word."""
    words = ["...", *prints.split(), "..."]
    each = [r"(?:\S+)" if re.search(r"\d", word) else re.escape(word) for word in words]
    text = r"\s+".join(each)
    anything = re.escape("...")
    text = re.sub(rf"(?:(?:\\s\+)?{re.escape(anything)}(?:\\s\+)?)+", lambda _: r"(?:.*?)", text)
    return re.compile(text, re.S)


class Shell:
    """Commands run in a project's folder; ``source`` holds for those that follow."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.before = folder, ""
        identity = {
            f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        self.environment = {**os.environ, **identity, "OMP_NUM_THREADS": "1"}
        self.environment.pop("MLFLOW_TRACKING_URI", None)

    def run(self, step: Step) -> None:
        """Run one block, and compare."""
        if step.language == "python":
            self._check(step, [str(Path(sys.executable)), "-c", step.code])
            return
        lines = [line.split("  #")[0].strip() for line in step.code.splitlines()]
        lines = [line for line in lines if line and not line.startswith(ELSEWHERE)]
        code = "\n".join(lines)
        for page, here in SMALLER.items():
            code = code.replace(page, here)
        self._check(step, ["bash", "-ec", f"{self.before}{code}"])
        self.before += "".join(f"{line}\n" for line in lines if line.startswith("source "))

    def _check(self, step: Step, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=3000,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"
        assert pattern(step.prints).search(done.stdout), (
            f"{command[-1]}\n{step.prints}\n--- but\n{done.stdout}"
        )


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which nothing has run, with an environment that is ready."""
    prefix = Path(sys.prefix)
    if not (prefix / ".ready").exists() or not (prefix / "bin" / "activate").exists():
        pytest.skip("the environment was not made by `make setup`")
    folder = make_project(tmp_path_factory.mktemp("walk") / "project")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
        os.utime(folder / name, (0, 0))  # older than what was made from it
    (folder / ".venv").symlink_to(prefix)
    return folder


def own_files(shell: Shell) -> None:
    """What the pages take for granted: a folder of one's own pairs, and one more pattern."""
    if not (shell.folder / "my-pairs").exists():
        shell.run(Step("sh", "pairvae data simulate my-pairs --pairs 8 --seed 1", ""))
        shutil.copy(shell.folder / "my-pairs" / "SAXS" / "00003.jpg", shell.folder / "new-pattern.jpg")


def walk(folder: Path, page: Path, preamble: str = "") -> Shell:
    """All steps of a page."""
    shell = Shell(folder)
    for step in steps(page.read_text("utf-8")):
        if "my-pairs" in step.code:
            own_files(shell)
        if step.language == "python":
            step = Step(step.language, preamble + step.code, step.prints)
        shell.run(step)
    return shell


def test_words_are_compared_and_numbers_are_not() -> None:
    wanted = pattern("note: 72 files\n...\nraw: 72 pairs, no problems\n")
    assert wanted.search("note: 8 files\nmore\nand more\nraw:   8 pairs, no problems\n")
    assert not wanted.search("note: 8 files\nraw: 8 pairs, two problems\n")
    assert not wanted.search("raw: 8 pairs, no problems\nnote: 8 files\n")
    assert pattern("a\n...\nb\n").search("a\nb\n")
    assert pattern("").search("")


def test_pages_have_steps() -> None:
    tutorial = steps((ROOT / "docs" / "tutorial.md").read_text("utf-8"))
    assert [step.code for step in tutorial][:2] == ["make demo\n", "source .venv/bin/activate\n"]
    assert sum(bool(step.prints) for step in tutorial) >= 8
    assert len(steps((ROOT / "README.md").read_text("utf-8"))) >= 3


@pytest.mark.slow
@pytest.mark.timeout(9000)
def test_tutorial(fresh: Path) -> None:
    walk(fresh, ROOT / "docs" / "tutorial.md")
    images = {f"00000-sem-{number:02d}.png" for number in range(8)}
    assert images <= {file.name for file in (fresh / "predictions").iterdir()}
    assert (fresh / "patterns" / "00000-saxs-00.png").exists()
    assert (fresh / "reports" / "index.html").exists()


@pytest.mark.slow
@pytest.mark.timeout(9000)
def test_readme(fresh: Path) -> None:
    patterns = "import numpy\npatterns = numpy.load('data/prepared/saxs.npy')[:2]\n"
    shell = walk(fresh, ROOT / "README.md", patterns)
    again = Step("sh", "make demo", "Data and pipelines are up to date.")
    shell.run(again)
    table = re.findall(r"^\| (`pairvae .*?`)(?:,| \|)", (ROOT / "README.md").read_text("utf-8"), re.M)
    rows = [row for row in table if row.strip("`").startswith(ROWS)]
    assert len(rows) == len(ROWS)
    for row in rows:
        for there, here in PLACEHOLDERS.items():
            row = row.replace(there, here)
        shell.run(Step("sh", row, ""))
    assert (fresh / "out.mp4").exists()
    assert (fresh / "out.h5").exists()
