"""Files at the door of a model: scales from options and tables, and what is said of a file that may be wrong."""

import csv
import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pairvae.commands.ensemble import Constraints, ensemble
from pairvae.commands.movie import movie
from pairvae.commands.predict import Request, predict
from pairvae.commands.watch import watch
from pairvae.commands.watch import watcher as run
from pairvae.errors import InputError
from pairvae.inference.known_acquisition import acquisition_in_table, known_of
from pairvae.inference.loader import load
from pairvae.inference.measurement import measurement
from pairvae.modalities.acquisition import Acquisition, acquisition_of
from pairvae.modalities.readers.image import read_image
from pairvae.modalities.technique import looks_like
from pairvae.models.conditions import CARD_KEY, ConditionEncoding, ConditionShift
from pairvae.stages.train_pair import train_pair
from pairvae.store.files import read_json, write_json
from tiny_project import tiny_project


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose micrographs are brought to 2.9 nm per px, with a pair that was trained for one epoch."""
    folder = tmp_path_factory.mktemp("door")
    changes = ("pair.training.from_solo=false", "pair.training.random_epochs=1", "sem.prepare.nm_per_px=2.9")
    train_pair(tiny_project(folder, *changes))
    return folder


@pytest.fixture(scope="module")
def model(made: Path) -> str:
    return str(made / "models" / "train-pair")


@pytest.fixture
def mine(made: Path, tmp_path: Path) -> Path:
    """A folder of pairs whose micrographs do not tell their pixel size; ``pairs.csv`` does."""
    raw, folder = made / "data" / "raw", tmp_path / "mine"
    (folder / "SEM" / "day 1").mkdir(parents=True)
    (folder / "SAXS").mkdir()
    rows = ["id,saxs,sem,sem_nm_per_px,saxs_q_per_px_inv_nm"]
    for number, (saxs, sem) in enumerate(
        zip(*(sorted((raw / name).iterdir()) for name in ("SAXS", "SEM")), strict=False)
    ):
        shutil.copy(saxs, folder / "SAXS" / f"{number}.jpg")
        cv2.imwrite(str(folder / "SEM" / "day 1" / f"{number}.png"), read_image(sem).pixels)
        rows.append(f"{number},SAXS/{number}.jpg,SEM/day 1/{number}.png,{2.9 if number else 2.8},0.02")
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    return folder


def inputs(out: Path) -> list[dict[str, str]]:
    with (out / "inputs.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_model_predicts_from_all_of_its_own_training_folder(
    mine: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict([str(mine / "SEM" / "day 1")], Request(to="saxs", out=tmp_path / "o", model=model)) == 8
    (mine / "pairs.csv").unlink()
    with pytest.raises(InputError, match="expected a pixel size in nm") as refused:
        predict([str(mine / "SEM" / "day 1" / "1.png")], Request(to="saxs", out=tmp_path / "p", model=model))
    assert "--nm-per-px" in refused.value.remedy
    known = Acquisition(nm_per_px=2.9)
    predict(
        [str(mine / "SEM" / "day 1")], Request(to="saxs", out=tmp_path / "q", model=model, acquisition=known)
    )
    same = [(tmp_path / name / "3-saxs-00.png").read_bytes() for name in ("o", "q")]
    assert same[0] == same[1]


def test_what_is_typed_goes_before_the_table_and_that_before_the_file(
    mine: Path, made: Path, model: str
) -> None:
    predictor, file = load(model), str(mine / "SEM" / "day 1" / "0.png")
    assert acquisition_in_table(file, "sem") == Acquisition(nm_per_px=2.8)
    assert acquisition_in_table(str(mine / "SAXS" / "1.jpg"), "saxs") == Acquisition(q_per_px=0.02)
    assert (
        acquisition_in_table(str(mine / "SAXS" / "1.jpg"), "sem")
        == acquisition_in_table("no.tif", "sem")
        == Acquisition()
    )
    sides = [
        measurement(predictor, file, "sem", known).array.shape[1]
        for known in (
            acquisition_in_table(file, "sem"),
            Acquisition(nm_per_px=5.8).over(acquisition_in_table(file, "sem")),
        )
    ]
    assert sides == [round(208 * 2.8 / 2.9), 416]
    own = min((made / "data" / "raw" / "SEM").iterdir())  # 2.9 by its metadata
    assert len(predictor.prepare(own, "sem", Acquisition(nm_per_px=5.8))[0]) == 2 * len(
        predictor.prepare(own, "sem")[0]
    )


def test_conditions_are_typed_or_in_the_table_and_unpaired_samples_are_filled_in(
    mine: Path, model: str, tmp_path: Path
) -> None:
    known, weight = tmp_path / "model", np.full((1, 4, 1, 1), 0.5)
    shutil.copytree(model, known)
    shift = ConditionShift("saxs", ConditionEncoding(numbers={"pitch_nm": (40.0, 2.0)}), weight)
    write_json(known / "card.json", read_json(known / "card.json") | {CARD_KEY: shift.card()})
    rows = [["id", "saxs", "sem", "pitch_nm", "sem_nm_per_px"], ["lone", "SAXS/1.jpg", "", "42", "2.9"]]
    rows += [["other", "", "SEM/day 1/2.png", "", "2.9"], ["pair", "SAXS/3.jpg", "SEM/day 1/3.png", "", ""]]
    (mine / "pairs.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    predictor, file = load(known), str(mine / "SAXS" / "1.jpg")
    assert known_of(predictor, file, "saxs").conditions == {"pitch_nm": 42.0}
    typed = acquisition_of(conditions=["pitch_nm = 44"])
    assert known_of(predictor, file, "saxs", typed).conditions == {"pitch_nm": 44.0}
    assert known_of(load(model), file, "saxs").conditions is None
    array = predictor.prepare(file, "saxs")
    plain, moved = (predictor.encode(array, "saxs", one) for one in (None, typed))
    np.testing.assert_allclose(moved.mean - plain.mean, 1.0, atol=1e-5)
    assert torch.equal(moved.std, plain.std)
    each = predictor.encode([array, array], "saxs", [typed, Acquisition()])
    assert torch.equal(each.mean, torch.cat([moved.mean, plain.mean]))
    for one, conditions, message in (
        (predictor, {"blend": "A"}, "conditions: expected conditions pitch_nm, found blend"),
        (load(model), {"pitch_nm": 40.0}, "expected no conditions: the model has none, found pitch_nm"),
    ):
        with pytest.raises(InputError, match=message):
            one.encode(array, "saxs", Acquisition(conditions=conditions))
    assert known_of(predictor, str(mine / "SAXS" / "3.jpg"), "saxs").conditions is None  # an empty cell
    with pytest.raises(InputError, match="condition: expected NAME=VALUE, found 'pitch'"):
        acquisition_of(conditions=["pitch"])
    options = {"model": str(known), "samples": 1, "seed": 0, "unpaired": True}
    assert predict([str(mine)], Request(to="both", out=tmp_path / "both", **options)) == 2
    assert {path.name for path in (tmp_path / "both").glob("*.png")} >= {
        "lone-sem-00.png",
        "other-saxs-00.png",
    }
    (mine / "pairs.csv").write_text("\n".join(map(",".join, [rows[0], rows[1], rows[3]])) + "\n")
    with pytest.raises(InputError, match="expected samples without SAXS pattern, found none"):
        predict([str(mine)], Request(to="saxs", out=tmp_path / "none", **options))


def test_a_pattern_is_moved_to_the_beam_that_is_given(mine: Path, model: str) -> None:
    predictor, file = load(model), mine / "SAXS" / "1.jpg"
    pixels = cv2.imread(str(file))
    cv2.imwrite(str(mine / "moved.png"), np.roll(pixels, (10, -6), (0, 1)))
    middle = ((pixels.shape[0] - 1) / 2, (pixels.shape[1] - 1) / 2)
    cv2.imwrite(str(mine / "plain.png"), pixels)
    plain = predictor.prepare(mine / "plain.png", "saxs", Acquisition(beam_centre=middle))
    moved = predictor.prepare(
        mine / "moved.png", "saxs", Acquisition(beam_centre=(middle[0] + 10, middle[1] - 6))
    )
    inner = (slice(None), slice(8, 24), slice(8, 24))
    assert np.allclose(plain[inner], moved[inner], atol=0.02)


@pytest.mark.parametrize(
    ("typed", "words"),
    [({"nm_per_px": 0.0}, "nm per px: expected a number above 0"), ({"q_per_px": float("nan")}, "q per px"),
     ({"beam_centre": "1"}, "ROW,COLUMN"), ({"beam_centre": "-1,2"}, "ROW,COLUMN"), ({"beam_centre": "nan,2"}, "ROW"),
     ({"beam_centre": "1,2,3"}, "ROW"), ({"beam_centre": "1e300,2"}, "ROW"), ({"q_unit": "nm"}, "1/nm or 1/angstrom")],
)  # fmt: skip
def test_what_is_no_size_place_or_unit_is_refused(typed: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        acquisition_of(**typed)  # type: ignore[arg-type]


@pytest.mark.parametrize("nm_per_px", [1e-300, 1e-3, 1e3, 1e300])
def test_a_pixel_size_that_makes_no_image_is_refused_before_one_is_made(
    mine: Path, model: str, nm_per_px: float
) -> None:
    with pytest.raises(
        InputError, match=r"expected a pixel size of which images of 2\.9 nm per px can be made"
    ) as refused:
        measurement(load(model), mine / "SEM" / "day 1" / "0.png", "sem", Acquisition(nm_per_px=nm_per_px))
    assert refused.value.remedy == "give --nm-per-px"


def test_a_beam_outside_the_pattern_is_refused(mine: Path, model: str) -> None:
    with pytest.raises(InputError, match=r"expected a beam centre within .* - give --beam-centre"):
        measurement(load(model), mine / "SAXS" / "0.jpg", "saxs", Acquisition(beam_centre=(5000, 2)))


def test_values_are_read_as_people_write_them() -> None:
    assert acquisition_of(2.9, None, " 12.5, 30 ", "1/A") == Acquisition(
        2.9, None, (12.5, 30.0), "1/angstrom"
    )


def test_a_value_that_no_file_has_is_refused(mine: Path, model: str, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="nm per px: expected files that have one, found files of SAXS pattern"
    ):
        predict(
            [str(mine / "SAXS")],
            Request(to="sem", out=tmp_path / "out", model=model, acquisition=Acquisition(nm_per_px=2.0)),
        )


def test_another_scale_or_size_is_said_once_and_stands_in_the_table(
    mine: Path, made: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict([str(mine / "SAXS")], Request(to="sem", out=tmp_path / "scale", model=model))
    facts = load(model).facts
    assert facts is not None and facts.q_per_px is not None and facts.sizes["saxs"]
    told = capsys.readouterr().err
    assert told.count("1/nm per px, where the training data have") == 1
    assert all("1/nm per px" in row["remarks"] for row in inputs(tmp_path / "scale"))
    (mine / "pairs.csv").unlink()
    for file in (mine / "SAXS").iterdir():
        cv2.imwrite(str(file), cv2.resize(cv2.imread(str(file)), (100, 100)))
    predict([str(mine / "SAXS")], Request(to="sem", out=tmp_path / "size", model=model))
    told = capsys.readouterr().err
    assert told.count("100 x 100 px, where the training data have 128 x 128: is the scale the same?") == 1
    predict([str(made / "data/raw/SAXS")], Request(to="sem", out=tmp_path / "own", model=model))
    assert "training data have" not in capsys.readouterr().err
    assert not any("training data" in row["remarks"] for row in inputs(tmp_path / "own"))


def test_a_micrograph_given_as_a_pattern_is_named_and_the_reverse(
    made: Path, mine: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sem, saxs = (min((made / "data" / "raw" / name).iterdir()) for name in ("SEM", "SAXS"))
    predict([str(sem)], Request(to="sem", out=tmp_path / "a", model=model))
    assert f"{sem}: this looks like an SEM image: `--to saxs`?" in capsys.readouterr().err
    with pytest.raises(
        InputError, match=r"looks like a SAXS pattern: `--to sem`\?"
    ):  # it is too small for one
        predict([str(saxs)], Request(to="saxs", out=tmp_path / "b", model=model))
    curve = tmp_path / "curve.csv"
    curve.write_text("\n".join(f"{0.1 * number},{1000 / number}" for number in range(1, 30)))
    with pytest.raises(InputError, match=r"looks like an I\(q\) curve, which this model does not take"):
        predict([str(curve)], Request(to="sem", out=tmp_path / "c", model=model))


@pytest.mark.parametrize("technique", ["saxs", "sem"])
def test_simulated_files_look_like_what_they_are(mine: Path, technique: str) -> None:
    for file in sorted((mine / technique.upper()).rglob("*.*g")):
        assert looks_like(read_image(file)) == technique


def test_what_comes_out_never_lies_among_the_inputs(mine: Path, model: str, tmp_path: Path) -> None:
    patterns = [str(one) for one in sorted((mine / "SAXS").iterdir())]
    before = {path: path.read_bytes() for path in mine.rglob("*.*")}
    link = tmp_path / "link"
    link.symlink_to(mine / "SAXS")
    for files, out in (
        ([str(mine / "SAXS")], mine / "SAXS"),
        (patterns[:1], link),
        ([str(mine / "SAXS" / "*.jpg")], mine / "SAXS" / "."),
    ):
        with pytest.raises(InputError, match="--out: expected another folder for what comes out"):
            predict(files, Request(to="sem", out=out, model=model))
    clash = mine / "SAXS" / "m-0.tif"
    shutil.copy(patterns[0], clash)
    shutil.copy(patterns[0], mine / "SAXS" / "0.gif")
    for action in (
        lambda: movie([*patterns, str(mine / "SAXS" / "0.gif")], mine / "SAXS" / "0.gif", model=model),
        lambda: ensemble(
            [patterns[0], str(clash)],
            mine / "SAXS" / "m.npz",
            model=model,
            constraints=Constraints(samples=1),
        ),
    ):
        with pytest.raises(InputError, match="--out: expected files that are no input"):
            action()
    assert {path: path.read_bytes() for path in before} == before


def test_a_watch_says_the_same(mine: Path, made: Path, model: str, tmp_path: Path) -> None:
    folder, told, stop = tmp_path / "in", list[str](), threading.Event()
    folder.mkdir()
    for number, file in enumerate(sorted((mine / "SEM").rglob("*.png"))[:2]):
        shutil.copy(file, folder / f"{number}.png")
    shutil.copy(min((mine / "SAXS").iterdir()), folder / "pattern.jpg")
    (folder / "pairs.csv").write_text("id,saxs,sem,sem_nm_per_px\n0,0.png,0.png,2.9\n")
    options = run.Options(folder, "saxs", tmp_path / "out", every_s=0.02, patience_s=0.2)

    def tell(line: str) -> None:
        told.append(line)
        if sum("left out" in one for one in told) == 2:
            stop.set()

    summary = watch(options, model, stop, tell)
    assert (summary.predicted, summary.bad) == (1, 2)
    assert any("1.png: expected a pixel size in nm" in line for line in told)
    assert any("pattern.jpg" in line and "looks like a SAXS pattern: `--to sem`?" in line for line in told)
    with pytest.raises(InputError, match="beam centre: expected files that have one"):
        watch(
            run.Options(folder, "saxs", tmp_path / "x", acquisition=Acquisition(beam_centre=(1, 1))),
            model,
            stop,
            tell,
        )
