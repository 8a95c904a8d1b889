"""Which files of the pipeline's outputs pairvae wrote: only those may be replaced.

Every file that a stage puts in place is noted with its size and time in ``.pairvae/written.jsonl`` just before, so that
a kill leaves nothing unknown. What ``dvc pull`` or ``dvc checkout`` brought is known by the hashes of ``dvc.lock``.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pairvae import store
from pairvae.errors import InputError
from pairvae.store.dvc_lock import output_hashes
from pairvae.store.locks import locked
from pairvae.store.model_folder import CARD, DISCRIMINATORS, DISCRIMINATORS_HASH, FILES, HISTORY, WEIGHTS
from pairvae.store.project_root import OWN_FILES

RECORD = "written.jsonl"
LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}  # of file managers: nobody misses them
SPARE_LINES = 10_000  # of the record, beyond what the files of now need, before it is written anew
SHOWN = 3
DIR = ".dir"

Stamp = tuple[int, int]  # size in bytes, time in ns


def stamp(path: Path) -> Stamp:
    """Size and time of a file, of a link itself."""
    status = path.lstat()
    return status.st_size, status.st_mtime_ns


def files_below(path: Path) -> Iterator[Path]:
    """A file or link itself, or every file and link below a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        if os.path.lexists(path):
            yield path
        return
    for folder, folders, names in os.walk(path, onerror=_raise):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(folder) / name


def _raise(error: OSError) -> None:
    raise error  # a folder that cannot be read may hold anything


class WrittenFiles:
    """What pairvae wrote in the project at ``folder``, by path relative to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / OWN_FILES / RECORD
        self._known: dict[str, set[Stamp]] = defaultdict(set)
        self._read()

    def _read(self) -> None:
        lines = self.path.read_bytes().splitlines() if self.path.is_file() else []
        for line in lines:
            with suppress(ValueError, TypeError):  # the last line of a process that was killed
                name, size, time_ns = json.loads(line)
                self._known[str(name)].add((int(size), int(time_ns)))
        kept = {
            name: [current]
            for name, stamps in self._known.items()
            if (current := self._stamp(name)) in stamps and current
        }
        if len(lines) > len(kept) + SPARE_LINES:
            with locked(self.path.with_suffix(".lock")):
                store.write_text(self.path, _lines(kept))

    def _stamp(self, name: str) -> Stamp | None:
        try:
            return stamp(self.folder / name)
        except OSError:
            return None

    def note(self, stamps: Mapping[str, Stamp]) -> None:
        """Remember files by their path relative to the project."""
        fresh = {name: [entry] for name, entry in stamps.items() if entry not in self._known[name]}
        if not fresh:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.with_suffix(".lock")), self.path.open("a", encoding="utf-8") as stream:
            stream.write("\n" + _lines(fresh))  # a torn line of a killed process ends here
        for name, (entry,) in fresh.items():
            self._known[name].add(entry)

    def strangers(self, output: str) -> list[str]:
        """Files of an output, relative to the project, that neither this record nor dvc.lock knows."""
        output_path = self.folder / output
        files = {path.relative_to(self.folder).as_posix(): path for path in files_below(output_path)}
        unknown = {
            name: path
            for name, path in files.items()
            if stamp(path) not in self._known.get(name, ())
            and path.name not in LITTER
            and not any(store.PARTIAL.fullmatch(part) for part in Path(name).parts)
        }
        if unknown:
            listed = self._listed_by_dvc(output, files)
            same = [
                name
                for name, path in unknown.items()
                if (name in listed and _md5(path) == listed[name]) or _known_by_card(path)
            ]
            self.note({name: stamp(unknown.pop(name)) for name in same})
        return sorted(unknown)

    def _listed_by_dvc(self, output: str, files: Mapping[str, Path]) -> dict[str, str]:
        """md5 of the files of an output in dvc.lock, by path relative to the project."""
        md5 = dict(output_hashes(self.folder)).get(output)
        if md5 is None:
            return {}
        if not md5.endswith(DIR):
            return {output: md5}
        for cache in dvc_caches(self.folder):
            with suppress(OSError, ValueError, TypeError, KeyError):
                entries = json.loads((cache / md5[:2] / md5[2:]).read_bytes())
                return {f"{output}/{entry['relpath']}": str(entry["md5"]) for entry in entries}
        # The cache is elsewhere, or was emptied: the folder is known where it is as a whole what dvc.lock names
        now = {name: value for name, path in files.items() if (value := _md5(path)) is not None}
        return now if _tree_md5(output, now) == md5 else {}


def _known_by_card(path: Path) -> bool:
    """Whether the card beside a file of a model or of prepared arrays has its hash, or it is such a card or history."""
    card_path = path.with_name(CARD)
    if path.is_symlink() or not path.is_file() or not card_path.is_file():
        return False
    try:
        card = store.read_json(card_path)
    except InputError:
        return False
    hashes = {WEIGHTS: card.get("weights_sha256"), DISCRIMINATORS: card.get(DISCRIMINATORS_HASH)}
    for key in (FILES, "sha256"):
        hashes |= card[key] if isinstance(card.get(key), dict) else {}
    if path.name in (CARD, HISTORY):
        return any(hashes.values())
    return hashes.get(path.name) == store.file_digest(path)


def _lines(stamps: Mapping[str, Iterable[Stamp]]) -> str:
    return "".join(f"{json.dumps([name, *entry])}\n" for name, several in stamps.items() for entry in several)


def dvc_caches(folder: Path) -> Iterator[Path]:
    """Where DVC keeps files by their md5: what its configuration says, and the usual place."""
    import configparser

    for root in (folder, *folder.parents):
        if not (root / ".dvc").is_dir():
            continue
        for name in ("config.local", "config"):
            parser = configparser.ConfigParser(strict=False, interpolation=None)
            with suppress(configparser.Error, OSError, UnicodeDecodeError):
                text = (root / ".dvc" / name).read_text(encoding="utf-8")
                parser.read_string("\n".join(line.strip() for line in text.splitlines()))
                if parser.has_option("cache", "dir"):
                    yield root / ".dvc" / parser.get("cache", "dir") / "files" / "md5"
        yield root / ".dvc" / "cache" / "files" / "md5"
        return


def _md5(path: Path) -> str | None:
    """md5 of a regular file, or of the one that a link leads to (DVC may link into its cache)."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
    except OSError:
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _tree_md5(output: str, files: Mapping[str, str]) -> str:
    """What DVC calls a folder of these files."""
    entries = sorted(
        ({"md5": md5, "relpath": name.removeprefix(f"{output}/")} for name, md5 in files.items()),
        key=lambda entry: entry["relpath"],
    )
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + DIR


def refuse_strangers(written: WrittenFiles, output: str) -> None:
    """``InputError`` where an output holds files that pairvae did not write."""
    strangers = written.strangers(output)
    if not strangers:
        return
    names = ", ".join(strangers[:SHOWN]) + (", ..." if len(strangers) > SHOWN else "")
    number = f"{len(strangers)} other file{'s' if len(strangers) > 1 else ''}"
    advice = "move your own files to a folder elsewhere, delete the rest, and run it again"
    if output == "data/raw":
        advice = "move your own files to a folder elsewhere and name it in data.source, delete the rest"
    raise InputError(
        expected="only files that pairvae wrote, as it wrote them",
        found=f"{number} that it would have to delete or replace: {names}",
        where=output,
        remedy=advice,
    )
