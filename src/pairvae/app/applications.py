"""The applications of `pairvae app` (the page with its style and script) and `pairvae serve` (scoring routes)."""

from __future__ import annotations

import asyncio
import json
import logging
from importlib.resources import files

import numpy as np
from fastapi import FastAPI, Response
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pairvae.app.model_choice import Models
from pairvae.app.reasons import add_reasons
from pairvae.app.routes import application
from pairvae.store.files import parse_json

DEEPEST = 32  # brackets within brackets; an array of patterns has four
LONGEST_ANSWER = 1000  # characters of an error message about a request
logger = logging.getLogger(__name__)
STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/latent.js": ("latent.js", "text/javascript; charset=utf-8"),
}


def scoring(models: Models, mlflow_app: ASGIApp) -> FastAPI:
    """``/invocations``, ``/ping``, ``/health`` and ``/version`` of MLflow; ``/api/...`` takes image files."""
    app = application("pairvae serve", models)
    app.mount("/", Judged(mlflow_app))
    return app


class Judged:
    """MLflow's application with checked requests and without stack traces in its answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        as_json = "json" in request.headers.get("content-type", "json")
        fault = await asyncio.to_thread(json_fault, body) if as_json else None
        answer = _refusal(fault) if fault else await self._answer(scope, body)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, body: bytes) -> Response:
        """MLflow's answer; a request on which MLflow fails is refused."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        try:
            await self.app(scope, receive, send)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
            logger.warning("a request that MLflow cannot use: %s", type(error).__name__)
            return _refusal(f"the request cannot be used ({type(error).__name__})")
        start = next(message for message in sent if message["type"] == "http.response.start")
        content = b"".join(
            message.get("body", b"") for message in sent if message["type"] == "http.response.body"
        )
        if start["status"] >= 400:
            content = _without_trace(content)
        answer = Response(content, start["status"])
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        answer.raw_headers = [*kept, (b"content-length", str(len(content)).encode())]
        return answer


def json_fault(body: bytes) -> str | None:
    """The reason to refuse a JSON body: nested deeper or longer than any input, or NaN; None if it is valid."""
    marks = np.frombuffer(body, np.uint8)
    opened, closed = (
        (marks == ord(opening)).astype(np.int8) + (marks == ord(closing)) for opening, closing in ("[{", "]}")
    )
    if int(np.cumsum(opened - closed, dtype=np.int32).max(initial=0)) > DEEPEST:
        return f"expected JSON of at most {DEEPEST} levels, found a deeper one"
    try:
        parse_json(body.decode())
    except (ValueError, RecursionError) as error:
        return f"expected JSON, found {str(error)[:160]}"
    return None


def _without_trace(content: bytes) -> bytes:
    try:
        body = json.loads(content)
    except ValueError:
        return content[:LONGEST_ANSWER]
    if not isinstance(body, dict):
        return content[:LONGEST_ANSWER]
    short = {key: _cause(value) if isinstance(value, str) else value for key, value in body.items()}
    return json.dumps({key: value for key, value in short.items() if key != "stack_trace"}).encode()


def _cause(text: str) -> str:
    """The error without the whole input that MLflow quotes before it."""
    return text.rpartition("\nError: ")[2][:LONGEST_ANSWER]


def _refusal(text: str) -> Response:
    content = json.dumps({"error_code": "BAD_REQUEST", "message": text})
    return Response(content, 400, media_type="application/json")


def page(models: Models) -> FastAPI:
    """The page and its requests."""
    app = application("pairvae app", models, add_reasons)
    for path, (file, kind) in STATIC.items():
        _serve(app, path, files("pairvae.app").joinpath("static", file).read_bytes(), kind)
    return app


def _serve(app: FastAPI, path: str, content: bytes, kind: str) -> None:
    """Serve one file that is read once; the path of a request never names a file."""

    async def answer() -> Response:
        return Response(content, media_type=kind)

    app.add_api_route(path, answer, methods=["GET"], include_in_schema=False)
