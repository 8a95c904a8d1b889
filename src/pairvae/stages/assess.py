"""The stage `assess`: trained models and prepared arrays in, `reports/metrics.json` and the report's material out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pairvae import store
from pairvae.evaluation.conditions import condition_correlations, condition_metrics
from pairvae.evaluation.ensembles import ensembles
from pairvae.evaluation.leak_check import leakage_summary, refuse_leakage
from pairvae.evaluation.realism import Bits, Judging, realism
from pairvae.evaluation.report_arrays import (
    descriptor_arrays,
    example_arrays,
    examples,
    figure_arrays,
    sample_latents,
)
from pairvae.evaluation.scores.blocks import (
    Measured,
    compared,
    ensemble_block,
    generation_block,
    measured,
    ranked,
    selected,
    with_mean_curves,
)
from pairvae.evaluation.scores.definitions import summary
from pairvae.evaluation.scores.energy import EnsembleErrors
from pairvae.evaluation.scores.energy import ensembles as scored_ensembles
from pairvae.evaluation.scores.evaluate import (
    Errors,
    Reference,
    listed,
    model_errors,
    require_finite,
    summarise,
)
from pairvae.evaluation.scores.guards import degenerate
from pairvae.evaluation.scores.reconstruct import EvaluationSet, Reconstructions, reconstruct
from pairvae.evaluation.scores.references import References, baseline_errors, floor_errors, references
from pairvae.evaluation.scores.sampled import Sampled, sampled
from pairvae.evaluation.scores.statistics import resamples
from pairvae.inference.card import load_vaes
from pairvae.inference.directions import Directions, score_directions
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES, main_pair
from pairvae.models.conditions import shifts_of
from pairvae.numerics.images import has_grey_levels
from pairvae.reports.validation_scores import PAIR, run_metrics, verdict
from pairvae.stages.baselines import Alone, fitted_errors, trained_alone
from pairvae.stages.project import Project, data_warnings, tell
from pairvae.stages.tracked_training import describe
from pairvae.store.model_folder import load_card
from pairvae.store.prepared import Prepared
from pairvae.training.classifier import train_judge
from pairvae.training.devices import choose


@dataclass(frozen=True)
class Predicted:
    """Images by model and direction, what the pair decoded them from, and the solo models."""

    images: dict[str, dict[str, np.ndarray]]
    pair: Reconstructions
    alone: Alone


def assess(project: Project) -> None:
    """Score the solo and the pair models on validation, training and all pairs."""
    prepared = project.prepared_pairs()
    choose(project.settings.device)
    vaes, card = load_vaes(project.model("train-pair"))
    pair = {name: vaes[name] for name in main_pair(tuple(vaes))}
    reference = Reference(evaluated(project, prepared, card), full=True)
    data = reference.data
    refuse_leakage(prepared, reference, card)
    predicted = _predicted(project, prepared, data, Predictor(pair, card))
    measurements = measured(reference, predicted.images)
    draws = sampled(pair, reference) if reference.properties else None
    known = references(reference, predicted.pair.latents) if reference.properties else None
    errors, fitted = _errors(project, prepared, reference, predicted, measurements, known)
    scored = _scored_ensembles(prepared, reference, draws, known, fitted)
    splits = {name: selected(errors, rows) for name, rows in data.splits.items()}
    splits["validation"] = with_mean_curves(splits["validation"], draws, data)
    drawn = ensembles(pair, predicted.pair.latents[data.names[0]], data, project.settings.generate)
    leakage, warnings = leakage_summary(prepared, reference)
    warnings = data_warnings(project, prepared) + warnings
    ids = [one.id for one in prepared.pairs]
    metrics = {
        **_of_splits(project, data, splits, card["weights_sha256"]),
        "generation": {name: {"s2_mae": summary(one.errors)} for name, one in drawn.items()},
        "comparisons": {"validation": compared(splits["validation"], data, scored)},
        "ranking": {"validation": ranked(splits["validation"], scored)},
        "ensembles": {
            "validation": ensemble_block(reference, measurements),
            "generation": generation_block(reference, drawn),
        },
        "uncertainty": {} if draws is None else {"validation": {"_".join(data.names): draws.facts}},
        **_of_conditions(prepared, data, predicted.pair),
        "leakage": leakage,
        "warnings": warnings + degenerate(predicted.images, data, ids, data.validation),
    }
    if scored is not None and draws is not None:
        metrics["splits"]["validation"]["ensembles"] = scored.block()
        if project.settings.assess.realism is True:
            metrics["splits"]["validation"]["realism"] = _realism(project, data, draws, predicted)
    if project.settings.several is not None:
        everything, assessed = project.prepared(), project.settings.assess
        split, seed = project.split(everything), project.settings.seed
        scored_directions = Directions(Predictor(vaes, card), everything, split, assessed.estimator, seed)
        metrics["splits"]["validation"]["directions"] = score_directions(scored_directions)
    _write(project, prepared, reference, predicted, measurements, splits)
    store.write_json(project.reports / "metrics.json", metrics)
    tell(metrics["warnings"])
    _annotate(project, prepared, metrics)


def _of_conditions(prepared: Prepared, data: EvaluationSet, decoded: Reconstructions) -> dict[str, Any]:
    """Correlations of latents with the conditions of samples; of patterns, before conditions shifted their latents."""
    conditions = [pair.conditions for pair in prepared.pairs]
    if not any(conditions):
        return {}
    latents = {name: sample_latents(data, decoded)[f"latent_{name}"] for name in data.names}
    if data.shift is not None:
        latents[data.names[0]] = latents[data.names[0]] - data.shift.flatten(1).numpy()
    groups = [pair.group or pair.id for pair in prepared.pairs]
    return {"conditions": condition_correlations(latents, conditions, groups)}


def evaluated(project: Project, prepared: Prepared, card: Mapping[str, Any] | None = None) -> EvaluationSet:
    """Everything that is assessed, in memory; ``card``: of the pair, which may know the samples' conditions."""
    settings, split = project.settings, project.split(prepared)
    first, second = main_pair(settings.modalities)
    cropped = MODALITIES[second].cropped
    crops = np.array(prepared.crops(second) if cropped else prepared.whole(second))
    grey = cropped and has_grey_levels(crops)
    return EvaluationSet(
        patterns=np.array(prepared.whole(first)),
        crops=crops.astype(np.float32) if grey else crops,
        train=split.train,
        validation=split.validation,
        morphologies=[pair.morphology for pair in prepared.pairs],
        estimator=settings.assess.estimator,
        seed=settings.seed,
        names=(first, second),
        shift=shifts_of(card or {}, [pair.conditions for pair in prepared.pairs], first),
        grey=grey,
    )


