"""What the page says first: how good the predictions are on how many samples, and which methods are as good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pairvae.modalities import MODALITIES
from pairvae.reports.captions import ARROW, METHODS, SCORES, direction_label, readable
from pairvae.reports.tables import figure, lookup

PAIR = "pair"
MOST_TIES = 3  # that a sentence names, the paired model first
LOOKING_UP = ("nearest_pattern", "three_nearest_patterns", "latent_crops")
RANKED = (  # of the direction from the pattern or back to it a score, and how a sentence names it
    (True, "energy_score", "By the energy score"),
    (True, "mean_curve_mae", "By the mean S(r) curve"),
    (True, "s2_mae", "By single images"),
    (False, "mae", "From {image} to SAXS, by pixels"),
)
UNITS = {
    "phase_fraction": "phase fraction",
    "spacing": "spacing",
    "euler_density": "Euler number",
    "orientation": "orientation",
    "contrast": "contrast",
}


@dataclass(frozen=True)
class Headline:
    """The answer in sentences and the figures beside it, ``(label, number, note)`` each."""

    sentences: tuple[str, ...]
    numbers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class PlainTable:
    """A table of texts; the first column names the rows. ``marked`` are the numbers of rows with the best score."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[int] = frozenset()


def image_of(metrics: Mapping[str, Any]) -> str:
    """The technique of images that the pair predicts from SAXS: ``sem`` unless the metrics name another one."""
    directions = lookup(metrics, "splits", "validation", PAIR) or {}
    found = [
        key.removeprefix("saxs_") for key in directions if key.startswith("saxs_") and key != "saxs_saxs"
    ]
    images = [name for name in found if name in MODALITIES and MODALITIES[name].cropped]
    return "sem" if "sem" in images or not images else images[0]


def headline(metrics: Mapping[str, Any]) -> Headline:
    """What holds on the validation samples, a sentence each."""
    validation = lookup(metrics, "splits", "validation") or {}
    image = image_of(metrics)
    model = lookup(validation, PAIR, f"saxs_{image}", "s2_mae")
    if not model:
        return Headline(("No validation pair was scored from SAXS to SEM in this run.",), ())
    samples = metrics.get("validation_pairs")
    on = f"On {samples} samples that no training saw" if samples else "On the validation samples"
    sentences, numbers = _of_ensembles(validation, on, image.upper())
    floor = lookup(validation, "floor", f"{image}_{image}", "s2_mae")
    beside = f"; two crops of one image differ by {figure(floor['median'])}" if floor else ""
    one = "one image predicted from a SAXS pattern misses the S(r) of a true crop by"
    one = f"O{one[1:]}" if sentences else f"{on}, {one}"
    sentences.append(f"{one} {figure(model['median'])} (median){beside}.")
    sentences += _standings(metrics, image)
    sentences += _of_realism(validation, image)
    numbers = numbers or [
        (f"SAXS {ARROW} {image.upper()}, single image", figure(model["median"]), "median S(r) error")
    ]
    return Headline(tuple(sentences), tuple(numbers))


def _of_ensembles(
    validation: Mapping[str, Any], on: str, name: str
) -> tuple[list[str], list[tuple[str, str, str]]]:
    pair, floor = (lookup(validation, "ensembles", name, "energy_score") for name in (PAIR, "floor"))
    if pair is None or not floor:
        return [], []
    images = validation["ensembles"][PAIR]["images"]
    sentence = (
        f"{on}, {images} images drawn for a SAXS pattern have an energy score of {figure(pair)} in S(r), "
        f"{pair / floor:.2f} times that of other true crops (the floor)."
    )
    numbers = [(f"SAXS {ARROW} {name}, {images} images", figure(pair), "energy score of S(r)")]
    scores = {name: lookup(validation, "ensembles", name, "energy_score") for name in LOOKING_UP}
    known = {name: value for name, value in scores.items() if value is not None}
    if known:
        best = min(known, key=lambda name: known[name])
        numbers.append(("Best looking-up", figure(known[best]), METHODS[best]))
    return [sentence], [*numbers, ("Floor", figure(floor), "true crops for true crops")]


