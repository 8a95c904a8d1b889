"""Strangers with files of their own: from a folder to a prediction, by what the commands print alone."""

import csv
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import story_files as files
from small_project import run_pairvae

SMALL_NETWORKS = [
    *(f"{name}.training.{key}=1" for name in ("saxs", "iq", "sem") for key in ("epochs", "log_every")),
    "saxs.network.components=3",
    "saxs.network.width=8",
    "sem.network.components=3",
    "sem.network.width=8",
    "sem.network.noise_channels=4",
    "sem.network.block_widths=[4, 4, 4]",
    "pair.training.random_epochs=1",
    "pair.training.log_every=1",
    "assess.crops=2",
    "device.threads=1",
]


SLIPS = "id,saxs,sem,sem_nm_per_pix,split,group\n" + "".join(
    f"p{number:02d},SAXS/p{number:02d}.png,SEM/p{number:02d}.png,2.0,,\n" for number in range(1, 14)
).replace("SAXS/p06.png", "SAXS/p06.npy").replace("SEM/p11.png", "SEM/p11.npy")
CORRECTIONS = {  # what the check says, and what a person then puts in the place of what
    "sem_nm_per_pix": ("sem_nm_per_pix", "sem_nm_per_px"),
    "line 2, column saxs": ("/data/p01.png", "SAXS/p01.png"),
    "line 3, column sem": ("SEM\\p02.png", "SEM/p02.png"),
    "line 4, column sem_nm_per_px": ("SEM/p03.png,-2.0", "SEM/p03.png,2.0"),
    "'test'": (",test,", ",train,"),
    "p05 as in line 5": ("p05,SAXS/p04.png", "p04,SAXS/p04.png"),
    "SEM file of pair p07": ("SEM/p70.png", "SEM/p07.png"),
    "group w1 is in train and in validation": ("validation,w1", "train,w1"),
}
for right_text, wrong_text in (
    ("sem_nm_per_px", "sem_nm_per_pix"),
    ("SAXS/p01.png", "/data/p01.png"),
    ("SEM/p02.png", "SEM\\p02.png"),
    ("SEM/p03.png,2.0", "SEM/p03.png,-2.0"),
    ("SEM/p09.png,2.0,,", "SEM/p09.png,2.0,test,"),
    ("p04,SAXS/p04.png", "p05,SAXS/p04.png"),
    ("SEM/p07.png", "SEM/p70.png"),
    ("SEM/p10.png,2.0,,", "SEM/p10.png,2.0,validation,w1"),
    ("SEM/p12.png,2.0,,", "SEM/p12.png,2.0,train,w1"),
):
    SLIPS = SLIPS.replace(right_text, wrong_text)


def errors(told: str) -> set[tuple[str, str]]:
    """Pair and kind of every error in a check's table."""
    rows = [re.split(r" {2,}", line) for line in told.splitlines()]
    return {(row[1], row[2]) for row in rows if row[0] == "error"}


def check(project: Path, folder: Path, *, clean: bool = False) -> str:
    done = run_pairvae("data", "check", str(folder), cwd=project, check=clean)
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr
    return done.stdout


def pasted(output: str) -> list[list[str]]:
    """The commands that a check proposes: indented lines that begin with `pairvae`."""
    lines = [shlex.split(line) for line in output.splitlines() if line.startswith("    pairvae ")]
    return [words[1:] for words in lines]


def train(project: Path, proposed: list[str]) -> None:
    """The proposed `pairvae repro`, of small networks and as far as there is a model to predict with."""
    assert proposed[0] == "repro"
    small = [word for change in SMALL_NETWORKS for word in ("--set", change)]
    run_pairvae("repro", "train-pair", *proposed[1:], *small, cwd=project)


def predict(project: Path, file: Path, to: str) -> list[dict[str, str]]:
    run_pairvae(
        "predict", str(file), "--to", to, "--model", "models/train-pair", "--out", f"to-{to}", cwd=project
    )
    with (project / f"to-{to}" / "predictions.csv").open(encoding="utf-8") as table:
        return list(csv.DictReader(table))


def done(project: Path) -> dict[str, list[dict[str, object]]]:
    """What preprocessing did to each file, as its card tells."""
    card: dict[str, dict[str, list[dict[str, object]]]] = json.loads(
        (project / "data" / "prepared" / "card.json").read_text("utf-8")
    )
    return card["done"]