def _predicted(project: Project, prepared: Prepared, data: EvaluationSet, predictor: Predictor) -> Predicted:
    """Images of the pair, of the models alone, and of the pair from whole images (``whole``)."""
    decoded, alone = reconstruct(predictor.vaes, data), trained_alone(project, data)
    images = {"solo": alone.images, "pair": decoded.images}
    if data.cropped(data.names[1]):
        images["whole"] = _from_whole_images(prepared, data, predictor)
    return Predicted(images, decoded, alone)


def _from_whole_images(
    prepared: Prepared, data: EvaluationSet, predictor: Predictor
) -> dict[str, np.ndarray]:
    """Patterns ``(N, channels, H, W)`` predicted from whole images instead of single crops."""
    first, second = data.names
    posteriors = (predictor.pooled_posterior(image[None], second) for image in prepared.images(second))
    patterns = [predictor.decode(posterior, first)[0, 0] for posterior in posteriors]
    return {f"{second}_{first}": np.stack(patterns)}


def _errors(
    project: Project,
    prepared: Prepared,
    reference: Reference,
    predicted: Predicted,
    measurements: Measured,
    known: References | None,
) -> tuple[dict[str, Any], dict[str, Errors]]:
    """Errors of models, baselines and floor over all samples, every one a finite number; the images' properties of
    fitted baselines besides."""
    errors: dict[str, Any] = {
        family: model_errors(reference, images, measurements[family])
        for family, images in predicted.images.items()
    }
    fitted, properties = fitted_errors(project, prepared, reference, predicted.alone)
    errors |= {"baselines": baseline_errors(reference, known) | fitted, "floor": floor_errors(reference)}
    require_finite(errors, [pair.id for pair in prepared.pairs])
    return errors, properties


