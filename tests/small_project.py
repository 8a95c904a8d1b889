"""A small project with eight simulated pairs, and the command line run in it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from pairvae.cli import main
from pairvae.commands.init import init
from pairvae.commands.repro import write_params
from pairvae.settings import assignments

ROOT = Path(__file__).resolve().parent.parent
# s; pytest's own limit comes first, but beside other work `repro` has taken eight minutes instead of one
WITHIN_S = 1800
# Small networks and few epochs: the pipeline's wiring is under test here, not the quality of its models.
SMALL = [
    "data.simulated.pairs=8", "split.train=5", "saxs.training.epochs=3", "saxs.training.log_every=1",
    "saxs.network.components=4", "saxs.network.width=16", "sem.training.epochs=3", "sem.training.log_every=1",
    "sem.network.components=4", "sem.network.width=16", "sem.network.noise_channels=8",
    "sem.network.block_widths=[8, 8, 8]", "pair.training.random_epochs=3", "pair.training.log_every=1",
    "assess.crops=2", "assess.realism_steps=2",
    "generate.samples=4", "baselines.unet.epochs=1", "baselines.unet.log_every=1", "baselines.unet.widths=[4, 8]",
    "device.threads=1", "device.checkpoint_seconds=0",
]  # fmt: skip


def make_project(folder: Path) -> Path:
    """A project in ``folder``, as `pairvae init` makes it, with small settings, under git."""
    init(folder)
    write_params(folder / "params.yaml", assignments(SMALL))
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


def run_pairvae(
    *arguments: str, cwd: Path, check: bool = True, timeout_s: float = WITHIN_S
) -> subprocess.CompletedProcess[str]:
    """Run the command line in ``cwd``."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(
        [sys.executable, "-m", "pairvae.cli", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    if check and done.returncode:
        raise AssertionError(
            f"pairvae {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
    return done


def run_here(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """As :func:`run_pairvae`, in this process: one of its own takes seconds to import what is imported here."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(sys, "argv", ["pairvae", *arguments])
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    assert not check or code == 0, (arguments, code, out.getvalue(), err.getvalue())
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
