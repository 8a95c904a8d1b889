"""Generated reference pages, links, and the lists of tasks: complete, and in step with the code."""

import json
import re
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

import pairvae
from pairvae.modalities import MODALITIES
from pairvae.settings import Settings, flatten, preset_values

pytest.importorskip("mkdocs", reason="needs the extra [docs]")

from tools import notebooks
from tools.pages import commands, levels, python, settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
WIDE = ("own-data.md", "reliability.md")  # lines and tables of these are still wide
GENERATED = re.compile(r"reference/(commands|params|python(/\w+)?)\.md$")


@cache
def all_rows() -> list[settings.Row]:
    schema = Settings.model_json_schema()
    tops = dict(schema["properties"])
    for name in (name for name in MODALITIES if name not in tops):
        kind = "Cropped" if MODALITIES[name].cropped else "Modality"
        tops[name] = {"$ref": f"#/$defs/{kind}Settings"}
    return [row for top, part in tops.items() for row in settings.rows(top, part, schema["$defs"])]


def test_every_key_of_the_presets_is_in_the_reference() -> None:
    told = {row.key.partition(" (")[0] for row in all_rows()}
    for preset in ("fast", "paper", "gpu"):
        for key in flatten(preset_values(preset)):
            assert key in told or any(key.startswith(f"{one}.") for one in told), key


def test_every_setting_says_what_it_means_and_allows() -> None:
    for row in all_rows():
        assert row.meaning, row.key
        assert row.allowed, row.key
        assert row.allowed != "any value", row.key


@pytest.mark.parametrize(("key", "default", "unit", "allowed"), [
    ("saxs.prepare.size", "`192`", "px", "whole, ≥ 32, ≤ 1024, multiple of 32"),
    ("split.train", "`auto`", "pairs", "whole, > 0 or `auto`"),
    ("pretrain.enabled", "`false`<br>paper: `true`", "", "`true`, `false`"),
    ("assess.estimator", "`unbiased`", "", "`unbiased`, `periodic`"),
    ("sem.prepare.nm_per_px", "`null`", "", "> 0, ≤ 1000 or `null`"),
    ("latent.grid", "`1`<br>paper: `6`", "", "whole, ≥ 1, ≤ 32"),
    ("iq.prepare.q_min", "`0.05`", "1/nm", "> 0, ≤ 1000"),
    ("data.simulated.parameters.spacing_nm", "`31.75`", "nm", "≥ 10, ≤ 500"),
])  # fmt: skip
def test_a_row_tells_default_unit_and_range(key: str, default: str, unit: str, allowed: str) -> None:
    (row,) = [row for row in all_rows() if row.key == key]
    assert (row.default, row.unit, row.allowed) == (default, unit, allowed)


def test_commands_are_those_of_the_command_line() -> None:
    page = commands.page()
    titles = re.findall(r"^## (.*)$", page, re.M)
    assert {"pairvae predict", "pairvae data check", "pairvae tune apply", "pairvae repro"} <= set(titles)
    assert re.search(r"^\| `--samples.*` \| .*\[default: 1; 1&lt;=x&lt;=\d+\] \|$", page, re.M)
    assert all(f"```text\n{title}" in page for title in titles)
    codes = re.findall(r"^\| `([^`]*)`", page, re.M)
    assert any("<path>" in code for code in codes) and any("sem|saxs" in code for code in codes)
    assert not any("&" in code or "\\" in code for code in codes), "shown as it stands in code"


def test_python_pages_cover_the_package() -> None:
    pages = python.pages(ROOT / "src" / "pairvae")
    assert {"python.md", "python/numerics.md", "python/modalities.md", "python/errors.md"} <= set(pages)
    assert "::: pairvae.numerics.morphology" in pages["python/numerics.md"]
    assert {f"::: pairvae.{name}" for name in pairvae.__all__ if not name.startswith("_")} <= set(
        pages["python.md"].splitlines()
    )


def test_drawing_has_every_level() -> None:
    contract, package = ROOT / ".importlinter", ROOT / "src" / "pairvae"
    found = levels.levels(contract)
    assert (found[0], found[-1][0]) == (["pairvae.cli"], "pairvae.errors")
    drawing = levels.drawing(contract, package)
    for module in chain.from_iterable(found):
        assert f">{module.removeprefix('pairvae.')}</text>" in drawing
        assert levels.code_lines(package, module) > 0, module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)\s]+)\)", page.read_text("utf-8")):
        path = (page.parent / target.partition("#")[0]).resolve()
        generated = GENERATED.search(path.as_posix())
        assert generated or path.exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in WIDE],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_lines_and_tables_fit_a_window(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    rows, lines = [], []
    for line in text.splitlines():
        (rows if line.startswith("|") else lines).append(line)
    assert [line for line in lines if len(line) > 120] == []
    assert [row for row in rows if len(re.findall(r"(?<!\\)\|", re.sub("`[^`]*`", "", row))) > 6] == []


def test_explanation_of_the_method_stays_short() -> None:
    text = (DOCS / "method.md").read_text("utf-8")
    assert "networks.svg" in text and text.count(r"\[") >= 5
    words = re.sub(r"\\\[.*?\\\]|^\|[-:| ]+$|\|", "", text, flags=re.S | re.M).split()
    assert len(words) <= 1500


def test_search_works_without_a_server_or_a_network() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert re.search(r"^  - search\n  - offline$", text, re.M)
    (script,) = re.findall(r"polyfills: \[(.*?)\]", text)
    assert "window.Worker" in (DOCS / script).read_text("utf-8")


def test_navigation_and_pages_agree() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    named = re.findall(r"(?:: |- )([\w/-]+\.md)$", text, re.M)
    assert len(named) == len(set(named)) > 20
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    missing = [name for name in named if name not in there and not GENERATED.search(name)]
    assert missing == []
    assert sorted(there - set(named)) == [], "pages that no one finds"


def test_no_page_names_a_place_of_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(work|home|root|tmp)/", page.read_text("utf-8")), page


def test_hooks_and_ci_call_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    called: set[str] = set()
    for file in (".pre-commit-config.yaml", ".github/workflows/test.yml", "CONTRIBUTING.md", ".ci/run"):
        for line in re.findall(r"\bmake ((?:--silent )?[a-z -]+)", (ROOT / file).read_text("utf-8")):
            called |= {word for word in line.split() if word in targets}
    assert {"lint", "types", "test", "docs", "setup", "notebooks"} <= called


def test_notebook_is_stripped(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": ["1 + 1"], "execution_count": 3, "outputs": [{"data": {}}]}
    words = {"cell_type": "markdown", "source": ["why"], "metadata": {}}
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps({"cells": [cell, words], "nbformat": 4}))
    assert notebooks.main(["--check", str(file)]) == 1
    assert json.loads(file.read_text())["cells"][0]["outputs"], "a check changes nothing"
    assert notebooks.main([str(file)]) == 1
    left = json.loads(file.read_text())
    assert left["cells"][0] == {**cell, "execution_count": None, "outputs": []}
    assert left["cells"][1] == words
    assert notebooks.main([str(file)]) == 0