def _standings(metrics: Mapping[str, Any], image: str) -> Iterator[str]:
    """One sentence a score: the best method, and which are not told apart from it."""
    for forward, score, words in RANKED:
        direction, by = f"saxs_{image}" if forward else f"{image}_saxs", words.format(image=image.upper())
        ranking = lookup(metrics, "ranking", "validation", direction, score)
        if ranking:
            tied = sorted(ranking["not_told_apart"], key=lambda name: name != PAIR)
            listed = ", ".join(map(_in_a_sentence, tied[:MOST_TIES]))
            rest = f" and {len(tied) - MOST_TIES} more" if len(tied) > MOST_TIES else ""
            beside = (
                f"; not told apart from it: {listed}{rest}" if tied else ", better than every other method"
            )
            worse = (
                "" if PAIR in (ranking["best"], *ranking["not_told_apart"]) else "; the paired model is worse"
            )
            yield f"{by}, the best is {_in_a_sentence(ranking['best'])}{beside}{worse}."


def _of_realism(validation: Mapping[str, Any], image: str) -> Iterator[str]:
    test = lookup(validation, "realism", f"saxs_{image}")
    if test:
        yield (
            f"A classifier tells predicted images from true crops with an AUC of {test['auc']:.2f} "
            f"(0.5: it cannot; true crops among themselves: {test['control_auc']:.2f})."
        )


def _in_a_sentence(method: str) -> str:
    return f"the {_name(method)}" if method == PAIR else _name(method)


def _name(method: str) -> str:
    return METHODS.get(method, readable(method))


def answer_tables(metrics: Mapping[str, Any]) -> list[PlainTable]:
    """The ensembles of every method, and the classifiers' test of realism, where they were scored."""
    validation = lookup(metrics, "splits", "validation") or {}
    ensembles, realism = validation.get("ensembles") or {}, validation.get("realism") or {}
    tables = []
    if ensembles:
        ranking = lookup(metrics, "ranking", "validation", f"saxs_{image_of(metrics)}") or {}
        tables.append(_ensemble_table(ensembles, ranking))
    if realism:
        rows = [
            (direction_label(name), *(f"{test[key]:.3f}" for key in ("auc", "accuracy", "control_auc")))
            for name, test in realism.items()
        ]
        columns = ("images", "AUC", "accuracy", "AUC of true crops among themselves")
        tables.append(
            PlainTable("Can a classifier tell predicted images from true crops?", columns, tuple(rows))
        )
    return tables


def _ensemble_table(ensembles: Mapping[str, Any], ranking: Mapping[str, Any]) -> PlainTable:
    """Rows from the lowest energy score up, the floor last; descriptors in units of their floor."""
    floor = ensembles.get("floor", {})
    names = sorted(
        ensembles, key=lambda name: (name == "floor", ensembles[name].get("energy_score", float("inf")))
    )
    known = [key for key in UNITS if any(key in one.get("descriptors", {}) for one in ensembles.values())]
    rows = []
    for name in names:
        scores = ensembles[name]
        units = scores.get("descriptors", {})
        cells = [_beside(scores.get(score), floor.get(score)) for score in ("energy_score", "mean_curve_mae")]
        cells += [f"{units[key]:.2f}" if key in units else "" for key in known]
        rows.append((_name(name), str(scores["images"]), *cells))
    energy = ranking.get("energy_score", {})
    best = {energy.get("best"), *energy.get("not_told_apart", ())}
    count = next(iter(ensembles.values()))["n"]
    columns = (f"{count} samples", "images", SCORES["energy_score"].label, SCORES["mean_curve_mae"].label)
    marked = frozenset(number for number, name in enumerate(names) if name in best)
    return PlainTable(
        "SAXS to SEM: ensembles of images (× floor)",
        (*columns, *(UNITS[key] for key in known)),
        tuple(rows),
        marked,
    )


def _beside(value: float | None, floor: float | None) -> str:
    if value is None:
        return ""
    return f"{figure(value)} (× {value / floor:.2f})" if floor else figure(value)
