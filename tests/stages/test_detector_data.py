"""Detector files from an own folder to prepared arrays and a model's card: masks, geometries, frames, linked data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pairvae.commands.check import check_project
from pairvae.data.pairs.manifest import read_pairs
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.readers.linked_folders import declare_roots
from pairvae.settings import DetectorGeometry, MaskPixels, SaxsPrepare, Settings, resolve
from pairvae.stages.preprocess import prepare_folder, with_calibrations
from pairvae.stages.project import open_project
from pairvae.stages.raw import copy_folder, make_raw
from pairvae.store.prepared import open_prepared

ROWS, COLUMNS, BEAM = 90, 70, (52.0, 30.0)
PONI = f"""PixelSize1: 0.0001
PixelSize2: 0.0001
Distance: 1.0
Poni1: {(BEAM[0] + 0.5) * 1e-4}
Poni2: {(BEAM[1] + 0.5) * 1e-4}
Rot1: 0
Rot2: 0
Wavelength: 1e-10
"""
SCALE = 2 * np.pi * 1e-4 / 0.1
SPLIT = {"sem": {"prepare": {"rows": None, "columns": None, "crop": 32}}}


@pytest.fixture(autouse=True)
def _no_roots() -> Iterator[None]:
    declare_roots([])
    yield
    declare_roots([])


def frame(number: int) -> np.ndarray:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    away = np.hypot(y - BEAM[0], x - BEAM[1])
    expected = 900 * np.exp(-away / 5) + 300 * np.exp(-(((away - 15 - number) / 2) ** 2)) + 9
    return np.random.default_rng(number).poisson(expected).astype(np.int32)


def mask() -> np.ndarray:
    bad = np.zeros((ROWS, COLUMNS), np.uint8)
    bad[20:24] = 1
    return bad


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pairs: frames of one HDF5 file with a bad row of hot pixels, a mask and a geometry beside pairs.csv."""
    h5py = pytest.importorskip("h5py")
    mine = tmp_path / "mine"
    (mine / "SAXS").mkdir(parents=True)
    (mine / "SEM").mkdir()
    frames = np.stack([np.where(mask() > 0, 10**6, frame(number)) for number in range(3)]).astype(np.int32)
    with h5py.File(mine / "SAXS" / "scan.h5", "w") as file:
        file["entry/data"] = frames
    for number in range(3):
        grey = np.random.default_rng(number).integers(0, 256, (64, 64), np.uint8)
        tifffile.imwrite(mine / "SEM" / f"{number}.tif", grey)
    rows = "".join(f"s{n},SAXS/scan.h5::/entry/data,{n},SEM/{n}.tif\n" for n in range(3))
    (mine / "pairs.csv").write_text(f"id,saxs,frame,sem\n{rows}")
    np.save(mine / "mask.npy", mask())
    (mine / "detector.poni").write_text(PONI)
    return mine


def settings(**saxs: object) -> Settings:
    return resolve({**SPLIT, "saxs": {"prepare": {"size": 64, **saxs}}})


def test_mask_and_geometry_reach_the_arrays_and_stay_with_them(folder: Path, tmp_path: Path) -> None:
    prepare_folder(folder, tmp_path / "out", settings(mask="mask.npy", geometry="detector.poni"))
    prepared = open_prepared(tmp_path / "out")
    arrays = prepared.whole("saxs")
    assert all(not np.array_equal(arrays[0], arrays[other]) for other in (1, 2)), "each pair has its frame"
    done = prepared.card["done"]["saxs"][1]
    assert (done["beam_from"], done["beam_centre"]) == ("poni", list(BEAM))
    assert done["q_per_px_inv_nm_of_file"] == pytest.approx(SCALE)
    assert done["masked_share"] == pytest.approx(4 / ROWS, abs=1e-3)
    assert done["notes"] == ["frame 1 of 3, counted from 0"] and "warnings" not in done
    assert prepared.card["pairs"][1]["saxs_q_per_px_inv_nm"] == pytest.approx(SCALE * COLUMNS / 64)
    assert prepared.card["prepare"]["saxs"]["mask"] == "mask.npy", "as in params.yaml"
    # What a model keeps predicts elsewhere, without the files.
    pair = read_pairs(folder)[1]
    (folder / "mask.npy").unlink()
    (folder / "detector.poni").unlink()
    saxs = MODALITIES["saxs"]
    kept = saxs.settings.model_validate(prepared.card["with_files"]["saxs"])
    np.testing.assert_array_equal(saxs.prepare(saxs.read(pair.files["saxs"]), kept), arrays[1])


def test_another_mask_is_other_data(folder: Path, tmp_path: Path) -> None:
    digests = []
    for number in range(2):
        np.save(folder / "mask.npy", np.roll(mask(), number, axis=0))
        prepare_folder(folder, tmp_path / f"out{number}", settings(mask="mask.npy"))
        digests.append(open_prepared(tmp_path / f"out{number}").digest)
    assert digests[0] != digests[1]


