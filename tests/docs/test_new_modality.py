"""The guide to a new modality, followed to the letter: its blocks become files, and AFM is trained with SEM."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pairvae.data.simulate.simulated_folder import simulate
from pairvae.modalities.readers.image import read_image
from pairvae.settings.simulation import SimulationParameters

pytestmark = pytest.mark.skip("the guide's example is part of pairvae now; it gets another one")
ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "new-modality.md"
PHYSICS = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600)
SMALL = """
split: {train: 5}
latent: {channels: 4}
sem:
  prepare: {rows: 208, columns: 240}
  network: {components: 3, width: 8, noise_channels: 4, block_widths: [4, 4, 4]}
  training: {epochs: 2, log_every: 1, texture: {crop: 32}}
pair: {training: {random_epochs: 2, log_every: 1}}
assess: {crops: 2, realism_steps: 2}
baselines: {fft: false, ridge: false, dual_vae: false, unet: {epochs: 0}}
generate: {samples: 2}
device: {threads: 1}
"""
RUN = """
import sys
from pathlib import Path
import pairvae
from pairvae.stages.assess import assess
from pairvae.commands.predict import Request, predict
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import open_project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
assert Path(pairvae.__file__).is_relative_to(sys.argv[1]), pairvae.__file__
project = open_project(folder=Path.cwd(), track=False)
preprocess(project)
train_solo(project, "sem")
train_pair(project)
assess(project)
model = str(project.model("train-pair"))
predict(["data/raw/AFM/00000.npy"], Request("sem", Path("out"), model, samples=2))
predict(["data/raw/SEM/00000.tif"], Request("afm", Path("out"), model))
"""
KNOWN = """
import numpy as np
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.settings import resolve
afm = MODALITIES["afm"]
section = prepare_settings(resolve({"afm": {"prepare": {"nm_per_px": 1.5}}}), "afm")
stripes = 5 * np.sin(2 * np.pi * np.arange(512) * 1.5 / 30) * np.ones((512, 1)) + 0.1 * np.arange(512)[:, None]
array = afm.prepare(RawImage(stripes.astype(np.float32), None, None, "npy", "scan"), section)
assert array.shape == (1, 64, 64) and array.dtype == np.float32, array.shape
row, column = np.unravel_index(array[0].argmax(), (64, 64))
q = (np.array([row, column]) + 0.5) * 2 * 0.34 / 64 - 0.34
assert abs(abs(q[1]) - 2 * np.pi / 30) < 0.34 / 64 and abs(q[0]) <= 0.34 / 64, q
for pixels, message in ((stripes[:64, :64], "a scan of at least 591 nm a side, found 96 nm"),):
    try:
        afm.prepare(RawImage(pixels, None, None, "npy", "scan"), section)
    except InputError as error:
        assert message in str(error), error
    else:
        raise AssertionError("a small scan passed")
"""


def block(first_line: str) -> str:
    """The code block of the guide that begins with the comment ``first_line``."""
    found = re.findall(
        rf"^```\w+\n(# {re.escape(first_line)}\n.*?)^```", GUIDE.read_text("utf-8"), re.M | re.S
    )
    assert len(found) == 1, f"{len(found)} blocks of {first_line}"
    return str(found[0])


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with one more file, and one more block in its preset: nothing else is changed."""
    source = tmp_path_factory.mktemp("afm") / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (source / "pairvae" / "modalities" / "afm.py").write_text(block("src/pairvae/modalities/afm.py"))
    with (source / "pairvae" / "presets" / "fast.yaml").open("a") as preset:
        preset.write(block("src/pairvae/presets/fast.yaml"))
    return source


def python(code: str, package: Path, cwd: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(package)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def scans(project: Path) -> None:
    """Eight samples with SEM images, and height maps of the same surfaces, tilted and noisy."""
    raw = project / "data" / "raw"
    simulate(raw, pairs=8, seed=0, parameters=PHYSICS, workers=1)
    shutil.rmtree(raw / "SAXS")
    (raw / "pairs.csv").unlink()
    (raw / "AFM").mkdir()
    generator = np.random.default_rng(0)
    for file in sorted((raw / "SEM").iterdir()):
        grey = np.asarray(read_image(file).pixels[:208], np.float32)
        grey = grey if grey.ndim == 2 else grey[..., 0]
        heights = 5 * grey / 255 + 0.05 * np.arange(208, dtype=np.float32)[:, None]
        np.save(
            raw / "AFM" / f"{file.stem}.npy",
            heights + generator.normal(0, 0.1, heights.shape).astype(np.float32),
        )


def test_stripes_peak_where_they_should_and_small_scans_are_told(package: Path, tmp_path: Path) -> None:
    python(KNOWN, package, tmp_path)


@pytest.mark.slow
def test_afm_and_sem_are_trained_scored_and_predicted(package: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    scans(project)
    small = "network: {components: 3, width: 8}, training: {epochs: 2, log_every: 1}"
    params = block("params.yaml").replace("network: {}, training: {}", small)
    assert small in params
    (project / "params.yaml").write_text(params + SMALL)
    python(RUN, package, project)
    metrics = json.loads((project / "reports" / "metrics.json").read_text())
    validation = metrics["splits"]["validation"]
    for direction, score in (
        ("afm_afm", "mae"),
        ("sem_afm", "mae"),
        ("afm_sem", "s2_mae"),
        ("sem_sem", "s2_mae"),
    ):
        assert 0 <= validation["pair"][direction][score]["median"] < 1
    for direction in ("afm_sem", "sem_afm"):
        assert validation["baselines"]["retrieval"][direction]
        assert validation["baselines"]["mean"][direction]
    predicted = {"00000-afm-00.png", "00000-sem-00.png", "00000-sem-01.png", "predictions.csv"}
    assert predicted <= {file.name for file in (project / "out").iterdir()}


def test_file_of_the_guide_keeps_the_style(package: Path) -> None:
    for command in (["check", "--ignore", "D205"], ["format", "--check"]):
        file = package / "pairvae" / "modalities" / "afm.py"
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--config", str(ROOT / "pyproject.toml"), str(file)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout
