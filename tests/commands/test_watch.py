"""A watched folder: complete files once, whatever happens in between."""

import csv
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pairvae import store
from pairvae.commands.predict import Request, predict
from pairvae.commands.watch import watch
from pairvae.commands.watch import watcher as run
from pairvae.commands.watch.arrivals import Arrivals, Mark
from pairvae.commands.watch.options import Options
from pairvae.commands.watch.table import COLUMNS, Table
from pairvae.errors import InputError

KINDS = frozenset({"png", "jpg"})
BURST_S = 600.0  # a thousand files take half a minute on an idle machine


@pytest.fixture
def options(tmp_path: Path) -> Options:
    (tmp_path / "in").mkdir()
    return Options(tmp_path / "in", "sem", tmp_path / "out", every_s=0.02, patience_s=0.3)


class Watching:
    """A watch in a thread, and what it told."""

    def __init__(self, options: Options, tiny_pair: Path) -> None:
        self.options, self.stop, self.told = options, threading.Event(), list[str]()
        self.summary: run.Summary | None = None
        self.thread = threading.Thread(target=self._work, args=(str(tiny_pair / "models" / "train-pair"),))
        self.thread.start()

    def _work(self, model: str) -> None:
        self.summary = watch(self.options, model, self.stop, self.told.append)

    def rows(self) -> list[dict[str, str]]:
        return table_of(self.options.out)

    def until(self, ready: Callable[[], bool], seconds: float = 600) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < deadline, (self.told, self.rows())
            assert self.thread.is_alive()
            time.sleep(0.02)


def table_of(out: Path) -> list[dict[str, str]]:
    path = out / "predictions.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@contextmanager
def watching(options: Options, tiny_pair: Path) -> Iterator[Watching]:
    one = Watching(options, tiny_pair)
    try:
        yield one
    finally:
        one.stop.set()
        one.thread.join(30)
    assert not one.thread.is_alive()


def patterns(tiny_pair: Path) -> list[Path]:
    return sorted((tiny_pair / "data" / "raw" / "SAXS").iterdir())


def arrive(source: Path, target: Path) -> None:
    """A file that is there at once."""
    shutil.copy(source, target.with_name(f".{target.name}.part"))
    target.with_name(f".{target.name}.part").rename(target)


def test_a_file_is_ready_when_two_looks_agree(tmp_path: Path) -> None:
    moment = 0.0
    arrivals = Arrivals(tmp_path, KINDS, {}, 5.0, lambda: moment)
    (tmp_path / "a.png").write_bytes(b"12")
    (tmp_path / ".b.png").write_bytes(b"hidden")
    (tmp_path / "c.txt").write_bytes(b"other")
    assert arrivals.look().ready == []
    (tmp_path / "a.png").write_bytes(b"1234")
    assert arrivals.look().ready == []
    (ready,) = arrivals.look().ready
    assert (ready.path.name, ready.mark.size, arrivals.waiting) == ("a.png", 4, 1)
    arrivals.settle(ready)
    assert (arrivals.look().ready, arrivals.waiting) == ([], 0)
    (tmp_path / "a.png").write_bytes(b"123456")
    arrivals.look()
    assert [one.mark.size for one in arrivals.look().ready] == [6]


def test_an_unreadable_file_is_hopeless_once_patience_is_out(tmp_path: Path) -> None:
    moment = 0.0
    arrivals = Arrivals(tmp_path, KINDS, {}, 5.0, lambda: moment)
    (tmp_path / "a.png").write_bytes(b"12")
    (tmp_path / "empty.png").touch()
    assert arrivals.look().fresh == 2
    (ready,) = arrivals.look().ready
    assert arrivals.look().fresh == 0
    arrivals.unreadable(ready, "cut short")
    moment = 4.9
    assert arrivals.look() == arrivals.look()
    assert arrivals.look().ready == []
    (tmp_path / "a.png").write_bytes(b"123")
    assert arrivals.look().hopeless == []
    (ready,) = arrivals.look().ready  # changed: tried again
    arrivals.unreadable(ready, "cut short")
    moment = 5.0
    assert [(one.path.name, fault) for one, fault in arrivals.look().hopeless] == [
        ("empty.png", "an empty file")
    ]
    moment = 9.9
    assert {one.path.name for one, _ in arrivals.look().hopeless} == {"a.png", "empty.png"}


