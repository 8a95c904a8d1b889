"""A server that speaks as MDF does: a Globus Search index and an HTTPS tree of files, with faults."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

Fault = Callable[["Handler", bytes], None]
INDEX = "/v1/index/test-index/search"


class MdfServer(ThreadingHTTPServer):
    """Data sets by DOI; ``faults`` are used up one a request, ``log`` keeps (method, path, status)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.sets: dict[str, str] = {}
        self.entries: dict[str, list[dict[str, Any]]] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.log: list[tuple[str, str, int]] = []
        self.lock = threading.Lock()
        self.busy = self.busiest = 0
        self.latency_s = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def publish(self, doi: str, source_id: str, files: dict[str, bytes], hashes: bool = True) -> None:
        self.sets[doi] = source_id
        entries = self.entries.setdefault(source_id, [])
        for name, content in files.items():
            path = f"/mdf_open/{source_id}/{name}"
            self.files[path] = content
            entry: dict[str, Any] = {"url": self.url + quote(path), "filename": name, "data_type": "image"}
            if hashes:
                entry |= {"length": len(content), "sha512": hashlib.sha512(content).hexdigest()}
            entries.append(entry)

    def search(self, query: dict[str, Any]) -> dict[str, Any]:
        text = query["q"]
        assert query["advanced"] is True
        doi, source = (
            re.search(rf'{key}:"([^"]*)"', text) for key in (r"dc\.identifier\.identifier", r"mdf\.source_id")
        )
        if doi:
            contents = [
                {"dc": {"identifier": {"identifier": name}}, "mdf": {"source_id": source_id, "version": 1}}
                for name, source_id in self.sets.items()
                if name.split("/")[0] == doi[1].split("/")[0]  # as loose as a text index
            ]
        else:
            assert source is not None
            contents = [{"files": [entry]} for entry in self.entries.get(source[1], [])]
        page = contents[query["offset"] : query["offset"] + query["limit"]]
        gmeta = [{"subject": str(i), "entries": [{"content": one}]} for i, one in enumerate(page)]
        return {"gmeta": gmeta, "count": len(page), "offset": query["offset"], "total": len(contents)}

    def downloads(self) -> list[tuple[str, str, int]]:
        return [entry for entry in self.log if entry[0] == "GET"]


class Handler(BaseHTTPRequestHandler):
    server: MdfServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        with self.server.lock:
            entry = (self.command, unquote(self.path), int(code))
            self.server.log.append(entry)

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self._fault(INDEX)
        if fault:
            fault(self, b"")
        elif self.path == INDEX:
            self.reply(200, json.dumps(self.server.search(query)).encode(), Content_Type="application/json")
        else:
            self.reply(404, b"no such index")

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
        try:
            path = unquote(self.path)
            content = self.server.files.get(path)
            fault = self._fault(path)
            time.sleep(self.server.latency_s)
            if fault:
                fault(self, content or b"")
            elif content is None:
                self.reply(404, b"not here")
            else:
                self.send(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def send(self, content: bytes, upto: int | None = None, pause_s: float = 0.0) -> None:
        """The file; ``upto``: cut there; ``pause_s``: wait after each 16 KB."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for place in range(0, len(content) if upto is None else upto, 16384):
            self.wfile.write(content[place : min(place + 16384, upto or len(content))])
            if pause_s:
                self.wfile.flush()
                time.sleep(pause_s)
        if upto is not None:
            self.close_connection = True

    def _fault(self, path: str) -> Fault | None:
        with self.server.lock:
            waiting = self.server.faults.get(path, [])
            return waiting.pop(0) if waiting else None


def cut(upto: int) -> Fault:
    """Close the connection after ``upto`` bytes of the file."""
    return lambda handler, content: handler.send(content, upto=upto)


def status(code: int, **headers: str) -> Fault:
    """Answer with a status."""
    return lambda handler, content: handler.reply(code, b"busy", **headers)


def slow(seconds: float) -> Fault:
    """Keep silent for a while, then close."""

    def stall(handler: Handler, content: bytes) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return stall


def drip(pause_s: float) -> Fault:
    """Send 16 KB at a time."""
    return lambda handler, content: handler.send(content, pause_s=pause_s)


def instead(content: bytes) -> Fault:
    """Send something else."""
    return lambda handler, _: handler.send(content)


@contextmanager
def running() -> Iterator[MdfServer]:
    """A server on a free port of this machine."""
    server = MdfServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
