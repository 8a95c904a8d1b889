"""Variants of a study: what may be written, what is shipped, and the protocols of Figure S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairvae.commands.study import Grid, protocols, read_variants, shipped_variants
from pairvae.commands.study.cells import Cell, CellTask, cell_settings
from pairvae.commands.study.result_tables import Files, image_rows, score_rows
from pairvae.commands.study.summary import summary_lines
from pairvae.errors import InputError
from pairvae.numerics.texture_statistics import NAMES
from pairvae.settings import resolve, with_values
from pairvae.stages.project import Project


def test_the_protocols_of_the_paper() -> None:
    settings = resolve({"preset": "paper"})
    found = protocols(settings.pair.training)
    parts = {
        name: (
            one["pair.training.from_solo"],
            one["pair.training.random_epochs"],
            one["pair.training.focused_epochs"],
        )
        for name, one in found.items()
    }
    assert parts == {
        "direct": (False, 100, 1000),
        "random-100": (True, 100, 1000),
        "random-10": (True, 10, 1090),
        "random-1": (True, 1, 1099),
        "random-all": (True, 1100, 0),
    }
    for changes in found.values():
        pair = with_values(settings, changes, "test").pair.training
        assert pair.epochs == 1100
        assert pair.shared_position


@pytest.mark.parametrize(
    ("total", "random"), [(130, [25, 5, 1, 130]), (13, [5, 2, 1, 13]), (1, [1]), (3, [2, 1, 3])]
)
def test_fewer_epochs_keep_their_place_on_a_logarithmic_scale(total: int, random: list[int]) -> None:
    training = resolve({"pair": {"training": {"random_epochs": total}}}).pair.training
    found = {name: one for name, one in protocols(training).items() if name != "direct"}
    assert [one["pair.training.random_epochs"] for one in found.values()] == random
    assert all(one["pair.training.focused_epochs"] >= 0 for one in found.values())


def test_the_ablation_changes_what_it_names() -> None:
    settings = resolve({})
    found = shipped_variants("ablation", settings)
    assert found["whole"] == {}
    assert len(found) == 23
    whole = settings.sem.training.texture
    for name in NAMES:
        off = with_values(settings, found[f"without-{name.replace('_', '-')}"], "test").sem
        assert off.training.texture == whole.model_copy(update={name: 0.0})
        if name in ("euler", "wave_number", "coherence"):  # added to the encoder with it
            assert set(settings.sem.network.encoded) - set(off.network.encoded) == {name}
        else:
            assert off.network == settings.sem.network
    assert with_values(settings, found["without-adversarial"], "test").sem.training.adversarial.width == 0
    assert with_values(settings, found["without-smooth"], "test").sem.network.smooth == 0
    assert not with_values(settings, found["without-solo"], "test").pair.training.from_solo
    without = with_values(settings, found["without-calibration"], "test").pair.calibration
    assert not (without.length_scale or without.posterior_mean or without.variance_matching)
    old = with_values(settings, {"pair.training.calibrate": False}, "test").pair.calibration
    assert not old.posterior_covariance and old.posterior_mean == 0.5
    assert with_values(settings, found["without-kl"], "test").saxs.training.kl_weight == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected variants, found none"),
        ("a: 3", r"variant a: expected a mapping of settings to values"),
        ("../a: {}", "expected names of letters"),
        (
            "a: {pair.training.kl_wait: 1}",
            r"variant a: expected a setting of a network.*'pair.training.kl_wait'",
        ),
        ("a: {data.source: elsewhere}", r"variant a: expected a setting of a network"),
        ("a: {latent.channels: 0}", r"variant a, key latent.channels: expected"),
        ("a: [", "line 1: expected YAML"),
    ],
)
def test_faulty_variants_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_variants(path, resolve({}))


def test_cells_of_a_grid_and_their_names() -> None:
    grid = Grid((32, 48), (1, 2), "mine", {"whole": {}, "small": {"latent.channels": 4}})
    assert len(grid.cells) == 8
    assert [cell.name for cell in grid.cells[:2]] == ["32-pairs-seed-1-whole", "32-pairs-seed-1-small"]
    plain = Cell(32, 1)
    assert (
        grid.cells[0].key == plain.key == plain.name
    )  # nothing is changed: the cell of the repetition study
    assert grid.cells[1].key != plain.key
    other = Cell(32, 1, "other name", grid.cells[1].changes)
    assert other.key == grid.cells[1].key


def test_a_cell_has_its_own_split_threads_and_changes(tmp_path: Path) -> None:
    project = Project(tmp_path, tmp_path, resolve({"pretrain": {"backbone": "weights.pth"}}))
    cell = Cell(32, 7, "small", (("latent.channels", 4),))
    settings = cell_settings(project, cell, threads=1)
    assert (settings.split.train, settings.split.seed, settings.latent.channels) == (32, 7, 4)
    assert settings.device.threads == 1
    assert settings.pretrain.backbone == str(tmp_path / "weights.pth")
    assert settings.baselines.unet.epochs == 0 and settings.assess.realism is True
    assert CellTask(project, tmp_path, cell, 1).result.parent.name == "cells"


@pytest.mark.parametrize(("chosen", "tested"), [("study", True), (True, True), (False, False)])
def test_realism_is_tested_in_a_cell_unless_it_is_false(
    tmp_path: Path, chosen: bool | str, tested: bool
) -> None:
    project = Project(tmp_path, tmp_path, resolve({"assess": {"realism": chosen}}))
    assert cell_settings(project, Cell(32, 7), threads=1).assess.realism is tested
    assert resolve({}).assess.realism == "study"  # and in no other assessment


def made(median: float) -> dict[str, float | int]:
    return {"median": median, "q1": 0.0, "q3": 1.0, "n": 4}


def test_rows_and_summary_of_cells_with_known_numbers() -> None:
    rows = []
    for seed, value in ((1, 0.02), (2, 0.01), (3, 0.04)):
        models = {
            "solo": {"sem_sem": {"s2_mae": made(0.3)}},
            "pair": {
                "saxs_sem": {"s2_mae": made(value), "lineal_path_mae": made(9)},
                "sem_saxs": {"mae": made(0.2)},
            },
            "floor": {"sem_sem": {"s2_mae": made(0.005)}},
            "baselines": {"retrieval": {"saxs_sem": {"s2_mae": made(0.1)}}},
        }
        result = {"splits": {"validation": models, "train": models, "all": models}}
        rows += list(score_rows(Cell(32, seed), result))
    assert len(rows) == 3 * 3 * 6
    lines = summary_lines(rows)
    assert lines[0] == "validation pairs: medians, over 3 splits (least to most)"
    assert lines[1] == (
        "  32 training pairs  saxs_sem s2_mae: pair 0.0200 (0.0100-0.0400)  retrieval 0.1000 (0.1000-0.1000)  "
        "floor 0.0050 (0.0050-0.0050)"
    )
    assert lines[2] == "  32 training pairs  sem_saxs mae: pair 0.2000 (0.2000-0.2000)"
    assert lines[3].startswith("all pairs")
    assert summary_lines([]) == []


def test_single_scores_name_pairs_and_crops() -> None:
    result = {
        "samples": {"all": ["a", "b"]},
        "values": {
            "all": {"pair": {"sem_saxs": {"mae": [1.0, 2.0, 3.0, 4.0]}, "saxs_saxs": {"mae": [5.0, 6.0]}}}
        },
    }
    rows = list(image_rows(Cell(32, 1), result))
    assert [row["sample"] for row in rows] == ["a/1", "a/2", "b/1", "b/2", "a", "b"]
    assert [row["value"] for row in rows] == [1, 2, 3, 4, 5, 6]


def test_each_kind_of_study_has_its_own_tables(tmp_path: Path) -> None:
    files = [Files.of(kind, tmp_path) for kind in ("study", "protocols", "ablation")]
    names = [path.name for one in files for path in one.all]
    assert len(set(names)) == len(names) == 10
    assert {"study.csv", "study_images.csv", "protocols.csv", "ablation.csv"} <= set(names)
