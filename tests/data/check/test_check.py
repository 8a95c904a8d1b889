"""The check of a folder: every problem at once, by kind and severity."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from pairvae.data.check.folder import check_folder, prepare_sections
from pairvae.data.check.problems import CheckReport, render, summarised
from pairvae.data.pairs.manifest import Pair, read_pairs, write_pairs
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.readers.image import RawImage, read_image
from pairvae.settings import resolve

SIDE = 96


def sem(number: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    noise = np.random.default_rng(number).normal(size=(height, width)).astype(np.float32)
    return np.clip(120 + 250 * cv2.GaussianBlur(noise, (0, 0), 2.0), 1, 254).astype(np.uint8)


def saxs(number: int, shift: int = 0) -> np.ndarray:
    """RGB picture of a ring about the centre, shifted to the right."""
    y, x = np.indices((64, 64)) - 31.5
    r = np.hypot(y, x - shift)
    ring = np.exp(-((r - 12 - number % 3) ** 2) / 10) + np.exp(-r / 6)
    grey = 40 + 180 * ring / ring.max() + np.random.default_rng(number).normal(scale=3, size=ring.shape)
    picture = np.stack([grey, grey / 2, 255 - grey], axis=2)
    return np.clip(picture, 1, 254).astype(np.uint8)


def write_saxs(folder: Path, number: int, picture: np.ndarray) -> None:
    cv2.imwrite(str(folder / "SAXS" / f"{number}.png"), picture[..., ::-1] if picture.ndim == 3 else picture)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten sound pairs."""
    for name in ("SAXS", "SEM"):
        (tmp_path / name).mkdir()
    for number in range(10):
        write_saxs(tmp_path, number, saxs(number))
        tifffile.imwrite(tmp_path / "SEM" / f"{number}.tif", sem(number))
    return tmp_path


def check(folder: Path, **options: object) -> CheckReport:
    settings = resolve({"sem": {"prepare": {"rows": None, "columns": None, "crop": 64} | options}})
    return check_folder(folder, prepare_sections(settings, ()))


def rewrite(folder: Path, change: Callable[[Pair], Pair]) -> None:
    write_pairs(folder / "pairs.csv", [change(pair) for pair in read_pairs(folder)])


def changed(pair: Pair, numbers: tuple[int, ...], **fields: object) -> Pair:
    return Pair(**(vars(pair) | fields)) if int(pair.id) in numbers else pair  # type: ignore[arg-type]  # as given


def kinds(report: CheckReport) -> set[tuple[str, str, str]]:
    return {(problem.severity, problem.pair, problem.kind) for problem in report.problems}


def test_sound_pairs_are_clean(folder: Path) -> None:
    report = check(folder)
    assert report.problems == () and report.clean
    assert report.counts == {"pairs": 10, "files": 20, "errors": 0, "warnings": 0}
    assert render(report).splitlines()[-1] == f"{folder}: 10 pairs, 20 files read, no problems"


def test_all_problems_are_told_at_once(folder: Path) -> None:
    (folder / "SEM/0.tif").unlink()
    (folder / "SAXS/1.png").write_text("text")
    (folder / "SEM/2.tif").write_bytes((folder / "SEM/2.tif").read_bytes()[:3000])
    tifffile.imwrite(folder / "SEM/3.tif", np.full((SIDE, SIDE), 77, np.uint8))
    (folder / "SEM/5.tif").write_bytes((folder / "SEM/4.tif").read_bytes())
    tifffile.imwrite(folder / "SEM/6.tif", sem(6, 40, SIDE))
    report = check(folder)
    assert kinds(report) == {
        ("error", "0", "missing partner"), ("error", "1", "unreadable"), ("error", "2", "unreadable"),
        ("error", "3", "constant"), ("error", "5", "duplicate"), ("error", "6", "wrong size"),
    }  # fmt: skip
    assert not report.clean and report.counts["errors"] == 6
    table = render(report)
    assert "SEM/6.tif" in table and "found 40 x 96" in table and "6 errors, 0 warnings" in table
    assert all(len(line) < 250 for line in table.splitlines())
    counts = {**report.counts, "errors": 1, "warnings": 1, "pairs": 1}
    assert render(replace(report, counts=counts)).endswith(": 1 pair, 18 files read, 1 error, 1 warning")


def test_the_same_picture_in_another_format_is_a_duplicate(folder: Path) -> None:
    (folder / "SEM/8.tif").unlink()
    cv2.imwrite(str(folder / "SEM/8.png"), sem(7))
    rewrite(folder, lambda pair: changed(changed(pair, (7,), split="train"), (8,), split="validation"))
    (problem,) = check(folder).problems
    assert (problem.pair, problem.kind) == ("8", "duplicate")
    assert "the same picture as SEM of pair 7, across train and validation" in problem.message
    rewrite(folder, lambda pair: changed(pair, (7, 8), group="w", split=None))
    assert check(folder).problems == ()


