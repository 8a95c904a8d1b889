from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pairvae.reports import curves, pictures, plots
from pairvae.reports import latent_figures as latents
from pairvae.reports.drawings import SECTIONS, drawings
from pairvae.reports.figures import ordered_examples, save_figures
from pairvae.reports.report_data import Latents, ReportData
from pairvae.reports.style import PANEL, LengthScale, svg_bytes


@pytest.fixture
def folder(report: Path) -> Path:
    return report.parent / "figures"


def test_every_figure_has_png_svg_and_data(folder: Path) -> None:
    names = {path.stem for path in folder.glob("*.png")}
    assert names >= {
        "reconstructions_pair",
        "reconstructions_solo",
        "curves",
        "losses",
        "scores",
        *(f"figure_{number}" for number in ("1", "3", "4", "5", "6a", "6b", "7", "s2", "s3", "s4", "s5", "s6", "s7")),
        "latent_maps",
        "condition_maps",
        "latents",
    }  # fmt: skip
    assert "sheet_alternating_lines" in names
    for name in names:
        assert (folder / f"{name}.svg").read_text().startswith("<?xml")
        assert (folder / f"{name}.csv").exists() != (folder / f"{name}.json").exists()
    assert not list(folder.glob(".*")), "temporary files stay behind"


def test_png_has_300_dots_per_inch(folder: Path) -> None:
    image = cv2.imread(str(folder / "losses.png"))
    assert image is not None
    assert image.shape[1] == pytest.approx(3 * 3.4 * 300, abs=3)


