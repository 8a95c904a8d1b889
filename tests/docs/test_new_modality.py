"""The guide to a technique in a package of one's own: its example is installed from a wheel, and trained with SEM."""

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

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "new-modality.md"
EXAMPLE = ROOT / "examples" / "pairvae-xrd"
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
import pairvae_xrd.technique
from pairvae.stages.assess import assess
from pairvae.commands.check import check_project
from pairvae.commands.predict import Request, predict
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import open_project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
assert Path(pairvae_xrd.technique.__file__).is_relative_to(sys.argv[1])
project = open_project(folder=Path.cwd(), track=False)
assert check_project(project.raw, project.settings).clean
preprocess(project)
train_solo(project, "sem")
train_pair(project)
assess(project)
model = str(project.model("train-pair"))
predict(["data/raw/XRD/00000.xy"], Request("sem", Path("out"), model, samples=2))
predict(["data/raw/SEM/00001.asc"], Request("xrd", Path("out"), model))
"""
KNOWN = """
import numpy as np
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.settings import resolve
from pairvae.store.code import code_digest
from pairvae.settings.plugins import code_files
xrd, section = MODALITIES["xrd"], prepare_settings(resolve({"modalities": ["xrd", "sem"]}), "xrd")
array = xrd.prepare(xrd.read("peak.xy"), section)
assert array.shape == (1, 1, 128) and array.dtype == np.float32 and array.max() == 1
assert abs(xrd.coordinates(section)[array[0, 0].argmax()] - 25) < 0.5
before = code_digest("stages.preprocess")
file = next(file for file in code_files() if file.name == "technique.py")
file.write_text(file.read_text().replace("np.sqrt(np.maximum", "np.cbrt(np.maximum"))
import subprocess, sys
again = [sys.executable, "-c", "from pairvae.store.code import code_digest; print(code_digest('stages.preprocess'))"]
assert subprocess.run(again, capture_output=True, text=True).stdout.strip() not in ("", before)
"""


def block(first_line: str) -> str:
    """The code block of the guide that begins with the comment ``first_line``, without it."""
    found = re.findall(
        rf"^```\w+\n# {re.escape(first_line)}\n(.*?)^```", GUIDE.read_text("utf-8"), re.M | re.S
    )
    assert len(found) == 1, f"{len(found)} blocks of {first_line}"
    return str(found[0])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example, built as a wheel and installed without a network."""
    work = tmp_path_factory.mktemp("xrd")
    shutil.copytree(EXAMPLE, work / "source", ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*command, "--target", str(work / "site"), str(work / "source")],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return work / "site"


def python(code: str, place: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the packages in ``place`` beside pairvae's."""
    path = os.pathsep.join([str(place), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(place)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280)


def succeeds(code: str, place: Path, cwd: Path) -> None:
    done = python(code, place, cwd)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def diffractogram(file: Path, peak: float) -> None:
    """A peak over a background, counts of a detector."""
    angle = np.arange(5, 70, 0.05)
    expected = 50 + 2000 * np.exp(-0.5 * ((angle - peak) / 0.4) ** 2)
    counts = np.random.default_rng(round(100 * peak)).poisson(expected)
    np.savetxt(file, np.column_stack([angle, counts]), fmt="%.6g", header="2 theta, counts")


def samples(project: Path) -> None:
    """Eight samples with SEM images, one of them as text, and diffractograms."""
    raw = project / "data" / "raw"
    simulate(raw, pairs=8, seed=0, parameters=PHYSICS, workers=1)
    shutil.rmtree(raw / "SAXS")
    for name in ("pairs.csv", "truth.csv", "simulation.json"):
        (raw / name).unlink()
    (raw / "XRD").mkdir()
    for number, file in enumerate(sorted((raw / "SEM").iterdir())):
        diffractogram(raw / "XRD" / f"{file.stem}.xy", 20 + 2 * number)
    one = raw / "SEM" / "00001.tif"
    np.savetxt(one.with_suffix(".asc"), read_image(one).pixels[:208, :, 0], fmt="%d")
    one.unlink()


def test_blocks_of_the_guide_are_the_example() -> None:
    for file in ("technique.py", "scores.py"):
        shown = block(f"pairvae_xrd/{file}")
        assert shown == (EXAMPLE / "pairvae_xrd" / file).read_text("utf-8"), file
    assert block("pairvae_xrd/presets/fast.yaml") == (
        EXAMPLE / "pairvae_xrd" / "presets" / "fast.yaml"
    ).read_text("utf-8")
    assert block("pyproject.toml").strip() in (EXAMPLE / "pyproject.toml").read_text("utf-8")


def test_peak_lies_where_it_should_and_other_code_is_told(installed: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    diffractogram(tmp_path / "peak.xy", 25.0)
    succeeds(KNOWN, site, tmp_path)


@pytest.mark.slow
def test_xrd_and_sem_are_checked_trained_scored_and_predicted(installed: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    samples(project)
    small = "network: {components: 3, width: 8}, training: {epochs: 2, log_every: 1}"
    params = block("params.yaml").replace("network: {}, training: {}", small)
    assert small in params
    (project / "params.yaml").write_text(params + SMALL)
    succeeds(RUN, installed, project)
    validation = json.loads((project / "reports" / "metrics.json").read_text())["splits"]["validation"]
    for direction, score in (
        ("xrd_xrd", "mae"),
        ("sem_xrd", "mae"),
        ("xrd_sem", "s2_mae"),
        ("xrd_sem", "interface_error"),
        ("sem_sem", "s2_mae"),
    ):
        assert 0 <= validation["pair"][direction][score]["median"] < 1
    for direction in ("xrd_sem", "sem_xrd"):
        assert validation["baselines"]["retrieval"][direction]
        assert validation["baselines"]["mean"][direction]
    predicted = {"00001-xrd-00.csv", "00000-sem-00.png", "00000-sem-01.png", "predictions.csv"}
    assert predicted <= {file.name for file in (project / "out").iterdir()}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gone", "broken_one.nothing:THING", "expected broken_one.nothing:THING that can be imported"),
        ("number", "broken_one:NUMBER", "expected a Modality named number, of letters and digits, found int"),
        ("sem", "broken_one:NUMBER", "expected a name that no technique of pairvae has, found 'sem'"),
        (
            "lacking",
            "broken_one:NUMBER",
            "expected lacking.prepare, and like, or network and training, found nothing",
        ),
    ],
)
def test_broken_package_is_one_line_that_names_it(
    tmp_path: Path, name: str, value: str, message: str
) -> None:
    package, facts = tmp_path / "broken_one", tmp_path / "broken_one-2.0.dist-info"
    (package / "presets").mkdir(parents=True)
    (package / "__init__.py").write_text("NUMBER = 3\n")
    section = "" if name == "lacking" else f"{name}: {{like: iq, prepare: {{}}}}\n"
    (package / "presets" / "fast.yaml").write_text(section)
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-one\nVersion: 2.0\n")
    (facts / "entry_points.txt").write_text(f"[pairvae.modalities]\n{name} = {value}\n")
    code = "from pairvae.cli import main; import sys; sys.argv = ['pairvae', 'data', 'check', '.']; main()"
    done = python(code, tmp_path, tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert message in line
    assert f"package broken-one 2.0, entry point pairvae.modalities: {name}" in line
