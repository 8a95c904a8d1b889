"""The Materials Data Facility: from the DOIs of a data set to the list of its files.

MDF's public index is a Globus Search index that answers without an account. One query finds the data set
whose ``dc.identifier.identifier`` is the DOI and gives its ``mdf.source_id``; a second one lists the records
of that source, each with ``files`` (``url`` or ``globus``, ``length``, ``sha512``: MDF's schema files.json).
The bytes lie at ``<file_url>/mdf_open/<source_id>/...``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pairvae.data.published.archive_members import check_name
from pairvae.data.published.download import Client
from pairvae.data.published.published_file import Limits, PublishedFile
from pairvae.errors import InputError

PAGE = 100
DEEPEST_OFFSET = 10_000  # Globus Search answers no further
BY_HAND = "download the pairs with a browser and name the archive with --archive"


class MdfSet(BaseModel):
    """One published set: DOI, source id (where it need not be looked up), suffixes of its images."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    doi: str = Field(pattern=r"^10\.\d{4,9}/[A-Za-z0-9._/-]+$")
    source_id: str | None = Field(pattern=r"^[A-Za-z0-9._-]+$")
    suffixes: tuple[str, ...] = Field(min_length=1)


class MdfIdentifiers(BaseModel):
    """What the Materials Data Facility calls the published pairs, and the most we take from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    citation: str
    license: str
    search_url: str = Field(pattern=r"^https?://[^/]+/.+$")
    file_url: str = Field(pattern=r"^https?://[^/]+")
    pairs: int | None = Field(gt=0, description="how many pairs there must be; null: any number")
    saxs: MdfSet
    sem: MdfSet
    limits: Limits

    @property
    def sets(self) -> dict[str, MdfSet]:
        """The sets by modality name."""
        return {"saxs": self.saxs, "sem": self.sem}


def published_identifiers() -> MdfIdentifiers:
    """The identifiers of the published pairs (Doerk et al. 2023), from ``mdf.json`` beside this module."""
    text = (resources.files("pairvae.data.published") / "mdf.json").read_text("utf-8")
    return parse_identifiers(json.loads(text), "mdf.json")


def parse_identifiers(value: Mapping[str, Any], where: str) -> MdfIdentifiers:
    """Identifiers from a mapping.

    Parameters
    ----------
    value : mapping
        As read.
    where : str
        For the message.

    Returns
    -------
    MdfIdentifiers
        Checked.

    Raises
    ------
    InputError
        It names the key at fault.
    """
    try:
        return MdfIdentifiers.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(
            expected=first["msg"], found=f"{first['input']!r}"[:80], where=f"{where}, key {key}"
        ) from error


def list_files(client: Client, identifiers: MdfIdentifiers, modality: str) -> list[PublishedFile]:
    """The images of one modality in MDF's index.

    Parameters
    ----------
    client : Client
        It asks the index.
    identifiers : MdfIdentifiers
        Of the data sets.
    modality : str
        One of ``identifiers.sets``.

    Returns
    -------
    list of PublishedFile
        Sorted by name.

    Raises
    ------
    InputError
        When there are none, or too many.
    """
    chosen = identifiers.sets[modality]
    source_id = chosen.source_id or _source_id(client, identifiers, chosen.doi)
    query = f'mdf.source_id:"{source_id}" AND mdf.resource_type:record'
    files: dict[str, PublishedFile] = {}
    for content in _search(client, identifiers.search_url, query):
        for entry in _list(content, "files"):
            file = _published(entry, identifiers, source_id)
            if file is not None and file.suffix in chosen.suffixes:
                files[file.source] = file
        if len(files) > identifiers.limits.files:
            raise InputError(
                expected=f"at most {identifiers.limits.files} files", found="more", where=f"doi {chosen.doi}"
            )
    if not files:
        raise InputError(
            expected=f"{' or '.join(chosen.suffixes)} files",
            found="none in MDF's index",
            where=f"doi {chosen.doi}",
            remedy=BY_HAND,
        )
    return sorted(files.values(), key=lambda file: file.name)


def _source_id(client: Client, identifiers: MdfIdentifiers, doi: str) -> str:
    """The source id of the newest version of the data set with this DOI."""
    query = f'dc.identifier.identifier:"{doi}" AND mdf.resource_type:dataset'
    versions: dict[str, int] = {}
    for content in _search(client, identifiers.search_url, query):
        named = _mapping(_mapping(content, "dc"), "identifier").get("identifier")
        mdf = _mapping(content, "mdf")
        source_id, version = mdf.get("source_id"), mdf.get("version")
        # the index matches words, so a neighbour's DOI may come back too
        if isinstance(source_id, str) and isinstance(named, str) and named.lower().endswith(doi.lower()):
            versions[source_id] = version if isinstance(version, int) else 0
    if not versions:
        raise InputError(
            expected=f"a data set with doi {doi}", found="none", where=identifiers.search_url, remedy=BY_HAND
        )
    return max(versions, key=lambda source_id: versions[source_id])


def _search(client: Client, url: str, query: str) -> Iterator[Mapping[str, Any]]:
    """The contents of every entry that matches, page by page."""
    offset = 0
    while offset < DEEPEST_OFFSET:
        page = client.json(url, {"q": query, "advanced": True, "limit": PAGE, "offset": offset})
        subjects = _list(page, "gmeta")
        for subject in subjects:
            for entry in _list(subject, "entries"):
                yield _mapping(entry, "content")
            yield from _list(subject, "content")  # the form of the index's first version
        offset += len(subjects)
        total = page.get("total")
        if not subjects or not isinstance(total, int) or offset >= total:
            return


def _published(entry: Mapping[str, Any], identifiers: MdfIdentifiers, source_id: str) -> PublishedFile | None:
    """One entry of a record's ``files``; None where it has no address."""
    url, globus = entry.get("url"), entry.get("globus")
    site = urlsplit(identifiers.file_url)
    if isinstance(url, str) and url:
        parts = urlsplit(url)
        if (parts.scheme, parts.netloc) != (site.scheme, site.netloc):
            raise InputError(
                expected=f"files on {identifiers.file_url}", found=url[:100], where=identifiers.search_url
            )
        path = unquote(parts.path)
    elif isinstance(globus, str) and globus.startswith("globus://"):
        path = "/" + globus.removeprefix("globus://").partition("/")[2]
    else:
        return None
    name = path.partition(f"/{source_id}/")[2] or path.lstrip("/")
    check_name(name, identifiers.search_url)
    size, sha512 = entry.get("length"), entry.get("sha512")
    return PublishedFile(
        name=name,
        source=f"{site.scheme}://{site.netloc}{quote(path)}",
        size=size if isinstance(size, int) and size > 0 else None,
        sha512=sha512 if isinstance(sha512, str) and len(sha512) == 128 else None,
    )


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _list(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    inner = value.get(key)
    return [item for item in inner if isinstance(item, dict)] if isinstance(inner, list) else []
