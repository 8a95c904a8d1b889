"""The check with settings: what preprocessing would refuse is told, and the proposed settings mend it."""

import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from pairvae.commands.check import check_project
from pairvae.data.check.problems import render
from pairvae.errors import InputError
from pairvae.settings import assignments, merge, parse_yaml, resolve
from pairvae.stages.preprocess import prepare_folder


def micrograph(number: int, side: int = 224) -> np.ndarray:
    noise = np.random.default_rng(number).normal(size=(side, side)).astype(np.float32)
    return np.clip(120 + 250 * cv2.GaussianBlur(noise, (0, 0), 2.0), 1, 254).astype(np.uint8)


def curve(
    folder: Path, name: str, first: float, last: float, *, points: int = 90, header: str = "q (1/nm) I"
) -> None:
    q = np.geomspace(first, last, points)
    intensity = q**-3.5 * 1e-3 + 1e-2
    intensity[-2:] = (-1e-4, 0)  # a tail that was subtracted too far
    np.savetxt(folder / "IQ" / f"{name}.dat", np.stack([q, intensity], axis=1), header=header)


@pytest.fixture
def silver(tmp_path: Path) -> Path:
    """Eight samples with curves of different ranges and micrographs, as of another laboratory."""
    for name in ("IQ", "SEM"):
        (tmp_path / "silver" / name).mkdir(parents=True)
    for number in range(8):
        curve(tmp_path / "silver", f"A{number:02d}", 0.03 + 0.004 * number, 0.9 + 0.03 * number)
        tifffile.imwrite(tmp_path / "silver/SEM" / f"A{number:02d}.tif", micrograph(number))
    return tmp_path / "silver"


def pasted(proposals: tuple[str, ...]) -> dict[str, object]:
    """The settings of the YAML fragment, which have to be those of the command."""
    begin, end = 1, proposals.index("or:")
    from_yaml = parse_yaml("\n".join(proposals[begin:end]), "proposals")
    words = shlex.split(proposals[end + 1])
    assert words[:2] == ["pairvae", "repro"] and set(words[2::2]) == {"--set"}
    assert assignments(words[3::2]) == from_yaml
    return from_yaml


def test_ranges_sizes_and_the_pair_are_proposed_and_preprocess_then_takes_all(
    silver: Path, tmp_path: Path
) -> None:
    settings = resolve({"sem": {"prepare": {"crop": 256}}, "assess": {"crops": 2}})
    report = check_project(silver, settings)
    kinds = {(problem.kind, problem.pair) for problem in report.problems if problem.severity == "error"}
    assert ("settings", "") in kinds and {("wrong size", f"A{number:02d}") for number in range(8)} <= kinds
    assert {pair for kind, pair in kinds if kind == "preprocessing"} == {"A06", "A07"}
    values = pasted(report.proposals)
    assert values["modalities"] == ["iq", "sem"]
    assert values["sem"]["prepare"] == {"crop": 224}
    prepare = values["iq"]["prepare"]
    assert prepare["q_min"] == pytest.approx(0.058, abs=1e-4) and 0.8 < prepare["q_max"] < 0.9
    assert values["data"] == {"source": str(silver)}
    with pytest.raises(InputError):
        prepare_folder(silver, tmp_path / "prepared", settings)
    mended = resolve(merge(settings.model_dump(exclude_unset=True, include={"assess"}), values))
    after = check_project(silver, mended)
    assert after.problems == () and not after.proposals
    prepare_folder(silver, tmp_path / "prepared", mended)
    assert np.load(tmp_path / "prepared/iq.npy").shape == (8, 1, 1, 128)


def test_curves_without_a_common_range_name_the_two(silver: Path) -> None:
    curve(silver, "A03", 0.003, 0.04)
    report = check_project(silver, resolve({"modalities": ["iq", "sem"]}))
    (apart,) = [problem.message for problem in report.problems if problem.kind == "q range"]
    assert apart.startswith("no range of q is common to all curves: that of pair A03 ends at 0.0")
    assert "that of pair A07 begins at 0.058" in apart
    assert not any("q_min" in line for line in report.proposals)