def test_raw_takes_masks_and_linked_data_along(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "SAXS" / "m_master.h5", "w") as file:
        file.create_group("entry")["data_000001"] = h5py.ExternalLink("scan.h5", "/entry/data")
    table = folder / "pairs.csv"
    table.write_text(table.read_text().replace("scan.h5::/entry/data", "m_master.h5::/entry/data_000001"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "params.yaml").write_text(
        "data: {source: ../mine}\nsaxs: {prepare: {size: 64, mask: mask.npy}}\n"
    )
    monkeypatch.chdir(project)
    make_raw(open_project(track=False))
    raw = project / "data" / "raw"
    assert {path.name for path in raw.rglob("*") if path.is_file()} >= {"mask.npy", "scan.h5", "m_master.h5"}
    assert not (raw / "detector.poni").exists(), "no setting names it"
    prepare_folder(raw, tmp_path / "out", settings(mask="mask.npy", beam_centre=list(BEAM)))
    (project / "params.yaml").write_text("data: {source: ../mine}\nsaxs: {prepare: {mask: none.npy}}\n")
    with pytest.raises(InputError, match=r"none\.npy: expected a file in "):
        make_raw(open_project(track=False))


def test_links_of_the_data_may_lead_to_declared_folders_only(folder: Path, tmp_path: Path) -> None:
    visit = tmp_path / "visit"
    visit.mkdir()
    (folder / "SAXS" / "scan.h5").rename(visit / "scan.h5")
    (folder / "SAXS" / "scan.h5").symlink_to(visit / "scan.h5")
    with pytest.raises(InputError, match=r"expected files inside the folder, found a link to .*data\.roots"):
        read_pairs(folder)
    (tmp_path / "params.yaml").write_text("data: {source: mine, roots: [visit]}\n")
    open_project(folder=tmp_path, track=False)
    assert len(read_pairs(folder)) == 3
    copy_folder(folder, tmp_path / "copy")
    assert not (tmp_path / "copy" / "SAXS" / "scan.h5").is_symlink()
    (tmp_path / "params.yaml").write_text("data: {source: mine}\n")
    open_project(folder=tmp_path, track=False)
    with pytest.raises(InputError, match="a link to"):
        read_pairs(folder)


@pytest.mark.parametrize(("cell", "name"), [("3", "a.edf::[3]"), ("0", "a.edf::[0]"), ("", "a.edf")])
def test_the_column_frame_is_part_of_the_name(cell: str, name: str, tmp_path: Path) -> None:
    for side in ("SAXS/a.edf", "SEM/a.tif"):
        (tmp_path / side).parent.mkdir()
        (tmp_path / side).write_bytes(b"x")
    (tmp_path / "pairs.csv").write_text(f"id,saxs,sem,frame\na,SAXS/a.edf,SEM/a.tif,{cell}\n")
    (pair,) = read_pairs(tmp_path)
    assert str(pair.saxs) == str(tmp_path / "SAXS" / name)


@pytest.mark.parametrize(
    "row", ["SAXS/a.edf,SEM/a.tif,-1", "SAXS/a.edf,SEM/a.tif,1.5", "SAXS/a.edf::[2],SEM/a.tif,3"]
)
def test_other_frames_are_refused(row: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"id,saxs,sem,frame\na,{row}\n")
    with pytest.raises(
        InputError,
        match="line 2, column frame: expected the number of a frame of the SAXS file, from 0, once",
    ):
        read_pairs(tmp_path)


def test_the_check_takes_masks_and_geometries_and_proposes_those_that_lie_there(folder: Path) -> None:
    first = check_project(folder, settings())
    assert {"geometry: detector.poni", "mask: mask.npy"} <= {
        line.strip().partition("  #")[0].partition(" #")[0] for line in first.proposals
    }
    given = check_project(folder, settings(mask="mask.npy", geometry="detector.poni"))
    assert [problem for problem in given.problems if problem.file.startswith(str(folder / "SAXS"))] == []
    assert not any(".poni" in line or "mask" in line for line in given.proposals)
    (absent,) = [
        p for p in check_project(folder, settings(mask="other.npy")).problems if p.kind == "settings"
    ]
    assert absent.severity == "error" and "other.npy: expected a file in" in absent.message


def test_a_door_of_repro_takes_masks_and_geometries(folder: Path, tmp_path: Path) -> None:
    filled = with_calibrations(settings(mask="mask.npy", geometry="detector.poni"), folder)
    section = prepare_settings(filled, "saxs")
    assert isinstance(section, SaxsPrepare)
    assert isinstance(section.mask, MaskPixels) and isinstance(section.geometry, DetectorGeometry)
