"""Eight simulated pairs of small images, prepared in this process: for tests that train by themselves."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from pairvae.data.simulate.simulated_folder import simulate
from pairvae.settings.simulation import SimulationParameters
from pairvae.stages.preprocess import prepare_folder, preprocess
from pairvae.stages.project import Project, open_project
from pairvae.stages.raw import make_raw
from pairvae.stages.train_solo import train_solo

PHYSICS = SimulationParameters(
    sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600
)  # of the same pairs
TINY = """
data:
  source: simulated
  simulated:
    pairs: 8
    parameters: {sem_rows: 208, sem_columns: 240, saxs_px: 128, saxs_window_nm: 600}
split: {train: 5}
latent: {channels: 4}
saxs: {prepare: {size: 32}, network: {components: 3, width: 8}, training: {epochs: 2, log_every: 1}}
sem:
  prepare: {rows: 208, columns: 240}
  network: {components: 3, width: 8, noise_channels: 4, block_widths: [4, 4, 4]}
  training: {epochs: 2, log_every: 1, texture: {crop: 32}}
pair: {training: {random_epochs: 3, log_every: 1}}
assess: {crops: 2, realism_steps: 2}
baselines: {fft: false, ridge: false, dual_vae: false}
generate: {samples: 2}
device: {threads: 1, checkpoint_seconds: 0}
"""


@cache
def _prepared() -> tempfile.TemporaryDirectory[str]:
    """The pairs with these settings, made once a process; deleted with it."""
    made = tempfile.TemporaryDirectory(prefix="pairvae-tiny-")
    _make(Path(made.name))
    return made


def _make(folder: Path, *changes: str) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(TINY)
    project = open_project(list(changes), folder=folder, track=False)
    make_raw(project)
    preprocess(project)
    return project


def tiny_project(folder: Path, *changes: str) -> Project:
    """A project in ``folder`` with settings and prepared data and nothing else; ``changes`` as by ``--set``."""
    if any(change.startswith("data.") or ".prepare." in change for change in changes):
        return _make(folder, *changes)
    shutil.copytree(_prepared().name, folder, dirs_exist_ok=True)
    return open_project(list(changes), folder=folder, track=False)


def solo_trained(folder: Path, params: str) -> Project:
    """A project in ``folder`` with the settings ``params``, eight pairs and each modality's VAE trained alone."""
    folder.mkdir()
    simulate(folder.parent / "raw", pairs=8, seed=0, parameters=PHYSICS, workers=1)
    (folder / "params.yaml").write_text(params)
    project = open_project(folder=folder, track=False)
    prepare_folder(folder.parent / "raw", project.prepared_folder, project.settings)
    for name in project.settings.modalities:
        train_solo(project, name)
    return project