def test_q_in_angstrom_is_proposed_where_no_spacing_is_smaller_than_30_nm(silver: Path) -> None:
    for number in range(8):
        curve(silver, f"A{number:02d}", 0.004, 0.15 + 0.002 * number, header="")
    report = check_project(silver, resolve({"modalities": ["iq", "sem"], "split": {"train": 5}}))
    prepare = pasted(report.proposals)["iq"]["prepare"]
    assert prepare["q_unit"] == "1/angstrom" and prepare.get("q_min", 0.05) >= 0.04
    values = {"modalities": ["iq", "sem"], "split": {"train": 5}, "iq": {"prepare": prepare}}
    assert check_project(silver, resolve(values)).clean


def test_mixed_pixel_sizes_and_rows_of_other_images(silver: Path) -> None:
    for number in range(8):
        scale = 2e6 if number % 2 else 1e6  # px per cm: 5 and 10 nm per px
        tifffile.imwrite(
            silver / "SEM" / f"A{number:02d}.tif",
            micrograph(number, 448),
            resolution=(scale, scale),
            resolutionunit="CENTIMETER",
        )
    settings = {"modalities": ["iq", "sem"], "split": {"train": 5}, "sem": {"prepare": {"rows": 200}}}
    values = pasted(check_project(silver, resolve(settings)).proposals)
    assert values["sem"]["prepare"] == {"rows": None, "columns": None, "nm_per_px": 10.0} or values["sem"][
        "prepare"
    ] == {"rows": None, "nm_per_px": 10.0}
    assert check_project(silver, resolve(merge(settings, values))).clean


def test_numbers_in_names_that_cross_are_warned_of_once(silver: Path) -> None:
    rows = [f"a{n},IQ/A{n:02d}.dat,SEM/A{n + 1:02d}.tif" for n in range(7)]
    (silver / "pairs.csv").write_text("\n".join(["id,iq,sem", *rows]) + "\n")
    settings = resolve({"modalities": ["iq", "sem"], "split": {"train": 4}})
    (warned,) = [problem for problem in check_project(silver, settings).problems if problem.kind == "names"]
    assert warned.message == "A01.tif is paired with A00.dat, although there is A01.dat - look at the sheet"
    (silver / "pairs.csv").write_text("\n".join(["id,iq,sem", rows[0], rows[3], rows[6]]) + "\n")
    assert "names" not in {problem.kind for problem in check_project(silver, settings).problems}


def test_sound_pairs_with_fitting_settings_need_nothing(silver: Path) -> None:
    prepare = {"q_min": 0.06, "q_max": 0.8}
    settings = {"modalities": ["iq", "sem"], "split": {"train": 5}, "iq": {"prepare": prepare}}
    report = check_project(silver, resolve(settings))
    assert report.problems == () and report.proposals == ()
    assert render(report).splitlines()[-1] == f"{silver}: 8 pairs, 16 files read, no problems"


def test_the_check_loads_neither_torch_nor_mlflow() -> None:
    code = (
        "import sys, pairvae.commands.check; print(sorted({'torch', 'mlflow', 'porespy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_small_micrograph_among_sound_ones_lowers_no_crop(silver: Path) -> None:
    tifffile.imwrite(silver / "SEM/A03.tif", micrograph(3, 60))
    report = check_project(silver, resolve({"modalities": ["iq", "sem"]}))
    assert not any("crop" in line for line in report.proposals)
    (small,) = [problem for problem in report.problems if problem.kind == "wrong size"]
    assert small.message.endswith("found 60 x 60 - lower sem.prepare.crop, or leave it out")


def test_files_of_other_names_get_the_command_that_pairs_them(silver: Path) -> None:
    for path in (silver / "SEM").iterdir():
        path.rename(path.with_name(f"image {path.name}"))
    assert check_project(silver, resolve({})).proposals[1] == f"    pairvae data init {silver}"


def test_a_slip_in_the_table_is_told_with_line_and_column(silver: Path) -> None:
    (silver / "pairs.csv").write_text("id,iq,sem,sem_nm_per_px\nA00,IQ/A00.dat,SEM/A00.tif,-2\n")
    (slip,) = [p for p in check_project(silver, resolve({})).problems if p.kind == "pairs.csv"]
    assert slip.message.startswith("line 2, column sem_nm_per_px: expected a positive number")
