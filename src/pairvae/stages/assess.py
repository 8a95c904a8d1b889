"""The stage `assess`: trained models and prepared arrays in, `reports/metrics.json` and the report's material out."""

from __future__ import annotations

from typing import Any

import numpy as np

from pairvae import store
from pairvae.evaluation.assess import (
    Evaluated,
    Reconstructions,
    Truth,
    baseline_errors,
    floor_errors,
    listed,
    model_errors,
    reconstruct,
    summarise,
)
from pairvae.evaluation.ensembles import Ensemble, ensembles
from pairvae.evaluation.scores import curves, summary
from pairvae.modalities import MODALITIES
from pairvae.settings import flatten
from pairvae.stages.project import Project
from pairvae.stages.train import load_vaes
from pairvae.store.models import load_card
from pairvae.store.prepared import Prepared
from pairvae.training.devices import choose

SHEET = 16


def assess(project: Project) -> None:
    """Score the solo and the pair models on validation, training and all pairs."""
    settings, prepared = project.settings, project.prepared()
    choose(settings.device)
    what = evaluated(project, prepared)
    truth = Truth(what)
    pair, card = load_vaes(project.model("train-pair"))
    solo = {name: load_vaes(project.solo(name))[0][name] for name in pair}
    refuse_leakage(prepared, what, card)
    images: dict[str, dict[str, np.ndarray]] = {"pair": {}, "solo": {}}
    decoded = reconstruct(pair, what)
    images["pair"] = decoded.images
    for name, vae in solo.items():
        images["solo"] |= reconstruct({name: vae}, what).images
    errors = {
        "solo": model_errors(truth, images["solo"]),
        "pair": model_errors(truth, images["pair"]),
        "baselines": baseline_errors(truth),
        "floor": floor_errors(truth),
    }
    members = {"validation": what.validation, "train": what.train, "all": range(len(prepared.pairs))}
    drawn = ensembles(pair, decoded.latents[what.names[0]], what, settings.generate)
    metrics = {
        "preset": settings.preset,
        "estimator": settings.assess.estimator,
        "train_pairs": len(what.train),
        "splits": {name: summarise(errors, chosen) for name, chosen in members.items()},
        "generation": {name: _generation(ensemble) for name, ensemble in drawn.items()},
    }
    distributions = {name: listed(errors, chosen) for name, chosen in members.items()}
    _write_material(project, prepared, what, truth, images, decoded, distributions)
    store.write_json(project.reports / "metrics.json", metrics)
    _annotate(project, metrics)


def evaluated(project: Project, prepared: Prepared) -> Evaluated:
    """Everything that is assessed, in memory."""
    settings, split = project.settings, project.split(prepared)
    first, second = sorted(settings.modalities, key=lambda name: MODALITIES[name].cropped)
    binary = MODALITIES[second].cropped
    return Evaluated(
        patterns=np.array(prepared.whole(first)),
        crops=np.array(prepared.crops(second) if binary else prepared.whole(second)),
        train=split.train,
        validation=split.validation,
        morphologies=[pair.morphology for pair in prepared.pairs],
        estimator=settings.assess.estimator,
        seed=settings.seed,
        names=(first, second),
    )


def refuse_leakage(prepared: Prepared, what: Evaluated, card: dict[str, Any]) -> None:
    """``InputError`` where a validation pair was among the model's training pairs, or the data are other ones."""
    from pairvae.errors import InputError

    trained = set(card["train_ids"])
    leaked = [prepared.pairs[index].id for index in what.validation if prepared.pairs[index].id in trained]
    if leaked or card["data_digest"] != prepared.digest:
        found = f"{leaked[0]} among its training pairs" if leaked else "a model of other prepared data"
        raise InputError(
            expected="a model that has not seen the validation pairs",
            found=found,
            where="models/train-pair",
            remedy="train it again with `pairvae repro`",
        )


