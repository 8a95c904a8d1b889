"""Atomic writes, JSON files and the digests that name them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from pairvae.errors import InputError
from pairvae.operating_system import flush_to_disk, process_lives

LONGEST_SHOWN = 100  # bytes of a file's name within that of its temporary sibling
PARTIAL = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)-\w+\.partial")  # whose it is: machine and process


def _temporary_name(path: Path) -> Path:
    return _reserved(path)[0]


def _reserved(path: Path) -> tuple[Path, int]:
    """A free name beside ``path``, and the permissions that a new file gets there.

    Umask and the folder's own rules set these; only a new file shows them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear(path.parent.absolute())
    shown = os.fsdecode(os.fsencode(path.name)[:LONGEST_SHOWN])  # the whole name may have 255 bytes already
    name = f".{shown}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.partial"
    temporary = path.parent / name
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    mode = stat.S_IMODE(temporary.stat().st_mode)
    temporary.unlink()
    return temporary, mode


@cache
def _machine() -> str:
    """8 hexadecimal digits for what process numbers are unique in: a host, or a container on it."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


@cache  # once a process: a folder may hold very many files
def _clear(folder: Path) -> None:
    """Remove what killed processes of this machine left half written in a folder."""
    for path in folder.glob(".*.partial"):
        match = PARTIAL.fullmatch(path.name)
        if match is None or match[1] != _machine() or process_lives(int(match[2])):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


Written = Callable[[Path, Path], None]
_observers: list[Written] = []  # of this process: all its threads write under the same eyes


@contextmanager
def observed(observer: Written) -> Iterator[None]:
    """Within the block call ``observer(written, path)`` before a finished file or folder takes its place ``path``.

    An exception of the observer leaves what lies at ``path``. Renaming changes neither size nor time of the files.
    """
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


def _announce(written: Path, path: Path) -> None:
    for observer in _observers:
        observer(written, path)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path``; it is renamed to ``path`` on success and removed on failure."""
    temporary, mode = _reserved(path)
    try:
        yield temporary
        flush_to_disk(temporary)
        temporary.chmod(mode)  # some writers make private files
        _announce(temporary, path)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``, for writers that make temporary files of their own; then remove it."""
    temporary = _temporary_name(path)
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder that replaces ``path`` on success and is removed on failure."""
    temporary = _temporary_name(path)
    temporary.mkdir()
    try:
        yield temporary
        replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(finished: Path, path: Path) -> None:
    """Put the folder ``finished``, a sibling of ``path``, in the place of ``path``; what was there is removed."""
    _announce(finished, path)
    if not path.exists():
        finished.replace(path)
        return
    retired = _temporary_name(path)
    path.replace(retired)
    try:
        finished.replace(path)
    except OSError:
        retired.replace(path)
        raise
    shutil.rmtree(retired)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically (UTF-8)."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")  # the same bytes on Windows


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` as indented JSON, atomically; NaN and infinity are refused (``ValueError``)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, expected: str = "a JSON object", remedy: str = "") -> dict[str, Any]:
    """Read a JSON object (``InputError`` when it is not one, or holds NaN or infinity, which are never written)."""
    value, found = None, "something else"
    try:
        value = parse_json(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        found = str(error)[:160]
    if not isinstance(value, dict):
        raise InputError(expected=expected, found=found, where=str(path), remedy=remedy)
    return value


def parse_json(text: str) -> object:
    """The value of a JSON text (``ValueError``: none, or NaN; ``RecursionError``: too deep)."""
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no JSON")


def digest(value: object) -> str:
    """16 hexadecimal digits that name a JSON-able ``value`` (settings, hashes of inputs)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_digest(path: Path, expected: object, content: str, remedy: str) -> None:
    """Refuse a file (its ``content`` in a word) that is gone or has another sha256: ``InputError``."""
    digest = file_digest(path) if path.is_file() else "no file"
    if digest != expected:
        raise InputError(
            expected=f"{content} with sha256 {str(expected)[:12]}",
            found=digest[:12],
            where=str(path),
            remedy=remedy,
        )
