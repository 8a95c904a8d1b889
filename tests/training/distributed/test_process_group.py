"""Two processes that share every batch (gloo on the CPU) train as one does."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pairvae.store.tensors import load_tensors
from pairvae.training.loop import train
from tiny_plans import DEVICE, NOWHERE, norm_plan, pair_plan, solo_plan

MEMBER = Path(__file__).with_name("group_member.py")
TESTS = MEMBER.parent.parent.parent
pytestmark = pytest.mark.slow  # eight interpreters; shares and micro-batches are tested in one


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def run_group(name: str, folder: Path, *, last: int = -1, dies: str = "") -> list[tuple[int, str]]:
    """Exit code and stderr of each of two processes; checkpoints in ``folder``."""
    port = str(free_port())
    members = []
    for rank in ("0", "1"):
        environment = {
            **os.environ, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS), "DIES": dies,
        }  # fmt: skip
        command = [sys.executable, str(MEMBER), name, str(folder), str(folder / "kept"), str(last)]
        members.append(
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
    try:
        told = [member.communicate(timeout=200)[1] for member in members]
    finally:
        for member in members:
            member.kill()
    return [(member.returncode, text) for member, text in zip(members, told, strict=True)]


def assert_trained_as_one(folder: Path, name: str, make: Callable[..., Any]) -> None:
    """Losses within 0.1 %, weights within 1 % and 2e-3: Adam enlarges the last bits of a gradient."""
    plan = make()
    history = train(plan, DEVICE, label="one", checkpointing=NOWHERE)
    found, _ = load_tensors(folder / "weights.safetensors")
    for row, other in zip(json.loads((folder / "history.json").read_text()), history, strict=True):
        assert row == pytest.approx(other, rel=1e-3)
    without_effect = [f"decoder.convolutions.{number}.bias" for number in range(4)]  # a batch norm follows
    for key, weight in plan.module.state_dict().items():
        if name == "norm" and key in without_effect:
            continue
        torch.testing.assert_close(found[key], weight, rtol=1e-2, atol=2e-3, msg=key)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("pair", pair_plan),
        ("simclr", lambda: pair_plan(similarity="simclr")),
        ("solo", solo_plan),
        ("norm", norm_plan),
    ],
)
def test_two_processes_train_as_one(name: str, make: Callable[..., Any], tmp_path: Path) -> None:
    done = run_group(name, tmp_path)
    assert [code for code, _ in done] == [0, 0], done
    assert done[1][1] == "", "the first alone reports"
    assert_trained_as_one(tmp_path, name, make)


def test_member_that_dies_ends_the_other_with_one_line_and_both_resume(tmp_path: Path) -> None:
    (first, told), (second, _) = run_group("pair", tmp_path, last=2, dies="1")
    assert second == -9
    assert first == 1
    lines = [line for line in told.splitlines() if not line.startswith("pair: ")]
    assert len(lines) == 1, told
    assert "expected all 2 processes to train, found process 0 lost the others" in lines[0]
    assert not (tmp_path / "weights.safetensors").exists()
    assert [code for code, _ in run_group("pair", tmp_path)] == [0, 0]
    assert_trained_as_one(tmp_path, "pair", pair_plan)


def test_batch_that_is_too_small_for_the_group_is_told(tmp_path: Path) -> None:
    for code, told in run_group("narrow", tmp_path):
        assert code == 1
        assert "expected at least 2 samples in every batch, one for each process, found a batch of 1" in told
