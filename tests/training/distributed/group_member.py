"""One process of a group, started by test_process_group.py: trains a tiny plan; rank 0 writes the result.

Arguments: the plan's name, a folder for the result, one for checkpoints, and the epoch after which the process that
``DIES`` names ends (-1: none does).
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch

import tiny_plans
from pairvae.errors import InputError
from pairvae.store.tensors import save_tensors
from pairvae.training.devices import Device
from pairvae.training.distributed.process_group import join
from pairvae.training.loop import Checkpointing, train


def main() -> None:
    name, out, kept, last = sys.argv[1:]
    torch.set_num_threads(1)
    process_group = join(torch.device("cpu"))
    plan = {
        "solo": tiny_plans.solo_plan,
        "pair": tiny_plans.pair_plan,
        "simclr": lambda: tiny_plans.pair_plan(similarity="simclr"),
        "norm": tiny_plans.norm_plan,
        "narrow": lambda: tiny_plans.solo_plan(batch=1),
    }[name]()
    if os.environ.get("DIES") == str(process_group.rank):
        inner, calls = plan.encode, []

        def encode(batch: object, generator: object) -> object:
            calls.append(1)
            if len(calls) > int(last) * plan.steps():
                os.kill(os.getpid(), signal.SIGKILL)
            return inner(batch, generator)  # type: ignore[arg-type]

        object.__setattr__(plan, "encode", encode)
    keeping = Checkpointing(Path(kept), 0.0)
    history = train(
        plan,
        Device(torch.device("cpu"), False),
        label=name,
        checkpointing=keeping,
        process_group=process_group,
    )
    if process_group.is_rank_0:
        save_tensors(Path(out) / "weights.safetensors", plan.module.state_dict(), {})
        (Path(out) / "history.json").write_text(json.dumps(history))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
