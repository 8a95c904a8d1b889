"""Entries of a run that were not sent yet: an ordered folder that survives the process."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairvae import store
from pairvae.store.locks import LockTakenError, locked
from pairvae.store.project_root import OWN_FILES

TARGET, LOCK, ENTRY, FILES, REFUSED = "target.json", "lock", ".json", ".files", ".refused"


@dataclass(frozen=True)
class Entry:
    """One call of the tracker: its kind, its values, and the folder of its files, if any."""

    path: Path
    kind: str
    values: dict[str, Any]

    @property
    def files(self) -> Path:
        """Files to upload, laid out as below the run's artifacts."""
        return self.path.with_suffix(FILES)


def outbox_folder(root: Path, run_id: str) -> Path:
    """The folder of the unsent entries of a run."""
    return root / OWN_FILES / "outbox" / run_id


def waiting(root: Path) -> list[Path]:
    """The folders of the runs that have entries waiting, or a living process."""
    home = root / OWN_FILES / "outbox"
    return sorted(path.parent for path in home.glob(f"*/{TARGET}"))


def target_of(folder: Path) -> dict[str, str]:
    """The address of the store that the entries in ``folder`` go to (``uri``), and the run's ``name``."""
    return {str(key): str(value) for key, value in store.read_json(folder / TARGET).items()}


def _clear_beginnings(home: Path) -> None:
    """Remove empty outboxes whose process was killed before it had written their target."""
    for folder in home.glob("*/"):
        if not (folder / TARGET).is_file():
            with Outbox.abandoned(folder):
                pass  # closing removes an empty outbox; one whose process lives stays


class Outbox:
    """The entries of one run. One process at a time writes and sends them: the one that holds the lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held = ExitStack()
        self._next, self._putting = 0, threading.Lock()

    @classmethod
    def opened(cls, root: Path, run_id: str, target: Mapping[str, str]) -> Outbox:
        """The outbox of a run, locked (waiting for the process that holds it); earlier entries stay in it."""
        outbox = cls(outbox_folder(root, run_id))
        _clear_beginnings(outbox.folder.parent)
        outbox.folder.mkdir(parents=True, exist_ok=True)
        outbox.lock(wait=True)
        store.write_json(outbox.folder / TARGET, dict(target))
        return outbox

    @classmethod
    @contextmanager
    def abandoned(cls, folder: Path) -> Iterator[Outbox | None]:
        """The outbox in ``folder`` if no living process holds it, else None."""
        if not folder.is_dir():
            yield None
            return
        outbox = cls(folder)
        try:
            outbox.lock(wait=False)
        except LockTakenError:
            yield None
            return
        try:
            yield outbox
        finally:
            outbox.close()

    def lock(self, *, wait: bool) -> None:
        """Take the folder; ``LockTakenError`` where another process has it and ``wait`` is false."""
        while True:
            try:
                self._held.enter_context(locked(self.folder / LOCK, wait=wait))
                break
            except FileNotFoundError:  # its last holder emptied and removed the folder meanwhile
                continue
        self._next = max((int(path.stem) for path in self._paths()), default=0) + 1

    def _paths(self) -> list[Path]:
        return sorted(path for path in self.folder.glob(f"*{ENTRY}") if path.stem.isdecimal())

    def put(
        self, kind: str, values: Mapping[str, Any], files: Callable[[Path], object] | None = None
    ) -> None:
        """Append an entry; ``files`` writes into the folder that it is given.

        Renamed into place, so never half an entry. Not flushed to the disk, which would cost more than the call
        to the store: a killed process loses nothing, a power cut the last seconds. Threads may call it at once.
        """
        with self._putting:
            path = self.folder / f"{self._next:09d}{ENTRY}"
            self._next += 1
            if files is not None:
                path.with_suffix(FILES).mkdir(exist_ok=True)
                files(path.with_suffix(FILES))
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps({"kind": kind, **values}), encoding="utf-8")
            partial.replace(path)

    def entries(self) -> list[Entry]:
        """Entries that were not sent, oldest first; entries half written at a power cut are set aside."""
        entries = []
        for path in self._paths():
            try:
                values = json.loads(
                    path.read_text(encoding="utf-8")
                )  # a loss may be NaN and is logged as such
                entries.append(Entry(path, str(values.pop("kind")), values))
            except (ValueError, AttributeError, KeyError):
                path.replace(path.with_suffix(REFUSED))
        return entries

    def __len__(self) -> int:
        return len(self._paths())

    def sent(self, entries: list[Entry]) -> None:
        """Delete entries that have arrived."""
        for entry in entries:
            entry.path.unlink(missing_ok=True)
            if entry.files.is_dir():
                shutil.rmtree(entry.files)

    def refuse(self, entry: Entry) -> Path:
        """Set aside an entry that the store rejects; returns its new path."""
        return entry.path.replace(entry.path.with_suffix(REFUSED))

    def refused(self) -> list[Path]:
        """Entries that the store rejected."""
        return sorted(self.folder.glob(f"*{REFUSED}"))

    def close(self) -> None:
        """Release the lock and remove an empty outbox."""
        if not len(self) and not self.refused():
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):
                self.folder.parent.rmdir()
        self._held.close()
