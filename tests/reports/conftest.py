"""A small made-up run: textures of thresholded, band-passed noise stand for measurements and predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairvae.reports.page import write_report
from pairvae.reports.report_data import (
    Array,
    Ensemble,
    Example,
    LatentMap,
    Maps,
    ReportData,
    Row,
    Sheet,
    Study,
    Thresholded,
)

MORPHOLOGIES = {
    "ladders": (0.2, 1.0),
    "hexagonal": (0.0, 0.35),
    "skew": (0.6, 0.3),
    "alternating_lines": (0.0, 0.12),
}
BINS = 48


def texture(generator: np.random.Generator, size: int, angle: float, width: float) -> Array:
    """(size, size) uint8 of 0 and 1: noise near a period of 11 px, directed within ``width`` of ``angle``."""
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    radius, direction = np.hypot(fx, fy), np.arctan2(fy, fx)
    turn = np.abs(np.angle(np.exp(2j * (direction - angle)))) / 2
    band = np.exp(-(((radius - 1 / 11) / 0.006) ** 2) - (turn / width) ** 2)
    field = np.fft.ifft2(np.fft.fft2(generator.standard_normal((size, size))) * band).real
    return (field > 0).astype(np.uint8)


def pattern(image: Array, blur: float) -> Array:
    """(3, size, size) in [0, 1]: a coloured power spectrum with a beamstop."""
    size = image.shape[0]
    power = np.fft.fftshift(np.abs(np.fft.fft2(image - image.mean())) ** 2)
    kernel = np.exp(-(np.fft.fftfreq(size) ** 2)[:, None] * blur - (np.fft.fftfreq(size) ** 2)[None] * blur)
    level = np.log1p(np.fft.ifft2(np.fft.fft2(power) * kernel).real.clip(0))
    level = (level - level.min()) / np.ptp(level)
    colours = np.stack([(1.6 * level - 0.4), (2 * level - 1.0), (0.9 - np.abs(level - 0.45) * 2)]).clip(0, 1)
    colours[:, :, size // 2 - 6 : size // 2 + 6] = 0
    return colours.astype(np.float32)


def curve(image: Array) -> dict[str, Array]:
    """Made-up curves with the right shape: an autocorrelation along rows, and falling lineal paths."""
    centred = np.fft.fft2(image)
    correlation = np.fft.ifft2(np.abs(centred) ** 2).real / image.size
    length = np.arange(BINS)
    return {
        "s2": correlation[:BINS, :BINS].mean(axis=0) * 0.5 + correlation[0, :BINS] * 0.5,
        "lineal_vertical": 0.5 * np.exp(-length / 9.0),
        "lineal_horizontal": 0.5 * np.exp(-length / 4.0),
    }


def example(name: str, size: int, seed: int) -> Example:
    """One validation pair with all six reconstructions."""
    generator = np.random.default_rng(seed)
    angle, width = MORPHOLOGIES[name]
    sem, *others = (texture(generator, size, angle, width) for _ in range(4))
    images = {
        "solo/saxs_saxs": pattern(sem, 30.0),
        "solo/sem_sem": others[0],
        "pair/saxs_saxs": pattern(sem, 60.0),
        "pair/sem_saxs": pattern(sem, 120.0),
        "pair/sem_sem": others[1],
        "pair/saxs_sem": others[2],
    }
    drawn = {"true": sem, "solo/sem_sem": others[0], "pair/sem_sem": others[1], "pair/saxs_sem": others[2]}
    found = {which: curve(image) for which, image in drawn.items()}
    curves: dict[str, dict[str, Array]] = {
        kind: {which: lines[kind] for which, lines in found.items()} for kind in found["true"]
    }
    curves["s2"]["floor_low"], curves["s2"]["floor_high"] = (
        curves["s2"]["true"] * 0.95,
        curves["s2"]["true"] * 1.05,
    )
    saxs = pattern(sem, 8.0)
    facts = {"phase_fraction": float(sem.mean()), "spacing_px": 11.0}
    return Example(f"sample_{seed:02d}", name, "validation", saxs, sem, images, curves, **facts)


def single_scores(generator: np.random.Generator, n: int) -> dict[str, Any]:
    """Every method's single scores of one split, in the nesting of ``metrics.json``."""

    def draw(median: float) -> list[float]:
        return [float(value) for value in median * np.exp(0.35 * generator.standard_normal(n))]

    def sem(s2: float, lineal: float) -> dict[str, list[float]]:
        return {
            "s2_mae": draw(s2),
            "lineal_path_mae": draw(lineal),
            "lineal_vertical_mae": draw(lineal),
            "lineal_horizontal_mae": draw(lineal),
        }

    return {
        "solo": {"saxs_saxs": {"mae": draw(0.02)}, "sem_sem": sem(0.019, 0.013)},
        "pair": {
            "saxs_saxs": {"mae": draw(0.026)},
            "sem_saxs": {"mae": draw(0.03)},
            "sem_sem": sem(0.016, 0.011),
            "saxs_sem": sem(0.0118, 0.01),
        },
        "baselines": {
            "retrieval": {"saxs_sem": sem(0.0153, 0.012), "sem_saxs": {"mae": draw(0.034)}},
            "mean": {"saxs_sem": {"s2_mae": draw(0.021)}, "sem_saxs": {"mae": draw(0.055)}},
            "regression": {"saxs_sem": {"s2_mae": draw(0.0125)}},
            "other_morphology": {"saxs_sem": sem(0.034, 0.03)},
        },
        "floor": {"sem_sem": sem(0.0066, 0.006)},
    }


