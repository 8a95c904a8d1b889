"""The report page: one self-contained HTML file, and the folder of figures beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from pairvae.reports import curves, pictures
from pairvae.reports.answer import answer_tables, headline
from pairvae.reports.captions import METHOD_MEANINGS, METHODS, SCORES, direction_label, paper_rank, readable
from pairvae.reports.comparisons import block_numbers, comparisons, warnings
from pairvae.reports.direction_rows import COLUMNS, direction_rows
from pairvae.reports.drawings import SECTIONS, drawings
from pairvae.reports.encode import Picture, plot_picture, png_picture
from pairvae.reports.figures import ordered_examples, save_figures
from pairvae.reports.report_data import Ensemble, Example, ReportData, Sheet
from pairvae.reports.study_figures import study_table
from pairvae.reports.tables import correction_rows, generation_table, lookup, score_tables
from pairvae.store import write_text

LARGEST_PAGE = 7_500_000  # bytes
SIDES = (
    256,
    192,
    128,
    96,
    64,
)  # px, longest side of a picture: the first that makes the page small enough
SHOWN_EXAMPLES = 8  # morphologies on the page; the figures show all


@dataclass(frozen=True)
class Block:
    """One morphology on the page: its name, a note, its pictures and its plots."""

    title: str
    note: str
    pictures: tuple[Picture, ...]
    plots: tuple[Picture, ...]


def _four_way(example: Example, plan: str, side: int) -> tuple[Picture, ...]:
    return tuple(
        png_picture(image, caption, f"{readable(example.title)}: {caption}, {METHODS[plan]}", side)
        for caption, image in pictures.four_way(example, plan)
    )


def _example_block(example: Example, report: ReportData, side: int) -> Block:
    title = readable(example.title)
    plots_: tuple[Picture, ...] = ()
    kinds = [kind for kind in ("s2", "lineal_vertical") if example.curves.get(kind)]
    if kinds:
        shown = " and ".join(("two-point correlation", "vertical lineal path")[: len(kinds)])
        alt = f"{title}: {shown}, true and predicted"
        plots_ = (plot_picture(curves.example_curves(example, kinds, report.nm_per_px), "", alt),)
    held_out = "not seen in training" if example.split == "validation" else "a training pair"
    note = f"Pair {example.id}, {held_out}."
    measured = tuple(
        png_picture(image, caption, f"{title}: {caption}", side) for caption, image in example.measured
    )
    return Block(title, note, (*_four_way(example, "pair", side), *measured), plots_)


def _solo_block(example: Example, side: int) -> Block:
    tiles = [
        (direction_label(key.split("/")[1]), image)
        for key, image in example.images.items()
        if key.startswith("solo/")
    ]
    title = readable(example.title)
    shown = tuple(png_picture(image, text, f"{title}: {text}, trained alone", side) for text, image in tiles)
    return Block(title, "", shown, ())


def _ensemble_block(name: str, ensemble: Ensemble, report: ReportData, side: int) -> Block:
    title, name_of_image = readable(name), report.technique.upper()
    shown = tuple(
        png_picture(image, f"sample {number}", f"{title}: generated {name_of_image} image {number}", side)
        for number, image in enumerate(ensemble["images"][: curves.SHOWN_SAMPLES], start=1)
    )
    alt = f"{title}: mean and standard deviation of S(r), generated and true"
    plot = plot_picture(curves.ensemble_curves(ensemble, report.nm_per_px), "", alt)
    return Block(title, f"Variance scale {ensemble['scale']:g}.", shown, (plot,))


def _sheet_block(name: str, sheet: Sheet, side: int) -> Block:
    title = readable(name)
    sides = (("true", sheet["true"]), ("predicted from SAXS", sheet["predicted"]))
    shown = tuple(
        png_picture(pictures.montage(crops), text, f"{title}: {len(crops)} crops, {text}", 4 * side)
        for text, crops in sides
    )
    return Block(title, "", shown, ())


def _hero(examples: list[Example], side: int) -> tuple[Picture, ...]:
    """Pictures beside the headline: pattern, predicted image and true image of the first validation example."""
    for example in sorted(examples, key=lambda example: example.split != "validation"):
        predicted = example.images.get(f"pair/saxs_{example.technique}")
        if predicted is not None:
            title, name = readable(example.title), example.technique.upper()
            return (
                png_picture(example.saxs, "measured SAXS", f"{title}: measured SAXS pattern", side),
                png_picture(
                    predicted, f"predicted {name}", f"{title}: {name} image predicted from the pattern", side
                ),
                png_picture(example.sem, f"measured {name}", f"{title}: measured {name} image", side),
            )
    return ()


def _blocks(report: ReportData, side: int) -> dict[str, object]:
    examples = ordered_examples(report)[:SHOWN_EXAMPLES]
    generated = sorted(report.generated, key=paper_rank)[:SHOWN_EXAMPLES]
    sheets = sorted(report.sheets, key=paper_rank)[:SHOWN_EXAMPLES]
    solo = [_solo_block(example, side) for example in examples]
    return {
        "hero": _hero(examples, side),
        "examples": [_example_block(example, report, side) for example in examples],
        "solo": [block for block in solo if block.pictures],
        "generated": [_ensemble_block(name, report.generated[name], report, side) for name in generated],
        "sheets": [_sheet_block(name, report.sheets[name], side) for name in sheets],
    }


def _crop_note(report: ReportData) -> str:
    if not report.examples:
        return ""
    width = report.examples[0].sem.shape[1]
    size = f", {width * report.nm_per_px:.0f} nm" if report.nm_per_px else ""
    shown = "the bright phase is white"
    if report.grey:
        setting = f"{report.technique}.prepare.threshold: none"
        shown = f"its grey levels are kept ({setting}), so there is no phase fraction or lineal path"
    return f"Each {report.technique.upper()} crop is {width} px{size} wide; {shown}."


def render(report: ReportData, side: int, shown: Mapping[str, object] | None = None) -> str:
    """The page as HTML; pictures have at most ``side`` px. ``shown``: the :func:`drawings`, none by default."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        files("pairvae.reports").joinpath("template.html").read_text(encoding="utf-8")
    )
    tables = score_tables(report.metrics)
    present = [table.score for table in tables]
    answers = answer_tables(report.metrics)
    present += ["energy_score", "mean_curve_mae"] if answers else []
    validation = lookup(report.metrics, "splits", "validation") or {}
    named = {*validation, *(validation.get("baselines") or {}), "floor"}
    methods = [name for name in METHOD_MEANINGS if name in named]
    return template.render(
        headline=headline(report.metrics),
        answer_tables=answers,
        tables=tables,
        generation_table=generation_table(report.metrics),
        estimator=report.metrics.get("estimator", "unknown"),
        preset=report.metrics.get("preset", ""),
        train_pairs=report.metrics.get("train_pairs"),
        scores=[fact for score, fact in SCORES.items() if score in present],
        methods=[(METHODS[name], METHOD_MEANINGS[name]) for name in methods],
        crop_note=_crop_note(report),
        grey=report.grey,
        image=report.technique.upper(),
        facts=report.facts,
        parameters=report.parameters,
        warnings=warnings(report.metrics),
        comparisons=comparisons(report.metrics),
        blocks=block_numbers(report.metrics),
        study_table=study_table(report.study),
        corrections=correction_rows(report.corrections),
        directions=direction_rows(report.metrics),
        direction_columns=COLUMNS,
        **{section: (shown or {}).get(section, []) for section in SECTIONS},
        **_blocks(report, side),
    )


def write_report(report: ReportData, folder: Path) -> Path:
    """Write ``folder/index.html`` (one file, at most 7.5 MB) and ``folder/figures``; returns the page.

    Pictures on the page are reduced until it fits; the figures keep their full size.
    """
    save_figures(report, folder / "figures")
    shown = drawings(report, folder / "figures")
    for side in SIDES:
        page = render(report, side, shown)
        if len(page.encode()) <= LARGEST_PAGE:
            break
    path = folder / "index.html"
    write_text(path, page)
    return path
