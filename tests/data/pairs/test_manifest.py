"""Pairs from names and from pairs.csv, and the split."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairvae.data.pairs.manifest import (
    Pair,
    collect,
    named_samples,
    read_pairs,
    read_samples,
    split_pairs,
    write_pairs,
)
from pairvae.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def many(count: int) -> list[Pair]:
    return [Pair(f"{number:03d}", f"SAXS/{number}", f"SEM/{number}") for number in range(count)]


def test_equal_names_pair_up_sorted_by_id(tmp_path: Path) -> None:
    touch(
        tmp_path, "SAXS/b.jpg", "SAXS/a.png", "SEM/a.tif", "SEM/b.tiff", "SAXS/.hidden.png", "SEM/Thumbs.db"
    )
    pairs = read_pairs(tmp_path)
    assert [(pair.id, Path(pair.saxs).name, Path(pair.sem).name) for pair in pairs] == [
        ("a", "a.png", "a.tif"),
        ("b", "b.jpg", "b.tiff"),
    ]


def test_pairs_csv_rules_and_carries_all_columns(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SAXS/left_over.jpg", "SEM/x y.tif", "raw/c.h5")
    (tmp_path / "pairs.csv").write_text(
        "\ufeffgroup,id,saxs,sem,morphology,sem_nm_per_px,saxs_q_per_px_inv_nm,split\n"
        "w1,p,SAXS/a.jpg,SEM/x y.tif,skew,2.9,1.5e-3,train\n\n"
        " ,q,raw/c.h5::/entry/data,SEM/x y.tif,,,,\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="in the pairs p and q"):
        read_pairs(tmp_path)
    text = (tmp_path / "pairs.csv").read_text("utf-8").replace("\n ,q", "\nw1,q")
    (tmp_path / "pairs.csv").write_text(text, encoding="utf-8")
    first, second = read_pairs(tmp_path)
    sem = tmp_path / "SEM" / "x y.tif"
    assert first == Pair("p", tmp_path / "SAXS/a.jpg", sem, "skew", 2.9, 0.0015, "train", "w1")
    assert second == Pair("q", f"{tmp_path}/raw/c.h5::/entry/data", sem, group="w1")


def test_written_pairs_are_read_back(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SAXS/b, c.jpg", "SEM/a.tif", "SEM/b.tif")
    pairs = [
        Pair("a", tmp_path / "SAXS/a.jpg", tmp_path / "SEM/a.tif", "ladders", 2.9, 0.001125, "validation", "g"),
        Pair("b", tmp_path / "SAXS/b, c.jpg", tmp_path / "SEM/b.tif"),
    ]  # fmt: skip
    write_pairs(tmp_path / "pairs.csv", pairs)
    assert read_pairs(tmp_path) == pairs
    write_pairs(tmp_path / "pairs.csv", pairs[1:])
    assert (tmp_path / "pairs.csv").read_text() == 'id,saxs,sem\nb,"SAXS/b, c.jpg",SEM/b.tif\n'


def test_every_fault_is_collected_and_the_first_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SAXS/b.jpg", "SAXS/c.jpg", "SEM/c.tif", "SEM/d.tif", "SEM/c.png")
    pairs, faults = collect(tmp_path)
    assert [pair.id for pair in pairs] == ["c"]
    assert Counter(fault.kind for fault in faults) == {"missing partner": 3, "duplicate id": 1}
    with pytest.raises(InputError, match="3 more like it; pairvae data check lists every problem"):
        read_pairs(tmp_path)


LONE = {"saxs": "SAXS/c.jpg", "sem": "SEM/d.tif"}


@pytest.mark.parametrize("table", [True, False])
def test_samples_without_a_partner_are_refused_or_kept_apart(tmp_path: Path, table: bool) -> None:
    touch(
        tmp_path, "SAXS/a.jpg", "SAXS/b.jpg", "SAXS/c.jpg", "SEM/a.tif", "SEM/b.tif", "SEM/d.tif", "IQ/e.csv"
    )
    if table:
        rows = "id,saxs,sem,iq\na,SAXS/a.jpg,SEM/a.tif,\nb,SAXS/b.jpg,SEM/b.tif,\n"
        (tmp_path / "pairs.csv").write_text(f"{rows}c,SAXS/c.jpg,,\nd,,SEM/d.tif,\ne,,,IQ/e.csv\n")
    with pytest.raises(InputError, match=r"set data\.unpaired to use"):
        read_pairs(tmp_path)
    assert [pair.id for pair in read_pairs(tmp_path, "use")] == ["a", "b"]
    pairs, lone = read_samples(tmp_path, "use")
    assert [pair.id for pair in pairs] == ["a", "b"]
    assert [sample.files for sample in lone] == [{name: tmp_path / file} for name, file in LONE.items()]
    # for the pair of curve and micrograph, a pattern stands in for a curve
    pairs, lone = read_samples(tmp_path, "use", ("iq", "sem"))
    assert [pair.id for pair in pairs] == ["a", "b"]
    assert [[*sample.files] for sample in lone] == [["saxs"], ["sem"], ["iq"]]
    assert {sample.id for sample in named_samples(tmp_path, "use")} == set("abcde")


def test_lone_samples_alone_are_no_pairs(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SEM/b.tif")
    with pytest.raises(InputError, match="found 2 samples without a partner and no pair"):
        read_pairs(tmp_path, "use")


def test_a_row_without_a_file_is_a_fault_in_any_case(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SEM/a.tif")
    (tmp_path / "pairs.csv").write_text("id,saxs,sem\na,SAXS/a.jpg,SEM/a.tif\nb,,\n")
    with pytest.raises(InputError, match="line 3: expected a file in each row, found none"):
        read_pairs(tmp_path, "use")


def test_further_columns_are_conditions_and_come_back(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SAXS/b.jpg", "SEM/a.tif", "SEM/b.tif")
    (tmp_path / "pairs.csv").write_text(
        "id,saxs,pitch_nm,sem,blend,note\na,SAXS/a.jpg,28.5,SEM/a.tif,PS-PMMA,7\nb,SAXS/b.jpg,,SEM/b.tif,,x\n"
    )
    pairs = read_pairs(tmp_path)
    # a column is of numbers where every cell is one
    assert [dict(pair.conditions) for pair in pairs] == [
        {"pitch_nm": 28.5, "blend": "PS-PMMA", "note": "7"},
        {"note": "x"},
    ]
    write_pairs(tmp_path / "pairs.csv", pairs)
    assert read_pairs(tmp_path) == pairs


@pytest.mark.parametrize("name", ["Group", "sem_nm_per_pixel", "splt", "sax"])
def test_a_slip_in_a_column_is_no_condition(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SEM/a.tif")
    (tmp_path / "pairs.csv").write_text(f"id,saxs,sem,{name}\na,SAXS/a.jpg,SEM/a.tif,1\n")
    with pytest.raises(InputError, match=r"did you mean (group|sem_nm_per_px|split|saxs)\?"):
        read_pairs(tmp_path)


def test_a_linked_folder_is_the_folder(tmp_path: Path) -> None:
    touch(tmp_path / "store", "SAXS/a.jpg", "SEM/a.tif")
    (tmp_path / "data").symlink_to(tmp_path / "store")
    assert len(read_pairs(tmp_path / "data")) == 1


# --- split -----------------------------------------------------------------------------------------


def test_the_split_is_seeded_and_exact() -> None:
    one, again, other = (split_pairs(many(72), 48, seed) for seed in (42, 42, 43))
    assert one == again != other
    assert (len(one.train), len(one.validation)) == (48, 24)
    assert sorted(one.train + one.validation) == list(range(72))


def test_the_column_split_rules() -> None:
    pairs = [
        Pair(str(number), "a", "b", split="train" if number < 2 else "validation" if number < 5 else None)
        for number in range(12)
    ]
    split = split_pairs(pairs, 6, 0)
    assert {0, 1} <= set(split.train) and {2, 3, 4} <= set(split.validation) and len(split.train) == 6
    fixed = [Pair(pair.id, "a", "b", split=pair.split or "train") for pair in pairs]
    assert split_pairs(fixed, 999, 0).train == (0, 1, 5, 6, 7, 8, 9, 10, 11)


def test_a_group_follows_its_fixed_member() -> None:
    pairs = [Pair("0", "a", "b", split="validation", group="w"), Pair("1", "a", "b", group="w"), *many(4)]
    assert {0, 1} <= set(split_pairs(pairs, 3, 5).validation)


@given(
    groups=st.lists(st.integers(0, 5), min_size=4, max_size=30).filter(lambda names: len(set(names)) > 1),
    share=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**32),
)
def test_groups_stay_together_near_the_wanted_number(groups: list[int], share: float, seed: int) -> None:
    pairs = [Pair(str(number), "a", "b", group=str(name)) for number, name in enumerate(groups)]
    wanted = min(max(1, round(share * len(pairs))), len(pairs) - 1)
    split = split_pairs(pairs, wanted, seed)
    assert not {groups[i] for i in split.train} & {groups[i] for i in split.validation}
    assert sorted(split.train + split.validation) == list(range(len(pairs)))
    assert abs(len(split.train) - wanted) < max(Counter(groups).values())


@pytest.mark.parametrize("train", [0, 12, 13])
def test_both_sides_need_a_pair(train: int) -> None:
    with pytest.raises(InputError, match="between 1 and 11"):
        split_pairs(many(12), train, 0)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(InputError, match="training and validation pairs, found"):
        split_pairs([Pair(str(i), "a", "b", group="w") for i in range(6)], 4, 0)


@pytest.mark.parametrize(
    ("count", "train"),
    [(2, 1), (3, 1), (5, 2), (7, 3), (8, 4), (9, 5), (12, 8), (13, 8), (71, 47), (72, 48), (73, 48)],
)
def test_auto_trains_two_thirds_and_leaves_four(count: int, train: int) -> None:
    split = split_pairs(many(count), "auto", 42)
    assert (len(split.train), len(split.validation)) == (train, count - train)
    assert split == split_pairs(many(count), train, 42)


def test_auto_keeps_to_the_column_split() -> None:
    def given(train: int, validation: int, free: int) -> list[Pair]:
        names = ["train"] * train + ["validation"] * validation + [None] * free
        return [Pair(str(row), "a", "b", split=name) for row, name in enumerate(names)]  # type: ignore[arg-type]

    for train, validation, free, expected in ((10, 0, 2, 10), (0, 8, 4, 4), (11, 1, 0, 11), (2, 2, 8, 8)):
        assert len(split_pairs(given(train, validation, free), "auto", 42).train) == expected
    with pytest.raises(InputError, match="at least 2 pairs"):
        split_pairs(many(1), "auto", 42)
