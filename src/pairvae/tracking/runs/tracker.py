"""The logging interface of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Tracker(Protocol):
    """One run: its settings, its metrics over epochs, its pictures, its data."""

    @property
    def run_id(self) -> str | None:
        """MLflow's name of the run; None when nothing is recorded."""
        ...

    def log_params(self, params: Mapping[str, object]) -> None:
        """Settings, flattened to one level; long values are cut to MLflow's 6000 characters."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Numbers at ``step`` (an epoch). One call costs some 10 ms: once an epoch, not once a batch."""
        ...

    def log_image(self, image: NDArray[np.uint8], name: str, step: int) -> None:
        """``(H, W)`` grey or ``(H, W, 3)`` RGB in [0, 255]; the UI has a slider over the steps of a name."""
        ...

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """A copy of a file or a folder, under ``folder`` of the run's artifacts."""
        ...

    def log_text(self, text: str, name: str) -> None:
        """``text`` as the artifact ``name``, a relative path with an extension."""
        ...

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Tags for searching the run."""
        ...

    def describe(self, text: str) -> None:
        """Markdown at the top of the run's page, instead of what was there."""
        ...

    def log_dataset(
        self, name: str, source: str, digest: str, context: str, counts: Mapping[str, int]
    ) -> None:
        """The data used: origin, hash (36 characters are kept), purpose ("training"), how many of what."""
        ...
