"""Files as somebody published them, whether a file on disk is one of them, and how much may be written of them."""

from __future__ import annotations

import errno
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from pairvae.errors import InputError

MAGIC = {
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ".tiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}


class Limits(BaseModel):
    """The most that a server or an archive may make us write: bytes a file, bytes in all, files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    file_bytes: int = Field(gt=0)
    total_bytes: int = Field(gt=0)
    files: int = Field(gt=0)


class Budget:
    """Counts bytes over all threads and refuses more than the limit.

    Parameters
    ----------
    limits : Limits
        The most that a fetch may write.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits, self.left, self.lock = limits, limits.total_bytes, threading.Lock()

    def take(self, amount: int, of_file: int, where: str) -> None:
        """Count more bytes.

        Parameters
        ----------
        amount : int
            How many.
        of_file : int
            How many their file then has.
        where : str
            For the message.

        Raises
        ------
        InputError
            When there are too many.
        """
        with self.lock:
            self.left -= amount
            left = self.left
        if left < 0 or of_file > self.limits.file_bytes:
            raise InputError(
                expected=f"at most {self.limits.file_bytes} bytes a file, {self.limits.total_bytes} in all",
                found="more",
                where=where,
                remedy="look at the source; the limits are in the identifiers' file",
            )


@dataclass(frozen=True)
class PublishedFile:
    """A file as its publisher names it.

    Parameters
    ----------
    name : str
        With its folders.
    source : str
        Its address, or archive and member.
    size : int, optional
        Bytes.
    sha256, sha512 : str, optional
        Hexadecimal digits.
    """

    name: str
    source: str
    size: int | None = None
    sha256: str | None = None
    sha512: str | None = None

    @property
    def suffix(self) -> str:
        """The name's suffix, lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()


@dataclass(frozen=True)
class Verdict:
    """What a file on disk turned out to be.

    Parameters
    ----------
    size : int
        Bytes.
    sha256 : str
        64 hexadecimal digits.
    fault : str
        The first way in which it is not the published one; empty: none.
    """

    size: int
    sha256: str
    fault: str


def inspect(path: Path, file: PublishedFile) -> Verdict:
    """Compare a file on disk with a published one.

    Parameters
    ----------
    path : Path
        The file on disk.
    file : PublishedFile
        What is known of the published one.

    Returns
    -------
    Verdict
        With size and sha256 in any case.
    """
    hash256, hash512 = hashlib.sha256(), hashlib.sha512()
    with path.open("rb") as stream:
        head = stream.read(16)
        stream.seek(0)
        while block := stream.read(1 << 20):
            hash256.update(block)
            if file.sha512:
                hash512.update(block)
        size = stream.tell()
    fault = ""
    if file.size is not None and size != file.size:
        fault = f"{size} bytes instead of {file.size}"
    elif file.sha256 and hash256.hexdigest() != file.sha256.lower():
        fault = f"sha256 {hash256.hexdigest()[:12]}... instead of {file.sha256[:12]}..."
    elif file.sha512 and hash512.hexdigest() != file.sha512.lower():
        fault = f"sha512 {hash512.hexdigest()[:12]}... instead of {file.sha512[:12]}..."
    elif not head.startswith(MAGIC.get(file.suffix, (b"",))):
        fault = f"no {file.suffix} image inside"
    return Verdict(size, hash256.hexdigest(), fault)


def is_full(error: OSError) -> bool:
    """Whether ``error`` says that the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
