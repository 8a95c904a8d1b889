"""pairs.csv from file names."""

import unicodedata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pairvae.cli.data import app
from pairvae.data.pairs.file_names import stem_of
from pairvae.data.pairs.from_names import NameRules, init_pairs, named_folders
from pairvae.data.pairs.manifest import read_manifest, read_pairs
from pairvae.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
    return folder


def names(folder: Path) -> list[tuple[str, str, str]]:
    return [(pair.id, Path(pair.saxs).name, Path(pair.sem).name) for pair in read_pairs(folder)]


def test_equal_stems_pair_up_in_sub_folders_too(tmp_path: Path) -> None:
    touch(tmp_path, "saxs/run1/a.jpg", "saxs/b.jpg", "Sem/a.tif", "Sem/deep/b.tif", "Sem/notes.txt")
    pairs = init_pairs(tmp_path)
    assert names(tmp_path) == [("a", "a.jpg", "a.tif"), ("b", "b.jpg", "b.tif")]
    assert sorted(pair.id for pair in pairs) == ["a", "b"]
    assert "saxs/run1/a.jpg" in (tmp_path / "pairs.csv").read_text()
    (tmp_path / "pairs.csv").unlink()
    assert [(pair.id, pair.files) for pair in pairs] == [(p.id, p.files) for p in read_pairs(tmp_path)]


@pytest.mark.parametrize(
    ("saxs", "sem", "found"),
    [
        (["s10.jpg", "s2.jpg"], ["im_2.tif", "im_10.tif"], {"s2": "im_2.tif", "s10": "im_10.tif"}),
        (
            ["2024_saxs_7.edf", "2024_saxs_08.edf"],
            ["im8_5kV.tif", "im07_5kV.tif"],
            {"2024_saxs_7": "im07_5kV.tif", "2024_saxs_08": "im8_5kV.tif"},
        ),
        (["saxs_A.edf", "saxs_B.edf"], ["b_sem.tif", "A_SEM.tif"], {"A": "A_SEM.tif", "B": "b_sem.tif"}),
        (["a_scan3.edf", "b_scan4.edf"], ["a.tif", "b.tif"], {"a_scan3": "a.tif", "b_scan4": "b.tif"}),
    ],
)
def test_names_that_differ_pair_up_by_what_they_share(
    tmp_path: Path, saxs: list[str], sem: list[str], found: dict[str, str]
) -> None:
    touch(tmp_path, *(f"SAXS/{name}" for name in saxs), *(f"SEM/{name}" for name in sem))
    init_pairs(tmp_path)
    assert {identity: micrograph for identity, _, micrograph in names(tmp_path)} == found


@pytest.mark.parametrize("name", ["a b.c.edf", "a b.c.EDF.GZ", "a b.c.edf.bz2"])
def test_the_stem_has_no_suffix_of_a_packed_file(name: str) -> None:
    assert stem_of(Path(name)) == "a b.c"


def test_numbers_that_disagree_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    touch(
        tmp_path, *(f"SAXS/saxs_{n}.jpg" for n in range(1, 10)), *(f"SEM/sem_{n}.tif" for n in range(2, 11))
    )
    with pytest.raises(InputError, match=r"\(SAXS/saxs_1\.jpg, SEM/sem_10\.tif without partner\)"):
        init_pairs(tmp_path)
    with pytest.raises(InputError, match=r"saxs_2\.jpg with sem_3\.tif, although there is sem_2\.tif"):
        init_pairs(tmp_path, rules=NameRules(by_order=True))
    assert not (tmp_path / "pairs.csv").exists()
    init_pairs(tmp_path, rules=NameRules(by_order=True), force=True)
    assert ("saxs_2", "saxs_2.jpg", "sem_3.tif") in names(tmp_path)


def test_order_is_taken_only_where_asked_and_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/s10.jpg", "SAXS/s2.jpg", "SEM/im_9.tif", "SEM/im_11.tif")
    with pytest.raises(InputError, match="--by-order pairs the first with the first"):
        init_pairs(tmp_path)
    said: list[str] = []
    init_pairs(tmp_path, rules=NameRules(by_order=True), say=said.append)
    assert names(tmp_path) == [("s10", "s10.jpg", "im_11.tif"), ("s2", "s2.jpg", "im_9.tif")]
    assert said == ["paired by their order alone: compare the names"]


