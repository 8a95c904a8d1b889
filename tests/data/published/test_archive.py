import bz2
import gzip
import io
import json
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pairvae.data.published.archive import choose_sets, copy_images, read_images
from pairvae.data.published.archive_members import MOST_ZIP_DIRECTORY_BYTES, check_name
from pairvae.data.published.fetch import fetch
from pairvae.data.published.mdf import published_identifiers
from pairvae.data.published.published_file import Limits, PublishedFile
from pairvae.errors import InputError

JPG, TIF = b"\xff\xd8\xff\xe0jpeg", b"II*\0tiff"
LIMITS = Limits(file_bytes=1_000_000, total_bytes=3_000_000, files=100)
SUFFIXES = {"saxs": (".jpg",), "sem": (".tif",)}


def content(name: str) -> bytes:
    return (TIF if name.endswith(".tif") else JPG) + name.encode() * 50


def make_zip(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), content(name))
    return path


def make_tar(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content(name))
            archive.addfile(info, io.BytesIO(content(name)))
    return path


def packed(pack: Callable[[bytes], bytes]) -> Callable[[Path, list[str]], Path]:
    def make(path: Path, names: list[str]) -> Path:
        path.write_bytes(pack(make_tar(path, names).read_bytes()))
        return path

    return make


MAKERS = {
    "zip": make_zip, "tar": make_tar, "tar.gz": packed(gzip.compress), "tar.bz2": packed(bz2.compress),
    "tar.xz": packed(lzma.compress),
}  # fmt: skip
PAIRS = [f"Data set/SAXS/s{i}.jpg" for i in range(3)] + [f"Data set/SEM/m{i}.tif" for i in range(3)]
RUBBISH = ["Data set/notes.txt", "__MACOSX/Data set/SEM/._m0.tif", "Data set/SEM/.hidden.tif"]


def fetch_from(archive: Path, out: Path) -> None:
    fetch(out, identifiers=published_identifiers(), archive=archive)


@pytest.mark.parametrize("kind", MAKERS)
def test_pairs_come_out_of_every_kind_of_archive(tmp_path: Path, kind: str) -> None:
    archive = MAKERS[kind](tmp_path / "any.name", RUBBISH + PAIRS[::-1])
    out = tmp_path / "raw"
    fetch_from(archive, out)
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == [
        *(f"SAXS/0{i}.jpg" for i in (1, 2, 3)),
        *(f"SEM/0{i}.tif" for i in (1, 2, 3)),
        "fetch.json",
        "pairs.csv",
    ]
    assert (out / "SEM/02.tif").read_bytes() == content("Data set/SEM/m1.tif")
    assert (
        json.loads((out / "fetch.json").read_text())["files"][1]["source"] == "any.name!/Data set/SEM/m0.tif"
    )
    fetch_from(archive, out)
    (out / "SAXS/03.jpg").unlink()
    with pytest.raises(InputError, match=r"expected the archive any\.name, found none given"):
        fetch(out, identifiers=published_identifiers())
    fetch_from(archive, out)
    assert (out / "SAXS/03.jpg").read_bytes() == content("Data set/SAXS/s2.jpg")


def test_another_archive_is_refused_for_a_fetched_folder(tmp_path: Path) -> None:
    fetch_from(make_zip(tmp_path / "one.zip", PAIRS), tmp_path / "raw")
    with pytest.raises(InputError, match="found another archive"):
        fetch_from(make_zip(tmp_path / "two.zip", PAIRS[:1] + PAIRS[3:4]), tmp_path / "raw")


HOSTILE = [
    "../SEM/x.tif", "/etc/SEM/x.tif", "SEM/../../x.tif", "C:/SEM/x.tif", "SEM\\..\\..\\x.tif", "SEM/x\n.tif",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("name", [*HOSTILE, "../../notes.txt", "y" * 1100 + ".tif"])
def test_hostile_names_are_refused_and_nothing_is_written(tmp_path: Path, kind: str, name: str) -> None:
    archive = MAKERS[kind](tmp_path / "a", [*PAIRS, name])
    with pytest.raises(InputError, match="expected names that stay inside the folder") as caught:
        fetch_from(archive, tmp_path / "deep/raw")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir() if p.name != "deep"] == ["a"]
    assert not (tmp_path / "deep/raw").exists()


