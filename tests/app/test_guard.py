"""What stands before every request, as ASGI messages: no network."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from pairvae.app import guard
from pairvae.app.guard import App, Guard, Message, Receive, Rules, Send

HOST = {"host": "127.0.0.1:8600"}


async def echo(scope: Any, receive: Receive, send: Send) -> None:
    body = (await receive()).get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-size", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def ask(
    app: App, headers: dict[str, str], path: str = "/api/x", parts: Sequence[bytes] = (b"",)
) -> tuple[int, dict[str, str], bytes]:
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    left, answers = list(parts), list[Message]()

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Message) -> None:
        answers.append(message)

    await app(scope, receive, send)
    sent = {name.decode(): value.decode() for name, value in answers[0]["headers"]}
    return answers[0]["status"], sent, b"".join(one.get("body", b"") for one in answers[1:])


def status(rules: Rules, headers: dict[str, str], path: str = "/api/x") -> int:
    return asyncio.run(ask(Guard(echo, rules), headers, path))[0]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", 200), ("localhost:9", 200), ("[::1]:80", 200), ("LocalHost", 200), ("evil.example:8600", 403),
     ("127.0.0.1.evil.example", 403), ("", 403), ("10.0.0.1", 403)],
)  # fmt: skip
def test_only_names_of_this_machine_are_answered_to(host: str, expected: int) -> None:
    assert status(Rules(), {"host": host}) == expected
    assert status(Rules(open=frozenset({"/"})), {"host": host}, "/") == expected


def test_bound_elsewhere_any_address_and_the_names_given_are_answered_to() -> None:
    rules = Rules(hosts=frozenset({"lab.example"}), addresses=True)
    assert status(rules, {"host": "10.0.0.1:8600"}) == 200
    assert status(rules, {"host": "[fe80::1]:8600"}) == 200
    assert status(rules, {"host": "lab.example"}) == 200
    assert status(rules, {"host": "evil.example"}) == 403


@pytest.mark.parametrize(
    ("more", "expected"),
    [({"origin": "http://127.0.0.1:8600"}, 200), ({"origin": "http://127.0.0.1:9999"}, 403), ({"origin": "null"}, 403),
     ({"origin": "https://evil.example"}, 403), ({"sec-fetch-site": "same-origin"}, 200),
     ({"sec-fetch-site": "none"}, 200),
     ({"sec-fetch-site": "cross-site"}, 403), ({"sec-fetch-site": "same-site"}, 403)],
)  # fmt: skip
def test_requests_of_other_sites_are_refused(more: dict[str, str], expected: int) -> None:
    assert status(Rules(), HOST | more) == expected


def test_a_link_from_elsewhere_may_open_the_page() -> None:
    assert status(Rules(open=frozenset({"/"})), HOST | {"sec-fetch-site": "cross-site"}, "/") == 200


def test_a_token_is_needed_where_there_is_one() -> None:
    rules = Rules(token="right-one-of-many", open=frozenset({"/"}))
    assert status(rules, HOST) == 401
    assert status(rules, HOST | {"authorization": "Bearer wrong"}) == 401
    assert status(rules, HOST | {"authorization": "Bearer right-one-of-many"}) == 200
    assert status(rules, HOST, "/") == 200


def test_every_answer_has_the_security_headers() -> None:
    for headers in (HOST, {"host": "evil.example"}):
        _, sent, _ = asyncio.run(ask(Guard(echo, Rules()), headers))
        assert sent["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in sent["content-security-policy"]
        assert "unsafe" not in sent["content-security-policy"]


def test_the_size_is_judged_before_the_body_is_read() -> None:
    rules = Rules(largest_body=10)
    seen = []

    async def never(scope: Any, receive: Receive, send: Send) -> None:
        seen.append(scope)

    for length in ("11", "-1", "x", "1" * 99):
        code, _, body = asyncio.run(ask(Guard(never, rules), HOST | {"content-length": length}))
        assert (code, json.loads(body)["error"]) == (413, "at most 1e-05 MB are taken")
    code, _, _ = asyncio.run(ask(Guard(never, rules), HOST, parts=[b"123456", b"123456"]))  # it did not say
    assert (code, seen) == (413, [])
    code, sent, body = asyncio.run(ask(Guard(echo, rules), HOST, parts=[b"12345", b"12345"]))
    assert (code, sent["x-size"], body) == (200, "10", b"1234512345")


def test_a_slow_body_and_a_slow_answer_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "DRAIN_S", 0.05)

    async def slow(scope: Any, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.3)
        await echo(scope, receive, send)

    async def all_of_it() -> None:
        waiting = Guard(echo, Rules(body_s=0.05))
        assert (await ask(waiting, HOST, parts=()))[0] == 408
        late = Guard(slow, Rules(answer_s=0.05, capacity=1))
        assert (await ask(late, HOST))[0] == 504
        assert (await ask(late, HOST))[0] == 503  # the work goes on: its place is not free yet
        await asyncio.sleep(0.4)
        assert (await ask(Guard(slow, Rules()), HOST))[0] == 200
        assert (late._admitted, waiting._admitted) == (0, 0)

    asyncio.run(all_of_it())


def test_beyond_the_capacity_callers_are_told_to_come_again() -> None:
    working = 0
    most = 0

    async def counted(scope: Any, receive: Receive, send: Send) -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.01)
        working -= 1
        await echo(scope, receive, send)

    async def all_of_it() -> list[tuple[int, dict[str, str], bytes]]:
        app = Guard(counted, Rules(capacity=3))
        return list(await asyncio.gather(*(ask(app, HOST) for _ in range(12))))

    answers = asyncio.run(all_of_it())
    assert sorted(code for code, _, _ in answers) == [200] * 3 + [503] * 9
    assert {sent["retry-after"] for code, sent, _ in answers if code == 503} == {"1"}
    assert most == 1


def test_a_failing_application_frees_its_place() -> None:
    async def broken(scope: Any, receive: Receive, send: Send) -> None:
        raise RuntimeError("a defect")

    app = Guard(broken, Rules(capacity=1))
    for _ in range(3):
        with pytest.raises(RuntimeError, match="a defect"):
            asyncio.run(ask(app, HOST))
    assert app._admitted == 0
