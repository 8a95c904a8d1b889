"""Files of a further modality beside SAXS and SEM: paired, written, checked, copied."""

import shutil
from pathlib import Path

import pytest

from pairvae.data.check.folder import check_folder, prepare_sections
from pairvae.data.check.problems import Problem
from pairvae.data.pairs.from_names import init_pairs
from pairvae.data.pairs.manifest import read_pairs, write_pairs
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.errors import InputError
from pairvae.settings import resolve
from pairvae.settings.simulation import SimulationParameters
from pairvae.stages.raw import copy_folder

SMALL = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600, curves=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    simulate(tmp_path / "raw", pairs=2, seed=0, parameters=SMALL, workers=1)
    return tmp_path / "raw"


def curves(folder: Path) -> list[str]:
    return [Path(str(pair.files.get("iq", "none"))).name for pair in read_pairs(folder)]


def errors(folder: Path) -> list[Problem]:
    """Of the check, but for that two pairs are too few."""
    problems = check_folder(folder, prepare_sections(resolve({}), ())).problems
    return [one for one in problems if one.severity == "error" and one.kind != "too few pairs"]


def test_simulated_curves_are_in_the_table(folder: Path) -> None:
    assert curves(folder) == ["00000.csv", "00001.csv"]
    assert (folder / "pairs.csv").read_text().startswith("id,saxs,sem,iq,morphology,")


def test_curves_of_the_same_name_join_without_a_table(folder: Path) -> None:
    (folder / "pairs.csv").unlink()
    (folder / "IQ" / "00001.csv").unlink()
    assert curves(folder) == ["00000.csv", "none"]


def test_init_finds_them_and_the_table_keeps_them(folder: Path) -> None:
    init_pairs(folder, force=True)
    before = read_pairs(folder)
    assert curves(folder) == ["00000.csv", "00001.csv"]
    write_pairs(folder / "pairs.csv", before)
    assert read_pairs(folder) == before


def test_named_curve_that_is_absent_or_outside_is_told(folder: Path) -> None:
    (folder / "IQ" / "00001.csv").unlink()
    with pytest.raises(InputError, match=r"IQ/00001\.csv: expected the IQ file of pair 00001, found none"):
        read_pairs(folder)
    table = folder / "pairs.csv"
    table.write_text(table.read_text().replace("IQ/00001.csv", "../00001.csv"))
    with pytest.raises(InputError, match=r"line 3, column iq: expected a path inside the folder"):
        read_pairs(folder)


@pytest.mark.parametrize(("side", "folder_name"), [("saxs", "SAXS"), ("sem", "SEM")])
def test_curves_take_the_place_of_a_side_by_name_and_by_table(
    folder: Path, side: str, folder_name: str
) -> None:
    shutil.rmtree(folder / folder_name)
    (folder / "pairs.csv").unlink()
    by_name = read_pairs(folder)
    assert [set(pair.files) for pair in by_name] == [{"iq", "sem" if side == "saxs" else "saxs"}] * 2
    write_pairs(folder / "pairs.csv", by_name)
    assert side not in (folder / "pairs.csv").read_text().splitlines()[0].split(",")
    assert read_pairs(folder) == by_name
    assert errors(folder) == []
    copy_folder(folder, folder.parent / "copy")
    assert len(read_pairs(folder.parent / "copy")) == 2


def test_missing_curve_is_a_missing_partner_where_it_takes_a_place(folder: Path) -> None:
    shutil.rmtree(folder / "SAXS")
    (folder / "pairs.csv").unlink()
    (folder / "IQ" / "00001.csv").unlink()
    with pytest.raises(InputError, match=r"expected a partner IQ/00001\.<ext> of SEM/00001\.tif, found none"):
        read_pairs(folder)
    (folder / "pairs.csv").write_text("id,iq,sem\na,IQ/00000.csv,SEM/00000.tif\nb,,SEM/00001.tif\n")
    with pytest.raises(InputError, match=r"line 3, column iq: expected a file, found an empty cell"):
        read_pairs(folder)


def test_curve_in_two_pairs_needs_a_group(folder: Path) -> None:
    table = folder / "pairs.csv"
    table.write_text(table.read_text().replace("IQ/00001.csv", "IQ/00000.csv"))
    with pytest.raises(InputError, match="expected a file in one pair only, found it in the pairs 00000 and"):
        read_pairs(folder)


def test_check_reads_them_too(folder: Path) -> None:
    (folder / "IQ" / "00000.csv").write_text("q,I\nno numbers\n")
    (found,) = errors(folder)
    assert (found.pair, found.kind) == ("00000", "unreadable")
    assert "expected columns of numbers q, I and error, found none" in found.message


def test_own_folder_is_copied_with_its_curves(folder: Path, tmp_path: Path) -> None:
    copy_folder(folder, tmp_path / "copy")
    assert curves(tmp_path / "copy") == curves(folder)


def test_what_is_odd_about_curves_is_shown(folder: Path) -> None:
    for number, text in enumerate(("q (1/A),I,sigmaI,sigmaQ\n", "q,I,error\n")):
        rows = "".join(f"{0.01 * (n + 1)},{100 / (n + 1) if n < 30 else -1},1,1\n" for n in range(40))
        rows = rows if number == 0 else "".join(line.rsplit(",", 1)[0] + "\n" for line in rows.splitlines())
        (folder / "IQ" / f"0000{number}.csv").write_text(text + rows)
    report = check_folder(folder, prepare_sections(resolve({"iq": {"prepare": {"q_unit": None}}})))
    told = {
        (one.pair, one.severity, one.message.partition(" - ")[0])
        for one in report.problems
        if one.kind == "reading"
    }
    low = "10 of 40 points with I of zero or below, from q 0.31 to 0.4: taken as noise, a beam stop or a dead pixel"
    assert told == {
        ("00000", "warning", f"{low}, not dropped"),
        ("00001", "warning", f"{low}, not dropped"),
        ("00001", "warning", "the file names no unit of q: 1/nm is taken"),
    }
    assert "IQ: columns left out: sigmaQ (1 file)" in report.notes
