"""The members of a zip or tar archive that nobody vouches for: names, kinds, sizes and counts are checked."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pairvae.data.published.published_file import Limits, PublishedFile, is_full
from pairvae.errors import InputError

LONGEST_NAME = 1024
MOST_ZIP_DIRECTORY_BYTES = 16 << 20
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression method that Python does not have
    RuntimeError,  # zipfile's word for a few oddities
    ValueError,  # a header whose numbers make no sense
)
Opened = tuple[PublishedFile, Callable[[], IO[bytes] | None]]


def check_name(name: str, where: str) -> None:
    """Refuse a name that could lead out of a folder: ``..``, absolute, drive, NUL.

    Parameters
    ----------
    name : str
        As an archive or a server gives it.
    where : str
        For the message.

    Raises
    ------
    InputError
        It shows the name.
    """
    parts = name.replace("\\", "/").split("/")
    control = any(ord(letter) < 32 or ord(letter) == 127 for letter in name)
    drive = re.match(r"[A-Za-z]:", name) is not None
    if not name or control or drive or name[0] in "/\\" or ".." in parts or len(name) > LONGEST_NAME:
        raise InputError(
            expected="names that stay inside the folder",
            found=f"{name[:80]!r}",
            where=where,
            remedy="do not trust this source",
        )


@contextmanager
def archive_errors(path: Path) -> Iterator[None]:
    """Say in one line that the archive is broken; a full disk and the like pass through."""
    try:
        yield
    except (*BROKEN, OSError) as error:
        if isinstance(error, InputError) or (isinstance(error, OSError) and is_full(error)):
            raise
        raise InputError(
            expected="a whole zip or tar archive",
            found=f"{type(error).__name__} ({str(error)[:80]})",
            where=str(path),
            remedy="download it again",
        ) from error


def members(path: Path, limits: Limits) -> Iterator[Opened]:
    """Every regular file in an archive, names, kinds, sizes and counts checked.

    Parameters
    ----------
    path : Path
        A zip or tar file.
    limits : Limits
        The most that it may hold.

    Yields
    ------
    tuple of PublishedFile and callable
        The callable opens it, or returns None where it is none.

    Raises
    ------
    InputError
        For an archive that is absent, broken, hostile or too large.
    """
    if not path.is_file():
        raise InputError(expected="a zip or tar archive", found="no such file", where=str(path))
    walker = _zip_members if _is_zip(path) else _tar_members
    count = total = 0
    walk = walker(path, limits)
    while True:
        with archive_errors(path):
            pair = next(walk, None)
        if pair is None:
            return
        file = pair[0]
        check_name(file.name, str(path))
        count, total = count + 1, total + (file.size or 0)
        if count > limits.files or (file.size or 0) > limits.file_bytes or total > limits.total_bytes:
            raise InputError(
                expected=f"at most {limits.files} files, {limits.file_bytes} bytes each, "
                f"{limits.total_bytes} in all",
                found=f"more, at {file.name[:80]!r}",
                where=str(path),
                remedy="do not trust this source",
            )
        yield pair


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _refuse_kind(name: str, path: Path) -> None:
    raise InputError(
        expected="files and folders only",
        found=f"a link or device, {name[:80]!r}",
        where=str(path),
        remedy="do not trust this source",
    )


def _zip_members(path: Path, limits: Limits) -> Iterator[Opened]:
    if _zip_directory_bytes(path) > MOST_ZIP_DIRECTORY_BYTES:
        raise InputError(expected=f"at most {limits.files} files", found="a far longer list", where=str(path))
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            check_name(info.orig_filename, str(path))  # zipfile cuts `filename` at a NUL
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                _refuse_kind(info.orig_filename, path)
            if info.flag_bits & 1:
                raise InputError(
                    expected="an archive without a password",
                    found=f"{info.filename[:80]!r} encrypted",
                    where=str(path),
                    remedy="unpack it and pack it again without one",
                )
            if not info.is_dir():
                file = PublishedFile(info.filename, f"{path.name}!/{info.filename}", info.file_size)
                yield file, lambda info=info: archive.open(info)  # type: ignore[misc]  # a default binds the loop's value


def _zip_directory_bytes(path: Path) -> int:
    """Bytes of the list of members as the end record claims them: zipfile would read that much at once."""
    tail_bytes = (1 << 16) + 22 + 20 + 56
    with path.open("rb") as stream:
        length = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, length - tail_bytes))
        tail = stream.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + 22 > len(tail):
        raise zipfile.BadZipFile("no end record")
    claimed = int(struct.unpack_from("<L", tail, end + 12)[0])
    long_form = end - 20 - 56
    if long_form >= 0 and tail[end - 20 : end - 16] == b"PK\x06\x07":
        claimed = int(struct.unpack_from("<Q", tail, long_form + 40)[0])
    return claimed


class _Sober(io.RawIOBase):
    """A stream that refuses to read more than ``limit`` bytes at once: tarfile believes any header."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self.stream, self.limit = stream, limit

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.limit:
            raise tarfile.ReadError("a header that claims too much")
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()


def _unpacked(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        head = stream.read(6)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(path, "rb")  # type: ignore[return-value]  # GzipFile reads like any binary file
    if head.startswith(b"BZh"):
        return bz2.open(path, "rb")
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.open(path, "rb")
    return path.open("rb")


def _tar_members(path: Path, limits: Limits) -> Iterator[Opened]:
    with (
        _unpacked(path) as stream,
        tarfile.open(fileobj=_Sober(stream, min(limits.file_bytes, 16 << 20)), mode="r:") as archive,
    ):
        for member in archive:
            check_name(member.name, str(path))
            if not (member.isreg() or member.isdir()):
                _refuse_kind(member.name, path)
            if member.isreg():
                file = PublishedFile(member.name, f"{path.name}!/{member.name}", member.size)
                yield file, lambda member=member: archive.extractfile(member)  # type: ignore[misc]  # as above
