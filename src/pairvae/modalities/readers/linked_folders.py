"""Folders that files may link to: their own, and those that ``data.roots`` declares."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_declared: list[Path] = []


def declare_roots(folders: Iterable[str | Path]) -> None:
    """Let files of this process link into these folders from now on, and into no others."""
    _declared[:] = [Path(folder).expanduser().resolve() for folder in folders]


def is_declared(path: Path) -> bool:
    """Whether a file lies, links followed, in a declared folder."""
    return any(path.resolve().is_relative_to(root) for root in _declared)


def linked_file(name: str, file: Path) -> tuple[Path | None, bool]:
    """The file that ``file`` names in a link, None where there is none, and whether it may be opened.

    It is looked for beside ``file``, then in the declared folders. Nothing outside of these is looked at.
    """
    named = Path(name)
    folders = [file.parent.resolve(), *([file.resolve().parent] if is_declared(file) else []), *_declared]
    candidates = [named] if named.is_absolute() else [folder / named for folder in folders]
    allowed = [
        target
        for target in (path.resolve() for path in candidates)
        if any(target.is_relative_to(folder) for folder in folders)
    ]
    return next((target for target in allowed if target.is_file()), None), bool(allowed)
