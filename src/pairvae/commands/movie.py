"""`pairvae movie`: patterns in the order of time; a movie of predicted images, and the numbers, out."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pairvae.errors import InputError
from pairvae.inference.known_acquisition import known_of
from pairvae.inference.loader import load
from pairvae.inference.measurement import measurement
from pairvae.inference.out_of_distribution import Confidence
from pairvae.inference.prediction_inputs import (
    direction_of,
    expand,
    output_stem,
    require_images,
    require_no_input,
    source_of,
)
from pairvae.inference.predictions import nm_per_px
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES, main_pair
from pairvae.modalities.readers.image import file_part, file_stem
from pairvae.models.posterior import Posterior
from pairvae.numerics.descriptors import describe
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.series import frame_change, smoothed
from pairvae.progress import track
from pairvae.store import atomic_path
from pairvae.store.rows import write_table

SUFFIXES = (".mp4", ".gif")


@dataclass(frozen=True)
class Read:
    """The inputs of a movie: pictures of them ``(T, 160, 160, 3)``, their latents ``(T, C, g, g)``."""

    names: tuple[str, ...]
    pictures: np.ndarray
    latents: np.ndarray
    confidences: tuple[Confidence | None, ...]


@dataclass(frozen=True)
class Shown:
    """Mean change of a pixel from frame to frame with and without smoothing, and where the movie lies."""

    file: Path
    frames: int
    flicker: float
    plain_flicker: float
    direction: str


def movie(
    files: Sequence[str],
    out: Path,
    *,
    model: str,
    smooth: float = 1.5,
    fps: float = 10.0,
    seed: int = 0,
    source: str | None = None,
    to: str | None = None,
) -> Shown:
    """Predict a micrograph for each file and write the movie and ``<out>.csv`` with the unsmoothed numbers.

    All frames share one noise, and latents are smoothed along time by a Gaussian of ``smooth`` frames, so that what
    moves is the morphology. ``InputError`` names the first file that cannot be read; nothing is written then. Without
    the MP4 codec a GIF is written in its place, which is said.
    """
    from pairvae.reports.movie_frames import Series

    if out.suffix not in SUFFIXES:
        raise InputError(expected="a file .mp4 or .gif", found=out.name, where="--out")
    if smooth < 0 or fps <= 0:
        raise InputError(expected="--smooth of 0 or more, --fps above 0", found=f"{smooth:g}, {fps:g}")
    predictor = load(model)
    target = to or main_pair(predictor.modalities)[1]
    require_images(predictor, target)
    source = source_of(files, predictor.modalities, target, source)
    paths = expand(files, MODALITIES[source].suffixes)
    if len(paths) < 2:
        raise InputError(expected="at least two files", found=str(len(paths)))
    require_no_input([out.with_suffix(suffix) for suffix in (*SUFFIXES, ".csv")], paths)
    read = _read(predictor, paths, source)
    plain = _decoded(predictor, read.latents, target, seed)
    steady = _decoded(predictor, smoothed(read.latents, smooth), target, seed)
    numbers, calm = describe(plain), describe(steady)
    nm = nm_per_px(predictor, target)
    series = Series(
        read.names, read.pictures, steady, two_point_correlation(steady), calm["spacing"], numbers["spacing"], nm
    )  # fmt: skip
    file = _write_movie(out, series, fps)
    _write_numbers(file.with_suffix(".csv"), read, numbers, calm, plain, steady, nm)
    return Shown(
        file, len(paths), float(frame_change(steady).mean()), float(frame_change(plain).mean()),
        direction_of(source, target),
    )  # fmt: skip


def _read(predictor: Predictor, paths: Sequence[str], source: str) -> Read:
    from pairvae.reports.movie_frames import pattern_tile

    pictures, latents, confidences = [], [], []
    for path in track(paths, len(paths), "read"):
        known = known_of(predictor, path, source)
        array = measurement(predictor, path, source, known).array
        pictures.append(pattern_tile(array))
        latents.append(predictor.encode(array, source, known).mean[0].numpy())
        confidences.append(predictor.confidence(array, source))
    names = tuple(output_stem(file_stem(file_part(path))) for path in paths)
    return Read(names, np.stack(pictures), np.stack(latents), tuple(confidences))


def _decoded(predictor: Predictor, latents: np.ndarray, target: str, seed: int) -> np.ndarray:
    """Images ``(T, H, W)`` of latents ``(T, C, g, g)``, the same noise in all."""
    images = []
    for latent in track(latents, len(latents), "predict"):
        one = torch.from_numpy(latent)[None]
        images.append(predictor.decode(Posterior(one, torch.zeros_like(one)), target, 1, seed)[0, 0])
    return np.stack(images)


def _write_movie(out: Path, series: object, fps: float) -> Path:
    """Write the movie; returns its file, a GIF where this OpenCV cannot write MP4."""
    from pairvae.reports import movie_frames

    assert isinstance(series, movie_frames.Series)
    out.parent.mkdir(parents=True, exist_ok=True)
    pictures: Iterator[np.ndarray] = track(movie_frames.frames(series), len(series.names), "frames")
    # The codec goes by the file's ending, which a temporary name of atomic_path has not.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        file = out
        if out.suffix == ".mp4" and not movie_frames.can_write_mp4(Path(scratch) / "try.mp4", (960, 540)):
            file = out.with_suffix(".gif")
            print(f"this OpenCV has no MP4 codec: {file} is written instead", file=sys.stderr)
        made = Path(scratch) / f"movie{file.suffix}"
        writer = movie_frames.write_mp4 if file.suffix == ".mp4" else movie_frames.write_gif
        writer(made, pictures, fps)
        with atomic_path(file) as temporary:
            shutil.copyfile(made, temporary)
    return file


def _write_numbers(
    path: Path,
    read: Read,
    numbers: dict[str, np.ndarray],
    calm: dict[str, np.ndarray],
    plain: np.ndarray,
    steady: np.ndarray,
    nm: float | None,
) -> None:
    """A row a frame: what the unsmoothed prediction shows, and beside it the smoothed spacing and the flicker."""
    change, steady_change = (np.append(np.nan, frame_change(images)) for images in (plain, steady))
    columns = {
        **numbers,
        **({} if nm is None else {"spacing_nm": numbers["spacing"] * nm}),
        "spacing_smoothed": calm["spacing"],
        "change": change,
        "change_smoothed": steady_change,
    }
    columns["spacing_px"] = columns.pop("spacing")
    columns["spacing_smoothed_px"] = columns.pop("spacing_smoothed")
    rows: list[dict[str, str | int | float | bool]] = []
    for frame, name in enumerate(read.names):
        row: dict[str, str | int | float | bool] = {"frame": frame, "input": name}
        for key, values in columns.items():
            row[key] = "" if np.isnan(values[frame]) else float(f"{values[frame]:.5g}")
        one = read.confidences[frame]
        row |= (
            {"distance": "", "unlike": ""}
            if one is None
            else {"distance": round(one.distance, 4), "unlike": one.out_of_distribution}
        )
        rows.append(row)
    write_table(path, rows)
