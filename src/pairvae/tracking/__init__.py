"""Runs, scores and registered models on MLflow: this package is the only importer of mlflow.

``roots``, ``lineage``, ``tracker``, ``outbox`` and ``null`` import in milliseconds; the others take the 2 to 3 s
of mlflow itself, so import them inside the function that needs them.
"""

from __future__ import annotations

import os

# mlflow reads these at its first import, which only ever happens below this package.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A server that is away is noticed within seconds; its own defaults add up to some ten minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("PGCONNECT_TIMEOUT", "5")