def test_a_nul_in_a_zip_name_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", ["SEM/xN.tif"])
    archive.write_bytes(archive.read_bytes().replace(b"xN.tif", b"x\0.tif"))
    with pytest.raises(InputError, match="names that stay inside"):
        read_images(archive, LIMITS)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = make_tar(tmp_path / "a.tar", PAIRS)
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("Data set/SEM/link.tif")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(InputError, match="a link or device"):
        fetch_from(path, tmp_path / "raw")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", PAIRS)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("Data set/SEM/link.tif")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InputError, match="a link or device"):
        read_images(path, LIMITS)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bomb"
    zeros = bytes(2_000_000)
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("SEM/big.tif", zeros)
    else:
        with tarfile.open(path, "w:gz") as tar:
            info = tarfile.TarInfo("SEM/big.tif")
            info.size = len(zeros)
            tar.addfile(info, io.BytesIO(zeros))
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match=r"expected at most .* found more, at 'SEM/big\.tif'"):
        read_images(path, LIMITS)
    with pytest.raises(InputError, match="at most 2 files"):
        read_images(MAKERS[kind](tmp_path / "many", PAIRS), LIMITS.model_copy(update={"files": 2}))
    with pytest.raises(InputError, match="500 in all"):
        read_images(MAKERS[kind](tmp_path / "sum", PAIRS), LIMITS.model_copy(update={"total_bytes": 500}))


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ["SEM/x.tif"])
    true, false = struct.pack("<L", len(content("SEM/x.tif"))), struct.pack("<L", 10)
    path.write_bytes(path.read_bytes().replace(true, false))
    target = tmp_path / "x"
    with pytest.raises(InputError, match="expected"):
        copy_images(path, {"a.zip!/SEM/x.tif": target}, LIMITS, lambda: None)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_tar_header_that_claims_gigabytes_of_names_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 6 << 30
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(InputError, match="claims too much"):
        read_images(path, LIMITS)


@pytest.mark.parametrize("long_form", [False, True])
def test_a_zip_with_an_endless_list_is_refused(tmp_path: Path, long_form: bool) -> None:
    path = tmp_path / "a.zip"
    size = MOST_ZIP_DIRECTORY_BYTES + 1
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 4, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 100 if long_form else size, 0, 0)
    path.write_bytes(b"PK\x03\x04" + (end64 + locator if long_form else b"") + end)
    with pytest.raises(InputError, match="a far longer list"):
        read_images(path, LIMITS)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_truncated_archive_is_one_line(tmp_path: Path, kind: str) -> None:
    path = MAKERS[kind](tmp_path / "a", PAIRS)
    whole = path.read_bytes()
    for part in (1, 3, 10, len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:part])
        with pytest.raises(InputError) as caught:
            fetch_from(path, tmp_path / "raw")
        assert "\n" not in str(caught.value)
        assert [p.name for p in tmp_path.iterdir()] == ["a"] or not list((tmp_path / "raw").glob("S*"))


def test_an_encrypted_zip_is_one_line(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", PAIRS)
    data = path.read_bytes()
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data = data[: place + offset] + b"\x01" + data[place + offset + 1 :]
            place = data.find(mark, place + 4)
    path.write_bytes(data)
    with pytest.raises(InputError, match="expected an archive without a password"):
        fetch_from(path, tmp_path / "raw")


@pytest.mark.parametrize("data", [b"", b"hello", b"<html>", os.urandom(5000), bytes(10240)])
def test_no_archive_at_all_is_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.zip: expected"):
        fetch_from(path, tmp_path / "raw")
    with pytest.raises(InputError, match="no such file"):
        fetch_from(tmp_path / "none.zip", tmp_path / "raw")


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", [*PAIRS, PAIRS[0]])
    with pytest.raises(InputError, match="expected each name once"):
        read_images(path, LIMITS)


def test_an_image_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("SAXS/1.jpg", JPG)
        archive.writestr("SEM/1.tif", "<html>")
    with pytest.raises(InputError, match=r"no \.tif image inside"):
        fetch_from(path, tmp_path / "raw")
    assert not (tmp_path / "raw").exists() or not (tmp_path / "raw/SEM").exists()


@pytest.mark.parametrize(("saxs", "sem"), [
    ("SAXS/a.jpg", "SEM/a.tif"),
    ("saxs_images/a.png", "x/SEM images/a.png"),
    ("patterns/a.jpg", "micrographs/a.tif"),
    ("a.jpg", "a.tif"),
    ("SAXS-SEM/SAXS/a.jpg", "SAXS-SEM/SEM/a.jpg"),
])  # fmt: skip
def test_the_two_folders_are_found(saxs: str, sem: str) -> None:
    files = [PublishedFile(sem, sem), PublishedFile(saxs, saxs)]
    chosen = choose_sets(files, SUFFIXES, "here")
    assert [file.name for file in chosen["saxs"]] == [saxs]
    assert [file.name for file in chosen["sem"]] == [sem]


@pytest.mark.parametrize(
    "names", [["1/a.jpg", "2/a.jpg", "3/a.tif"], ["SEM/a.tif"], ["x/SEM/a.tif", "y/SEM/a.tif"]]
)
def test_folders_that_are_not_clear_are_listed(names: list[str]) -> None:
    with pytest.raises(InputError, match=r"here: expected one folder of (SAXS|SEM) images, found [02] among"):
        choose_sets([PublishedFile(name, name) for name in names], SUFFIXES, "here")


@pytest.mark.parametrize("name", ["SEM/a b.tif", "./SEM/é.tif", "a..b/c.tif", "deep/er/still/x.tif"])
def test_honest_names_pass(name: str) -> None:
    check_name(name, "here")