def test_two_numbers_that_pair_differently_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/s1.jpg", "SAXS/s2.jpg", "SEM/w2_im1.tif", "SEM/w1_im2.tif")
    with pytest.raises(InputError, match=r"several that pair them differently.*--pattern"):
        init_pairs(tmp_path)
    init_pairs(tmp_path, pattern=r"(s|im)(?P<id>\d+)")
    assert [micrograph for _, _, micrograph in names(tmp_path)] == ["w2_im1.tif", "w1_im2.tif"]


@pytest.mark.parametrize("micrographs", [
    ["film1_1.tif", "film1_2.tif", "film2a.tif"],
    ["film1/1.tif", "film1/2.tif", "film2/1.tif"],
    ["im_1_a.tif", "im_1_b.tif", "im_2_a.tif"],
    ["film1.tif", "film1 left.tif", "film2.tif"],
])  # fmt: skip
@pytest.mark.parametrize("side", ["SAXS/{}.edf", "IQ/{}.csv"])
def test_several_micrographs_of_a_sample_are_rows_of_one_group(
    tmp_path: Path, micrographs: list[str], side: str
) -> None:
    touch(tmp_path, *(side.format(name) for name in ("film1", "film2", "film10")), "SEM/film10.tif")
    if micrographs[0].startswith("im_"):
        (tmp_path / "SEM/film10.tif").rename(tmp_path / "SEM/im_10_a.tif")
    touch(tmp_path, *(f"SEM/{name}" for name in micrographs))
    pairs = init_pairs(tmp_path)
    assert read_pairs(tmp_path) == sorted(pairs, key=lambda pair: pair.id)
    first = [pair for pair in pairs if "film1." in str(next(f for n, f in pair.files.items() if n != "sem"))]
    assert [pair.group for pair in first] == ["film1"] * 2 and len({pair.id for pair in pairs}) == 4
    assert [pair.group for pair in pairs if pair not in first] == [None, None]


