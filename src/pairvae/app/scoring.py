"""The application of `pairvae serve`: MLflow's scoring routes, and the same predictions from image files."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

import pairvae
from pairvae.app.models import Models
from pairvae.app.routes import Work, refused, routes
from pairvae.errors import InputError


def scoring(models: Models, mlflow_app: ASGIApp) -> FastAPI:
    """``/invocations``, ``/ping``, ``/health`` and ``/version`` of MLflow; ``/api/...`` takes image files."""
    app = FastAPI(
        title="pairvae serve",
        version=pairvae.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(InputError, refused)
    app.include_router(routes(models, Work()))
    app.mount("/", mlflow_app)
    return app
