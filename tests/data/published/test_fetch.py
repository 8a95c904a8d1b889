import errno
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pairvae.data.pairs.manifest import read_pairs
from pairvae.data.published.fetch import fetch
from pairvae.data.published.mdf import MdfIdentifiers, parse_identifiers, published_identifiers
from pairvae.errors import InputError
from pairvae.store.locks import folder_alone

SAXS_DOI, SEM_DOI = "10.18126/saxs-0001", "10.18126/sem-0002"


def _helpers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mdf_server", Path(__file__).with_name("mdf_server.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


web = _helpers()


def jpg(seed: int, size: int = 3000) -> bytes:
    return b"\xff\xd8\xff\xe0" + bytes((seed * 31 + i) % 251 for i in range(size))


def tif(seed: int, size: int = 60000) -> bytes:
    return b"II*\0" + bytes((seed * 17 + i) % 253 for i in range(256)) * (size // 256)


def identifiers_of(server: Any, **changes: Any) -> MdfIdentifiers:
    value: dict[str, Any] = {
        "citation": "someone",
        "license": "CC BY 4.0",
        "search_url": server.url + web.INDEX,
        "file_url": server.url,
        "pairs": None,
        "saxs": {"doi": SAXS_DOI, "source_id": None, "suffixes": [".jpg"]},
        "sem": {"doi": SEM_DOI, "source_id": None, "suffixes": [".tif"]},
        "limits": {"file_bytes": 10_000_000, "total_bytes": 50_000_000, "files": 1000},
    }
    return parse_identifiers(value | changes, "test")


@pytest.fixture
def server() -> Iterator[Any]:
    with web.running() as running:
        saxs = {f"Sample {i} (SAXS).jpg": jpg(i) for i in range(3)}
        sem = {f"SEM_pos{i}.tif": tif(i) for i in range(3)}
        running.publish(SAXS_DOI, "doerk_saxs_v1.1", saxs | {"README.txt": b"read me"})
        running.publish(SEM_DOI, "doerk_sem_v1.1", sem)
        yield running


def get(server: Any, out: Path, **options: Any) -> None:
    quick: dict[str, Any] = {"timeout_s": 5.0, "retries": 3, "backoff_s": 0.01}
    changes = options.pop("changes", {})
    fetch(out, identifiers=identifiers_of(server, **changes), **(quick | options))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def check_whole(out: Path) -> None:
    files = tree(out)
    assert set(files) == {f"SAXS/0{i}.jpg" for i in (1, 2, 3)} | {f"SEM/0{i}.tif" for i in (1, 2, 3)} | {
        "pairs.csv",
        "fetch.json",
    }
    for i in range(3):
        assert files[f"SAXS/0{i + 1}.jpg"] == jpg(i)
        assert files[f"SEM/0{i + 1}.tif"] == tif(i)


SEM_PATH = "/mdf_open/doerk_sem_v1.1/SEM_pos1.tif"
SAXS_PATH = "/mdf_open/doerk_saxs_v1.1/Sample 0 (SAXS).jpg"


def test_published_identifiers_are_those_of_the_paper() -> None:
    known = published_identifiers()
    assert (known.saxs.doi, known.sem.doi, known.pairs) == ("10.18126/qboh-6fav", "10.18126/09ow-8g8k", 72)
    assert known.search_url.startswith("https://") and known.file_url.startswith("https://")


def test_unknown_key_of_identifiers_is_named(server: Any) -> None:
    with pytest.raises(InputError, match="key limits"):
        identifiers_of(server, limits={"file_bytes": 1})


def test_pairs_arrive_in_the_data_layout_with_a_record(server: Any, tmp_path: Path) -> None:
    out = tmp_path / "raw"
    get(server, out)
    check_whole(out)
    assert (out / "pairs.csv").read_text() == (
        "id,saxs,sem\n01,SAXS/01.jpg,SEM/01.tif\n02,SAXS/02.jpg,SEM/02.tif\n03,SAXS/03.jpg,SEM/03.tif\n"
    )
    assert [pair.id for pair in read_pairs(out)] == ["01", "02", "03"]
    rows = {row["path"]: row for row in json.loads((out / "fetch.json").read_text())["files"]}
    assert rows["SEM/02.tif"]["source"] == server.url + SEM_PATH
    assert rows["SAXS/01.jpg"]["name"] == "Sample 0 (SAXS).jpg"
    assert rows["SAXS/01.jpg"]["size"] == len(jpg(0))


def test_common_names_become_the_ids(server: Any, tmp_path: Path) -> None:
    server.publish("10.1/a", "a_v1", {"saxs/A1.jpg": jpg(1), "saxs/B2.jpg": jpg(2)})
    server.publish("10.1/b", "b_v1", {"sem/B2.tif": tif(2), "sem/A1.tif": tif(1)})
    sets = {
        "saxs": {"doi": "10.1/a", "source_id": None, "suffixes": [".jpg"]},
        "sem": {"doi": "10.1/b", "source_id": None, "suffixes": [".tif"]},
    }
    with pytest.raises(InputError, match="doi"):
        get(server, tmp_path / "x", changes=sets)
    sets["saxs"]["doi"], sets["sem"]["doi"] = "10.1000/a", "10.1000/b"
    server.sets |= {"10.1000/a": "a_v1", "10.1000/b": "b_v1"}
    get(server, tmp_path / "raw", changes=sets)
    assert (tmp_path / "raw/SEM/A1.tif").read_bytes() == tif(1)
    assert (tmp_path / "raw/SAXS/B2.jpg").read_bytes() == jpg(2)


def test_a_second_run_asks_the_server_nothing(server: Any, tmp_path: Path) -> None:
    get(server, tmp_path)
    before, files = len(server.log), tree(tmp_path)
    get(server, tmp_path)
    assert len(server.log) == before
    assert tree(tmp_path) == files


def test_many_records_come_page_by_page(server: Any, tmp_path: Path) -> None:
    server.entries.clear()
    server.publish(SAXS_DOI, "doerk_saxs_v1.1", {f"{i:03d}.jpg": jpg(i, 50) for i in range(120)})
    server.publish(SEM_DOI, "doerk_sem_v1.1", {f"{i:03d}.tif": tif(i, 256) for i in range(120)})
    server.latency_s = 0.02  # so that requests meet
    get(server, tmp_path, changes={"pairs": 120}, workers=16)
    assert len(list((tmp_path / "SEM").iterdir())) == 120
    assert 1 < server.busiest <= 4


def test_a_missing_part_is_told(server: Any, tmp_path: Path) -> None:
    server.entries["doerk_sem_v1.1"].pop()
    with pytest.raises(InputError, match="as many SAXS as SEM files, found 3 SAXS and 2 SEM"):
        get(server, tmp_path / "raw")
    with pytest.raises(InputError, match="expected 72 pairs"):
        get(server, tmp_path / "raw", changes={"pairs": 72})
    server.entries.clear()
    with pytest.raises(InputError, match=r"none in MDF's index.*--archive"):
        get(server, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_a_cut_file_is_asked_for_again(server: Any, tmp_path: Path) -> None:
    server.faults[SEM_PATH] = [web.cut(20000), web.cut(40000)]
    get(server, tmp_path)
    check_whole(tmp_path)
    assert sum(entry[1] == SEM_PATH for entry in server.downloads()) == 3


def test_a_connection_that_is_always_cut_ends_in_one_line(server: Any, tmp_path: Path) -> None:
    server.faults[SEM_PATH] = [web.cut(0)] * 10
    with pytest.raises(
        InputError, match=r"SEM_pos1.tif: expected an answer, found .*\(4 attempts\)"
    ) as caught:
        get(server, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "SEM").exists() and not (tmp_path / "pairs.csv").exists()
    server.faults.clear()
    before = len(server.downloads())
    get(server, tmp_path)
    check_whole(tmp_path)
    assert len(server.downloads()) - before < 6  # what had come is not asked for again


def test_server_errors_are_repeated(server: Any, tmp_path: Path) -> None:
    server.faults[SEM_PATH] = [web.status(500), web.status(503)]
    server.faults[web.INDEX] = [web.status(502)]
    get(server, tmp_path)
    check_whole(tmp_path)


def test_too_many_requests_waits_as_long_as_asked(server: Any, tmp_path: Path) -> None:
    server.faults[SEM_PATH] = [web.status(429, Retry_After="1")]
    begun = time.monotonic()
    get(server, tmp_path)
    assert time.monotonic() - begun >= 1.0
    check_whole(tmp_path)


def test_a_wait_of_an_hour_is_not_waited(server: Any, tmp_path: Path) -> None:
    server.faults[SEM_PATH] = [web.status(429, Retry_After="3600")]
    with pytest.raises(InputError, match=r"wait 3600 s.*later"):
        get(server, tmp_path)


def test_not_found_and_forbidden_are_not_repeated(server: Any, tmp_path: Path) -> None:
    for code in (404, 403):
        server.faults[SAXS_PATH] = [web.status(code)] * 5
        with pytest.raises(InputError, match=f"status {code}"):
            get(server, tmp_path)
        assert len(server.faults[SAXS_PATH]) == 4


def test_a_silent_server_is_given_up(server: Any, tmp_path: Path) -> None:
    server.faults[SEM_PATH] = [web.slow(1.0)] * 3
    with pytest.raises(InputError, match="no answer in time"):
        get(server, tmp_path, timeout_s=0.2, retries=1)
    server.faults.clear()
    get(server, tmp_path)
    check_whole(tmp_path)


def test_a_dead_server_is_told(tmp_path: Path) -> None:
    with web.running() as gone:
        pass
    with pytest.raises(InputError, match="a broken connection"):
        get(gone, tmp_path / "raw", retries=1)
    assert not (tmp_path / "raw").exists()


def test_other_bytes_than_the_index_promises_are_refused(server: Any, tmp_path: Path) -> None:
    server.faults[SEM_PATH] = [web.instead(tif(8))]
    get(server, tmp_path / "once")
    check_whole(tmp_path / "once")
    server.files[SEM_PATH] = tif(8)
    with pytest.raises(InputError, match="found sha512"):
        get(server, tmp_path / "always")
    assert not (tmp_path / "always/SEM").exists()


def test_a_login_page_is_no_image(server: Any, tmp_path: Path) -> None:
    server.entries["doerk_sem_v1.1"][1] = {"globus": f"globus://endpoint{SEM_PATH}", "filename": "x"}
    server.files[SEM_PATH] = b"<html>please log in</html>"
    with pytest.raises(InputError, match=r"no \.tif image inside"):
        get(server, tmp_path)


def test_other_bytes_than_recorded_are_refused_on_a_second_run(server: Any, tmp_path: Path) -> None:
    get(server, tmp_path)
    local = tmp_path / "SEM/02.tif"
    local.write_bytes(tif(8))
    with pytest.raises(InputError, match=r"SEM/02.tif: expected the file as it was fetched, found sha256"):
        get(server, tmp_path)
    local.unlink()
    server.files[SEM_PATH] = tif(8)
    with pytest.raises(InputError, match="expected the published file, found sha256"):
        get(server, tmp_path)
    assert not local.exists()
    server.files[SEM_PATH] = tif(1)
    get(server, tmp_path)
    check_whole(tmp_path)


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:1/x.tif", "file:///etc/passwd", "https://127.0.0.1/x.tif"]
)
def test_a_redirect_to_elsewhere_is_refused(server: Any, tmp_path: Path, target: str) -> None:
    server.faults[SEM_PATH] = [web.status(302, Location=target)] * 5
    with pytest.raises(InputError, match="found a redirect to"):
        get(server, tmp_path)


def test_a_redirect_on_the_same_site_is_followed_but_not_in_circles(server: Any, tmp_path: Path) -> None:
    server.files["/moved.tif"] = tif(1)
    server.faults[SEM_PATH] = [web.status(307, Location="/moved.tif")]
    get(server, tmp_path / "once")
    check_whole(tmp_path / "once")
    server.faults[SEM_PATH] = [web.status(302, Location=SEM_PATH)] * 20
    with pytest.raises(InputError, match="at most 5 redirects"):
        get(server, tmp_path / "circle")


HOSTILE = [
    "../../evil.tif", "a/../../evil.tif", "nul\0.tif", "C:\\evil.tif", "..\\evil.tif", "x" * 2000 + ".tif",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_the_index_are_refused(server: Any, tmp_path: Path, name: str) -> None:
    server.publish(SEM_DOI, "doerk_sem_v1.1", {name: tif(0)})
    with pytest.raises(InputError, match="names that stay inside the folder"):
        get(server, tmp_path / "raw")
    assert list(tmp_path.iterdir()) == []


def test_files_on_another_host_are_refused(server: Any, tmp_path: Path) -> None:
    server.entries["doerk_sem_v1.1"][0]["url"] = "http://elsewhere.example/mdf_open/x.tif"
    with pytest.raises(InputError, match="expected files on"):
        get(server, tmp_path)


def test_a_flood_is_cut_off(server: Any, tmp_path: Path) -> None:
    for limits in ({"file_bytes": 30_000}, {"total_bytes": 100_000}, {"files": 2}):
        whole = {"file_bytes": 10_000_000, "total_bytes": 50_000_000, "files": 1000} | limits
        with pytest.raises(InputError, match="expected at most"):
            get(server, tmp_path / "raw", changes={"limits": whole})
        assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 150_000


@pytest.mark.parametrize("answer", [b"<html>hello</html>", b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_an_index_that_talks_nonsense_is_told(server: Any, tmp_path: Path, answer: bytes) -> None:
    server.faults[web.INDEX] = [lambda handler, _: handler.reply(200, answer)]
    with pytest.raises(InputError, match="a JSON object"):
        get(server, tmp_path)


def test_odd_shapes_in_the_index_do_no_harm(server: Any, tmp_path: Path) -> None:
    body = json.dumps(
        {"gmeta": [3, {"entries": [None, {"content": {"mdf": 4, "dc": []}}]}], "total": "x"}
    ).encode()
    server.faults[web.INDEX] = [lambda handler, _: handler.reply(200, body)]
    with pytest.raises(InputError, match=f"a data set with doi {SAXS_DOI}, found none"):
        get(server, tmp_path)


def test_a_mirror_of_the_file_server(server: Any, tmp_path: Path) -> None:
    with web.running() as mirror:
        mirror.files = {f"/copy{path}": content for path, content in server.files.items()}
        get(server, tmp_path, base_url=f"{mirror.url}/copy/")
        check_whole(tmp_path)
        assert server.downloads() == []


def test_a_mirror_of_a_fetched_folder_needs_no_index(server: Any, tmp_path: Path) -> None:
    get(server, tmp_path / "first")
    with web.running() as mirror:
        mirror.files = {f"/pairs/{name}": content for name, content in tree(tmp_path / "first").items()}
        before = len(server.log)
        get(server, tmp_path / "second", base_url=f"{mirror.url}/pairs")
        assert len(server.log) == before
        assert tree(tmp_path / "second") == tree(tmp_path / "first")
        mirror.files["/pairs/SEM/01.tif"] = tif(8)
        with pytest.raises(InputError, match="expected the published file, found sha256"):
            get(server, tmp_path / "third", base_url=f"{mirror.url}/pairs")


@pytest.mark.parametrize(
    "path", ["../evil.tif", "/etc/evil.tif", "SEM/../../evil.tif", "SEM/a/b.tif", "SEM/.x.tif"]
)
def test_a_hostile_record_of_a_mirror_is_refused(server: Any, tmp_path: Path, path: str) -> None:
    get(server, tmp_path / "first")
    record = json.loads((tmp_path / "first/fetch.json").read_text())
    record["files"][1]["path"] = path
    with web.running() as mirror:
        mirror.files = {"/fetch.json": json.dumps(record).encode()}
        with pytest.raises(InputError, match=r"key files\.1\.path"):
            get(server, tmp_path / "second", base_url=mirror.url)
    assert not (tmp_path / "second").exists()


def test_wrong_choices_are_told(server: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found both"):
        get(server, tmp_path, base_url="http://x", archive="y.zip")
    with pytest.raises(InputError, match="an http or https address"):
        get(server, tmp_path, base_url="/some/folder")
    (tmp_path / "mine.tif").write_bytes(tif(0))
    with pytest.raises(InputError, match=r"a new or empty folder, found mine\.tif"):
        get(server, tmp_path)
    with pytest.raises(InputError, match="a folder to write to"):
        get(server, tmp_path / "mine.tif")


SCRIPT = """
import json, sys
from pathlib import Path
from pairvae.data.published.fetch import fetch
from pairvae.data.published.mdf import MdfIdentifiers
known = MdfIdentifiers.model_validate_json(sys.argv[1])
fetch(Path(sys.argv[2]), identifiers=known, timeout_s=5, backoff_s=0.01)
"""


def _finished(out: Path) -> list[Path]:
    return [path for path in out.glob(".partial/*") if not path.suffix]


def test_kill_9_then_a_second_run_asks_only_for_what_is_missing(server: Any, tmp_path: Path) -> None:
    out, known = tmp_path / "raw", identifiers_of(server)
    server.faults[SEM_PATH] = [web.drip(1.0)]
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, known.model_dump_json(), str(out)])
    try:
        deadline = time.monotonic() + 600
        while len(_finished(out)) < 5 or not any(out.glob(".partial/*.partial")):
            assert time.monotonic() < deadline and child.poll() is None
            time.sleep(0.02)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert not (out / "SEM").exists() and not (out / "fetch.json").exists()
    before = len(server.downloads())
    get(server, out)
    check_whole(out)
    again = server.downloads()[before:]
    assert [entry[1] for entry in again] == [SEM_PATH]


def test_a_fetch_killed_while_moving_files_into_place_is_finished(server: Any, tmp_path: Path) -> None:
    get(server, tmp_path / "whole")
    out = tmp_path / "raw"
    original, moved = Path.replace, []

    def dies(self: Path, target: Path) -> Path:
        if target.parent.name in ("SAXS", "SEM"):
            moved.append(target)
            if len(moved) == 3:
                raise KeyboardInterrupt
        return original(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            get(server, out)
    before = len(server.log)
    get(server, out)
    assert len(server.log) == before
    assert tree(out) == tree(tmp_path / "whole")


def test_two_fetches_at_once_are_kept_apart(server: Any, tmp_path: Path) -> None:
    with folder_alone(tmp_path), pytest.raises(InputError, match="no other process writes results into"):
        get(server, tmp_path)
    get(server, tmp_path)
    check_whole(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(place)]
    if (
        os.geteuid() != 0
        or shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_small_disk_is_refused_before_the_download(server: Any, small_disk: Path) -> None:
    with pytest.raises(InputError, match=r"MB of free disk, found 0\.1 MB"):
        get(server, small_disk / "raw")
    assert list(small_disk.iterdir()) == [] and server.downloads() == []


def test_a_disk_that_fills_up_leaves_nothing_half_written(server: Any, small_disk: Path) -> None:
    for entry in server.entries["doerk_sem_v1.1"]:
        del entry["length"]
    with pytest.raises(InputError, match="room on the disk, found a full one") as caught:
        get(server, small_disk / "raw", workers=1)
    assert "\n" not in str(caught.value)
    assert [p.name for p in (small_disk / "raw").iterdir()] == [".partial"]
    assert not list(small_disk.rglob("*.partial/*.partial"))
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    get(server, small_disk / "raw")
    check_whole(small_disk / "raw")


def test_a_full_disk_at_any_write_is_one_line(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = os.fsync, iter(range(100))

    def full(descriptor: int) -> None:
        if next(count) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="room on the disk"):
        get(server, tmp_path, workers=1)
    assert not (tmp_path / "SEM").exists()
    get(server, tmp_path)
    check_whole(tmp_path)


def test_progress_tells_the_time_left(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    get(server, tmp_path)
    assert "downloading: 6/6" in stream.getvalue()
