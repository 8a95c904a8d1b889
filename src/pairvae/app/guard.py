"""Access control of all requests: allowed callers, size of a body, number of waiting requests.

An ASGI layer: nothing is read before it is allowed, for any application behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

App = ASGIApp

DRAIN_S = 5.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Rules:
    """``hosts``: names that the server answers to; ``addresses``: and to any numeric address. ``token``: what
    callers show, if any; ``open``: paths that need none and are never held back. ``largest_body`` in bytes;
    ``capacity`` requests are admitted at a time, one of which is worked on; seconds for a body, for an answer.
    """

    hosts: frozenset[str] = LOOPBACK
    addresses: bool = False
    token: str | None = None
    open: frozenset[str] = frozenset()
    largest_body: int = 32_000_000
    capacity: int = 8
    body_s: float = 30.0
    answer_s: float = 60.0


def _refusal(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": text}, status, headers)


BUSY = _refusal(503, "too many requests at once: try again in a second", {"retry-after": "1"})
LATE = _refusal(504, "the answer took too long")
SLOW = _refusal(408, "the request took too long to arrive")
NOT_HERE = _refusal(403, "this server does not answer to that host name")
OTHER_SITE = _refusal(403, "requests from other sites are refused")
NO_TOKEN = _refusal(401, "a token is needed: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})


class Guard:
    """``app`` behind ``rules``."""

    def __init__(self, app: App, rules: Rules) -> None:
        self.app, self.rules = app, rules
        self._admitted = 0
        self._turn = asyncio.Semaphore(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        if scope["method"] == "HEAD":  # the server leaves the body out; applications know GET alone
            scope = {**scope, "method": "GET"}
        send_with_headers = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await self._refuse(refusal, scope, receive, send_with_headers)
        elif scope["path"] in self.rules.open:
            await self.app(scope, receive, send_with_headers)
        elif self._admitted >= self.rules.capacity:
            await self._refuse(BUSY, scope, receive, send_with_headers)
        else:
            await self._admit(scope, receive, send_with_headers)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, wait for the turn, answer; the slot is occupied until the work has ended."""
        self._admitted += 1
        kept = False
        try:
            try:
                body = await asyncio.wait_for(_read(receive, self.rules.largest_body), self.rules.body_s)
            except TimeoutError:
                await SLOW(scope, receive, send)
                return
            if body is None:
                await self._refuse(self._too_large(), scope, receive, send)
                return
            answer: list[Message] = []
            task = asyncio.create_task(self._work(scope, body, answer))
            done, _ = await asyncio.wait({task}, timeout=self.rules.answer_s)
            if not done:
                kept = True
                task.add_done_callback(self._leave)
                await LATE(scope, receive, send)
                return
            task.result()
            for message in answer:
                await send(message)
        except ConnectionError:
            return  # the caller has gone
        finally:
            if not kept:
                self._admitted -= 1

    async def _work(self, scope: Scope, body: bytes, answer: list[Message]) -> None:
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()  # from here on, a disconnect of the caller has no effect
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            answer.append(message)

        async with self._turn:
            await self.app(scope, receive, send)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._admitted -= 1
        if not task.cancelled():
            task.exception()  # has been answered with "too long" already

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._known(host):
            return NOT_HERE
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return OTHER_SITE
        if scope["path"] in self.rules.open:
            return None
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return OTHER_SITE
        if self.rules.token is not None:
            shown = headers.get("authorization", "").removeprefix("Bearer ").encode()
            if not secrets.compare_digest(shown, self.rules.token.encode()):
                return NO_TOKEN
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= self.rules.largest_body):
            return self._too_large()
        return None

    def _too_large(self) -> JSONResponse:
        return _refusal(413, f"at most {self.rules.largest_body / 1e6:g} MB are taken")

    def _known(self, host: str) -> bool:
        """Whether a Host header names this server, against DNS rebinding."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        name = name.strip("[]").lower()
        if name in self.rules.hosts:
            return True
        if not self.rules.addresses:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    async def _refuse(self, refusal: JSONResponse, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse; the rest of the body is discarded for a while, so that the caller reads the answer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_drain(receive, 2 * self.rules.largest_body), DRAIN_S)
        await refusal(scope, receive, send)


async def _read(receive: Receive, largest: int) -> bytes | None:
    """The body; None once it is larger (``ConnectionError`` if the caller disconnects)."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part = message.get("body", b"")
        size += len(part)
        if size > largest:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _drain(receive: Receive, most: int) -> None:
    while most > 0:
        message = await receive()
        most -= len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


def _with_headers(send: Send) -> Send:
    """``send`` that adds the security headers to every answer."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            MutableHeaders(scope=message).update(SECURITY)
        await send(message)

    return send_with_headers
