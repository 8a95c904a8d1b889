"""Run a server: address, allowed callers, timeouts of connections."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pairvae.app.guard import LOOPBACK, App, Guard, Rules
from pairvae.errors import InputError

TOKEN = "PAIRVAE_TOKEN"  # environment variable of the token
LEAST_TOKEN = 16
REQUEST_S = 10.0
ANSWER_TAKEN_S = 30.0
LARGEST_HEAD = 16_384
MOST_CONNECTIONS = 256


@dataclass(frozen=True)
class Address:
    """Where a server listens; ``names`` are further host names that it answers to (behind a proxy)."""

    host: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK


def token_for(address: Address) -> str | None:
    """The token that callers need: from the environment, else random; None if only this machine can connect.

    ``InputError`` if the environment's token is too short or not valid in a header.
    """
    given = os.environ.get(TOKEN)
    if given is not None and not all("!" <= character <= "~" for character in given):
        raise InputError(
            expected="a token of ASCII letters, digits and signs",
            found="blanks or other characters",
            where=TOKEN,
            remedy="unset it: a token is generated when needed",
        )
    if given is not None and len(given) < LEAST_TOKEN:
        raise InputError(
            expected=f"a token of at least {LEAST_TOKEN} characters", found=str(len(given)), where=TOKEN
        )
    if given is not None:
        return given
    return None if address.loopback else secrets.token_urlsafe(24)


def rules_for(address: Address, token: str | None, open_paths: frozenset[str], capacity: int) -> Rules:
    """Names: those of this machine; bound elsewhere also its host names and any numeric address."""
    own_hosts = set() if address.loopback else {address.host, socket.gethostname(), socket.getfqdn()}
    hosts = frozenset(name.lower() for name in LOOPBACK | own_hosts | set(address.names))
    return Rules(hosts, not address.loopback, token, open_paths, capacity=capacity)


class PatientProtocol(H11Protocol):
    """HTTP with timeouts: the connection closes if a request is incomplete or an answer unread for too long.

    Ten seconds hold for the head of every request, and for what still arrives after its answer was given; the body
    of a request that is being answered has its own limit (:class:`pairvae.app.guard.Rules`).
    """

    _request: asyncio.TimerHandle | None = None
    _answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first request."""
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a request; single bytes do not restart the timeout."""
        super().data_received(data)
        if self.cycle and not self.cycle.response_complete:
            self._stop_waiting()
        else:
            self._await_request()

    def on_response_complete(self) -> None:
        """Restart the timeout: the next request may have begun."""
        self._stop_waiting()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The caller does not read its answer: start a timeout."""
        super().pause_writing()
        self._await_caller()

    def resume_writing(self) -> None:
        """It takes it."""
        super().resume_writing()
        if self._answer is not None:
            self._answer.cancel()
            self._answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeout."""
        self._stop_waiting()
        if self._answer is not None:
            self._answer.cancel()
        super().connection_lost(exc)

    def _await_caller(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._answer = self.loop.call_later(ANSWER_TAKEN_S, self._look_again, left)

    def _look_again(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._await_caller()
        else:
            self.transport.abort()

    def _await_request(self) -> None:
        if self._request is None:
            self._request = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._request is not None:
            self._request.cancel()
            self._request = None


def listen(address: Address) -> socket.socket:
    """The bound socket (``InputError`` if the port is in use or the address is not one of this machine)."""
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return socket.create_server((address.host, address.port), family=family, backlog=MOST_CONNECTIONS)
    except OSError as error:
        raise InputError(
            expected="a free port",
            found=error.strerror or str(error),
            where=f"{address.host}:{address.port}",
            remedy="choose another --port",
        ) from error


def url_of(bound: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def server(app: App, rules: Rules) -> uvicorn.Server:
    """A server of ``app`` behind ``rules``."""
    return uvicorn.Server(
        uvicorn.Config(
            Guard(app, rules),
            http=PatientProtocol,
            ws="none",
            lifespan="off",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=10,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            server_header=False,
            proxy_headers=False,
            access_log=False,
            log_level="warning",
        )
    )


def run(
    app: App,
    address: Address,
    token: str | None,
    open_paths: frozenset[str],
    capacity: int,
    tell: Callable[[str], None],
) -> None:
    """Serve until Ctrl-C; ``tell`` gets the address once it is bound, with the token where one is needed."""
    bound = listen(address)
    where = url_of(bound)
    if token is None:
        tell(f"{where}/  (Ctrl-C stops)")
    else:
        tell(f"{where}/#token={quote(token, safe='')}  (Ctrl-C stops)")
    server(app, rules_for(address, token, open_paths, capacity)).run(sockets=[bound])
