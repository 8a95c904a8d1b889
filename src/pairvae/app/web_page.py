"""The application of `pairvae app`: the page with its style and script, and the requests that it makes."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI, Response

from pairvae.app.model_choice import Models
from pairvae.app.routes import application

STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/latent.js": ("latent.js", "text/javascript; charset=utf-8"),
}


def page(models: Models) -> FastAPI:
    """The page and its requests."""
    app = application("pairvae app", models)
    for path, (file, kind) in STATIC.items():
        _serve(app, path, files("pairvae.app").joinpath("static", file).read_bytes(), kind)
    return app


def _serve(app: FastAPI, path: str, content: bytes, kind: str) -> None:
    """One file that is read once: no path of a request ever names a file."""

    async def answer() -> Response:
        return Response(content, media_type=kind)

    app.add_api_route(path, answer, methods=["GET"], include_in_schema=False)