@pytest.mark.slow
def test_curves_in_inverse_angstrom_and_two_micrographs_of_each_film(tmp_path: Path) -> None:
    films = tmp_path / "films"
    for name in ("IQ", "SEM"):
        (films / name).mkdir(parents=True)
    for number in range(1, 9):
        q = np.geomspace(0.04 + 0.002 * number, 1.6 + 0.03 * number, 150)
        spacing = 28 + 2.0 * number
        files.write_curve(films / "IQ" / f"film{number}.dat", q / 10, files.intensity(q, spacing, number))
        for view in "ab":
            grey = files.domains(spacing / 2, 10 * number + ord(view), 128, 150)
            files.write_png(films / "SEM" / f"film{number}_{view}.png", files.with_bar(grey))
    run_pairvae("init", "project", "--data", "films", cwd=tmp_path)
    project = tmp_path / "project"

    assert pasted(check(project, films)) == [["data", "init", str(films)]]
    paired = run_pairvae("data", "init", str(films), cwd=project).stdout
    assert "paired by names that begin with the sample's" in paired
    assert "film3_b: film3_b.png  film3.dat  (group film3)" in paired
    told = check(project, films)
    assert "SEM image rows: 128, detected in the pixels (16 files)" in told
    (proposed,) = pasted(told)
    assert {"modalities=[iq, sem]", "iq.prepare.q_unit=1/angstrom", "sem.prepare.crop=128"} <= {*proposed}
    assert "recommended: " in run_pairvae("data", "preview", str(films), cwd=project).stdout

    train(project, proposed)
    assert "16 pairs, 24 files read, no problems" in check(project, films, clean=True)
    ranges = [one["q_range_inv_nm"] for one in done(project)["iq"]]
    np.testing.assert_allclose(ranges[0], (0.042, 1.63), rtol=1e-3)
    q = np.geomspace(0.05, 1.7, 150)
    files.write_curve(tmp_path / "new.dat", q / 10, files.intensity(q, 37, 99))
    (row,) = predict(project, tmp_path / "new.dat", "sem")
    assert 0 < float(row["phase_fraction"]) < 1
    grey = files.domains(20, 77, 128, 150)
    files.write_png(tmp_path / "fresh.png", files.with_bar(grey))
    (row,) = predict(project, tmp_path / "fresh.png", "iq")
    curve = np.loadtxt(project / "to-iq" / row["file"], delimiter=",", skiprows=1)
    assert curve[0, 0] == pytest.approx(0.056) and curve[-1, 0] == pytest.approx(1.63)


@pytest.mark.slow
def test_hitachi_micrographs_and_a_detector_with_mask_and_geometry(tmp_path: Path) -> None:
    fabio = pytest.importorskip("fabio")
    visit = tmp_path / "visit 7"
    for name in ("SAXS", "SEM"):
        (visit / name).mkdir(parents=True)
    q_per_px = 2 * np.pi * 1e-4 / 0.1  # 1/nm: 0.1 mm at 1 m, 0.1 nm
    fabio.edfimage.EdfImage(data=files.detector_mask()).write(str(visit / "mask.edf"))
    (visit / "detector.poni").write_text(files.poni())
    for number in range(1, 10):
        spacing, nm = 36.0 + 3 * number, 3.0 if number < 5 else 6.0
        pattern = files.detector_frame(2 * np.pi / spacing / q_per_px, number)
        place = visit / "SAXS" if number < 9 else tmp_path
        fabio.edfimage.EdfImage(data=pattern).write(str(place / f"s{number:02d}.edf"))
        if number < 9:
            grey = files.domains(spacing / nm, number, 128, 150)
            files.write_hitachi(visit / "SEM" / f"C67 on Dow {number:02d}.tif", grey, nm)
    run_pairvae("init", "project", "--data", str(visit), cwd=tmp_path)
    project = tmp_path / "project"

    assert pasted(check(project, visit)) == [["data", "init", str(visit)]]
    assert (
        "paired by the numbers in their names" in run_pairvae("data", "init", str(visit), cwd=project).stdout
    )
    told = check(project, visit)
    assert "SEM pixel size: 3 nm (4 files)" in told and "SEM pixel size: 6 nm (4 files)" in told
    (proposed,) = pasted(told)
    assert {
        "sem.prepare.nm_per_px=6.0",
        "saxs.prepare.geometry=detector.poni",
        "saxs.prepare.mask=mask.edf",
    } <= {*proposed}
    train(project, proposed)
    assert "8 pairs, 16 files read, 0 errors" in check(project, visit, clean=True)
    for one in done(project)["saxs"]:
        assert (one["beam_from"], one["beam_centre"]) == ("poni", list(files.BEAM))
        assert one["q_per_px_inv_nm_of_file"] == pytest.approx(q_per_px)
        assert one["masked_share"] == pytest.approx(1 / 80, abs=1e-3)
    assert [one["nm_per_px"] for one in done(project)["sem"]] == [6.0] * 8

    shutil.rmtree(visit)  # the model has the mask and the geometry
    (row,) = predict(project, tmp_path / "s09.edf", "sem")
    assert float(row["spacing_nm"]) == pytest.approx(6.0 * float(row["domain_spacing_px"]), rel=1e-3)


