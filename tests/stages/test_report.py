"""The stage `report` on eight pairs: every figure that needs no study, the model card, the files of DVC."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.reports.assessment_data import sheets
from pairvae.stages import report as report_material
from pairvae.stages.project import open_project
from pairvae.stages.report import gather
from pairvae.tracking.database import connect
from pairvae.tracking.runs import lineage

FIGURES = ("1", "3", "4", "5", "7", "s2", "s4", "s5", "s6", "s7", "s8")


def test_every_figure_of_the_paper_is_drawn(finished_project: Path) -> None:
    folder = finished_project / "reports" / "figures"
    for name in (*(f"figure_{number}" for number in FIGURES), "latent_maps", "scores", "losses"):
        for ending in ("png", "svg"):
            assert (folder / f"{name}.{ending}").stat().st_size > 1000, name
        assert (folder / f"{name}.csv").is_file(), name


def test_the_model_card_goes_with_the_registered_model(finished_project: Path) -> None:
    card = (finished_project / "reports" / "model-card.md").read_text()
    assert "## Limits" in card
    client = connect(finished_project)
    version = client.get_model_version_by_alias("pairvae", "candidate")
    assert version.description
    assert version.description[:200] in card  # it begins with the answer
    assert list((finished_project / "mlruns").rglob("pair*/model-card.md"))


def test_the_summary_compares_model_baselines_and_floor(finished_project: Path) -> None:
    found = json.loads((finished_project / "reports" / "summary.json").read_text())
    assert {"saxs_sem.s2.pair", "saxs_sem.s2.retrieval", "saxs_sem.energy.floor", "sem_saxs.mae.pair"} <= set(
        found
    )


def test_lineage_names_data_code_machine_and_time(finished_project: Path) -> None:
    content = gather(open_project(folder=finished_project, track=False))
    digest = json.loads((finished_project / "data" / "prepared" / "card.json").read_text())["digest"]
    assert content.facts["data digest"] == digest
    assert len(content.facts["git commit"].split()[0]) == 40
    assert "torch" in content.facts["packages"]
    assert "cores" in content.facts["machine"]
    assert "train-pair" in content.facts["training time"]
    assert content.parameters["split.train"] == "5"


def test_bands_cover_both_splits_and_maps_all_pairs(finished_project: Path) -> None:
    content = gather(open_project(folder=finished_project, track=False))
    assert set(content.bands["s2"]) == {"all", "validation"}
    assert set(content.bands["s2"]["all"]) == {"true", "solo/sem_sem", "pair/sem_sem", "pair/saxs_sem"}
    assert content.maps is not None
    assert [found.title for found in content.maps.maps] == [
        "SAXS trained alone",
        "SEM trained alone",
        "paired",
    ]
    assert content.maps.thumbnails["saxs"].shape == (8, 3, 48, 48)
    example = content.examples[0]
    assert example.phase_fraction == pytest.approx(float(np.mean(example.sem)))
    assert len(content.other_scales) == 2


def test_raw_micrographs_are_binarised_whole(finished_project: Path) -> None:
    view = report_material.thresholds(open_project(folder=finished_project, track=False))[0]
    assert view.title == "ladders"
    assert min(view.size) > view.grey.shape[0]
    assert set(view.binary) >= {"adaptive", "otsu", "li", "niblack", "sauvola", "triangle"}


def test_no_raw_data_no_thresholds_and_no_study(finished_project: Path, tmp_path: Path) -> None:
    project = dataclasses.replace(open_project(folder=finished_project, track=False), folder=tmp_path)
    assert report_material.thresholds(project) == ()
    assert report_material.protocols(project) == ()


def test_a_damaged_protocol_table_is_one_line(finished_project: Path, tmp_path: Path) -> None:
    project = dataclasses.replace(open_project(folder=finished_project, track=False), folder=tmp_path)
    project.reports.mkdir()
    (project.reports / "protocols.csv").write_text("protocol,epoch\na,1\n")
    with pytest.raises(InputError, match="a column term"):
        report_material.protocols(project)


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (59.7, "1 min 0 s"), (75.2, "1 min 15 s")])
def test_durations(seconds: float, words: str) -> None:
    assert report_material.duration(seconds) == words


def test_outside_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    assert lineage.commit_of(tmp_path).startswith("none")


def test_a_label_with_slashes_is_one_label() -> None:
    crops = np.zeros((2, 8, 8), np.uint8)
    arrays = {
        f"sheet/{label}/{side}": crops for label in ("a/b", "/true", "") for side in ("true", "predicted")
    }
    assert set(sheets(arrays)) == {"a/b", "/true", ""}
