"""Names of scores, directions and curves, written once for tables, figures and page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ARROW = "→"
SPLITS = {"validation": "validation", "train": "training", "all": "all pairs"}


@dataclass(frozen=True)
class ScoreFact:
    """How a score is called and read; every score here is an error, so lower is better."""

    label: str
    unit: str
    meaning: str


SCORES: dict[str, ScoreFact] = {
    "s2_mae": ScoreFact(
        "S(r) error",
        "probability",
        "Mean absolute difference between the two-point correlation curves of the true and the predicted "
        "image. S(r) is the chance that two points a distance r apart both lie in the bright phase: it "
        "starts at the phase fraction, and its ripples show the spacing of the domains and how far their "
        "order reaches. An image with the same statistics scores well even though no single domain is where"
        " it was.",
    ),
    "mae": ScoreFact(
        "pixel error",
        "share of full range",
        "Mean absolute difference between the colours of the true and the predicted SAXS pattern, pixel by "
        "pixel.",
    ),
    "lineal_path_mae": ScoreFact(
        "lineal path error",
        "probability",
        "Mean absolute difference between the lineal path curves: the chance that a straight segment of a "
        "given length lies wholly in the bright phase, vertical and horizontal averaged. It tells connected"
        " lines from rows of dots, which S(r) sees less well.",
    ),
    "lineal_vertical_mae": ScoreFact(
        "vertical lineal path error",
        "probability",
        "The lineal path error of vertical segments, along the grating.",
    ),
    "lineal_horizontal_mae": ScoreFact(
        "horizontal lineal path error",
        "probability",
        "The lineal path error of horizontal segments, across the grating.",
    ),
}

METHODS = {
    "solo": "trained alone",
    "pair": "paired model",
    "retrieval": "retrieval",
    "mean": "mean of training",
    "regression": "direct regression",
    "same_morphology": "image of the same morphology",
    "other_morphology": "image of another morphology",
    "floor": "floor: crop to crop",
}
METHOD_MEANINGS = {
    "retrieval": (
        "gives back the other measurement of the training pair whose known measurement is most alike. A "
        "model that does not beat it has learned to look up, not to predict."
    ),
    "mean": (
        "gives the average over the training pairs whatever the input; for SEM that is a curve, not an image."
    ),
    "regression": "predicts the S(r) curve from the pattern by a Gaussian process, without drawing an image.",
    "same_morphology": "takes the image of a random other sample of the same morphology.",
    "other_morphology": (
        "takes the image of a random sample of another morphology: what a plainly wrong image costs."
    ),
    "floor": (
        "compares two crops of one and the same measured image. Crops differ because a crop is a small "
        "sample, so no prediction can be expected to fall below it."
    ),
}


@dataclass(frozen=True)
class CurveFact:
    """Axis words of a morphology curve."""

    title: str
    distance: str
    value: str


CURVES: dict[str, CurveFact] = {
    "s2": CurveFact("two-point correlation", "distance r", "S(r)"),
    "lineal_vertical": CurveFact("lineal path, vertical", "segment length", "probability"),
    "lineal_horizontal": CurveFact("lineal path, horizontal", "segment length", "probability"),
}

PAPER_ORDER = {"hexagonal": 0, "skew": 1, "alternating_lines": 2, "alternating lines": 2, "ladders": 3}


def paper_rank(name: str) -> tuple[int, str]:
    """Sorting key: morphologies as in the paper's figures, others after them by name."""
    return PAPER_ORDER.get(name, len(PAPER_ORDER)), name


def readable(name: str) -> str:
    """A key as words: ``alternating_lines`` becomes ``alternating lines``."""
    return name.replace("_", " ").replace("-", " ")


def score_label(score: str) -> str:
    """``s2_mae`` becomes ``S(r) error``; an unknown score keeps its name."""
    return SCORES[score].label if score in SCORES else readable(score)


def direction_label(direction: str) -> str:
    """``saxs_sem`` becomes ``SAXS → SEM``."""
    return f" {ARROW} ".join(part.upper() for part in direction.split("_"))


def image_label(key: str) -> str:
    """``pair/saxs_sem`` becomes ``SAXS → SEM, paired model``."""
    plan, direction = key.split("/")
    return f"{direction_label(direction)}, {METHODS.get(plan, plan)}"


def target_of(direction: str) -> str:
    """The modality that a direction predicts: ``sem`` for ``saxs_sem``."""
    return direction.rsplit("_", 1)[-1]


@dataclass(frozen=True)
class Entry:
    """One score of one method in one split; ``leaf`` is a summary or the list of single scores."""

    kind: str  # "model", "baseline" or "floor"
    method: str  # "solo", "pair", "retrieval", "mean", ... or "floor"
    direction: str
    score: str
    leaf: Any

    @property
    def label(self) -> str:
        """Row label: ``SAXS → SEM, paired model``; the floor is named for what it is."""
        method = METHODS.get(self.method, readable(self.method))
        if self.kind == "floor" or self.method.endswith("_morphology"):
            return method
        return f"{direction_label(self.direction)}, {method}"


def _methods(split: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for method in ("solo", "pair"):
        yield "model", method, split.get(method, {})
    for method, directions in split.get("baselines", {}).items():
        yield "baseline", method, directions
    yield "floor", "floor", split.get("floor", {})


def entries(split: Mapping[str, Any]) -> Iterator[Entry]:
    """Every score in one split of ``metrics["splits"]`` or of the distributions, in reading order."""
    for kind, method, directions in _methods(split):
        for direction, scores in directions.items():
            for score, leaf in scores.items():
                yield Entry(kind, method, direction, score, leaf)
