"""The stage `register`: four programs and the whole pair in the registry; champion moves only for a better score."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import pairvae
from pairvae import store
from pairvae.models.vae import VAE
from pairvae.reports import model_card
from pairvae.stages.project import Project
from pairvae.stages.train import load_vaes
from pairvae.tracking import roots

PAIR = "pairvae"
SERVED = Path(roots.__file__).with_name("served.py")


def register(project: Project) -> None:
    """Register the pair-trained models and write ``models/registered.json``."""
    from pairvae.tracking import aliases, registry, standings
    from pairvae.tracking.describe import describe_version

    folder, experiment = project.model("train-pair"), project.settings.tracking.experiment
    metrics = store.read_json(project.reports / "metrics.json")
    vaes, card = load_vaes(folder)
    metadata = {
        "data_digest": card["data_digest"],
        "estimator": metrics["estimator"],
        "preset": metrics["preset"],
        "pairvae": pairvae.__version__,
        "modalities": card["modalities"],
    }
    tags = {"data_digest": card["data_digest"], "preset": metrics["preset"], **validation_tags(metrics)}
    versions: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / PAIR
        shutil.copytree(folder, bundle)
        written = project.reports / model_card.FILE
        if written.is_file():
            shutil.copyfile(written, bundle / model_card.FILE)
        for name, vae in vaes.items():
            for part, program, example in programs(vae, card["modalities"][name]):
                registered = f"{PAIR}-{name}-{part}"
                versions[registered] = registry.register_program(
                    project.root,
                    name=registered,
                    program=program,
                    example=example,
                    metadata=metadata,
                    tags=tags,
                    run_id=card["run_id"],
                    experiment=experiment,
                )
                source = aliases.program_file(project.root, registered, versions[registered])
                shutil.copyfile(source, bundle / f"{name}-{part}.pt2")
        programs_of_pair = json.dumps(versions)
        versions[PAIR] = registry.register_pyfunc(
            project.root,
            name=PAIR,
            code_path=SERVED,
            artifacts={"pair": bundle},
            input_shape=(-1, -1, -1, -1),
            output_shape=(-1, -1, -1, -1),
            params={"direction": "_".join(vaes), "samples": 1, "seed": 0},
            metadata=metadata,
            tags={**tags, standings.PROGRAMS_TAG: programs_of_pair},
            run_id=card["run_id"],
            experiment=experiment,
        )
    if written.is_file():
        described = model_card.description_of(written.read_text(encoding="utf-8"))
        describe_version(project.root, PAIR, versions[PAIR], described)
    score = validation_score(metrics)
    better = aliases.promote_if_better(
        project.root, list(versions), versions, score, validation_data=validation_data(metrics, card)
    )
    store.write_json(
        project.folder / "models" / "registered.json",
        {
            "versions": versions,
            "validation_score": score,
            "champion": better,
            "tracking": roots.shown(roots.tracking_uri(project.root)),
        },
    )
    standing = "champion" if better else "candidate (the champion's score is as good or better)"
    print(f"registered {', '.join(versions)} as {standing}; validation score {score:.4g}")


def programs(vae: VAE, description: dict[str, Any]) -> list[tuple[str, nn.Module, Tensor]]:
    """Name, network and example batch of two for each half of a VAE."""
    latent = description["latent"]
    inputs = torch.rand(2, *description["shape"], generator=torch.Generator().manual_seed(0)).round()
    latents = torch.zeros(2, latent["channels"], latent["grid"], latent["grid"])
    return [("encoder", vae.encoder, inputs), ("decoder", vae.decoder, latents)]


def validation_score(metrics: dict[str, Any]) -> float:
    """What champions are compared by (lower is better): both predictions' median validation errors, each relative to
    the retrieval baseline of the same pairs, averaged geometrically."""
    one = metrics["splits"]["validation"]
    ratio = 1.0
    for direction in one["baselines"]["retrieval"]:
        score = "s2_mae" if "s2_mae" in one["pair"][direction] else "mae"
        found = one["pair"][direction][score]["median"]
        reference = one["baselines"]["retrieval"][direction][score]["median"]
        ratio *= found / max(reference, 1e-9)
    return float(ratio**0.5)


def validation_tags(metrics: dict[str, Any]) -> dict[str, float]:
    """Median validation errors of the pair, for the registry's page."""
    directions = metrics["splits"]["validation"]["pair"]
    return {
        f"validation.{direction}.{score}": summary["median"]
        for direction, scores in directions.items()
        for score, summary in scores.items()
    }


def validation_data(metrics: dict[str, Any], card: dict[str, Any]) -> str:
    """A name of the pairs and the scoring that the score comes from: others cannot be compared with it."""
    return store.digest([card["data_digest"], sorted(card["train_ids"]), metrics["estimator"]])
