"""Files are whole or as they were before; damage is told in one line."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pairvae.store import (
    atomic_folder,
    atomic_path,
    digest,
    file_digest,
    read_json,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_whole_under_its_name(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent, "the same file system, or a rename is a copy"
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert names(target.parent) == ["a.txt"]


def test_failure_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError, match="power cut"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("power cut")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_file_that_was_never_written_does_not_replace_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("first", "second"):
        with atomic_folder(target) as temporary:
            (temporary / content).write_text(content)
    assert names(target) == ["second"]
    assert names(tmp_path) == ["model"]


def test_failure_keeps_the_old_folder_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with atomic_folder(target) as temporary:
        (temporary / "old").write_text("old")
    with pytest.raises(RuntimeError, match="power cut"), atomic_folder(target) as temporary:
        (temporary / "half").write_text("half")
        raise RuntimeError("power cut")
    assert names(target) == ["old"]
    assert names(tmp_path) == ["model"]


def test_old_folder_comes_back_when_the_new_one_cannot_be_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model"
    with atomic_folder(target) as temporary:
        (temporary / "old").write_text("old")
    rename = Path.replace

    def refuse(self: Path, to: Path) -> Path:
        if to == target and (self / "new").exists():
            raise PermissionError("no")
        return rename(self, to)

    with pytest.raises(PermissionError), atomic_folder(target) as temporary:
        (temporary / "new").write_text("new")
        monkeypatch.setattr(Path, "replace", refuse)
    assert names(target) == ["old"]
    assert names(tmp_path) == ["model"]


KILLED = """
import os, signal, sys
from pathlib import Path
from pairvae.store import atomic_folder, atomic_path
with atomic_path(Path("a.txt")) as file, atomic_folder(Path("model")) as folder:
    file.write_text("half")
    (folder / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next_one_and_the_rest_is_not(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    left = names(tmp_path)
    assert len(left) == 2
    assert all(name.endswith(".partial") for name in left)
    others = [
        f".b.txt.01234567-{2**22 + 1}-abcdefgh.partial",
        ".partial",
        ".mine.partial",
    ]  # another machine's
    own = left[0].replace(left[0].split("-")[1], str(os.getppid()))  # a process that lives
    for name in (*others, own):
        (tmp_path / name).touch()
    write_text(tmp_path / "c.txt", "whole")
    assert names(tmp_path) == sorted([*others, own, "c.txt"])


@pytest.mark.parametrize(
    ("mask", "file", "folder"),
    [(0o022, 0o644, 0o755), (0o027, 0o640, 0o750), (0o002, 0o664, 0o775), (0o077, 0o600, 0o700)],
)
def test_who_may_read_is_decided_by_the_umask(tmp_path: Path, mask: int, file: int, folder: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "x")
        with atomic_path(tmp_path / "b.txt") as temporary:  # by a writer that makes private files
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
        with atomic_folder(tmp_path / "c") as made:
            (made / "d.txt").write_text("x")
    finally:
        os.umask(before)
    modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.rglob("*")}
    assert modes == {"a.txt": file, "b.txt": file, "c": folder, "d.txt": file}


def test_the_longest_name_that_a_file_may_have_is_written(tmp_path: Path) -> None:
    for name in ("a" * 251 + ".txt", "\u6a23" * 83 + ".txt"):
        write_text(tmp_path / name, "x")
        assert (tmp_path / name).read_text() == "x"
    assert len(names(tmp_path)) == 2


def test_json_round_trip_and_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, 2.5, None], "b": {"c": "ä"}})
    assert read_json(path) == {"a": [1, 2.5, None], "b": {"c": "ä"}}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert read_json(path)["a"] == [1, 2.5, None], "the old file stays"
    path.write_text("[1]")
    with pytest.raises(ValueError, match="expected a JSON object, found something else"):
        read_json(path)


def test_digest_names_the_value_whatever_the_order_of_its_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest({})) == 16


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"pairvae" * 100_000)
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"pairvae" * 100_000).hexdigest()
