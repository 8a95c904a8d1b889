"""`pairvae ensemble`: images around patterns, around a morphology, or between two patterns, for calculations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pairvae
from pairvae.errors import InputError
from pairvae.evaluation.rejection import TRIES, AcceptedSamples, Range, draw
from pairvae.inference.known_acquisition import known_of
from pairvae.inference.loader import load
from pairvae.inference.measurement import measurement
from pairvae.inference.prediction_inputs import (
    direction_of,
    expand,
    output_stem,
    require_images,
    require_no_input,
    source_of,
    unique_names,
)
from pairvae.inference.predictions import nm_per_px
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES, main_pair
from pairvae.models.posterior import Posterior
from pairvae.numerics.morphology import two_point_correlation
from pairvae.progress import Progress
from pairvae.store.ensemble_file import check_suffix, write_ensemble, write_stack


@dataclass(frozen=True)
class Constraints:
    """What is drawn: images for each centre, the scale of the latent variance, and what they have to show."""

    samples: int = 100
    scale: float = 1.0
    spacing_nm: Range | None = None
    phase_fraction: Range | None = None
    seed: int = 0


@dataclass(frozen=True)
class EnsembleResult:
    """What was written: files, images, and the share of the drawn ones that were kept."""

    files: tuple[Path, ...]
    images: int
    acceptance: float
    direction: str


def ensemble(
    patterns: Sequence[str],
    out: Path,
    *,
    model: str,
    constraints: Constraints,
    between: tuple[str, str] | None = None,
    steps: int = 5,
    morphology: str | None = None,
    direction: tuple[str | None, str | None] = (None, None),
) -> EnsembleResult:
    """Draw ensembles and write ``out`` (.h5 or .npz) and a TIFF stack for each centre beside it.

    Latents are normal around each centre, with ``scale`` times the variance over the training patterns' latents
    (paper, Figures 7, S7, S8). Centres are the patterns, ``steps`` points on the line ``between`` two of them, or the
    mean of the training patterns of a ``morphology``. The ``direction`` is from the technique of the files, which they
    tell by default, to the technique that is drawn. ``InputError`` where nothing fulfils the constraints.
    """
    check_suffix(out)
    predictor = load(model)
    source, target = _direction(predictor, [*patterns, *(between or ())], *direction)
    centres = _centres(predictor, source, patterns, between, steps, morphology)
    given = expand([*patterns, *(between or ())], MODALITIES[source].suffixes)
    require_no_input([out, *_stacks(out, centres)], given)
    nm = nm_per_px(predictor, target)
    ranges = _ranges(constraints, nm, grey=not predictor.is_binary(target))
    deviation = predictor.facts.latents[source].std(0) * np.float32(np.sqrt(constraints.scale))  # type: ignore[union-attr]  # _centres checks
    progress = Progress(len(centres), "ensemble")
    found: dict[str, AcceptedSamples] = {}
    for number, (name, centre) in enumerate(centres.items()):
        generator = np.random.default_rng([constraints.seed, number])

        def decode(latent: np.ndarray, seed: int) -> np.ndarray:
            one = torch.from_numpy(latent)[None]
            return np.asarray(predictor.decode(Posterior(one, torch.zeros_like(one)), target, 1, seed)[0, 0])

        found[name] = draw(decode, centre, deviation, constraints.samples, ranges, generator)
        progress.advance(name)
    _check_found(found, constraints)
    return _write(out, found, nm, _provenance(predictor, constraints, list(centres), source, target, nm))


def _direction(
    predictor: Predictor, files: Sequence[str], source: str | None, to: str | None
) -> tuple[str, str]:
    """The modality of the centres, and the micrographs that are drawn."""
    first, second = main_pair(predictor.modalities)
    target = to or second
    require_images(predictor, target)
    names = predictor.modalities
    source = (
        source_of(files, names, target, source) if files else source or (first if target != first else second)
    )
    predictor.shape(source)
    if predictor.facts is None:
        raise InputError(
            expected="a model that knows its training data",
            found="one from an earlier version",
            remedy="train it again: pairvae repro",
        )
    if source not in predictor.facts.latents:
        raise InputError(
            expected=f"training latents of {MODALITIES[source].title}",
            found="none: training samples lack it",
            where="--from",
            remedy=f"choose one of {', '.join(predictor.facts.latents)}",
        )
    return source, target


def _centres(
    predictor: Predictor,
    source: str,
    patterns: Sequence[str],
    between: tuple[str, str] | None,
    steps: int,
    morphology: str | None,
) -> dict[str, np.ndarray]:
    """Latents ``(C, g, g)`` by the names of what they stand for."""
    given = [bool(patterns), between is not None, morphology is not None]
    if sum(given) != 1:
        raise InputError(
            expected="either pattern files, or --between A B, or --morphology M",
            found=f"{sum(given)} of them",
        )
    if between is not None:
        if steps < 2:
            raise InputError(expected="at least 2 steps", found=str(steps), where="--steps")
        first, last = (_latent(predictor, file, source) for file in between)
        parts = np.linspace(0, 1, steps)
        return {f"step-{n:02d}": ((1 - p) * first + p * last).astype(np.float32) for n, p in enumerate(parts)}
    if morphology is not None:
        return {morphology: _of_morphology(predictor, source, morphology)}
    files = expand(patterns, MODALITIES[source].suffixes)
    names = unique_names(files)
    return {name: _latent(predictor, file, source) for name, file in zip(names, files, strict=True)}


def _latent(predictor: Predictor, file: str, source: str) -> np.ndarray:
    known = known_of(predictor, file, source)
    given = measurement(predictor, file, source, known)
    return predictor.encode(given.array, source, known).mean[0].numpy()


def _of_morphology(predictor: Predictor, source: str, morphology: str) -> np.ndarray:
    facts = predictor.facts
    assert facts is not None  # _direction checks
    rows = [row for row, name in enumerate(facts.morphologies) if name == morphology]
    if not rows:
        known = (
            ", ".join(sorted({name for name in facts.morphologies if name})) or "none in this model's data"
        )
        raise InputError(expected=f"a morphology: {known}", found=repr(morphology), where="--morphology")
    return np.asarray(facts.latents[source][rows].mean(0), dtype=np.float32)


def _ranges(constraints: Constraints, nm: float | None, *, grey: bool) -> dict[str, Range]:
    found: dict[str, Range] = {}
    if constraints.spacing_nm is not None:
        if nm is None:
            raise InputError(
                expected="a pixel size in nm of the training data",
                found="none",
                where="--spacing",
                remedy="give sem_nm_per_px in pairs.csv and train again",
            )
        found["spacing"] = Range(constraints.spacing_nm.low / nm, constraints.spacing_nm.high / nm)
    if constraints.phase_fraction is not None:
        if grey:
            raise InputError(
                expected="a model of two phases",
                found="one of grey levels",
                where="--phase-fraction",
                remedy="leave it out",
            )
        found["phase_fraction"] = constraints.phase_fraction
    return found


def _check_found(found: dict[str, AcceptedSamples], constraints: Constraints) -> None:
    for name, chosen in found.items():
        if len(chosen.images) == 0:
            raise InputError(
                expected="images with the wished spacing and phase fraction",
                found=f"none among {chosen.drawn} drawn ones ({TRIES} for each wished)",
                where=name,
                remedy="widen --spacing or --phase-fraction, or raise --scale",
            )


def _provenance(
    predictor: Predictor,
    constraints: Constraints,
    names: list[str],
    source: str,
    target: str,
    nm: float | None,
) -> dict[str, Any]:
    return {
        "pairvae": pairvae.__version__,
        "model_weights_sha256": predictor.card.get("weights_sha256"),
        "model_data_digest": predictor.card.get("data_digest"),
        "direction": f"{source}_{target}",
        "centres": names,
        "nm_per_px": nm,
        "bright_phase": 1 if predictor.is_binary(target) else None,
        "seed": constraints.seed,
        "scale_of_latent_variance": constraints.scale,
        "spacing_nm": None
        if constraints.spacing_nm is None
        else [constraints.spacing_nm.low, constraints.spacing_nm.high],
        "phase_fraction": None
        if constraints.phase_fraction is None
        else [constraints.phase_fraction.low, constraints.phase_fraction.high],
    }


def _write(
    out: Path, found: dict[str, AcceptedSamples], nm: float | None, facts: dict[str, Any]
) -> EnsembleResult:
    """The ensemble file with all images one after the other, and a stack for each centre."""
    parts = list(found.values())
    images = np.concatenate([part.images for part in parts])
    shown = {
        name: np.concatenate([part.descriptors[name] for part in parts]) for name in parts[0].descriptors
    }
    if nm is not None:
        shown["spacing_nm"] = shown["spacing"] * nm
    arrays = {
        "images": images,
        "latents": np.concatenate([part.latents for part in parts]),
        "noise_seeds": np.concatenate([part.seeds for part in parts]),
        "centre": np.repeat(np.arange(len(parts)), [len(part.images) for part in parts]),
        "s2": two_point_correlation(images).astype(np.float32),
        **{f"descriptors_{name}": values for name, values in shown.items()},
    }
    drawn = sum(part.drawn for part in parts)
    acceptance = {name: round(one.acceptance, 4) for name, one in found.items()}
    write_ensemble(out, arrays, facts | {"acceptance": acceptance})
    stacks = _stacks(out, found)
    for stack, one in zip(stacks, parts, strict=True):
        write_stack(stack, one.images, nm)
    shown_direction = direction_of(*facts["direction"].split("_"))
    return EnsembleResult((out, *stacks), len(images), len(images) / max(drawn, 1), shown_direction)


def _stacks(out: Path, names: Iterable[str]) -> list[Path]:
    """A TIFF stack for each centre."""
    shown = (f"{out.stem}-{name}".replace("/", "-") for name in names)  # a label may have one
    return [out.with_name(f"{output_stem(name)}.tif") for name in shown]


def range_of(text: str | None, where: str) -> Range | None:
    """A range from ``LO:HI`` (``InputError`` otherwise)."""
    if text is None:
        return None
    parts = text.split(":")
    try:
        low, high = (float(part) for part in parts)
    except ValueError as error:
        raise InputError(expected="two numbers LO:HI", found=repr(text), where=where) from error
    if not low <= high:
        raise InputError(expected="LO not above HI", found=repr(text), where=where)
    return Range(low, high)