def summaries(tree: Any) -> Any:
    """Single scores to medians, quartiles and numbers, the nesting kept."""
    if isinstance(tree, dict):
        return {key: summaries(value) for key, value in tree.items()}
    q1, median, q3 = (float(value) for value in np.percentile(tree, [25, 50, 75]))
    return {"median": median, "q1": q1, "q3": q3, "n": len(tree)}


def with_ensembles(splits: dict[str, Any]) -> dict[str, Any]:
    """The scores of ensembles and of realism beside those of the validation samples."""
    energies = {
        "pair": 0.008,
        "dual_vae": 0.0081,
        "nearest_pattern": 0.0105,
        "latent_crops": 0.0087,
        "floor": 0.0058,
    }
    splits["validation"]["ensembles"] = {
        name: {
            "energy_score": value,
            "mean_curve_mae": value / 2,
            "descriptors": {"phase_fraction": value / 0.0058},
            "images": 20,
            "n": 24,
        }
        for name, value in energies.items()
    }
    tested = {"auc": 0.8, "accuracy": 0.7, "control_auc": 0.48, "n": 24}
    splits["validation"]["realism"] = {"saxs_sem": tested, "sem_sem": tested}
    return splits


def history(generator: np.random.Generator, epochs: int, parts: tuple[str, ...]) -> list[dict[str, float]]:
    """Falling losses with a learning rate beside them."""
    rows: list[dict[str, float]] = []
    for epoch in range(epochs):
        row = {
            part: float((0.3 + rank) * np.exp(-epoch / 30) + 0.05 + 0.01 * generator.random())
            for rank, part in enumerate(parts)
        }
        rows.append({"epoch": epoch + 1.0, "loss": sum(row.values()), **row, "learning_rate": 1e-3})
    return rows


def bands(generator: np.random.Generator) -> dict[str, dict[str, dict[str, Array]]]:
    """Means and standard deviations of every curve, over all and over validation pairs."""
    keys = ("true", "solo/sem_sem", "pair/sem_sem", "pair/saxs_sem")
    falling = {"s2": 0.25, "lineal_vertical": 0.0, "lineal_horizontal": 0.0}
    return {
        kind: {
            split: {
                key: np.stack(
                    [
                        end + 0.25 * np.exp(-np.arange(BINS) / 6.0) + 0.01 * generator.random(BINS),
                        np.full(BINS, 0.02),
                    ]
                )
                for key in keys
            }
            for split in ("all", "validation")
        }
        for kind, end in falling.items()
    }


def study(generator: np.random.Generator) -> Study:
    """Two training sizes with every direction of the paper's Figure 6, retrieval and floor."""
    ways = [
        ("solo", "saxs_saxs", "mae", 0.03),
        ("pair", "saxs_saxs", "mae", 0.04),
        ("pair", "sem_saxs", "mae", 0.042),
        ("baseline retrieval", "sem_saxs", "mae", 0.05),
        ("solo", "sem_sem", "s2_mae", 0.03),
        ("pair", "sem_sem", "s2_mae", 0.02),
        ("pair", "saxs_sem", "s2_mae", 0.01),
        ("baseline retrieval", "saxs_sem", "s2_mae", 0.015),
        ("floor", "sem_sem", "s2_mae", 0.008),
    ]
    values = {
        (train, split, model, direction, score): median * np.exp(0.3 * generator.standard_normal(40))
        for train in (32, 48)
        for split in ("all", "validation")
        for model, direction, score, median in ways
    }
    return Study((), values)


def protocol_rows(generator: np.random.Generator) -> tuple[Row, ...]:
    """Losses of two protocols over ten epochs, each in two repetitions."""
    return tuple(
        {
            "protocol": name,
            "epoch": epoch,
            "term": term,
            "split": split,
            "value": 1 / epoch + generator.random(),
        }
        for name in ("direct", "10 random epochs")
        for _ in range(2)
        for epoch in range(1, 11)
        for term in ("loss", "saxs_sem")
        for split in ("train", "validation")
    )


