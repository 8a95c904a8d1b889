"""The application of `pairvae serve`: MLflow's scoring routes, and the same predictions from image files."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from pairvae.app.models import Models
from pairvae.app.routes import application


def scoring(models: Models, mlflow_app: ASGIApp) -> FastAPI:
    """``/invocations``, ``/ping``, ``/health`` and ``/version`` of MLflow; ``/api/...`` takes image files."""
    app = application("pairvae serve", models)
    app.mount("/", mlflow_app)
    return app