def test_names_of_any_kind_are_predicted_from_and_named_whole(tiny_pair: Path, options: Options) -> None:
    names = [
        "p" * 250 + ".jpg", "p" * 249 + "q.jpg", "\u6a23" * 75 + ".jpg", os.fsdecode(b"\xff.jpg"), "a\nb\x1b[31m.jpg",
        "=1+1.jpg",
    ]  # fmt: skip
    with watching(options, tiny_pair) as watch:
        for number, name in enumerate(["._a.jpg", "~$a.jpg", *names]):
            shutil.copy(patterns(tiny_pair)[number], options.folder / name)
        watch.until(lambda: len(watch.rows()) == len(names))
    assert watch.summary == run.Summary(len(names), 0)
    rows = watch.rows()
    assert {row["input"] for row in rows} == {
        *names[:3], "\\udcff.jpg", "a\\nb\\x1b[31m.jpg", "'=1+1.jpg",
    }  # fmt: skip
    assert all((options.out / row["file"].removeprefix("'")).is_file() for row in rows)
    with watching(options, tiny_pair) as watch:  # and none comes again
        shutil.copy(patterns(tiny_pair)[0], options.folder / "last.jpg")
        watch.until(lambda: len(watch.rows()) == len(names) + 1)
    assert watch.summary == run.Summary(1, 0)


def row(name: str, sample: int = 0, samples: int = 1, **more: str) -> dict[str, str | int]:
    return {"input": name, "sample": sample, "samples": samples, "bytes": 3, "modified_ns": 7, "sha256": "ab",
            "predicted_at": "now", "file": f"{name}-{sample}.png", **more}  # fmt: skip


def test_a_torn_end_of_the_table_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    table = Table(path)
    table.append([[row("a", number, 2) for number in range(2)]])
    whole = path.read_bytes()
    table.append([[row("b", number, 2) for number in range(2)]])
    both = path.read_bytes()
    table.close()
    for cut in range(len(whole), len(both)):
        path.write_bytes(both[:cut])
        again = Table(path)
        assert set(again.entries) == {"a"}, both[:cut]
        again.close()
        assert path.read_bytes() == whole
    head = both[: both.index(b"\n") + 1]
    for cut in range(len(head)):
        path.write_bytes(both[:cut])
        Table(path).close()
        assert path.read_bytes() == head


def test_a_table_is_written_by_one_process_and_is_no_other_table(tmp_path: Path) -> None:
    table = Table(tmp_path / "predictions.csv")
    with pytest.raises(InputError, match="a folder that no other process writes results into"):
        Table(tmp_path / "predictions.csv")
    table.close()
    for content in (b"input,sample\na,1\n", b"a note"):
        (tmp_path / "other.csv").write_bytes(content)
        with pytest.raises(InputError, match=r"other\.csv.*other columns"):
            Table(tmp_path / "other.csv")
        assert (tmp_path / "other.csv").read_bytes() == content
    damaged = f"{','.join(COLUMNS)}\nx,y\n" + ",".join("1" * len(COLUMNS)) + "\n"
    (tmp_path / "damaged.csv").write_text(damaged)
    with pytest.raises(InputError, match="a damaged line 2"):
        Table(tmp_path / "damaged.csv")


def test_rows_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path / "predictions.csv")
    before, write = table.path.read_bytes(), os.write

    def short(descriptor: int, content: bytes) -> int:
        if len(content) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:10])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="No space"):
        table.append([[row("a")]])
    monkeypatch.undo()
    assert (table.path.read_bytes(), table.entries) == (before, {})
    table.append([[row("a")]])
    assert table.entries["a"].mark == Mark(3, 7)
    table.close()


