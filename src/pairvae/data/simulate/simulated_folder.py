"""A folder of simulated pairs: claimed, filled sample by sample, and described in tables (docs/simulator.md)."""

from __future__ import annotations

import csv
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2

from pairvae.data.simulate import broad
from pairvae.data.simulate.broad_structures import SIDE
from pairvae.data.simulate.instrument_files import write_curve, write_image, write_micrograph, write_pattern
from pairvae.data.simulate.samples import sample_id, sample_latents, simulate_sample, view_ids
from pairvae.errors import InputError
from pairvae.operating_system import cores, end_with_parent
from pairvae.progress import track
from pairvae.settings.simulation import SimulationParameters, World
from pairvae.store import atomic_path, read_json, write_json

# Raise it when the same seed and parameters give other samples: a folder never mixes two simulators.
SIMULATOR = 1
RECORD = "simulation.json"
TABLES = ("pairs.csv", "truth.csv")
LARGEST_INLINE = 4
FILE_OF = {"iq": "IQ/{}.csv", "afm": "AFM/{}.tif", "tem": "TEM/{}.tif"}
Made = tuple[int, broad.Truth | None]  # a sample's index, and of the broad world what was drawn


def sample_files(out: Path, index: int, parameters: SimulationParameters) -> list[Path]:
    """Every file of a sample.

    Parameters
    ----------
    out : Path
        The folder of all.
    index : int
        The sample, from 0.
    parameters : SimulationParameters
        With the number of views, and whether there are curves.

    Returns
    -------
    list of Path
        Micrographs first.
    """
    files = [out / "SEM" / f"{name}.tif" for name in view_ids(index, parameters)]
    files.append(out / "SAXS" / f"{sample_id(index)}.jpg")
    return files + [out / FILE_OF[name].format(sample_id(index)) for name in parameters.further]


def _write_sample(
    index: int, *, out: Path, seed: int, parameters: SimulationParameters, world: World
) -> Made:
    if world == "broad":
        pair, name = broad.broad_pair(index, seed), sample_id(index)
        write_micrograph(out / "SEM" / f"{name}.tif", pair.grey, SIDE, parameters.sem_nm_per_px)
        write_pattern(out / "SAXS" / f"{name}.jpg", broad.coloured(pair))
        return index, pair.truth
    sample = simulate_sample(index, seed, parameters)
    for name, view in zip(view_ids(index, parameters), sample.sem, strict=True):
        write_micrograph(out / "SEM" / f"{name}.tif", view, parameters.sem_rows, parameters.sem_nm_per_px)
    write_pattern(out / "SAXS" / f"{sample_id(index)}.jpg", sample.pattern)
    if parameters.curves:
        write_curve(out / "IQ" / f"{sample_id(index)}.csv", sample.curve)
    for name, image in sample.images.items():
        write_image(out / FILE_OF[name].format(sample_id(index)), image, parameters.sem_nm_per_px)
    return index, None


def _start_worker() -> None:
    cv2.setNumThreads(1)
    end_with_parent()


def _run(work: Callable[[int], Made], indices: list[int], workers: int) -> Iterator[Made]:
    if workers == 1 or len(indices) <= LARGEST_INLINE:
        yield from map(work, indices)
        return
    # spawn: a fork would copy the locks of whatever threads the caller runs (torch, OpenCV).
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        try:
            yield from pool.map(work, indices, chunksize=1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _claim(out: Path, pairs: int, seed: int, parameters: SimulationParameters, world: World) -> None:
    """Make ``out`` ours: new, or left by the same simulation, killed or finished; else ``InputError``."""
    record = {"simulator": SIMULATOR, "seed": seed, "parameters": parameters.record()}
    if world != "film":
        record["world"] = world
    other = "give another folder, or empty this one"
    if out.exists() and not out.is_dir():
        raise InputError(expected="a folder", found="a file", where=str(out), remedy="give another name")
    if (out / RECORD).is_file():
        try:
            same = read_json(out / RECORD) == record
        except ValueError:
            same = False
        if not same:
            raise InputError(
                expected=f"a simulation with seed {seed} and these parameters",
                found="another one",
                where=str(out / RECORD),
                remedy=other,
            )
        _refuse_strangers(out, pairs, parameters, other)
        return
    if out.exists() and not all(_half_written(path) for path in out.iterdir()):
        raise InputError(expected="an empty folder", found="other files in it", where=str(out), remedy=other)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RECORD, record)


def _half_written(path: Path) -> bool:
    """Whether a file is what a killed simulation left, perhaps before it had claimed the folder."""
    return path.name.startswith(".") and path.name.endswith(".partial")


def _refuse_strangers(out: Path, pairs: int, parameters: SimulationParameters, remedy: str) -> None:
    known = {out / name for name in (RECORD, *TABLES)}
    for index in range(pairs):
        known.update(sample_files(out, index, parameters))
    for path in sorted(out.rglob("*")):
        if _half_written(path):
            path.unlink(missing_ok=True)
        elif path.is_file() and path not in known:
            raise InputError(
                expected=f"only the files of {pairs} simulated pairs",
                found=path.relative_to(out).as_posix(),
                where=str(out),
                remedy=remedy,
            )


