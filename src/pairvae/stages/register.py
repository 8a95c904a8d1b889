"""The stage `register`: four programs and the whole pair in the registry; champion moves only for a better score."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import pairvae
from pairvae import store
from pairvae.models.vae import VAE
from pairvae.reports import model_card
from pairvae.stages.model_card import load_vaes
from pairvae.stages.project import Project
from pairvae.tracking import roots

PAIR = "pairvae"
SERVED = Path(roots.__file__).with_name("served.py")


@dataclass(frozen=True)
class _Registration:
    """What every version of one registration says of itself: the models' card, the scores, and who made them."""

    project: Project
    card: dict[str, Any]
    metrics: dict[str, Any]

    @property
    def metadata(self) -> dict[str, Any]:
        """Facts inside each model's file."""
        return {
            "data_digest": self.card["data_digest"],
            "estimator": self.metrics["estimator"],
            "preset": self.metrics["preset"],
            "pairvae": pairvae.__version__,
            "modalities": self.card["modalities"],
        }

    @property
    def tags(self) -> dict[str, Any]:
        """Facts on the registry's page."""
        own = {"data_digest": self.card["data_digest"], "preset": self.metrics["preset"]}
        return {**own, **validation_tags(self.metrics)}

    @property
    def origin(self) -> dict[str, Any]:
        """The run and the experiment that the versions belong to."""
        return {"run_id": self.card["run_id"], "experiment": self.project.settings.tracking.experiment}


def register(project: Project) -> None:
    """Register the pair-trained models and write ``models/registered.json``."""
    folder = project.model("train-pair")
    metrics = store.read_json(project.reports / "metrics.json")
    vaes, card = load_vaes(folder)
    about = _Registration(project, card, metrics)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / PAIR
        shutil.copytree(folder, bundle)
        written = project.reports / model_card.FILE
        if written.is_file():
            shutil.copyfile(written, bundle / model_card.FILE)
        versions = _register_programs(about, vaes, bundle)
        versions[PAIR] = _register_pair(about, list(vaes), bundle, versions)
    _describe(project, written, versions[PAIR])
    _compare(about, versions)


def _register_programs(about: _Registration, vaes: Mapping[str, VAE], bundle: Path) -> dict[str, int]:
    """An encoder and a decoder of each modality; their program files go into ``bundle``, too. Versions by name."""
    from pairvae.tracking import aliases, registry

    root, versions = about.project.root, dict[str, int]()
    for name, vae in vaes.items():
        for part, program, example in programs(vae, about.card["modalities"][name]):
            registered = f"{PAIR}-{name}-{part}"
            versions[registered] = registry.register_program(
                root,
                name=registered,
                program=program,
                example=example,
                metadata=about.metadata,
                tags=about.tags,
                **about.origin,
            )
            source = aliases.program_file(root, registered, versions[registered])
            shutil.copyfile(source, bundle / f"{name}-{part}.pt2")
    return versions


def _register_pair(
    about: _Registration, names: Sequence[str], bundle: Path, versions: Mapping[str, int]
) -> int:
    """The whole pair as a program that needs no pairvae; it remembers the ``versions`` of its halves."""
    from pairvae.tracking import registry, standings

    return registry.register_pyfunc(
        about.project.root,
        name=PAIR,
        code_path=SERVED,
        artifacts={"pair": bundle},
        input_shape=(-1, -1, -1, -1),
        output_shape=(-1, -1, -1, -1),
        params={"direction": "_".join(names), "samples": 1, "seed": 0},
        metadata=about.metadata,
        tags={**about.tags, standings.PROGRAMS_TAG: json.dumps(versions)},
        **about.origin,
    )


def _describe(project: Project, written: Path, version: int) -> None:
    """The model card ``written`` by the report, where there is one, as the description of the pair's version."""
    if written.is_file():
        from pairvae.tracking.describe import describe_version

        described = model_card.description_of(written.read_text(encoding="utf-8"))
        describe_version(project.root, PAIR, version, described)


def _compare(about: _Registration, versions: Mapping[str, int]) -> None:
    """Move the aliases, and write and tell how the new versions stand."""
    from pairvae.tracking import aliases

    root, score = about.project.root, validation_score(about.metrics)
    data = validation_data(about.metrics, about.card)
    better = aliases.promote_if_better(root, list(versions), versions, score, validation_data=data)
    store.write_json(
        about.project.folder / "models" / "registered.json",
        {
            "versions": dict(versions),
            "validation_score": score,
            "champion": better,
            "tracking": roots.shown(roots.tracking_uri(root)),
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
