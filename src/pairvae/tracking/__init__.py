"""Runs, scores and registered models on MLflow: this package is the only importer of mlflow.

``roots``, ``lineage``, ``tracker`` and ``null`` import in milliseconds; ``store``, ``runs`` and ``registry``
take the 2 to 3 s of mlflow itself, so import them inside the function that needs them.
"""

from __future__ import annotations

import os

# mlflow reads these at its first import, which only ever happens below this package.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
