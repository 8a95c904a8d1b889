"""What the report is drawn from: finished scores, curves and images, gathered by the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

from numpy.typing import NDArray

Array = NDArray[Any]
Split = Literal["train", "validation"]
Row = dict[str, str | int | float]  # one line of a figure's tidy data
StudyKey = tuple[int, str, str, str, str]  # training pairs, split, model, direction, score


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
    """Posterior means of N pairs, (N, C) each, with the pairs' ids, morphologies and splits (N entries).

    ``technique``: of the images, where it is not SEM.
    """

    saxs: Array
    sem: Array
    ids: list[str]
    morphology: list[str | None]
    split: list[str]
    technique: NotRequired[str]


@dataclass(frozen=True)
class Thresholded:
    """One measured micrograph binarised in several ways (the paper's Figure S2).

    ``grey`` (h, w) uint8, a part of the image; ``binary`` holds the same part by method, (h, w) in {0, 1};
    ``fractions`` the share of bright pixels of the whole image by method; ``size`` its rows and columns.
    """

    title: str
    size: tuple[int, int]
    grey: Array
    binary: Mapping[str, Array]
    fractions: Mapping[str, float]
    nm_per_px: float | None


@dataclass(frozen=True)
class LatentMap:
    """A map of the latents of N samples: ``points`` (N, 2) by modality, one common map where ``joint``."""

    title: str
    points: Mapping[str, Array]
    joint: bool


@dataclass(frozen=True)
class Maps:
    """Latent maps with what they show: thumbnails (N, h, w) or (N, 3, h, w) by modality, morphologies, splits.

    ``conditions``: by name, of each sample (None: not known); ``correlations``: how far latents tell them.
    """

    maps: tuple[LatentMap, ...]
    thumbnails: Mapping[str, Array]
    ids: tuple[str, ...]
    morphology: tuple[str | None, ...]
    split: tuple[str, ...]
    conditions: Mapping[str, tuple[float | str | None, ...]] = field(default_factory=dict)
    correlations: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """The repetition study: rows of its table, and its single scores keyed as :data:`StudyKey`."""

    summaries: tuple[Mapping[str, str], ...]
    values: Mapping[StudyKey, Array]


Bands = Mapping[str, Mapping[str, Mapping[str, Array]]]
"""Kind of curve -> split -> ``true`` or ``plan/source_target`` -> (2, bins): mean and standard deviation."""


@dataclass(frozen=True)
class Example:
    """One pair with its reconstructions.

    ``saxs`` (3, H, W) in [0, 1]; ``sem`` (h, w) in {0, 1}. ``images`` is keyed ``plan/source_target``
    (``pair/saxs_sem``: the SEM image that the pair-trained model predicts from the pattern). ``curves`` is
    keyed by kind (``s2``, ``lineal_vertical``, ``lineal_horizontal``), then ``true`` or the image's key, and
    holds one probability per pixel of distance; ``floor_low`` and ``floor_high`` draw the crop-to-crop band.
    ``phase_fraction`` is the share of bright pixels, ``spacing_px`` the domain spacing of ``sem`` in pixels.
    ``measured`` are captions and crops of the training micrographs that the pattern fits best. ``technique`` is that of
    the images: with ``afm`` in place of ``sem``, ``sem`` holds the AFM map and ``images`` has ``pair/saxs_afm``.
    """

    id: str
    morphology: str | None
    split: Split
    saxs: Array
    sem: Array
    images: Mapping[str, Array]
    curves: Mapping[str, Mapping[str, Array]]
    phase_fraction: float | None = None
    spacing_px: float | None = None
    measured: tuple[tuple[str, Array], ...] = ()
    technique: str = "sem"

    @property
    def title(self) -> str:
        """The morphology where it is known, otherwise the pair's id."""
        return self.morphology or self.id


@dataclass(frozen=True)
class ReportData:
    """Everything on the page. ``metrics`` is ``metrics.json``; ``distributions`` nests like its ``splits``,
    with the list of single scores in place of each summary. ``histories`` holds one row per logged epoch and stage.
    ``generated`` are the ensembles at the first variance scale, which is scored; ``nm_per_px`` and ``q_per_px``
    (1/nm) are the sizes of the prepared pixels where all pairs share them. ``corrections`` are those of
    ``calibration.json``; ``grey`` says that micrographs keep their grey levels, ``technique``
    whose images they are.
    """

    metrics: Mapping[str, Any]
    distributions: Mapping[str, Any]
    examples: list[Example]
    histories: Mapping[str, list[dict[str, float]]]
    generated: Mapping[str, Ensemble] = field(default_factory=dict)
    other_scales: tuple[Mapping[str, Ensemble], ...] = ()
    sheets: Mapping[str, Sheet] = field(default_factory=dict)
    latents: Latents | None = None
    nm_per_px: float | None = None
    q_per_px: float | None = None
    bands: Bands = field(default_factory=dict)
    thresholds: tuple[Thresholded, ...] = ()
    maps: Maps | None = None
    study: Study | None = None
    protocols: tuple[Row, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    corrections: Sequence[Mapping[str, Any]] = ()
    grey: bool = False
    technique: str = "sem"
