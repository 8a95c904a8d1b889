"""Downloads that survive a bad line: one site, few connections, repeated, checked, bounded."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from pairvae.data.published.published_file import Budget, Limits, PublishedFile, inspect, is_full
from pairvae.errors import InputError

T = TypeVar("T")
CHUNK = 1 << 16
MOST_CONNECTIONS = 4
MOST_REDIRECTS = 5
MOST_JSON_BYTES = 32 << 20
LONGEST_PAUSE_S = 120.0
PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
RESUME = "check the connection and run the command again: the files that are there are not asked for again"


class _PassingError(Exception):
    """A fault worth another attempt, after ``wait`` seconds where the server asked for that."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _StoppedError(Exception):
    """Another download failed for good, so this one ends too."""


class Client:
    """An anonymous HTTP client for one fetch; its methods may be called from several threads.

    Parameters
    ----------
    limits : Limits
        The most that it may write.
    timeout_s : float
        How long it waits for an answer, s.
    retries : int
        How often a request is repeated.
    backoff_s : float
        Pause before the first repetition, s; it doubles each time.
    """

    def __init__(
        self, limits: Limits, *, timeout_s: float = 30.0, retries: int = 5, backoff_s: float = 1.0
    ) -> None:
        self.timeout_s, self.retries, self.backoff_s = timeout_s, retries, backoff_s
        self.budget, self.stop = Budget(limits), threading.Event()
        self.session = requests.Session()
        self.session.headers.update({"Accept-Encoding": "identity", "User-Agent": "pairvae"})
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=MOST_CONNECTIONS, pool_block=True))

    def json(self, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object at an address, at most 32 MB; repeated like a file.

        Parameters
        ----------
        url : str
            The address.
        body : mapping, optional
            What is posted; without it the request is a GET.

        Returns
        -------
        dict
            The object.

        Raises
        ------
        InputError
            For no answer, or one that is no JSON object.
        """
        return self._persist(lambda: self._json(url, body), url)

    def optional_json(self, url: str) -> dict[str, Any] | None:
        """The JSON object at ``url``; None where the server has no such file (404)."""
        return self._persist(lambda: self._json(url, None, absent_ok=True) or None, url)

    def file(self, file: PublishedFile, url: str, target: Path) -> None:
        """Download a file, which appears only once it is whole and as published.

        Parameters
        ----------
        file : PublishedFile
            What is known of it.
        url : str
            Its address.
        target : Path
            Where it goes.

        Raises
        ------
        InputError
            For no answer, another file, or too many bytes.
        """
        partial = target.with_name(f"{target.name}.partial")
        if self.stop.is_set():
            raise _StoppedError
        try:
            self._persist(lambda: self._whole(file, url, partial), url)
            partial.replace(target)
        except OSError as error:
            if is_full(error):
                self.stop.set()
            raise
        finally:
            partial.unlink(missing_ok=True)

    def _persist(self, action: Callable[[], T], where: str) -> T:
        reason = ""
        for attempt in range(self.retries + 1):
            wait: float | None = None
            try:
                return action()
            except _PassingError as again:
                reason, wait = str(again), again.wait
            except requests.exceptions.SSLError as error:
                raise InputError(
                    expected="a trusted certificate",
                    found=_reason(error),
                    where=where,
                    remedy="check the proxy",
                ) from error
            except requests.RequestException as error:
                reason = _reason(error)
            if attempt < self.retries:
                self._pause(self.backoff_s * 2.0**attempt if wait is None else wait, where)
        raise InputError(
            expected="an answer", found=f"{reason} ({self.retries + 1} attempts)", where=where, remedy=RESUME
        )

    def _pause(self, seconds: float, where: str) -> None:
        if seconds > LONGEST_PAUSE_S:
            raise InputError(
                expected="a server with time for us",
                found=f"a request to wait {seconds:.0f} s",
                where=where,
                remedy="run the command again later: the files that are there are not asked for again",
            )
        if self.stop.wait(seconds):
            raise _StoppedError

    def _open(self, url: str, body: Mapping[str, Any] | None) -> requests.Response:
        method = "GET" if body is None else "POST"
        for _ in range(MOST_REDIRECTS):
            response = self.session.request(
                method,
                url,
                json=body,
                timeout=self.timeout_s,
                stream=True,
                allow_redirects=False,
            )
            if not response.is_redirect:
                return response
            response.close()
            url = _same_site(url, urljoin(url, response.headers["Location"]))
        raise InputError(expected=f"at most {MOST_REDIRECTS} redirects", found="more", where=url)

    def _json(self, url: str, body: Mapping[str, Any] | None, absent_ok: bool = False) -> dict[str, Any]:
        with self._open(url, body) as response:
            if absent_ok and response.status_code == 404:
                return {}
            _check_status(response, url)
            text = bytearray()
            for chunk in response.iter_content(CHUNK):
                text += chunk
                if len(text) > MOST_JSON_BYTES:
                    raise InputError(expected=f"at most {MOST_JSON_BYTES} bytes", found="more", where=url)
        try:
            value = json.loads(bytes(text))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise InputError(
                expected="a JSON object", found=f"{bytes(text[:40])!r}", where=url, remedy="check the address"
            )
        return value

    def _whole(self, file: PublishedFile, url: str, partial: Path) -> None:
        for _ in range(2):
            self._stream(url, partial)
            verdict = inspect(partial, file)
            if not verdict.fault:
                return
            if file.size is not None and verdict.size < file.size:
                raise _PassingError(verdict.fault)
            partial.unlink()
        raise InputError(
            expected="the published file",
            found=verdict.fault,
            where=url,
            remedy="it changed there or on its way: try a mirror (--base-url) or an archive (--archive)",
        )

    def _stream(self, url: str, partial: Path) -> None:
        with self._open(url, None) as response:
            _check_status(response, url)
            with partial.open("wb") as stream:
                for chunk in response.iter_content(CHUNK):
                    if self.stop.is_set():
                        raise _StoppedError
                    self.budget.take(len(chunk), stream.tell() + len(chunk), url)
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())


def _check_status(response: requests.Response, url: str) -> None:
    status = response.status_code
    if status == 200:
        return
    if status in PASSING_STATUS:
        raise _PassingError(f"status {status}", _retry_after(response.headers.get("Retry-After")))
    raise InputError(
        expected="the file",
        found=f"status {status} ({response.reason})",
        where=url,
        remedy="it may have moved: see docs/published-data.md for mirrors and archives",
    )


def _retry_after(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return float(Retry().parse_retry_after(value))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _same_site(old: str, new: str) -> str:
    before, after = urlsplit(old), urlsplit(new)
    if (before.scheme, before.netloc) != (after.scheme, after.netloc):
        raise InputError(
            expected=f"files from {before.scheme}://{before.netloc}",
            found=f"a redirect to {after.scheme}://{after.netloc}",
            where=old,
            remedy="if you trust that place, name it with --base-url",
        )
    return new


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "a connection cut in the middle of the file"
    if isinstance(error, requests.exceptions.SSLError):
        return "an untrusted one"
    if isinstance(error, requests.ConnectionError):
        return "a broken connection"
    return type(error).__name__
