"""Connections to a real server on this machine: how long each is waited for, and who may ask."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from pairvae.app import server as run
from pairvae.app.guard import App, Receive, Rules, Send
from pairvae.app.server import TOKEN, Address, token_for
from pairvae.errors import InputError

WAIT = 60
HEAD = b"Host: 127.0.0.1\r\n"
WHOLE = b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n"
PLACES = 12
LARGE = b"x" * 40_000_000


async def answer(scope: Any, receive: Receive, send: Send) -> None:
    """``/large`` answers with more than any buffer holds; nothing reads a body."""
    body = LARGE if scope["path"] == "/large" else b"whole"
    kept = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": kept})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, started: Callable[[App, Rules], str]) -> tuple[str, int]:
    """A server that waits for a second and has few places."""
    monkeypatch.setattr(run, "REQUEST_S", 1.0)
    monkeypatch.setattr(run, "ANSWER_TAKEN_S", 1.0)
    monkeypatch.setattr(run, "MOST_CONNECTIONS", PLACES)
    found = urlsplit(started(answer, Rules(open=frozenset({"/", "/large"}))))
    assert found.hostname and found.port
    return found.hostname, found.port


def ends(connection: socket.socket, trickle: bytes = b"") -> bool:
    """Whether the server ends a connection (within the socket's own time), while bytes are sent to it."""
    connection.settimeout(0.1)
    for _ in range(100):
        try:
            if trickle:
                connection.sendall(trickle)
            if not connection.recv(65536):
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


HELD = {  # what is answered, what follows, and what is sent again and again
    "nothing": (b"", b"", b""),
    "half": (b"", b"GET / HTTP/1.1\r\nHost: 127", b""),
    "byte by byte": (b"", b"GET / HTTP/1.1\r\nX: ", b"y"),
    "half a second": (WHOLE, b"GET / HTTP/1.1\r\nHost: 127", b""),
    "of a second": (WHOLE, b"GET / HTTP/1.1\r\nX: ", b"y"),
    "after three": (WHOLE * 3, b"G", b""),
    "no end": (WHOLE, WHOLE[:-4], b""),
    "a body": (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000000\r\n\r\n", b"", b"y"),
}


def test_no_request_holds_a_connection(place: tuple[str, int]) -> None:
    def ended(name: str) -> bool:
        first, rest, trickle = HELD[name]
        with socket.create_connection(place, timeout=WAIT) as connection:
            if first:
                connection.sendall(first)
                assert connection.recv(15) == b"HTTP/1.1 200 OK"
            connection.sendall(rest)
            return ends(connection, trickle)

    with ThreadPoolExecutor(len(HELD)) as pool:
        assert [name for name, did in zip(HELD, pool.map(ended, HELD), strict=True) if not did] == []


def test_a_half_second_request_on_every_connection_does_not_keep_others_out(place: tuple[str, int]) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(place, timeout=WAIT)) for _ in range(PLACES - 1)]
        for connection in held:
            connection.sendall(WHOLE + b"GET / HTTP/1.1\r\nX: ")
        assert all(ends(connection) for connection in held)
        assert requests.get(f"http://{place[0]}:{place[1]}/", timeout=WAIT).status_code == 200


def test_an_answer_that_is_not_taken_is_given_up(place: tuple[str, int]) -> None:
    with socket.create_connection(place, timeout=WAIT) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        run_out = requests.get(
            f"http://{place[0]}:{place[1]}/large", timeout=WAIT
        )  # who takes it has it whole
        assert len(run_out.content) == len(LARGE)
        with socket.create_connection(place, timeout=WAIT) as other:  # until the first has been given up
            assert ends(other)
        received = 15
        while part := _received(connection):
            received += part
        assert received < len(LARGE)


def _received(connection: socket.socket) -> int:
    try:
        return len(connection.recv(1_000_000))
    except ConnectionError:
        return 0


def test_requests_on_one_connection_follow_each_other(place: tuple[str, int]) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(f"http://{place[0]}:{place[1]}/", timeout=WAIT).text == "whole"
        told = session.head(f"http://{place[0]}:{place[1]}/", timeout=WAIT)
        assert (told.status_code, told.content, told.headers["content-length"]) == (200, b"", "5")
        assert session.get(f"http://{place[0]}:{place[1]}/", timeout=WAIT).text == "whole"


def test_a_token_is_made_only_where_others_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    assert token_for(Address()) is None
    first, second = token_for(Address("0.0.0.0")), token_for(Address("0.0.0.0"))
    assert first and second and first != second and len(first) >= 32
    monkeypatch.setenv(TOKEN, "a-token-of-our-own")
    assert token_for(Address()) == token_for(Address("0.0.0.0")) == "a-token-of-our-own"
    monkeypatch.setenv(TOKEN, "short")
    with pytest.raises(InputError, match="at least 16 characters, found 5"):
        token_for(Address())


@pytest.mark.parametrize(
    "token",
    ["t\u00f6ken-of-our-own-1", "a token of our own", " " * 20, "a-token-of-our-own\n", "\u6a23" * 20],
)
def test_a_token_that_no_header_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv(TOKEN, token)
    with pytest.raises(InputError, match="PAIRVAE_TOKEN: expected a token of ASCII letters"):
        token_for(Address())


def test_the_link_carries_any_token_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(run.uvicorn.Server, "run", lambda self, sockets: sockets[0].close())
    run.run(answer, Address(), "a+b&c=d%20e#f/16chars", frozenset(), 8, told.append)
    assert "#token=a%2Bb%26c%3Dd%2520e%23f%2F16chars " in told[0]
