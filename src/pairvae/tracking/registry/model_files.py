"""Files of registered versions: allowed servers, comparison with the registered digest, local copies."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import mlflow

from pairvae.errors import InputError
from pairvae.store import atomic_folder, file_digest

SERVED = Path(__file__).with_name("served.py")  # the code of a registered pair
CONTENT_TAG = "content_sha256"  # of a version: names all of its files
MLMODEL, META = "MLmodel", "registered_model_meta"
WEB = ("http", "https", "ftp", "mlflow-artifacts")


def content_digest(folder: Path) -> str:
    """64 hexadecimal digits that name the files of a model.

    Without those that change while they are used: ``MLmodel``, which a copy in another store rewrites, the mark that
    MLflow leaves where it loads a version, bytecode, and what file managers hide.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name not in (MLMODEL, META) and not any(part.startswith((".", "__")) for part in name.split("/")):
            digest.update(f"{name}\0{file_digest(path)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def is_whole(folder: Path, expected: str | None) -> bool:
    """Whether ``folder`` holds a model, that of the digest ``expected`` where a version has one."""
    return (folder / MLMODEL).is_file() and expected in (None, content_digest(folder))


def check_files(folder: Path, expected: str | None, uri: str) -> None:
    """``InputError`` if the files of a version are missing or differ from those that were registered."""
    if not (folder / MLMODEL).is_file():
        raise InputError(
            expected="the files of a registered model",
            found="none",
            where=str(folder),
            remedy="after a move of the project run: pairvae doctor --fix-paths; else register again",
        )
    if not is_whole(folder, expected):
        raise InputError(
            expected=f"the files that were registered as {uri}",
            found="other ones",
            where=str(folder),
            remedy="restore them from a backup, or register the model again: pairvae register",
        )


def kept_copy(folder: Path, location: str, expected: str | None) -> Path:
    """``folder`` with the files of a server's model at ``location``, downloaded unless a complete copy exists."""
    if not is_whole(folder, expected):
        with atomic_folder(folder) as target:
            _flatten(Path(mlflow.artifacts.download_artifacts(location, dst_path=str(target))), target)
    return folder


def check_location(location: str, registry: str, uri: str) -> None:
    """``InputError`` if the files of a model are on another web server than the registry."""
    there, here = urlsplit(location), urlsplit(registry)
    foreign = there.netloc and (there.hostname, there.port) != (here.hostname, here.port)
    if there.scheme in WEB and foreign:
        raise InputError(
            expected="files on the registry's own server",
            found=f"a place on {there.hostname}",
            where=uri,
            remedy="do not trust this version; register the model again",
        )


def check_name(name: str, uri: str) -> None:
    """``InputError`` for a model's name that is no valid folder name; the server chooses it."""
    if name in ("", ".", "..") or any(
        character in "/\\" or not character.isprintable() for character in name
    ):
        raise InputError(expected="a model's name without folders", found=repr(name[:60]), where=uri)


def _flatten(arrived: Path, target: Path) -> None:
    """Bring what arrived in a folder below ``target`` up into it: MLflow keeps the last part of an address."""
    if arrived.resolve() == target.resolve():
        return
    aside = arrived.rename(target / ".arrived")  # it may hold a folder of its own name
    for entry in list(aside.iterdir()):
        shutil.move(entry, target / entry.name)
    aside.rmdir()
