"""``python -m tools.licences [--check]``: docs/licences.md, the licences of all locked dependencies."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK, PAGE = ROOT / "requirements.lock", ROOT / "docs" / "licences.md"
LONGEST = 60
# What a package says nowhere in its metadata that can be read by a program
KNOWN = {"hdf5plugin": "MIT and others, by compression filter", "huey": "MIT"}
# A copyleft licence needs a word on why it is no obstacle: pairvae copies nothing of these, it imports them.
WORDS = {
    "pygit2": "GPL-2.0 with a linking exception: linking it puts no condition on other code; comes with DVC",
    "grandalf": "GPL-2.0 or EPL-1.0, at one's choice; comes with DVC, which draws its graphs with it",
    "dulwich": "Apache-2.0 or GPL-2.0, at one's choice; comes with DVC",
    "psycopg2-binary": "LGPL: a library used as one; development only",
    "rosettasciio": "GPL-3.0-or-later: optional, the extra [em]; imported where a user installs it, never shipped",
    "edt": "LGPL: a library used as one; comes with PoreSpy",
    "connected-components-3d": "LGPL: a library used as one; comes with PoreSpy",
}
HEAD = """# Licences of the dependencies

pairvae itself is under the BSD 3-clause licence. It contains no code of the packages below; it imports them.
Versions are those of `requirements.lock`; licences are as stated by the packages.
`python -m tools.licences` writes this page.

| package | version | licence |
| --- | --- | --- |
"""


@dataclass(frozen=True)
class Package:
    """A locked package; ``licence`` is None where it is not installed."""

    name: str
    version: str
    licence: str | None

    @property
    def copyleft(self) -> bool:
        """Whether the licence needs a word in ``WORDS``."""
        return re.search(r"GPL|General Public", self.licence or "") is not None


def locked(text: str) -> list[Package]:
    """The packages of a requirements file, in its order."""
    found = re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", text, re.MULTILINE)
    return [Package(name, version, licence_of(name)) for name, version in found]


def licence_of(name: str) -> str | None:
    """The licence in the metadata of an installed package: its expression, its classifiers, or its first line."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return None
    classifiers = [
        one.rpartition("::")[2].strip() for one in about.get_all("Classifier") or [] if one[:7] == "License"
    ]
    lines = (
        about.get("License-Expression") or "; ".join(classifiers) or about.get("License") or ""
    ).splitlines()
    return KNOWN.get(name, lines[0][:LONGEST] if lines else "unknown")


def page(packages: list[Package]) -> str:
    """The page as Markdown."""
    rows = [f"| {one.name} | {one.version} | {one.licence or 'not installed here'} |" for one in packages]
    words = [f"* **{name}**: {text}." for name, text in WORDS.items()]
    return HEAD + "\n".join(rows) + "\n\n## Copyleft among them\n\n" + "\n".join(words) + "\n"


def faults(packages: list[Package]) -> list[str]:
    """Packages whose licence is unknown, is the AGPL, or is copyleft without a word on it."""
    return [
        f"{one.name}: {one.licence}"
        for one in packages
        if one.licence == "unknown"
        or re.search(r"AGPL|Affero", one.licence or "")
        or (one.copyleft and one.name not in WORDS)
    ]


def main() -> int:
    """Write the page, or with ``--check`` say whether it is current."""
    packages = locked(LOCK.read_text("utf-8"))
    wrong = faults(packages)
    if "--check" in sys.argv[1:]:
        if not PAGE.is_file() or PAGE.read_text("utf-8") != page(packages):
            wrong.append("docs/licences.md is not current: python -m tools.licences")
    else:
        PAGE.write_text(page(packages), encoding="utf-8")
    for line in wrong:
        print(line, file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
