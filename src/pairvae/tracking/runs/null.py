"""A tracker that keeps everything in memory, for tests and for runs that are not recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass
class NullTracker:
    """A ``Tracker`` without a store; everything that was logged stays readable."""

    run_id: str | None = None
    params: dict[str, object] = field(default_factory=dict)
    metrics: list[tuple[int | None, dict[str, float]]] = field(default_factory=list)
    images: list[tuple[str, int, tuple[int, ...]]] = field(default_factory=list)
    artifacts: list[tuple[Path, str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[str, str, str, str, dict[str, int]]] = field(default_factory=list)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Keep the settings."""
        self.params.update(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep ``(step, metrics)``."""
        self.metrics.append((step, dict(metrics)))

    def log_image(self, image: NDArray[np.uint8], name: str, step: int) -> None:
        """Keep the name, the step and the shape, not the pixels."""
        self.images.append((name, step, image.shape))

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Keep the path."""
        self.artifacts.append((path, folder))

    def log_text(self, text: str, name: str) -> None:
        """Keep the text."""
        self.texts[name] = text

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Keep the tags, as text."""
        self.tags.update({key: str(value) for key, value in tags.items()})

    def describe(self, text: str) -> None:
        """Keep the last text."""
        self.description = text

    def log_dataset(
        self, name: str, source: str, digest: str, context: str, counts: Mapping[str, int]
    ) -> None:
        """Keep the description of the data."""
        self.datasets.append((name, source, digest, context, dict(counts)))
