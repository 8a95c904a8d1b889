"""What the report is drawn from: finished scores, curves and images, gathered by the stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from numpy.typing import NDArray

Array = NDArray[Any]
Split = Literal["train", "validation"]
Row = dict[str, str | int | float]  # one line of a figure's tidy data


class Ensemble(TypedDict):
    """Images drawn from the latents around one pattern (the paper's Figure 7).

    ``images`` (n, h, w) in {0, 1}; ``s2`` (N, bins) of all generated images; ``true_s2`` (M, bins) of
    measured ones of that morphology; ``scale`` multiplies the variance of the latents.
    """

    images: Array
    s2: Array
    true_s2: Array
    scale: float


class Sheet(TypedDict):
    """Sixteen true and sixteen predicted crops of validation pairs, (16, h, w) in {0, 1} each."""

    true: Array
    predicted: Array


class Latents(TypedDict):
    """Posterior means of N pairs, (N, C) each, with the pairs' ids, morphologies and splits (N entries)."""

    saxs: Array
    sem: Array
    ids: list[str]
    morphology: list[str | None]
    split: list[str]


@dataclass(frozen=True)
class Example:
    """One pair with its reconstructions.

    ``saxs`` (3, H, W) in [0, 1]; ``sem`` (h, w) in {0, 1}. ``images`` is keyed ``plan/source_target``
    (``pair/saxs_sem``: the SEM image that the pair-trained model predicts from the pattern). ``curves`` is
    keyed by kind (``s2``, ``lineal_vertical``, ``lineal_horizontal``), then ``true`` or the image's key, and
    holds one probability per pixel of distance; ``floor_low`` and ``floor_high`` draw the crop-to-crop band.
    """

    id: str
    morphology: str | None
    split: Split
    saxs: Array
    sem: Array
    images: Mapping[str, Array]
    curves: Mapping[str, Mapping[str, Array]]

    @property
    def title(self) -> str:
        """The morphology where it is known, otherwise the pair's id."""
        return self.morphology or self.id


@dataclass(frozen=True)
class ReportContent:
    """Everything on the page. ``metrics`` is ``metrics.json``; ``distributions`` nests like its ``splits``,
    with the list of single scores in place of each summary. ``histories`` holds one row per epoch and stage.
    """

    metrics: Mapping[str, Any]
    distributions: Mapping[str, Any]
    examples: list[Example]
    histories: Mapping[str, list[dict[str, float]]]
    generated: Mapping[str, Ensemble] = field(default_factory=dict)
    sheets: Mapping[str, Sheet] = field(default_factory=dict)
    latents: Latents | None = None
    nm_per_px: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
