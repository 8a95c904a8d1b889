"""docs/reliability.md: every promise names a test, and every test that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
NAMED = re.compile(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`")
ROW = re.compile(r"^\|(?! ---| what)(.+)\|$", re.MULTILINE)


def named() -> list[tuple[str, str]]:
    return sorted({(file, test) for file, test in NAMED.findall(PAGE.read_text("utf-8"))})


@pytest.mark.parametrize(("file", "test"), named())
def test_a_named_test_exists(file: str, test: str) -> None:
    path = ROOT / file
    assert path.exists()
    assert not test or re.search(rf"^(async )?def {test}\(", path.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("heading", ["What is refused", "What is never executed"])
def test_every_promise_names_a_test(heading: str) -> None:
    part = PAGE.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = ROW.findall(part)
    assert rows
    assert [row for row in rows if not NAMED.search(row)] == []