def _broad_tables(out: Path, pairs: int, seed: int, nm_per_px: float, made: Iterable[Made]) -> None:
    """``pairs.csv`` and ``truth.csv`` of the broad world, whose samples have q scales of their own.

    What was drawn for samples that were ``made`` before is drawn again.
    """
    known_truths = dict(made)
    truths = [
        (sample_id(index), known_truths.get(index) or broad.broad_pair(index, seed).truth)
        for index in range(pairs)
    ]
    rows: list[dict[str, str | float]] = [
        {
            "id": name,
            "saxs": f"SAXS/{name}.jpg",
            "sem": f"SEM/{name}.tif",
            "morphology": truth.kind,
            "sem_nm_per_px": nm_per_px,
            "saxs_q_per_px_inv_nm": round(truth.q_edge_per_px / (broad.PATTERN / 2) / nm_per_px, 10),
        }
        for name, truth in truths
    ]
    _write_table(out / "pairs.csv", list(rows[0]), rows)
    known: list[dict[str, str | float]] = [{"id": name, **truth.row()} for name, truth in truths]
    _write_table(out / "truth.csv", list(known[0]), known)


def _write_table(path: Path, columns: list[str], rows: Iterable[dict[str, str | float]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _pair_rows(pairs: int, seed: int, parameters: SimulationParameters) -> Iterator[dict[str, str | float]]:
    q_per_px = 2 * parameters.q_max_per_nm / parameters.saxs_px
    for index in range(pairs):
        name = sample_id(index)
        for view in view_ids(index, parameters):
            row: dict[str, str | float] = {
                "id": view,
                "saxs": f"SAXS/{name}.jpg",
                "sem": f"SEM/{view}.tif",
                **{other: FILE_OF[other].format(name) for other in parameters.further},
                "morphology": sample_latents(index, seed, parameters).morphology,
                "sem_nm_per_px": parameters.sem_nm_per_px,
                "saxs_q_per_px_inv_nm": round(q_per_px, 10),
            }
            if parameters.sem_views > 1:
                row["group"] = name
            yield row


def _truth_row(index: int, seed: int, parameters: SimulationParameters) -> dict[str, str | float]:
    return {"id": sample_id(index), **sample_latents(index, seed, parameters).row()}


def _write_tables(
    out: Path,
    pairs: int,
    seed: int,
    parameters: SimulationParameters,
    world: World,
    made: Iterable[Made] = (),
) -> None:
    if world == "broad":
        _broad_tables(out, pairs, seed, parameters.sem_nm_per_px, made)
        return
    columns = [
        "id",
        "saxs",
        "sem",
        *parameters.further,
        "morphology",
        "sem_nm_per_px",
        "saxs_q_per_px_inv_nm",
    ]
    if parameters.sem_views > 1:
        columns.append("group")  # the split must not separate the views of a sample
    _write_table(out / "pairs.csv", columns, _pair_rows(pairs, seed, parameters))
    truth = (_truth_row(i, seed, parameters) for i in range(pairs))
    _write_table(out / "truth.csv", list(_truth_row(0, seed, parameters)), truth)


def simulate(
    out: Path,
    *,
    pairs: int = 72,
    seed: int = 0,
    parameters: SimulationParameters | None = None,
    world: World = "film",
    workers: int | None = None,
) -> None:
    """Write ``pairs`` simulated pairs to ``out`` in the data layout, ``truth.csv`` and ``simulation.json``.

    Of the ``world`` broad (:mod:`pairvae.data.simulate.broad`) they have ``sem_nm_per_px`` of the parameters alone.

    Samples stream to disk one by one and complete ones are kept, so that a killed run continues where it was.
    ``workers`` processes share the work (all cores by default); their number changes nothing in the files.
    ``InputError`` for fewer than one pair, a negative seed, or a folder with other contents.
    """
    physics = parameters or SimulationParameters()
    for name, value, least in (("pairs", pairs, 1), ("seed", seed, 0), ("workers", workers or 1, 1)):
        if value < least:
            raise InputError(expected=f"{name} of at least {least}", found=str(value), where="data simulate")
    if world == "broad" and physics.further:
        found = ", ".join(physics.further)
        raise InputError(expected="SAXS and SEM of the broad world", found=found, where="data simulate")
    _claim(out, pairs, seed, physics, world)
    missing = [i for i in range(pairs) if not all(path.is_file() for path in sample_files(out, i, physics))]
    made: list[Made] = []
    if missing:
        work = partial(_write_sample, out=out, seed=seed, parameters=physics, world=world)
        processes = min(workers or cores(), len(missing))
        made.extend(track(_run(work, missing, processes), len(missing), "simulate"))
    _write_tables(out, pairs, seed, physics, world, made)


def write_first(out: Path, seed: int, parameters: SimulationParameters, world: World = "film") -> None:
    """Write the first sample alone, in the data layout: what :func:`simulate` will write looks like it."""
    _claim(out, 1, seed, parameters, world)
    _write_sample(0, out=out, seed=seed, parameters=parameters, world=world)
    _write_tables(out, 1, seed, parameters, world)
