"""What MkDocs calls: generated pages, links that leave docs/, the levels' drawing, equations as MathML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.pages import commands, levels, python, settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pairvae"
LEVELS = "<!-- levels -->"
MATHS = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
ROLE = re.compile(r":(?:class|func|meth|mod|data):(?=<code>|`)")
OUTSIDE = re.compile(
    r"(?<!!)\[([^\]]*)\]\((?:\.\./)+((?:benchmarks|src|tests|README|CHANGELOG|CONTRIBUTING|CITATION)[^)]*)\)"
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that the code writes; none of them lies in docs/."""
    made = {"commands.md": commands.page(), "params.md": settings.page(), **python.pages(PACKAGE)}
    for name, text in made.items():
        files.append(File.generated(config, f"reference/{name}", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw the levels; a link to a file of the repository that is no page becomes its path."""
    if LEVELS in markdown:
        markdown = markdown.replace(LEVELS, levels.drawing(ROOT / ".importlinter", PACKAGE))
    return OUTSIDE.sub(_path_of, markdown)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Equations as MathML, which browsers draw by themselves; no roles of another markup."""
    return ROLE.sub("", MATHS.sub(_mathml, content))


def _path_of(match: re.Match[str]) -> str:
    label, path = match[1], match[2]
    if not (ROOT / path.partition("#")[0]).exists():
        raise ValueError(f"a link to {path}, which does not exist")
    return f"`{path}`" if label.strip("`") in path else f"{label} (`{path}`)"


def _mathml(match: re.Match[str]) -> str:
    make: Callable[..., Any] = convert
    return str(make(html.unescape(match[3]).strip(), display="block" if match[2] == "[" else "inline"))
