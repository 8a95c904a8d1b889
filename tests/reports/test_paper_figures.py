from dataclasses import replace

import numpy as np
import pytest

from pairvae.reports import bands, latent_maps, protocols
from pairvae.reports import paper_figures as paper
from pairvae.reports import threshold_figures as thresholds
from pairvae.reports.curves import curve_rows, generation
from pairvae.reports.figures import ordered_examples
from pairvae.reports.report_data import ReportData
from pairvae.store.picture_files import bar_length


@pytest.mark.parametrize(("width", "length"), [(557, 100), (864, 200), (30, 10), (20, 5), (2, 0.7)])
def test_scale_bars_have_round_lengths(width: float, length: float) -> None:
    assert bar_length(width) == pytest.approx(length)


def test_figure_1_tells_spacing_share_and_units(content: ReportData) -> None:
    examples = ordered_examples(content)
    drawing = paper.figure_1(examples, 4.5, 0.004)
    assert drawing.axes[0].get_xlabel() == "q (1/nm)"
    assert drawing.axes[0].get_xlim()[1] == pytest.approx(32 * 0.004)  # half of 64 px
    assert drawing.axes[2].get_xlabel().startswith("spacing 49.5 nm\nbright ")
    assert drawing.axes[2].texts[0].get_text() == "100 nm"
    (row, *_) = paper.figure_1_rows(examples, 4.5)
    assert row["spacing_nm"] == pytest.approx(49.5)


def test_figure_1_without_sizes_speaks_of_pixels(content: ReportData) -> None:
    example = replace(content.examples[0], spacing_px=None, phase_fraction=None)
    drawing = paper.figure_1([example], None, None)
    assert drawing.axes[0].get_xlabel() == ""
    assert drawing.axes[2].get_xlabel() == ""
    assert drawing.axes[2].texts[0].get_text() == "20 px"


@pytest.mark.parametrize(("plan", "images", "lines"), [("solo", 4, 2), ("pair", 6, 3)])
def test_figures_3_and_4_show_one_plan(content: ReportData, plan: str, images: int, lines: int) -> None:
    drawing = paper.reconstructions_and_curves(ordered_examples(content), plan, 4.5)
    first = drawing.axes[: images + 2]
    assert [bool(axes.images) for axes in first] == [True] * images + [False] * 2
    assert [axes.get_title() for axes in first[:2]] == ["true SAXS", "SAXS → SAXS"]
    assert len(first[-1].lines) == lines
    rows = paper.plan_rows(curve_rows(content.examples, 4.5), plan, ("s2",))
    assert {row["kind"] for row in rows} == {"s2"}
    assert not any(str(row["curve"]).startswith("solo") == (plan == "pair") and "/" in str(row["curve"])
                   for row in rows)  # fmt: skip


def test_figure_5_draws_the_mean_and_one_standard_deviation(content: ReportData) -> None:
    drawing = bands.bands(content.bands, ["s2"], None)
    assert [axes.get_title(loc="left") for axes in drawing.axes] == [
        "A  trained alone: all pairs", "B  paired model: all pairs",
        "C  trained alone: validation pairs", "D  paired model: validation pairs",
    ]  # fmt: skip
    mean, spread = content.bands["s2"]["all"]["solo/sem_sem"]
    drawn = [np.asarray(line.get_ydata()) for line in drawing.axes[0].lines]
    for expected in (mean, mean - spread, mean + spread):
        assert any(np.allclose(line, expected) for line in drawn)
    rows = bands.band_rows(content.bands, ["s2"], 4.5)
    assert rows[1]["distance_nm"] == 4.5
    assert rows[0]["mean"] == pytest.approx(content.bands["s2"]["all"]["true"][0, 0])


def test_figure_7_shows_the_reconstruction_beside_five_samples(content: ReportData) -> None:
    drawing = generation(content.generated, 4.5, content.examples)
    titles = [axes.get_title() for axes in drawing.axes[:6]]
    assert titles == ["SAXS → SEM", *(f"sample {number}" for number in range(1, 6))]
    assert "Latent variance x 1" in drawing.get_suptitle()


def test_protocol_lines_are_medians_over_repetitions() -> None:
    rows = [
        {"protocol": "direct", "epoch": epoch, "term": "loss", "split": "train", "value": float(value)}
        for epoch, value in ((2, 5), (1, 1), (1, 3), (1, 8))
    ]
    epochs, values = protocols.median_lines(rows)["direct", "loss", "train"]
    assert epochs.tolist() == [1, 2]
    assert values.tolist() == [3.0, 5.0]
    assert protocols.protocols(rows).axes[0].get_title(loc="left") == "loss"


def test_thresholds_name_method_and_share(content: ReportData) -> None:
    drawing = thresholds.thresholds(content.thresholds)
    assert [axes.get_title(loc="left") for axes in drawing.axes[:3]] == [
        "ladders, as measured", "adaptive, bright 50%", "otsu, bright 40%",
    ]  # fmt: skip
    assert thresholds.threshold_rows(content.thresholds)[0]["rows"] == 80


def test_thumbnails_hide_neither_points_nor_each_other(content: ReportData) -> None:
    assert content.maps is not None
    points = np.random.default_rng(2).uniform(0.1, 0.9, (40, 2))
    rows = latent_maps.chosen(content.maps, points)
    found = latent_maps.places_of(points, rows, points)
    assert len(found) >= 4
    places = np.stack(list(found.values()))
    half = latent_maps.THUMBNAIL / 2
    assert np.abs(points[:, None] - places[None]).max(-1).min() >= half
    gaps = np.abs(places[:, None] - places[None]).max(-1) + np.eye(len(places))
    assert gaps.min() >= latent_maps.THUMBNAIL


def test_apart_keeps_the_first_of_close_points() -> None:
    points = np.array([[0.0, 0.0], [0.05, 0.05], [0.5, 0.0]])
    assert latent_maps.apart(points, 0.1) == [0, 2]


def test_map_rows_hold_every_sample_of_every_map(content: ReportData) -> None:
    assert content.maps is not None
    assert len(latent_maps.map_rows(content.maps)) == 40 + 2 * 40
