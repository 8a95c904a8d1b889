"""The stage `register`: programs and the whole pair in the registry; champion moves only for a better score.

Model folder and scores are all that it needs: a run that the store does not have is left out.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import pairvae
from pairvae import store
from pairvae.errors import InputError
from pairvae.inference.card import load_vaes
from pairvae.modalities import main_pair
from pairvae.models.compact import ComponentEncoder
from pairvae.models.vae import VAE, WHOLE, Features, Toward
from pairvae.reports import model_card
from pairvae.reports.validation_scores import decisive, medians, validation_score
from pairvae.stages.champion_score import promote, split_digest
from pairvae.stages.project import Project
from pairvae.store import project_root as roots
from pairvae.store.model_folder import DISCRIMINATORS

MODEL_TAG = "model_digest"
OF_THE_TRAINING = ("run_id", "seconds", "device")  # in a card: two trainings to one model differ in them
ASSESS = "run: pairvae assess"


@dataclass(frozen=True)
class _Registration:
    """What every version of one registration says of itself: the models' card, the scores, and who made them."""

    project: Project
    card: dict[str, Any]
    metrics: dict[str, Any]
    run_id: str | None

    @property
    def name(self) -> str:
        """Of the registered pair."""
        return self.project.settings.tracking.models

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
        return {
            "data_digest": self.card["data_digest"],
            "split_digest": split_digest(self.card),
            "estimator": self.metrics["estimator"],
            "preset": self.metrics["preset"],
            "weights_sha256": self.card["weights_sha256"],
            MODEL_TAG: self.model,
            **decisive(medians(self.metrics)),
        }

    @property
    def model(self) -> str:
        """A name of all that is registered: weights, their card, scores."""
        card = {key: value for key, value in self.card.items() if key not in OF_THE_TRAINING}
        return store.digest([card, medians(self.metrics), validation_score(self.metrics)])

    @property
    def shared(self) -> dict[str, Any]:
        """What every version carries, as :class:`pairvae.tracking.registry.registration.About` takes it."""
        origin = {"run_id": self.run_id, "experiment": self.project.settings.tracking.experiment}
        return {**origin, "metadata": self.metadata, "tags": self.tags}


def register(project: Project) -> None:
    """Register the pair-trained models and write ``models/registered.json``.

    A model that is registered already, with the same scores, gets no second version. ``InputError`` where there is no
    model, or no scores of this one.
    """
    folder = project.model("train-pair")
    vaes, card = load_vaes(folder)
    about = _Registration(project, card, _scores(project, card), _run(project, card.get("run_id")))
    versions = _present(about)
    if versions:
        print(f"version {versions[about.name]} of {about.name} is this model already: no new version")
    versions = versions or _register(about, vaes, folder)
    _describe(project, about.name, versions[about.name])
    promote(project, card, about.metrics, versions)


def _scores(project: Project, card: Mapping[str, Any]) -> dict[str, Any]:
    """``reports/metrics.json`` of this model."""
    path = project.reports / "metrics.json"
    if not path.is_file():
        raise InputError(expected="scores of the model", found="none", where=str(path), remedy=ASSESS)
    metrics = store.read_json(path, "scores of the model", ASSESS)
    own = card["weights_sha256"]
    if metrics.get("weights_sha256", own) != own:
        raise InputError(
            expected="scores of the model in models/train-pair",
            found="those of another one",
            where=str(path),
            remedy=ASSESS,
        )
    return metrics


def _run(project: Project, run_id: str | None) -> str | None:
    """The run that trained the model; None, and a line says so, where the store does not have it."""
    from pairvae.tracking.database import prepare_store
    from pairvae.tracking.registry.registration import usable_run

    prepare_store(project.root, project.settings.tracking.experiment)
    known = usable_run(project.root, run_id)
    if run_id is not None and known is None:
        print(
            f"{roots.store_name(project.root)} has no run {run_id} (deleted, or of another store): "
            "the models are registered without it"
        )
    return known


def _present(about: _Registration) -> dict[str, int]:
    """The versions that were made of this model, with their files; empty where there are none."""
    from pairvae.tracking.registry import aliases
    from pairvae.tracking.registry.leaderboard import leaderboard, registered_together

    root = about.project.root
    for entry in leaderboard(root, about.name):
        if entry.version.tags.get(MODEL_TAG) != about.model:
            continue
        versions = registered_together(root, entry.version)
        try:
            for name, number in versions.items():
                aliases.download(root, f"models:/{name}/{number}")
        except InputError:
            continue
        return versions
    return {}