def test_score_data_are_the_scores(content: ReportData, folder: Path) -> None:
    with (folder / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    found = [
        float(row["value"])
        for row in rows
        if (row["split"], row["method"], row["direction"], row["score"])
        == ("validation", "pair", "saxs_sem", "s2_mae")
    ]
    assert found == content.distributions["validation"]["pair"]["saxs_sem"]["s2_mae"]


def test_curve_data_are_in_nm_where_the_pixel_size_is_known(content: ReportData, folder: Path) -> None:
    with (folder / "curves.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["distance_nm"]) for row in rows[:3]] == [0.0, 4.5, 9.0]
    assert "distance_px" in curves.curve_rows(content.examples[:1], None)[0]


def test_reconstruction_data_name_pairs_and_columns(folder: Path) -> None:
    data = json.loads((folder / "reconstructions_pair.json").read_text())
    assert [row["morphology"] for row in data["rows"]] == [
        "hexagonal", "skew", "alternating_lines", "ladders",
    ]  # fmt: skip
    assert data["rows"][0]["columns"] == [
        "true SAXS", "SAXS → SAXS", "SEM → SAXS", "true SEM", "SEM → SEM", "SAXS → SEM",
    ]  # fmt: skip


def test_axes_carry_units(content: ReportData) -> None:
    example = ordered_examples(content)[0]
    for nm_per_px, unit in ((4.5, "nm"), (None, "px")):
        drawing = curves.example_curves(example, ("s2",), nm_per_px)
        assert drawing.axes[0].get_xlabel() == f"distance r ({unit})"
    assert LengthScale.of(4.5).per_px == 4.5


def test_the_same_data_give_the_same_svg(content: ReportData) -> None:
    first, second = (svg_bytes(plots.losses(content.histories)) for _ in range(2))
    assert first == second


def test_losses_leave_out_the_learning_rate_and_what_a_log_axis_cannot_show() -> None:
    rows = [{"loss": 1.0, "kl": 0.0, "similarity": -1.0, "learning_rate": 1e-3, "epoch": 1.0}]
    axes = plots.losses({"train-sem": rows}).axes[0]
    assert [line.get_label() for line in axes.lines] == ["loss"]


def test_notches_only_where_they_fit() -> None:
    assert plots.notch_fits(np.linspace(0, 1, 100))
    assert not plots.notch_fits(np.array([0.0, 0.5, 1.0]))


def test_score_panels_hold_one_box_per_method_and_split(content: ReportData) -> None:
    found = plots.score_panels(content.distributions)
    assert next(iter(found)) == ("sem", "s2_mae")
    drawing = plots.scores({("saxs", "mae"): found[("saxs", "mae")]})
    labels = [label.get_text() for label in drawing.axes[0].get_yticklabels()]
    assert labels == [
        "SAXS → SAXS, trained alone", "SAXS → SAXS, paired model", "SEM → SAXS, paired model",
        "SEM → SAXS, retrieval", "SEM → SAXS, mean of training",
    ]  # fmt: skip
    assert len(drawing.axes[0].patches) == 2 * len(labels)


def test_montage_places_crops_in_reading_order() -> None:
    crops = np.arange(6, dtype=np.float32)[:, None, None] * np.ones((1, 3, 5), np.float32)
    sheet = pictures.montage(crops, columns=4)
    gap = pictures.GAP_PX
    assert sheet.shape == (2 * 3 + gap, 4 * 5 + 3 * gap)
    assert sheet[0, 5 + gap] == 1.0
    assert sheet[3 + gap, 0] == 4.0
    assert sheet[0, 5] == pytest.approx(pictures.GAP_LEVEL)


def test_equal_latents_lie_on_top_of_each_other() -> None:
    latent = np.random.default_rng(3).standard_normal((9, 4))
    saxs, sem, shares = latents.principal_plane(latent, 5 * latent + 2)
    np.testing.assert_allclose(saxs, sem, atol=1e-9)
    assert shares[0] >= shares[1] > 0


def test_one_dimension_takes_all_the_variance() -> None:
    line = np.outer(np.arange(5.0), np.ones(3))
    _, _, shares = latents.principal_plane(line, line)
    assert shares == pytest.approx((1.0, 0.0), abs=1e-12)


def test_pairs_without_a_morphology_are_drawn() -> None:
    values = np.random.default_rng(1).standard_normal((4, 3))
    made = Latents(
        saxs=values,
        sem=values,
        ids=list("abcd"),
        morphology=[None, "skew", None, "skew"],
        split=["train"] * 4,
    )
    legend = latents.latent_map(made).axes[0].get_legend()
    assert legend is not None
    assert "not named" in [text.get_text() for text in legend.get_texts()]
    assert latents.latent_rows(made)[0]["morphology"] == ""


def test_nothing_to_draw_writes_nothing(tmp_path: Path) -> None:
    save_figures(ReportData({}, {}, [], {}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_labels_of_one_slug_keep_their_own_files(content: ReportData, tmp_path: Path) -> None:
    """Hard labels: a slash, one slug three times, half a formula, more characters than a name may have."""
    sheet = content.sheets["ladders"]
    labels = ["a/../b", "a b", "A_b", "µ/", "/", "$\\frac$", "x" * 300, "x" * 301]
    save_figures(ReportData({}, {}, [], {}, sheets=dict.fromkeys(labels, sheet)), tmp_path)
    names = ["a_b", "a_b_2", "a_b_3", "µ", "unnamed", "frac", "x" * 60, f"{'x' * 60}_2"]
    assert {path.stem for path in tmp_path.glob("*.png")} == {f"sheet_{name}" for name in names}
    for label, name in zip(labels, names, strict=True):
        assert json.loads((tmp_path / f"sheet_{name}.json").read_text())["true"]["morphology"] == label


def test_lineal_axis_ends_where_the_curves_vanish(content: ReportData) -> None:
    axes = curves.example_curves(content.examples[0], ("lineal_horizontal",), None).axes[0]
    assert axes.get_xlim()[1] == pytest.approx(19)  # exp(-r / 4) falls below 1 % of its start after r = 18
    assert PANEL[0] * 96 <= 340  # fits a telephone


def test_the_page_shows_the_saved_figures(content: ReportData, folder: Path) -> None:
    shown = drawings(content, folder)
    assert set(shown) == set(SECTIONS)
    assert all(shown[section] for section in SECTIONS)
    (overview,) = shown["overview"]
    assert overview.uri.startswith("data:image/webp;base64,")
    assert overview.width == pytest.approx(3 * 1.75 * 96, abs=1)
    (protocols,) = shown["protocol_plots"]
    assert protocols.width == pytest.approx(2 * 3.1 * 96, abs=1)
    assert not any(drawings(ReportData({}, {}, [], {}), folder / "none").values())