def _scored_ensembles(
    prepared: Prepared,
    reference: Reference,
    draws: Sampled | None,
    known: References | None,
    fitted: Mapping[str, Errors],
) -> EnsembleErrors | None:
    """Ensembles of images against the true crops; none without crops."""
    if draws is None or known is None:
        return None
    return scored_ensembles(
        reference, draws.properties, known, fitted, prepared.images(reference.data.names[1])
    )


def _realism(project: Project, data: EvaluationSet, draws: Sampled, predicted: Predicted) -> dict[str, Any]:
    """Whether classifiers tell the pair's images from true crops, drawn from patterns and from crops."""
    device, (_, second) = choose(project.settings.device).torch_device, data.names
    steps = project.settings.assess.realism_steps
    rows = np.asarray(data.validation)
    images = {
        "_".join(data.names): draws.images,
        f"{second}_{second}": predicted.pair.images[f"{second}_{second}"][rows],
    }

    def train(first: Bits, other: Bits, side: int, seed: int) -> Judging:
        return train_judge(first, other, side, seed, device, steps).logits

    return realism(images, data.crops[rows], [data.morphologies[row] for row in rows], train, data.seed)


def _of_splits(
    project: Project, data: EvaluationSet, splits: Mapping[str, Any], weights: str
) -> dict[str, Any]:
    """Facts about the run, and the medians of each split with their intervals; ``weights``: hash of the pair's."""
    summaries = {}
    for name, rows in data.splits.items():
        counts = resamples(len(rows), data.seed)
        summaries[name] = summarise(splits[name], range(len(rows)), counts)
    return {
        "preset": project.settings.preset,
        "estimator": project.settings.assess.estimator,
        "weights_sha256": weights,
        "train_pairs": len(data.train),
        "validation_pairs": len(data.validation),
        "splits": summaries,
    }


def _write(
    project: Project,
    prepared: Prepared,
    reference: Reference,
    predicted: Predicted,
    measurements: Measured,
    splits: Mapping[str, Any],
) -> None:
    """``reports/assessment``, which the report draws (docs/metrics.md): arrays, and scores of single samples."""
    data = reference.data
    described = {
        f"{family}/{key}": one for family, all_of in measurements.items() for key, one in all_of.items()
    }
    arrays = figure_arrays(data, reference, predicted.images, predicted.alone.latents)
    arrays |= descriptor_arrays({"true": reference.properties, **described})
    arrays |= example_arrays(reference, predicted.images, predicted.pair)
    with store.atomic_folder(project.reports / "assessment") as folder:
        np.savez_compressed(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]  # numpy's stubs
        store.write_json(
            folder / "assessment.json",
            {
                "examples": [prepared.pairs[index].id for index in examples(data)],
                "pairs": [vars(pair) for pair in prepared.pairs],
                "train": list(data.train),
                "validation": list(data.validation),
                "data_digest": prepared.digest,
                "distributions": {
                    name: listed(splits[name], range(len(rows))) for name, rows in data.splits.items()
                },
                "modalities": list(data.names),
            },
        )


def _annotate(project: Project, prepared: Prepared, metrics: dict[str, Any]) -> None:
    """Give the runs that trained the models the validation scores that decide, and say in words how good they are."""
    if not project.track:
        return
    from pairvae.tracking.runs.mlflow_run import annotate_run  # 3 s of mlflow, only where it is wanted

    for name in (*project.settings.modalities, PAIR):
        folder = project.model("train-pair") if name == PAIR else project.solo(name)
        run_id = load_card(folder).get("run_id")
        if run_id is None:
            continue
        about = describe(project, f"train-{name}", prepared)
        annotate_run(
            project.root,
            run_id,
            run_metrics(metrics, name) | (condition_metrics(metrics) if name == PAIR else {}),
            {"assessed": "true"},
            description=f"{about} {verdict(metrics, name)}".strip(),
        )
