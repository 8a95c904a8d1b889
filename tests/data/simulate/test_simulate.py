"""What the simulator writes, that it repeats itself, and what it refuses."""

import csv
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pairvae.data.pairs.manifest import read_pairs
from pairvae.data.simulate.comparison_sheet import contact_sheet
from pairvae.data.simulate.samples import sample_latents, simulate_sample
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.errors import InputError
from pairvae.modalities.readers.image import read_image
from pairvae.settings.simulation import MORPHOLOGIES, SimulationParameters
from pairvae.store import read_json

SMALL = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def wait_until(condition: Callable[[], bool], seconds: float = 600.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "raw"
    simulate(out, pairs=6, seed=3, parameters=SMALL, workers=1)
    return out


def test_the_folder_is_in_the_data_layout(folder: Path) -> None:
    names = sorted(contents(folder))
    images = [f"{kind}/{i:05d}.{end}" for kind, end in (("SAXS", "jpg"), ("SEM", "tif")) for i in range(6)]
    assert names == sorted([*images, "pairs.csv", "simulation.json", "truth.csv"])
    pairs = read_pairs(folder)
    assert [pair.id for pair in pairs] == [f"{i:05d}" for i in range(6)]
    assert [pair.morphology for pair in pairs] == [*MORPHOLOGIES, *MORPHOLOGIES[:2]]
    assert pairs[0].sem_nm_per_px == 2.9
    assert pairs[0].saxs_q_per_px_inv_nm == pytest.approx(0.72 / 128)


def test_a_micrograph_tells_its_pixel_size_and_data_bar(folder: Path) -> None:
    image = read_image(folder / "SEM" / "00002.tif")
    assert image.pixels.shape == (208 + 70, 240, 3)
    assert image.pixels.dtype == np.uint8
    assert image.nm_per_px == pytest.approx(2.9)
    assert image.image_rows == 208
    bar = image.pixels[208:, :, 0]
    assert np.median(bar) < 40 < image.pixels[:208].mean()
    assert bar.max() > 200  # scale bar and text


def test_a_pattern_is_black_behind_beamstop_and_gaps_and_bright_around_them(folder: Path) -> None:
    pattern = read_image(folder / "SAXS" / "00000.jpg").pixels
    assert pattern.shape == (128, 128, 3)
    assert pattern[30:100, 63:66].max() < 60
    assert pattern[10:13, :].max() < 60
    assert pattern[60:68, 46:54].max() > 150


def test_truth_has_a_row_of_latents_for_each_sample(folder: Path) -> None:
    rows = rows_of(folder / "truth.csv")
    assert [row["id"] for row in rows] == [f"{i:05d}" for i in range(6)]
    latents = sample_latents(4, 3, SMALL)
    assert float(rows[4]["spacing_nm"]) == latents.spacing_nm
    assert rows[4]["morphology"] == "hexagonal"


def test_the_record_holds_seed_and_parameters(folder: Path) -> None:
    record = read_json(folder / "simulation.json")
    assert record["seed"] == 3
    assert SimulationParameters(**record["parameters"]) == SMALL


def test_files_do_not_depend_on_workers_or_on_the_number_of_pairs(folder: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "raw", pairs=7, seed=3, parameters=SMALL, workers=2)
    alone, together = contents(folder), contents(tmp_path / "raw")
    shared = {name for name in alone if name.startswith("S")}
    assert len(shared) == 12
    assert {name: together[name] for name in shared} == {name: alone[name] for name in shared}


def test_a_killed_run_continues_and_keeps_what_is_complete(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "raw"
    simulate(out, pairs=3, seed=3, parameters=SMALL, workers=1)
    expected = contents(out)
    (out / "SAXS" / "00001.jpg").unlink()
    (out / "pairs.csv").unlink()
    (out / "SEM" / ".00001.tif.abc.partial").write_bytes(b"half")
    kept = (out / "SEM" / "00000.tif").stat().st_mtime_ns
    simulate(out, pairs=3, seed=3, parameters=SMALL, workers=1)
    assert contents(out) == expected
    assert (out / "SEM" / "00000.tif").stat().st_mtime_ns == kept
    simulate(out, pairs=4, seed=3, parameters=SMALL, workers=1)
    assert len(read_pairs(out)) == 4


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs the /proc of Linux")
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    out = tmp_path / "raw"
    call = f"simulate(Path({str(out)!r}), pairs=500, workers=2)"
    lines = [
        "from pathlib import Path",
        "from pairvae.data.simulate.simulated_folder import simulate",
        "if __name__ == '__main__':",
    ]
    (tmp_path / "main.py").write_text("\n".join([*lines, f"    {call}", ""]))
    with subprocess.Popen([sys.executable, str(tmp_path / "main.py")], stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: (out / "SEM").is_dir() and len(list((out / "SEM").glob("0*.tif"))) > 2)
        workers = children(process.pid)
        process.kill()
    assert len(workers) >= 2
    wait_until(lambda: not any(is_running(worker) for worker in workers))


def test_another_seed_gives_other_samples() -> None:
    first, second = (simulate_sample(0, seed, SMALL) for seed in (0, 1))
    assert not np.array_equal(first.sem[0], second.sem[0])
    assert first.truth != second.truth


def test_morphologies_are_balanced() -> None:
    counts = Counter(sample_latents(i, 0, SMALL).morphology for i in range(72))
    assert counts == dict.fromkeys(MORPHOLOGIES, 18)


@pytest.mark.parametrize(("pairs", "seed"), [(0, 0), (-3, 0), (2, -1)])
def test_fewer_than_one_pair_or_a_negative_seed_is_refused(tmp_path: Path, pairs: int, seed: int) -> None:
    with pytest.raises(InputError, match=r"expected (pairs of at least 1|seed of at least 0), found -?[0-9]"):
        simulate(tmp_path / "raw", pairs=pairs, seed=seed, parameters=SMALL)
    assert not (tmp_path / "raw").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="expected an empty folder, found other files"):
        simulate(tmp_path, pairs=1, parameters=SMALL)
    assert list(contents(tmp_path)) == ["notes.txt"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("")
    with pytest.raises(InputError, match="expected a folder, found a file"):
        simulate(tmp_path / "raw", pairs=1, parameters=SMALL)


@pytest.mark.parametrize("change", [{"seed": 4}, {"parameters": SMALL.model_copy(update={"defects": 0.1})}])
def test_another_simulation_in_the_folder_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    settings: dict[str, object] = {"pairs": 1, "seed": 3, "parameters": SMALL, "workers": 1}
    simulate(tmp_path / "raw", **settings)  # type: ignore[arg-type]  # a mapping of mixed values
    before = contents(tmp_path / "raw")
    with pytest.raises(InputError, match=r"expected a simulation with seed .*found another one"):
        simulate(tmp_path / "raw", **{**settings, **change})  # type: ignore[arg-type]  # the same
    assert contents(tmp_path / "raw") == before


def test_fewer_pairs_than_the_folder_holds_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"only the files of 2 simulated pairs, found SAXS/00002.jpg"):
        simulate(folder, pairs=2, seed=3, parameters=SMALL)


def test_views_of_a_sample_share_its_pattern_and_group(tmp_path: Path) -> None:
    views = SMALL.model_copy(update={"sem_views": 2, "curves": True})
    simulate(tmp_path / "raw", pairs=2, parameters=views, workers=1)
    pairs = read_pairs(tmp_path / "raw")
    assert [pair.id for pair in pairs] == ["00000", "00000-view2", "00001", "00001-view2"]
    assert [pair.group for pair in pairs] == ["00000", "00000", "00001", "00001"]
    assert pairs[0].saxs == pairs[1].saxs
    first, second = (read_image(pair.sem).pixels for pair in pairs[:2])
    assert not np.array_equal(first, second)
    curve = rows_of(tmp_path / "raw" / "IQ" / "00001.csv")
    assert list(curve[0]) == ["q (1/nm)", "I", "error"]
    assert float(curve[-1]["q (1/nm)"]) == pytest.approx(0.36, rel=0.05)


def test_the_sheet_shows_pairs_beside_real_crops(folder: Path, tmp_path: Path) -> None:
    crop = (np.indices((192, 192))[1] // 6 % 2 * 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "real.png"), crop)
    contact_sheet(folder, tmp_path / "sheet.png", [tmp_path / "real.png"])
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert min(sheet.shape[:2]) > 500