def sound_folder(folder: Path, ids: range) -> tuple[Callable[[int], None], Callable[[int], None]]:
    """Pairs of small pictures, and what writes the pattern and the micrograph of a number anew."""

    def pattern(number: int) -> None:
        files.write_png(folder / "SAXS" / f"p{number:02d}.png", files.ring_picture(24.0 + number, number))

    def micrograph(number: int) -> None:
        files.write_png(
            folder / "SEM" / f"p{number:02d}.png", files.domains((24.0 + number) / 2, number, 224, 230)
        )

    for name in ("SAXS", "SEM"):
        (folder / name).mkdir(parents=True)
    for number in ids:
        pattern(number)
        micrograph(number)
    return pattern, micrograph


@pytest.mark.slow
def test_a_folder_with_every_kind_of_mistake_is_mended_line_by_line(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    pattern, micrograph = sound_folder(mine, range(1, 14))
    saxs, sem = mine / "SAXS", mine / "SEM"
    whole = (sem / "p01.png").read_bytes()
    (sem / "p01.png").write_bytes(whole[: len(whole) // 2])
    files.write_png(sem / "p02.png", np.full((224, 230), 90, np.uint8))
    shutil.copyfile(sem / "p04.png", sem / "p03.png")
    files.write_png(saxs / "p05.png", np.where(files.ring_picture(30, 5) > 100, 255, 0).astype(np.uint8))
    (saxs / "p06.png").unlink()
    np.save(saxs / "p06.npy", np.array([{"counts": 1}], dtype=object), allow_pickle=True)
    shutil.copyfile(sem / "p07.png", sem / "p07.tif")
    (sem / "p08.png").unlink()
    bright = files.domains(16, 9, 224, 230)
    files.write_png(sem / "p09.png", np.where(bright > 62, 255, bright).astype(np.uint8))
    files.write_png(sem / "p10.png", files.domains(8, 10, 40, 60))
    grey = files.domains(18, 11, 224, 230).astype(np.float32)
    grey[3, 4] = np.nan
    (sem / "p11.png").unlink()
    np.save(sem / "p11.npy", grey)
    (tmp_path / "elsewhere.png").write_bytes((sem / "p12.png").read_bytes())
    (sem / "p12.png").unlink()
    (sem / "p12.png").symlink_to(tmp_path / "elsewhere.png")
    shutil.copyfile(sem / "p13.png", saxs / "p13.png")
    (saxs / "notes.txt").write_text("sample 7, annealed")
    (sem / "._p01.png").write_bytes(b"\0\5\x16\7")
    run_pairvae("init", "project", "--data", str(mine), cwd=tmp_path)
    project = tmp_path / "project"
    mends: dict[tuple[str, str], Callable[[], object]] = {
        ("p01", "unreadable"): lambda: micrograph(1),
        ("p02", "constant"): lambda: micrograph(2),
        ("p04", "duplicate"): lambda: micrograph(3),
        ("p05", "unreadable"): lambda: pattern(5),
        ("p06", "unreadable"): lambda: np.save(saxs / "p06.npy", files.ring_picture(30, 6)),
        ("p07", "duplicate id"): (sem / "p07.tif").unlink,
        ("p08", "missing partner"): lambda: micrograph(8),
        ("p09", "saturated"): lambda: micrograph(9),
        ("p10", "wrong size"): lambda: micrograph(10),
        ("p11", "NaN"): lambda: np.save(sem / "p11.npy", np.nan_to_num(grey, nan=90.0)),
        ("p12", "outside the folder"): lambda: (sem / "p12.png").unlink() or micrograph(12),
        ("p13", "duplicate"): lambda: pattern(13),
    }
    told = check(project, mine)
    assert errors(told) == set(mends)
    assert "notes.txt left out" in told and "._p01" not in told
    assert not pasted(told), "the settings fit all micrographs but the one that is told of"
    for mend in mends.values():
        mend()
    assert not errors(check(project, mine))

    table = mine / "pairs.csv"
    table.write_text(SLIPS, encoding="utf-8")
    left = dict(CORRECTIONS)
    while (told := check(project, mine)) and errors(told):
        (said,) = [said for said in left if said in told][:1] or pytest.fail(told)
        wrong, right = left.pop(said)
        table.write_text(table.read_text("utf-8").replace(wrong, right), encoding="utf-8")
    assert not left
    train(project, ["repro"])
    files.write_png(tmp_path / "new.png", files.ring_picture(33, 99))
    (row,) = predict(project, tmp_path / "new.png", "sem")
    assert 0 < float(row["phase_fraction"]) < 1