def _rgba(grey: np.ndarray) -> np.ndarray:
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)])


@pytest.mark.parametrize(
    "copy",
    [
        lambda grey: np.dstack([grey] * 3),
        _rgba,
        lambda grey: grey.astype(np.uint16) * 257,
        lambda grey: grey.astype(np.uint16),
        lambda grey: grey.astype(np.float32) / 255,
    ],
    ids=["RGB", "RGBA", "16 bit", "8 of 16 bit", "float"],
)
def test_a_copy_of_another_kind_is_a_duplicate(
    folder: Path, copy: Callable[[np.ndarray], np.ndarray]
) -> None:
    (folder / "SEM/8.tif").unlink()
    np.save(folder / "SEM/8.npy", copy(sem(7)))
    assert ("error", "8", "duplicate") in kinds(check(folder))


def test_equal_curves_are_duplicates_whatever_their_units(folder: Path) -> None:
    (folder / "IQ").mkdir()
    q = np.linspace(0.1, 2, 50)
    for number in range(10):
        curve = np.exp(-q * (1 + number)) + 1e-3
        np.savetxt(folder / "IQ" / f"{number}.csv", np.stack([q, curve], 1), delimiter=",", header="q,I")
    assert kinds(check(folder)) == set()
    copy = np.stack([q / 10, 500 * (np.exp(-q * 4) + 1e-3), 0.1 * q], 1)
    np.savetxt(folder / "IQ" / "8.csv", copy, delimiter=",", header="q,I,error")
    assert kinds(check(folder)) == {("error", "8", "duplicate")}


def test_one_picture_as_both_sides(folder: Path) -> None:
    tifffile.imwrite(folder / "SEM/4.tif", saxs(4), photometric="rgb")
    assert ("error", "4", "duplicate") in kinds(check(folder))


@pytest.mark.parametrize(("share", "severity"), [(0.4, "warning"), (0.8, "error")])
def test_saturation(folder: Path, share: float, severity: str) -> None:
    image = sem(3)
    image[: int(share * SIDE)] = 255
    tifffile.imwrite(folder / "SEM/3.tif", image)
    told = kinds(check(folder, rows=SIDE))
    assert told - {("warning", "3", "partner")} == {(severity, "3", "saturated")}


def test_binary_micrographs_are_sound(folder: Path) -> None:
    tifffile.imwrite(folder / "SEM/3.tif", np.where(sem(3) > 100, 255, 0).astype(np.uint8))
    assert check(folder).problems == ()


def test_nan_is_an_error_in_a_micrograph_and_masked_in_a_pattern(folder: Path) -> None:
    for side, number in (("SEM", 1), ("SAXS", 2)):
        next((folder / side).glob(f"{number}.*")).unlink()
        pixels = sem(number).astype(np.float32)
        pixels[5, 5] = np.nan
        np.save(folder / side / f"{number}.npy", pixels)
    told = kinds(check(folder))
    assert {("error", "1", "NaN"), ("warning", "2", "NaN")} <= told


def test_magnification(folder: Path) -> None:
    rewrite(
        folder, lambda pair: changed(pair, tuple(range(10)), sem_nm_per_px=5.0 if pair.id == "3" else 2.9)
    )
    assert kinds(check(folder)) == {("error", "3", "magnification")}
    assert check(folder, nm_per_px=2.9).problems == ()
    rewrite(folder, lambda pair: changed(pair, (3,), sem_nm_per_px=None))
    assert kinds(check(folder, nm_per_px=2.9)) == {("error", "3", "pixel size")}
    assert kinds(check(folder)) == {("warning", "", "unknown scale")}


@pytest.mark.parametrize(("one", "other", "severity"), [
    (2.9, 1.45, "error"), (1.98, 3.97, "error"), (2.9, 2.2, "error"), (2.9, 3.05, "warning"), (2.9, 2.91, None),
])  # fmt: skip
def test_two_magnifications_half_and_half(
    folder: Path, one: float, other: float, severity: str | None
) -> None:
    rewrite(
        folder, lambda pair: changed(pair, tuple(range(10)), sem_nm_per_px=one if int(pair.id) % 2 else other)
    )
    told = [problem for problem in check(folder).problems if problem.kind == "magnification"]
    assert {problem.severity for problem in told} == ({severity} if severity else set())
    if severity == "error":
        assert len(told) == 5 and "set sem.prepare.nm_per_px" in told[0].message
    assert "magnification" not in {kind for _, _, kind in kinds(check(folder, nm_per_px=2.0, crop=32))}