def test_curves_join_pairs_and_those_that_do_not_are_said(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/s_1.edf", "SAXS/s_2.edf", "SEM/m_1.tif", "SEM/m_2.tif", "IQ/c_2.csv", "IQ/c_7.csv")
    said: list[str] = []
    pairs = init_pairs(tmp_path, say=said.append)
    assert [Path(str(pair.files.get("iq", "none"))).name for pair in pairs] == ["none", "c_2.csv"]
    assert "in no pair: IQ/c_7.csv" in said


def test_composed_and_decomposed_letters_are_equal(tmp_path: Path) -> None:
    composed, decomposed = "Größe é 190°C नमूना", unicodedata.normalize("NFD", "Größe é 190°C नमूना")
    assert composed != decomposed
    touch(tmp_path, f"SAXS/{composed}.edf", f"SEM/{decomposed}.tif")
    (by_name,) = read_pairs(tmp_path)
    init_pairs(tmp_path)
    assert read_pairs(tmp_path) == [by_name] and by_name.id == composed
    table = tmp_path / "pairs.csv"
    table.write_text(unicodedata.normalize("NFC", table.read_text("utf-8")), "utf-8")
    assert read_pairs(tmp_path) == [by_name]


def test_names_that_no_id_can_have_become_ids(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a#1?.edf", "SAXS/a#1*.edf", "SEM/a#1?.tif", "SEM/a#1*.tif")
    init_pairs(tmp_path)
    assert sorted(names(tmp_path)) == [
        ("a_1_-0001", "a#1*.edf", "a#1*.tif"),
        ("a_1_-0002", "a#1?.edf", "a#1?.tif"),
    ]


def test_leftovers_of_other_programs_are_no_files(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.edf", "SEM/a.tif", "SAXS/._a.edf", "SEM/~$a.tif", "SEM/._b.tif", "SEM/.x/c.tif")
    assert names(tmp_path) == [("a", "a.edf", "a.tif")]
    init_pairs(tmp_path)
    assert names(tmp_path) == [("a", "a.edf", "a.tif")]


def test_a_name_that_is_not_utf8_is_one_fault_and_loses_no_other_pair(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.edf", "SEM/a.tif", "SAXS/b\udce9.edf")
    manifest = read_manifest(tmp_path)
    assert [pair.id for pair in manifest.pairs] == ["a"] and not manifest.missing
    (fault,) = manifest.faults
    assert str(fault.error).endswith(
        "SAXS/b\\udce9.edf: expected file names in UTF-8, found other bytes - rename the file"
    )
    with pytest.raises(InputError, match="rename the file"):
        init_pairs(tmp_path)


def test_lone_files_get_rows_where_asked(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.edf", "SAXS/b.edf", "SEM/a.tif", "SEM/c.tif")
    with pytest.raises(InputError, match=r"\(SAXS/b\.edf, SEM/c\.tif without partner\).*--lone keeps"):
        init_pairs(tmp_path)
    init_pairs(tmp_path, rules=NameRules(lone=True))
    manifest = read_manifest(tmp_path)
    assert [pair.id for pair in manifest.pairs] == ["a"]
    assert [(one.id, [*one.files]) for one in manifest.unpaired] == [("b", ["saxs"]), ("c", ["sem"])]


def test_folders_of_other_names(tmp_path: Path) -> None:
    touch(tmp_path, "patterns/a.edf", "Micrographs/a.tif")
    with pytest.raises(
        InputError, match=r"found none, and the folders Micrographs, patterns - .*--folder sem=NAME"
    ):
        init_pairs(tmp_path)
    folders = named_folders(["saxs=patterns", "sem=micrographs"])
    init_pairs(tmp_path, rules=NameRules(folders=folders))
    assert names(tmp_path) == [("a", "a.edf", "a.tif")]
    with pytest.raises(InputError, match="--folder saxs=patterns"):
        named_folders(["xrd=patterns"])


def test_a_pattern_takes_the_id_out_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/scan_07_q.jpg", "SAXS/scan_12_q.jpg", "SEM/wafer12_a.tif", "SEM/wafer07_b.tif")
    init_pairs(tmp_path, pattern=r"(?P<id>\d+)")
    assert names(tmp_path) == [
        ("07", "scan_07_q.jpg", "wafer07_b.tif"),
        ("12", "scan_12_q.jpg", "wafer12_a.tif"),
    ]


def test_a_pattern_that_gives_one_id_twice_or_no_partner(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a1_x.jpg", "SAXS/a1_y.jpg", "SEM/a1.tif", "SEM/b2.tif")
    with pytest.raises(InputError, match=r"a1_x\.jpg and a1_y\.jpg for id 1"):
        init_pairs(tmp_path, pattern=r"[a-z](?P<id>\d)")
    (tmp_path / "SAXS/a1_y.jpg").unlink()
    with pytest.raises(InputError, match=r"a partner of SEM/b2\.tif, found none with id 2"):
        init_pairs(tmp_path, pattern=r"[a-z](?P<id>\d)")
    assert not (tmp_path / "pairs.csv").exists()


def test_force_writes_anew_and_keeps_the_old_one_otherwise(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SEM/a.tif")
    (tmp_path / "pairs.csv").write_text("mine")
    with pytest.raises(InputError, match="--force"):
        init_pairs(tmp_path)
    assert (tmp_path / "pairs.csv").read_text() == "mine"
    init_pairs(tmp_path, force=True)
    assert names(tmp_path) == [("a", "a.jpg", "a.tif")]


def test_no_files_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SEM/readme.txt")
    with pytest.raises(InputError, match=r"files in SEM/ .*, found none"):
        init_pairs(tmp_path)


def test_the_command_shows_both_names_in_natural_order_and_how_they_were_paired(tmp_path: Path) -> None:
    touch(tmp_path, *(f"SAXS/s{n}.edf" for n in (10, 2)), *(f"SEM/im{n}.tif" for n in (2, 10)))
    done = CliRunner().invoke(app, ["init", str(tmp_path)])
    assert done.output.splitlines() == [
        "s2: s2.edf  im2.tif",
        "s10: s10.edf  im10.tif",
        "paired by the numbers in their names",
        f"2 pairs in {tmp_path / 'pairs.csv'}",
    ]