def test_what_arrives_is_predicted_as_predict_does(tiny_pair: Path, options: Options, tmp_path: Path) -> None:
    options = replace(options, samples=2, seed=5, html=True)
    one, two, *_ = patterns(tiny_pair)
    with watching(options, tiny_pair) as watch:
        arrive(one, options.folder / one.name)
        watch.until(lambda: len(watch.rows()) == 2)
        arrive(two, options.folder / two.name)
        watch.until(lambda: len(watch.rows()) == 4)
    assert watch.summary == run.Summary(2, 0)
    predict(
        [str(one), str(two)],
        Request(
            to="sem", out=tmp_path / "once", model=str(tiny_pair / "models" / "train-pair"), samples=2, seed=5
        ),
    )
    images = sorted((tmp_path / "once").glob("*-sem-*.png"))
    assert len(images) == 4
    for image in images:
        found = cv2.imread(str(options.out / image.name), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(found, cv2.imread(str(image), cv2.IMREAD_UNCHANGED))
    first = watch.rows()[0]
    card = store.read_json(tiny_pair / "models" / "train-pair" / "card.json")
    assert first["model"] == card["weights_sha256"][:12]
    assert first["sha256"] == store.file_digest(one)
    page = (options.out / "watch.html").read_text()
    assert page.count("<figure>") == 4
    assert "stopped: 2 predicted" in page


def test_nothing_is_repeated_after_a_restart(tiny_pair: Path, options: Options) -> None:
    one, two, *_ = patterns(tiny_pair)
    arrive(one, options.folder / "a.jpg")
    with watching(options, tiny_pair) as watch:
        watch.until(lambda: len(watch.rows()) == 1)
    os.utime(options.folder / "a.jpg")  # another time, the same content
    with watching(options, tiny_pair) as watch:
        arrive(two, options.folder / "b.jpg")
        watch.until(lambda: len(watch.rows()) == 2)
    assert [found["input"] for found in watch.rows()] == ["a.jpg", "b.jpg"]
    with watching(options, tiny_pair) as watch:
        arrive(two, options.folder / "a.jpg")  # another content
        watch.until(lambda: len(watch.rows()) == 3)
    assert [found["file"] for found in watch.rows()] == ["a-sem-00.png", "b-sem-00.png", "a-2-sem-00.png"]


def test_partial_files_are_waited_for(tiny_pair: Path, options: Options) -> None:
    options = replace(options, patience_s=30.0)
    source, _, *_ = patterns(tiny_pair)
    content, target = source.read_bytes(), options.folder / "slow.jpg"
    with watching(options, tiny_pair) as watch:
        with target.open("wb") as stream:
            for part in np.array_split(np.frombuffer(content, np.uint8), 4):
                stream.write(part.tobytes())
                stream.flush()
                time.sleep(0.15)  # longer than two looks
        watch.until(lambda: len(watch.rows()) == 1)
    (found,) = watch.rows()
    assert (found["error"], found["sha256"]) == ("", store.file_digest(source))
    assert all("unlike" in line for line in watch.told)


def test_bad_files_are_told_once_and_the_others_go_on(tiny_pair: Path, options: Options) -> None:
    source, *_ = patterns(tiny_pair)
    (options.folder / "cut.jpg").write_bytes(source.read_bytes()[:900])
    (options.folder / "text.png").write_text("no image")
    (options.folder / "=x\n<b>.png").touch()
    options = replace(options, html=True)
    with watching(options, tiny_pair) as watch:
        arrive(source, options.folder / "good.jpg")
        watch.until(lambda: len(watch.rows()) == 4)
    faults = {found["input"]: found["error"] for found in watch.rows()}
    assert faults.pop("good.jpg") == ""
    assert all(faults.values())
    assert sorted(faults) == ["'=x\\n<b>.png", "cut.jpg", "text.png"]
    watch.told = [line for line in watch.told if "unlike" not in line]
    assert len(watch.told) == 3
    assert all(line.startswith("left out: ") and "\n" not in line for line in watch.told)
    assert "<b>" not in (options.out / "watch.html").read_text()
    with watching(options, tiny_pair) as watch:
        time.sleep(0.8)
    assert (watch.told, len(watch.rows())) == ([], 4)


def test_a_full_disk_is_waited_out(
    tiny_pair: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ROOM_S", 0.05)
    full, begun = threading.Event(), threading.Event()
    table = options.out / "predictions.csv"
    write_images, fsync = run.write_images, os.fsync

    def images(*arguments: object) -> list[str]:
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_images(*arguments)  # type: ignore[arg-type]

    def flush(descriptor: int) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)
        if table.exists() and os.path.samestat(os.fstat(descriptor), table.stat()):
            begun.set()  # a table that exists may be on its way to the disk still

    monkeypatch.setattr(run, "write_images", images)
    monkeypatch.setattr(os, "fsync", flush)
    source, *_ = patterns(tiny_pair)
    with watching(options, tiny_pair) as watch:
        watch.until(begun.is_set)
        full.set()
        arrive(source, options.folder / "a.jpg")
        watch.until(lambda: bool(watch.told))
        assert watch.rows() == []
        full.clear()
        watch.until(lambda: len(watch.rows()) == 1)
    assert [line for line in watch.told if "unlike" not in line] == [
        "no room for predictions (No space left on device): waiting",
        "going on",
    ]
    full.set()
    with watching(options, tiny_pair) as watch:
        arrive(source, options.folder / "b.jpg")
        watch.until(lambda: bool(watch.told))
    assert [found["input"] for found in watch.rows()] == [
        "a.jpg"
    ]  # stopped while it waited: b comes next time


def test_a_burst_is_predicted_once_each(tiny_pair: Path, options: Options) -> None:
    sources = patterns(tiny_pair)
    with watching(options, tiny_pair) as watch:
        for number in range(60):
            shutil.copy(sources[number % len(sources)], options.folder / f"{number:04d}.jpg")
        watch.until(lambda: len(watch.rows()) == 60)
    assert len({found["input"] for found in watch.rows()}) == 60
    assert all((options.out / found["file"]).is_file() for found in watch.rows())
    assert not [path for path in options.out.iterdir() if path.name.startswith(".")]


def test_the_folder_and_its_output_are_different_places(tiny_pair: Path, options: Options) -> None:
    model = str(tiny_pair / "models" / "train-pair")
    with pytest.raises(InputError, match="another folder"):
        watch(replace(options, out=options.folder), model, threading.Event(), print)
    with pytest.raises(InputError, match="expected a folder to watch, found none"):
        watch(replace(options, folder=options.folder / "no"), model, threading.Event(), print)


def test_nothing_else_is_predicted_into_its_folder_and_its_table_stays(
    tmp_path: Path, tiny_pair: Path
) -> None:
    table = Table(tmp_path / "out" / "predictions.csv")
    before = (tmp_path / "out" / "predictions.csv").read_bytes()
    request = Request(to="sem", out=tmp_path / "out", model=str(tiny_pair / "models" / "train-pair"))
    pattern = next((tiny_pair / "data" / "raw" / "SAXS").iterdir())
    with pytest.raises(InputError, match="out"):
        predict([str(pattern)], request)
    with pytest.raises(InputError, match="stop the other `pairvae watch`"):
        Table(tmp_path / "out" / "predictions.csv")
    assert [path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".png"] == []
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == before
    table.close()
    predict([str(pattern)], request)
    assert (tmp_path / "out" / "contact-sheet.png").is_file()


def test_a_second_look_comes_soon_where_something_is_new(
    tiny_pair: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With looks a minute apart, what is there at the first one is complete at the second a moment later."""
    monkeypatch.setattr(run, "SECOND_LOOK_S", 0.01)
    arrive(patterns(tiny_pair)[0], options.folder / "a.jpg")
    with watching(replace(options, every_s=60.0), tiny_pair) as watch:
        watch.until(lambda: len(watch.rows()) == 1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tiny_pair: Path, options: Options, number: int) -> None:
    command = [sys.executable, "-m", "pairvae.cli", "watch", str(options.folder), "--to", "sem"]
    command += ["--out", str(options.out), "--model", str(tiny_pair / "models" / "train-pair")]
    source, *_ = patterns(tiny_pair)
    arrive(source, options.folder / "a.jpg")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not table_of(options.out):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out.splitlines()[-1] == f"1 predicted, 0 left out, in {options.out}"
    assert "Traceback" not in err


def rows_in(out: Path) -> int:
    """Whole rows of the table."""
    path = out / "predictions.csv"
    return max(path.read_bytes().count(b"\n") - 1, 0) if path.is_file() else 0


def killed_once_it_has(least: int, command: list[str], out: Path) -> None:
    """Start a watch and end it by `kill -9` when the table has ``least`` rows."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + BURST_S
    while rows_in(out) < least:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()


@pytest.mark.slow
def test_a_killed_watch_of_a_burst_goes_on(tiny_pair: Path, options: Options) -> None:
    """A thousand files that come while it is killed again and again: each is in the table once, its image whole."""
    command = [sys.executable, "-m", "pairvae.cli", "watch", str(options.folder), "--to", "sem"]
    command += ["--out", str(options.out), "--model", str(tiny_pair / "models" / "train-pair")]
    sources = patterns(tiny_pair)

    def burst() -> None:
        for number in range(1000):
            shutil.copy(sources[number % len(sources)], options.folder / f"{number:04d}.jpg")
            time.sleep(0.002)

    coming = threading.Thread(target=burst)
    coming.start()
    for least in (1, 150, 400, 700):
        killed_once_it_has(least, command, options.out)
    coming.join()
    begun, before = time.monotonic(), rows_in(options.out)
    with watching(options, tiny_pair) as watch:
        watch.until(lambda: rows_in(options.out) >= 1000, BURST_S)
    rate = (1000 - before) / (time.monotonic() - begun)
    assert sorted(found["input"] for found in watch.rows()) == [f"{number:04d}.jpg" for number in range(1000)]
    assert {found["error"] for found in watch.rows()} == {""}
    for found in watch.rows():
        assert cv2.imread(str(options.out / found["file"]), cv2.IMREAD_UNCHANGED) is not None
    print(f"watch: {rate:.0f} files/s after the last of four kills")


def test_the_status_line_changes_when_something_happens() -> None:
    import io

    from pairvae.commands.watch.status import Status

    stream, moment = io.StringIO(), 0.0
    status = Status("in", stream, lambda: moment)
    status.show(status.line(0, 0, 0))
    status.show(status.line(1, 0, 0))
    moment = 20.0
    status.last = "a.jpg after 0.3 s"
    status.show(status.line(2, 1, 3))
    assert re.findall(r".*\n", stream.getvalue()) == [
        "watching in: 0 predicted\n",
        "watching in: 2 predicted, 1 left out, 3 waiting; last a.jpg after 0.3 s\n",
    ]
