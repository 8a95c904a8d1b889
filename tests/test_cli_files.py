"""What the operating system refuses becomes one clear line and exit code 1, wherever it happens."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pairvae.data.simulate.simulated_folder import simulate
from pairvae.settings.simulation import SimulationParameters
from small_project import run_here

resource = pytest.importorskip("resource")

SMALL = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600, curves=True)
PARAMS = """
split: {train: 5}
latent: {channels: 4}
modalities: [saxs, iq]
saxs: {prepare: {size: 32}, network: {components: 3, width: 8}, training: {epochs: 2, log_every: 1}}
iq: {prepare: {q_min: 0.07, q_max: 0.33, bins: 32}}
device: {threads: 1}
"""


def limited(size: int, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line where no file may grow beyond ``size`` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        return run_here(*arguments, cwd=cwd, check=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def told_in_one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    lines = [
        line
        for line in done.stderr.strip().splitlines()
        if not line.startswith(("simulate:", "preproc", "train", "check"))
    ]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "params.yaml").write_text(PARAMS)
    simulate(folder / "data" / "raw", pairs=8, seed=0, parameters=SMALL, workers=1)
    return folder


def test_full_disk_in_the_simulator(tmp_path: Path) -> None:
    line = told_in_one_line(limited(20_000, "data", "simulate", "out", "--pairs", "1", cwd=tmp_path))
    assert "expected a file that can be read or written, found truncated write, 3456000 requested" in line
    assert line.endswith("free some space and run it again")
    assert not list((tmp_path / "out").rglob("*.partial"))


def test_full_disk_in_the_stages_leaves_nothing_half_done(project: Path) -> None:
    line = told_in_one_line(limited(50_000, "preprocess", cwd=project))
    assert "File too large" in line
    assert not (project / "data" / "prepared").exists()
    assert not [path for path in (project / "data").iterdir() if path.name.endswith(".partial")]
    assert limited(10_000_000, "preprocess", cwd=project).returncode == 0
    line = told_in_one_line(limited(3_000, "train", "saxs", cwd=project))
    assert "File too large" in line or "os error 27" in line or "I/O" in line or "writable" in line
    assert not (project / "models" / "train-saxs").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = run_here("data", "simulate", "out", cwd=tmp_path, check=False)
    assert "check the permissions" in told_in_one_line(done)


def test_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = told_in_one_line(run_here("data", "simulate", "file/out", cwd=tmp_path, check=False))
    assert line.startswith("file") or "Not a directory" in line


def test_sheet_of_simulated_pairs_is_a_command(project: Path, tmp_path: Path) -> None:
    import cv2

    run_here("data", "sheet", str(tmp_path / "sheet.png"), str(project / "data" / "raw"), cwd=project)
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture is not None
    assert picture.shape[1] > 1000


def test_physics_of_the_simulator_can_be_set(tmp_path: Path) -> None:
    done = run_here("data", "simulate", "out", "--set", "blend=7", cwd=tmp_path, check=False)
    wanted = "key data.simulated.parameters.blend: expected less than or equal to 1, found 7"
    assert wanted in told_in_one_line(done)
    assert not (tmp_path / "out").exists()
