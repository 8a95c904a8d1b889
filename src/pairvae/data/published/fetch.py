"""``pairvae data fetch``: the published pairs, from their server, a mirror or an archive, in the data layout.

Files are gathered in ``OUT/.partial``, checked, and moved into place once all are complete. Names given by a server or
an archive are recorded, never used as paths.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pairvae.data.published.archive import choose_sets, copy_images, read_images
from pairvae.data.published.download import MOST_CONNECTIONS, Client
from pairvae.data.published.fetch_record import (
    PAIRS,
    RECORD,
    Item,
    Record,
    pair_up,
    pairs_csv,
    parse_record,
    read_record,
    record_json,
    settled,
)
from pairvae.data.published.mdf import MdfIdentifiers, list_files, published_identifiers
from pairvae.data.published.output_folder import GATHERED, disk_faults, held
from pairvae.data.published.published_file import Verdict, inspect
from pairvae.errors import InputError
from pairvae.progress import Progress
from pairvae.store import digest, file_digest, write_json, write_text

__all__ = ["fetch", "published_identifiers"]


@dataclass(frozen=True)
class _Source:
    """Where files come from: an archive or a site; ``copied``: the record of the folder that the site mirrors."""

    client: Client
    archive: Path | None = None
    base_url: str | None = None
    copied: Record | None = None

    def url(self, item: Item) -> str:
        """The address of ``item`` (``InputError`` when it came out of an archive that is not given now)."""
        if self.copied is not None:
            return f"{self.base_url}/{item.target}"
        parts = urlsplit(item.file.source)
        if parts.scheme not in ("http", "https"):
            raise InputError(
                expected=f"the archive {item.file.source.partition('!/')[0]}",
                found="none given",
                where=item.target,
                remedy="name it with --archive",
            )
        return f"{self.base_url}{parts.path}" if self.base_url else item.file.source


def fetch(
    out: Path,
    *,
    identifiers: MdfIdentifiers,
    base_url: str | None = None,
    archive: str | Path | None = None,
    workers: int = MOST_CONNECTIONS,
    timeout_s: float = 30.0,
    retries: int = 5,
    backoff_s: float = 1.0,
) -> None:
    """Bring the published pairs to a folder: its images, ``pairs.csv`` and ``fetch.json``.

    Parameters
    ----------
    out : Path
        The folder: new, empty, or of an earlier fetch, whose whole files are kept and checked.
    identifiers : MdfIdentifiers
        What the Materials Data Facility calls the pairs, and limits.
    base_url : str, optional
        A mirror, of the file server or of a folder that an earlier fetch wrote.
    archive : str or Path, optional
        A local zip or tar instead.
    workers : int
        Connections, of which at most four are open.
    timeout_s, retries, backoff_s
        As for :class:`~pairvae.data.published.download.Client`.

    Raises
    ------
    InputError
        Every fault, in one line.
    """
    client = Client(identifiers.limits, timeout_s=timeout_s, retries=retries, backoff_s=backoff_s)
    with disk_faults(out), held(out):
        source, planned = _plan(out, client, identifiers, base_url, archive)
        checked, missing = _what_is_there(out, planned.items)
        if missing:
            _make_room(out, missing)
            if source.archive is not None:
                _unpack(out, missing, source.archive, identifiers)
            else:
                _download(out, missing, source, min(workers, MOST_CONNECTIONS))
            checked |= _check_new(out, missing)
        items = tuple(settled(item, *checked[item.target]) for item in planned.items)
        record = Record(planned.citation, planned.license, planned.archive_sha256, items)
        _put_in_place(out, record)


def _plan(
    out: Path, client: Client, identifiers: MdfIdentifiers, base_url: str | None, archive: str | Path | None
) -> tuple[_Source, Record]:
    """Where to take which files from: what an earlier fetch recorded, else what the source lists."""
    if base_url is not None and archive is not None:
        raise InputError(expected="--base-url or --archive", found="both", where="pairvae data fetch")
    if base_url is not None and urlsplit(base_url).scheme not in ("http", "https"):
        raise InputError(expected="an http or https address", found=repr(base_url), where="--base-url")
    known = read_record(out / RECORD) or read_record(out / GATHERED / RECORD)
    if known is None:
        _refuse_foreign(out)
    if archive is not None:
        return _plan_archive(Path(archive), known, client, identifiers)
    if known is not None and not _absent(out, known):
        return _Source(client), known
    if base_url is None:
        return _Source(client), known or _listed(client, identifiers)
    base = base_url.rstrip("/")
    value = client.optional_json(f"{base}/{RECORD}")
    copied = None if value is None else parse_record(value, f"{base}/{RECORD}")
    return _Source(client, None, base, copied), known or copied or _listed(client, identifiers)


def _plan_archive(
    path: Path, known: Record | None, client: Client, identifiers: MdfIdentifiers
) -> tuple[_Source, Record]:
    if not path.is_file():
        raise InputError(expected="a zip or tar archive", found="no such file", where=str(path))
    sha256 = file_digest(path)
    if known is not None:
        if known.archive_sha256 != sha256:
            raise InputError(
                expected="the source that this folder was fetched from",
                found="another archive",
                where=str(path),
                remedy="fetch into a new folder",
            )
        return _Source(client, path), known
    suffixes = {modality: chosen.suffixes for modality, chosen in identifiers.sets.items()}
    chosen = choose_sets(read_images(path, identifiers.limits), suffixes, str(path))
    items = pair_up(chosen, None, str(path))
    return _Source(client, path), Record(identifiers.citation, identifiers.license, sha256, tuple(items))


def _listed(client: Client, identifiers: MdfIdentifiers) -> Record:
    chosen = {modality: list_files(client, identifiers, modality) for modality in identifiers.sets}
    items = pair_up(chosen, identifiers.pairs, identifiers.search_url)
    return Record(identifiers.citation, identifiers.license, None, tuple(items))


def _absent(out: Path, record: Record) -> bool:
    return any(not (out / item.target).exists() for item in record.items)


def _waiting(out: Path, item: Item) -> Path:
    """Where the checked file of ``item`` is kept until all are fetched."""
    return out / GATHERED / digest([item.target, item.file.source])


def _what_is_there(out: Path, items: Sequence[Item]) -> tuple[dict[str, tuple[int, str]], list[Item]]:
    """Size and sha256 by target of the files that exist already, and the missing items."""
    there: dict[str, tuple[int, str]] = {}
    missing = []
    for item in items:
        final, waiting = out / item.target, _waiting(out, item)
        verdict = _verdict(final, item) if final.exists() else _verdict(waiting, item)
        if verdict is None:
            missing.append(item)
        elif verdict.fault and final.exists():
            raise InputError(
                expected="the file as it was fetched",
                found=verdict.fault,
                where=str(final),
                remedy="delete it and run the command again",
            )
        elif verdict.fault:
            waiting.unlink()
            missing.append(item)
        else:
            there[item.target] = (verdict.size, verdict.sha256)
    return there, missing


def _verdict(path: Path, item: Item) -> Verdict | None:
    return inspect(path, item.file) if path.is_file() else None


def _check_new(out: Path, items: Sequence[Item]) -> dict[str, tuple[int, str]]:
    checked = {}
    for item in items:
        verdict = inspect(_waiting(out, item), item.file)
        if verdict.fault:
            _waiting(out, item).unlink()
            raise InputError(expected="the published file", found=verdict.fault, where=item.file.source)
        checked[item.target] = (verdict.size, verdict.sha256)
    return checked


def _make_room(out: Path, missing: Sequence[Item]) -> None:
    needed, free = sum(item.file.size or 0 for item in missing), shutil.disk_usage(out).free
    if needed > free:
        raise InputError(
            expected=f"{needed / 1e6:.1f} MB of free disk",
            found=f"{free / 1e6:.1f} MB",
            where=str(out),
            remedy="make room, or fetch to another disk",
        )
    (out / GATHERED).mkdir(exist_ok=True)


def _unpack(out: Path, missing: Sequence[Item], archive: Path, identifiers: MdfIdentifiers) -> None:
    progress = Progress(len(missing), "unpacking")
    targets = {item.file.source: _waiting(out, item) for item in missing}
    copy_images(archive, targets, identifiers.limits, progress.advance)
    lost = [item for item in missing if not _waiting(out, item).is_file()]
    if lost:
        raise InputError(expected=lost[0].file.source, found="no such member", where=str(archive))


def _download(out: Path, missing: Sequence[Item], source: _Source, workers: int) -> None:
    jobs: list[Callable[[], None]] = []
    for item in missing:
        url = source.url(item)
        jobs.append(
            lambda item=item, url=url: source.client.file(item.file, url, _waiting(out, item))  # type: ignore[misc]
        )
    progress = Progress(len(jobs), "downloading")
    with ThreadPoolExecutor(max(1, workers)) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                progress.advance()
        finally:  # after the first fault, or Ctrl-C, the others end at their next block
            source.client.stop.set()
            for future in futures:
                future.cancel()


def _put_in_place(out: Path, record: Record) -> None:
    """Move the gathered files into place; the record comes last: where it exists, all files do."""
    waiting = out / GATHERED
    if waiting.is_dir():
        write_json(waiting / RECORD, record_json(record))
        write_text(waiting / PAIRS, pairs_csv(record.items))
        for item in record.items:
            target = out / item.target
            target.parent.mkdir(exist_ok=True)
            if _waiting(out, item).exists():
                _waiting(out, item).replace(target)
        for name in (PAIRS, RECORD):
            if not (out / name).exists():
                (waiting / name).replace(out / name)
        shutil.rmtree(waiting)
    if not (out / PAIRS).exists():
        write_text(out / PAIRS, pairs_csv(record.items))


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds something else: a fetch must not mix with, or write over, other data."""
    foreign = sorted(entry.name for entry in out.iterdir() if not entry.name.startswith("."))
    if foreign:
        raise InputError(
            expected="a new or empty folder",
            found=", ".join(foreign[:4]),
            where=str(out),
            remedy="name another folder",
        )