def latent_maps(generator: np.random.Generator, names: list[str | None]) -> Maps:
    """One map alone and one of the pair, of forty samples."""
    count = len(names)
    points = {name: generator.standard_normal((count, 2)) for name in ("saxs", "sem")}
    return Maps(
        (
            LatentMap("SAXS trained alone", {"saxs": points["saxs"]}, joint=False),
            LatentMap("paired", points, joint=True),
        ),
        {"saxs": generator.random((count, 3, 12, 12)), "sem": generator.integers(0, 2, (count, 12, 12))},
        tuple(f"sample_{index:02d}" for index in range(count)),
        tuple(names),
        tuple("validation" if index % 3 == 0 else "train" for index in range(count)),
        {
            "pitch_nm": tuple(None if index == 1 else 40.0 + index for index in range(count)),
            "blend": tuple("AB"[index % 2] if index else None for index in range(count)),
        },
        {"pitch_nm": {"n": count - 1.0, "saxs": 0.9, "sem": 0.5}},
    )


def make_content(size: int = 64, crops: int = 16, seed: int = 7) -> ReportData:
    """A whole run: four morphologies, three stages, 24 validation scores."""
    generator = np.random.default_rng(seed)
    splits = {"validation": 24, "train": 48, "all": 72}
    distributions = {split: single_scores(generator, n) for split, n in splits.items()}
    generated: dict[str, Ensemble] = {}
    sheets: dict[str, Sheet] = {}
    for name, (angle, width) in MORPHOLOGIES.items():
        drawn = np.stack([texture(generator, size, angle, width) for _ in range(2 * crops)])
        s2 = np.stack([curve(image)["s2"] for image in drawn])
        generated[name] = Ensemble(images=drawn[:5], s2=s2, true_s2=s2[:crops] * 1.02, scale=1.0)
        sheets[name] = Sheet(true=drawn[:crops], predicted=drawn[crops:])
    shared = generator.standard_normal((40, 12))
    names: list[str | None] = [list(MORPHOLOGIES)[index % 4] for index in range(40)]
    shared[:, 0] += [3.0 * (index % 4) for index in range(40)]
    generation = {
        name: {"s2_mae": summaries(distributions["validation"])["pair"]["saxs_sem"]["s2_mae"]}
        for name in sheets
    }
    return ReportData(
        metrics={
            "preset": "fast",
            "estimator": "unbiased",
            "train_pairs": 48,
            "validation_pairs": 24,
            "splits": with_ensembles(summaries(distributions)),
            "ranking": {
                "validation": {
                    "saxs_sem": {
                        "energy_score": {"best": "pair", "not_told_apart": ["dual_vae"], "n": 24},
                        "s2_mae": {"best": "regression", "not_told_apart": ["pair"], "n": 24},
                    },
                    "sem_saxs": {"mae": {"best": "retrieval", "not_told_apart": [], "n": 24}},
                }
            },
            "generation": generation,
        },
        distributions=distributions,
        examples=[example(name, size, index) for index, name in enumerate(MORPHOLOGIES)],
        histories={
            "train-saxs": history(generator, 80, ("saxs_saxs", "kl")),
            "train-sem": history(generator, 80, ("sem_sem", "kl")),
            "train-pair": history(
                generator, 120, ("similarity", "saxs_saxs", "saxs_sem", "sem_sem", "sem_saxs")
            ),
        },
        generated=generated,
        sheets=sheets,
        latents={
            "saxs": shared + 0.3 * generator.standard_normal(shared.shape),
            "sem": shared + 0.3 * generator.standard_normal(shared.shape),
            "ids": [f"sample_{index:02d}" for index in range(40)],
            "morphology": names,
            "split": ["validation" if index % 3 == 0 else "train" for index in range(40)],
        },
        other_scales=(
            {name: Ensemble({**ensemble, "scale": 2.0}) for name, ensemble in list(generated.items())[:2]},
        ),
        nm_per_px=4.5,
        q_per_px=0.004,
        bands=bands(generator),
        thresholds=(
            Thresholded(
                "ladders",
                (80, 120),
                generator.integers(0, 255, (size, size)).astype(np.uint8),
                {"adaptive": drawn[0], "otsu": drawn[1]},
                {"adaptive": 0.5, "otsu": 0.4},
                4.5,
            ),
        ),
        maps=latent_maps(generator, names),
        study=study(generator),
        protocols=protocol_rows(generator),
        parameters={"split.train": "48", "seed": "0"},
        corrections=(
            {"step": "length_scale", "statistic": "variance", "before": 0.5, "after": 1.02, "target": 1.0},
            {"step": "posterior_mean", "statistic": "error", "reason": "switched off"},
        ),
        facts={"preset": "fast", "pairs": "48 training, 24 validation", "data digest": "9f174c33c5341c77"},
    )


@pytest.fixture(scope="session")
def content() -> ReportData:
    return make_content()


@pytest.fixture(scope="session")
def report(content: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of ``content``, with its figures beside it."""
    return write_report(content, tmp_path_factory.mktemp("report"))