def _register(about: _Registration, vaes: Mapping[str, VAE], folder: Path) -> dict[str, int]:
    """New versions of the programs and of the pair."""
    project = about.project
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / roots.PAIR
        shutil.copytree(folder, bundle, ignore=shutil.ignore_patterns(DISCRIMINATORS))
        written = project.reports / model_card.FILE
        if written.is_file():
            shutil.copyfile(written, bundle / model_card.FILE)
        versions = _register_programs(about, vaes, bundle)
        versions[about.name] = _register_pair(about, list(vaes), bundle, versions)
    return versions


def _register_programs(about: _Registration, vaes: Mapping[str, VAE], bundle: Path) -> dict[str, int]:
    """An encoder and a decoder of each modality; their program files go into ``bundle``, too. Versions by name."""
    from pairvae.tracking.registry import aliases
    from pairvae.tracking.registry import registration as registry

    root, versions = about.project.root, dict[str, int]()
    for name, program, example in programs(vaes, about.card["modalities"]):
        registered = f"{about.name}-{name}"
        versions[registered] = registry.register_program(
            root,
            registered,
            program,
            example,
            registry.About(**about.shared, description=_of_program(about, name)),
        )
        source = aliases.program_file(root, registered, versions[registered])
        shutil.copyfile(source, bundle / f"{name}.pt2")
    return versions


def _of_program(about: _Registration, name: str) -> str:
    return (
        f"The network {name} of `{about.name}`, as a program that runs without pairvae: "
        f'`mlflow.pytorch.load_model("models:/{about.name}-{name}@champion")`. An encoder returns mean and standard '
        "deviation of the latent, one after the other on the channel axis."
    )


def _of_pair(about: _Registration, names: Sequence[str]) -> str:
    return (
        f"Predicts {' and '.join(name.upper() for name in names)} from each other. `champion` has the best validation "
        "score, `candidate` is the newest version; the page of a version says how good it is. Use it with `pairvae "
        f'predict FILES --to {names[-1]}`, or in Python: `pairvae.load("models:/{about.name}@champion")`.'
    )


def _register_pair(
    about: _Registration, names: Sequence[str], bundle: Path, versions: Mapping[str, int]
) -> int:
    """The whole pair as a program that needs no pairvae; it remembers the ``versions`` of its halves."""
    from pairvae.tracking.registry import registration as registry
    from pairvae.tracking.registry.leaderboard import PROGRAMS_TAG
    from pairvae.tracking.registry.model_files import SERVED

    shared = {**about.shared, "tags": {**about.tags, PROGRAMS_TAG: json.dumps(versions)}}
    any_size = (-1, -1, -1, -1)
    return registry.register_pyfunc(
        about.project.root,
        about.name,
        SERVED,
        # MLflow's named tensors are all required: several techniques are a mapping that the code checks.
        (any_size if len(names) == 2 else None, any_size),
        registry.About(**shared, description=_of_pair(about, names)),
        artifacts={"pair": bundle},
        params={
            "direction": "_".join(names if len(names) == 2 else main_pair(names)),
            "samples": 1,
            "seed": 0,
            "conditions": "",
        },
    )


def _describe(project: Project, name: str, version: int) -> None:
    """The model card of the report, where there is one, as the description of the pair's version."""
    written = project.reports / model_card.FILE
    if written.is_file():
        from pairvae.tracking.registry.aliases import describe_version

        described = model_card.description_of(written.read_text(encoding="utf-8"))
        describe_version(project.root, name, version, described)


def programs(
    vaes: Mapping[str, VAE], descriptions: Mapping[str, Any]
) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Name, network and example batch of two for each half of the VAEs.

    Where an image's encoder has a regression toward a technique, for the two halves as they are joined then, too; of
    more than two techniques also the frozen part of each encoder, whose features joint posteriors are regressed on.
    """
    for name, vae in vaes.items():
        latent = descriptions[name]["latent"]
        generator = torch.Generator().manual_seed(0)
        inputs = torch.rand(2, *descriptions[name]["shape"], generator=generator).round()
        latents = torch.zeros(2, latent["channels"], latent["grid"], latent["grid"])
        yield f"{name}-encoder", vae.encoder, inputs
        yield f"{name}-decoder", vae.decoder, latents
        if len(vaes) > 2 and isinstance(vae.encoder, ComponentEncoder):
            yield f"{name}-features", Features(vae.encoder).eval(), inputs
        for target in [key for key in vae.encoder.toward if not key.endswith(WHOLE)]:
            toward = Toward(vae.encoder, target).eval()
            with torch.no_grad():
                statistics = toward(inputs)
            yield f"{name}-encoder-{target}", toward, inputs
            yield f"{target}-decoder-{name}", vaes[target].decoder, statistics.chunk(2, dim=1)[0].contiguous()
