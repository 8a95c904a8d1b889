"""What the files of a folder offer to preprocessing: sizes, scales, ranges of q, or why they are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from pairvae.data.pairs.sample import Pair
from pairvae.data.prepare import cache_key, prepare_file, raw_of, refuse_single_phase
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.modalities.sem import image_area
from pairvae.progress import track
from pairvae.settings import Section, SemPrepare, Settings
from pairvae.store.file_cache import FileCache

WORKERS = 2


@dataclass(frozen=True)
class Measured:
    """What one file of a pair offers to preprocessing.

    Parameters
    ----------
    pair, modality, file : str
        The sample's id, the modality, and the file's name.
    area, size : tuple of int, optional
        Rows and columns that are used, and that the file has, px.
    scale : float, optional
        nm per px of a micrograph, 1/nm per prepared px of a pattern.
    q_range : tuple of float, optional
        First and last usable q, 1/nm.
    unit_known : bool
        Whether the file names the unit of q.
    refused : InputError, optional
        What preprocessing says to it.
    """

    pair: str
    modality: str
    file: str
    area: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    scale: float | None = None
    q_range: tuple[float, float] | None = None
    unit_known: bool = True
    refused: InputError | None = None


def measure_all(
    pairs: Sequence[Pair], modalities: Sequence[str], settings: Settings, kept: FileCache | None = None
) -> list[Measured]:
    """Measure each file of the modalities once, also where several pairs share it.

    Parameters
    ----------
    pairs : sequence of Pair
        The samples.
    modalities : sequence of str
        Of the pair.
    settings : Settings
        How they are prepared.
    kept : FileCache, optional
        Where results are looked up and kept.

    Returns
    -------
    list of Measured
        One for each file.
    """
    sections = {name: prepare_settings(settings, name) for name in modalities}
    jobs: dict[tuple[str, str], tuple[Pair, str]] = {}
    for pair in pairs:
        for name in modalities:
            file = pair.files.get(name) or pair.files.get(MODALITIES[name].instead or "")
            if file is not None:
                jobs.setdefault((name, str(file)), (pair, name))
    with ThreadPoolExecutor(WORKERS) as pool:
        done = pool.map(lambda job: _measure(job[0], job[1], sections[job[1]], kept), jobs.values())
        return list(track(done, len(jobs), "check"))


def _measure(pair: Pair, name: str, section: Section, kept: FileCache | None) -> Measured:
    """Prepare one file as preprocessing would, and keep its numbers alone."""
    modality = MODALITIES[name]
    file = str(pair.files.get(name) or pair.files.get(modality.instead or ""))
    key = None if kept is None else cache_key("data.check.measure", pair, modality, section)
    entry = None if kept is None or key is None else kept.read(key)
    if entry is not None:
        return Measured(pair.id, name, file, **_with_tuples(entry[1]))
    measured = Measured(pair.id, name, file)
    try:
        raw = raw_of(pair, modality)
        facts = _offered(raw, name, section)
        measured = replace(measured, **facts)
        array, _ = prepare_file(pair, modality, section, kept, raw)
        if modality.cropped:
            refuse_single_phase(array, file)
    except InputError as error:
        return replace(measured, refused=error)
    if kept is not None and key is not None:
        kept.write(key, {}, facts)
    return measured


def _with_tuples(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}


def _offered(raw: RawImage, name: str, section: Section) -> dict[str, Any]:
    if isinstance(section, SemPrepare):
        height, width = image_area(raw, section).shape[:2]
        return {"area": (height, width), "size": raw.pixels.shape[:2], "scale": raw.nm_per_px}
    if raw.format == "curve":
        q, intensity = raw.pixels[:, 0], raw.pixels[:, 1]
        usable = q[(intensity > 0) & (q > 0)]
        if not usable.size:
            return {}
        described: Mapping[str, Any] = MODALITIES[name].describe(raw, section)
        per_nm = float(described["q_range_inv_nm"][1]) / float(q[-1])
        known = getattr(raw, "q_unit", None) is not None
        return {"q_range": (float(usable[0]) * per_nm, float(usable[-1]) * per_nm), "unit_known": known}
    if MODALITIES[name].coordinates is not None and raw.q_per_px is not None:
        # from the second ring to the last that lies within the picture
        rings = min(raw.pixels.shape[:2]) // 2
        return {"size": raw.pixels.shape[:2], "q_range": (2 * raw.q_per_px, (rings - 1) * raw.q_per_px)}
    size = raw.pixels.shape[:2]
    return {"size": size, "scale": MODALITIES[name].describe(raw, section).get("q_per_px_inv_nm")}