def test_scales_that_creep_from_file_to_file_differ_between_their_extremes(folder: Path) -> None:
    rewrite(folder, lambda pair: changed(pair, (int(pair.id),), sem_nm_per_px=2.0 * 1.08 ** int(pair.id)))
    assert kinds(check(folder)) == {("error", "", "magnification")}


def test_patterns_of_two_sizes_have_two_scales_once_they_are_resized(folder: Path) -> None:
    """Crops of 38 px beside 64 px: one q per px in the file, a factor 1.67 in q of the prepared patterns."""
    for number in range(5):
        write_saxs(folder, number, saxs(number)[13:51, 13:51])
    rewrite(folder, lambda pair: changed(pair, tuple(range(10)), saxs_q_per_px_inv_nm=0.01))
    told = {problem for problem in kinds(check(folder)) if problem[2] == "magnification"}
    assert told == {("error", str(number), "magnification") for number in range(5, 10)}


@pytest.mark.parametrize("shift", [1, 12])
def test_a_beam_off_by_more_than_prediction_tolerates(folder: Path, shift: int) -> None:
    write_saxs(folder, 2, saxs(2, shift=shift))
    assert ("warning", "2", "beam centre") in kinds(check(folder))


def test_a_negative_is_told(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(10):
        grey = cv2.GaussianBlur(sem(number, 160, 160), (0, 0), 2.0) / 255.0
        noisy = np.clip(255 * (grey + 0.08 * np.sqrt(grey) * generator.normal(size=grey.shape)), 0, 255)
        image = noisy.astype(np.uint8)
        tifffile.imwrite(folder / "SEM" / f"{number}.tif", 255 - image if number == 6 else image)
    told = {problem for problem in kinds(check(folder)) if problem[2] == "contrast"}
    assert told == {("warning", "6", "contrast")}


def test_a_validation_morphology_that_training_lacks(folder: Path) -> None:
    rewrite(
        folder,
        lambda pair: changed(
            pair,
            tuple(range(10)),
            split="validation" if pair.id in "89" else "train",
            morphology="dots" if pair.id == "9" else "lines",
        ),
    )
    (problem,) = check(folder).problems
    assert (problem.severity, problem.kind) == ("warning", "unseen morphology") and "dots" in problem.message


def test_pixel_size_that_contradicts_the_file(folder: Path) -> None:
    tifffile.imwrite(folder / "SEM/3.tif", sem(3), resolution=(4e6, 4e6), resolutionunit="CENTIMETER")
    rewrite(folder, lambda pair: changed(pair, tuple(range(10)), sem_nm_per_px=2.9))
    assert kinds(check(folder)) == {("warning", "3", "pixel size")}


def test_groups_across_the_split_and_few_pairs(folder: Path) -> None:
    for number in (7, 8, 9):
        for file in folder.glob(f"*/{number}.*"):
            file.unlink()
    rewrite(
        folder,
        lambda pair: changed(changed(pair, (1, 2), group="w", split="train"), (2,), split="validation"),
    )
    report = check(folder)
    assert kinds(report) == {("error", "", "group leak"), ("error", "", "too few pairs")}


def test_a_split_with_one_side(folder: Path) -> None:
    rewrite(folder, lambda pair: changed(pair, tuple(range(10)), split="train"))
    assert kinds(check(folder)) == {("error", "", "one-sided split")}


def test_oddities_are_warnings_and_leave_the_check_clean(folder: Path) -> None:
    write_saxs(folder, 1, saxs(1)[..., 0])
    write_saxs(folder, 2, saxs(2, shift=12))
    tifffile.imwrite(
        folder / "SEM/3.tif", np.stack([sem(3), sem(3) // 2, sem(3) // 4], axis=2), photometric="rgb"
    )
    tifffile.imwrite(folder / "SEM/4.tif", sem(4, SIDE, SIDE + 10))
    (folder / "SEM/notes.txt").write_text("")
    report = check(folder)
    assert kinds(report) - {("warning", "2", "partner")} == {
        ("warning", "1", "colour"), ("warning", "2", "beam centre"), ("warning", "3", "colour"),
        ("warning", "4", "other size"), ("warning", "", "other files"),
    }  # fmt: skip
    assert report.clean


def test_names_of_files_do_not_steer_the_terminal_nor_stop_the_check(folder: Path) -> None:
    write_pairs(folder / "pairs.csv", read_pairs(folder))
    for name in ("a\x1b[31m.png", "b\udce9.png"):
        (folder / "SAXS" / name).write_bytes(b"")
    report = check(folder)
    assert kinds(report) == {("warning", "", "not in pairs.csv")}
    assert "a\\x1b[31m.png, b\\udce9.png left out" in render(report)


@pytest.mark.parametrize("name", ["._1.png", "~$1.png", ".DS_Store"])
def test_what_other_programs_leave_behind_is_not_told(folder: Path, name: str) -> None:
    (folder / "SAXS" / name).write_bytes(b"")
    assert check(folder).problems == ()


def test_curves_of_no_pair_are_told(folder: Path) -> None:
    (folder / "IQ").mkdir()
    (folder / "IQ/77.csv").write_text("q,I\n")
    assert kinds(check(folder)) == {("warning", "", "in no pair")}


def test_files_that_pairs_csv_leaves_out(folder: Path) -> None:
    write_pairs(folder / "pairs.csv", read_pairs(folder)[:9])
    assert kinds(check(folder)) == {("warning", "", "not in pairs.csv")}


@pytest.mark.parametrize(
    ("rows", "note"),
    [(None, "80, detected in the pixels (1 file)"), (70, "70, from the settings (10 files)")],
)
def test_the_notes_say_how_the_bar_was_found(folder: Path, rows: int | None, note: str) -> None:
    image = sem(0)
    image[80:] = 0
    tifffile.imwrite(folder / "SEM/0.tif", image)
    assert f"SEM image rows: {note}" in check(folder, rows=rows).notes


def test_a_bar_that_would_stay_is_told(folder: Path) -> None:
    image = sem(0)
    image[80:] = 0
    tifffile.imwrite(folder / "SEM/0.tif", image)
    assert kinds(check(folder, rows=90)) == {("warning", "0", "data bar")}


def test_a_mask_among_the_patterns_is_told(folder: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[20:24] = 1
    write_saxs(folder, 3, mask)
    (problem,) = [one for one in check(folder).problems if one.severity == "error"]
    assert (problem.pair, problem.kind) == ("3", "unreadable")
    assert "2 different values, as in a mask - set saxs.prepare.mask to it" in problem.message


def test_no_folder_is_one_problem(tmp_path: Path) -> None:
    report = check(tmp_path / "none")
    assert kinds(report) == {("error", "", "no folder")}


def test_notes_and_warnings_of_a_reader_are_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(source: Path | str) -> RawImage:
        raw = read_image(source)
        warned = ("looks like a mask",) if "SAXS/3" in str(source) else ()
        return replace(raw, notes=("frame 0 of 5",), warnings=warned)

    for name in ("saxs", "sem"):
        monkeypatch.setitem(MODALITIES, name, replace(MODALITIES[name], read=read))
    report = check(folder)
    (found,) = report.problems
    assert (found.severity, found.pair, found.kind, found.message) == (
        "warning", "3", "reading", "looks like a mask",
    )  # fmt: skip
    assert {"SAXS: frame 0 of 5 (10 files)", "SEM: frame 0 of 5 (10 files)"} <= set(report.notes)
    raw = read(folder / "SAXS/3.png")
    record = MODALITIES["saxs"].record(raw, prepare_settings(resolve({}), "saxs"))
    assert (record["notes"], record["warnings"]) == (["frame 0 of 5"], ["looks like a mask"])


def test_a_line_for_each_kind_of_message(folder: Path) -> None:
    for number in (3, 4):
        tifffile.imwrite(folder / "SEM" / f"{number}.tif", sem(number, SIDE, SIDE + number))
    (folder / "SEM/notes.txt").write_text("")
    told = {one["name"]: one["text"] for one in summarised(check(folder))}
    assert told["other size"] == "2 of them (3, 4), the first: 96 x 99 px where most are 96 x 96"
    assert told["other files"].startswith("SEM: notes.txt left out")
    assert summarised(check(folder), ("error",)) == []


def test_sidecars_are_no_leftovers_and_give_the_pixel_size(folder: Path) -> None:
    (folder / "SEM/0.txt").write_text("[SemImageFile]\nDataSize=96x96\nPixelSize=1.984375\n")
    (folder / "SEM/notes.txt").write_text("of Monday")
    report = check(folder)
    assert "SEM pixel size: 1.984 nm (1 file)" in report.notes
    (problem,) = [one for one in report.problems if one.kind == "other files"]
    assert "notes.txt" in problem.message and "0.txt" not in problem.message


def test_a_micrograph_of_noise_and_letters_in_it_are_warned_of(folder: Path) -> None:
    noise = np.clip(np.random.default_rng(0).normal(128, 30, (96, 96)), 0, 255).astype(np.uint8)
    tifffile.imwrite(folder / "SEM/0.tif", noise)
    told = [one for one in check(folder).problems if one.pair == "0"]
    assert [(one.severity, one.kind, one.message.split(":")[0]) for one in told] == [
        ("warning", "reading", "mostly noise")
    ]