def _generation(ensemble: Ensemble) -> dict[str, Any]:
    return {"s2_mae": summary(ensemble.errors)}


def _annotate(project: Project, metrics: dict[str, Any]) -> None:
    """Give the runs that trained the models their final validation scores."""
    if not project.track:
        return
    from pairvae.tracking.runs import annotate_run  # 3 s of mlflow, only where it is wanted

    scores = metrics["splits"]["validation"]
    for name in (*project.settings.modalities, "pair"):
        folder = project.model("train-pair") if name == "pair" else project.solo(name)
        run_id = load_card(folder).get("run_id")
        if run_id is None:
            continue
        own = f"{name}_{name}"
        directions = scores["pair"] if name == "pair" else {own: scores["solo"][own]}
        flat = flatten({"validation": directions})
        medians = {
            key.removesuffix(".median"): value for key, value in flat.items() if key.endswith(".median")
        }
        annotate_run(project.root, run_id, medians, {"assessed": "true"})


def _write_material(
    project: Project,
    prepared: Prepared,
    what: Evaluated,
    truth: Truth,
    images: dict[str, dict[str, np.ndarray]],
    decoded: Reconstructions,
    distributions: dict[str, Any],
) -> None:
    """Arrays and numbers that the report draws: one example of each morphology, sheets, latents, all scores."""
    chosen = examples(what)
    arrays: dict[str, np.ndarray] = {}
    for name in what.names:
        latents, array = decoded.latents[name], what.array(name)
        arrays[name] = array[chosen, 0] if what.cropped(name) else array[chosen]
        rows = latents.reshape(*array.shape[:2], -1).mean(1) if what.cropped(name) else latents
        arrays[f"latent_{name}"] = rows.reshape(len(array), -1)
    for family, directions in images.items():
        for direction, array in directions.items():
            source, _, target = direction.partition("_")
            first = array[chosen, 0] if what.cropped(source) or what.cropped(target) else array[chosen]
            arrays[f"image/{family}/{direction}"] = first
            if what.cropped(target):
                for kind, curve in curves(first, what.estimator).items():
                    arrays[f"curve/{kind}/{family}/{direction}"] = curve
    for kind, curve in truth.curves.items():
        arrays[f"curve/{kind}/true"] = curve[chosen, 0]
    for name, rows in sheet_rows(what).items() if truth.curves else ():
        true, predicted = what.crops[rows], images["pair"]["_".join(what.names)][rows]
        arrays[f"sheet/{name}/true"] = _spread(true)
        arrays[f"sheet/{name}/predicted"] = _spread(predicted)
    with store.atomic_folder(project.reports / "assessment") as folder:
        np.savez_compressed(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]  # numpy's stubs
        store.write_json(
            folder / "assessment.json",
            {
                "examples": [prepared.pairs[index].id for index in chosen],
                "pairs": [vars(pair) for pair in prepared.pairs],
                "train": list(what.train),
                "validation": list(what.validation),
                "data_digest": prepared.digest,
                "distributions": distributions,
                "modalities": list(what.names),
            },
        )


def _spread(images: np.ndarray) -> np.ndarray:
    """Up to 16 images of ``(M, K, h, w)``, from as many samples as there are."""
    by_crop = images.swapaxes(0, 1).reshape(-1, *images.shape[2:])
    return by_crop[:SHEET]


def examples(what: Evaluated) -> list[int]:
    """The first validation sample of each morphology; the first four where morphologies are not known."""
    found: dict[str, int] = {}
    for index in what.validation:
        name = what.morphologies[index]
        if name is not None:
            found.setdefault(name, int(index))
    return list(found.values()) if found else [int(index) for index in what.validation[:4]]


def sheet_rows(what: Evaluated) -> dict[str, list[int]]:
    """Validation samples by morphology."""
    rows: dict[str, list[int]] = {}
    for index in what.validation:
        rows.setdefault(what.morphologies[index] or "all", []).append(int(index))
    return rows
