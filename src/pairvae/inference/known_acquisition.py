"""What is known of a file from outside: what a user gives, and what the ``pairs.csv`` around it says."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from pairvae.data.pairs.pairs_table import read_table
from pairvae.data.pairs.sample import IMAGES, PAIRS_FILE
from pairvae.inference.predictor import Predictor
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.modalities.readers.image import INSIDE, file_part

FOLDERS_UP = 3  # a table lies beside the folders of its files, which may have folders of their own


def acquisition_in_table(path: str, source: str) -> Acquisition:
    """What the ``pairs.csv`` around a file says of it.

    Parameters
    ----------
    path : str
        The file, with ``::`` and a path inside where it is HDF5.
    source : str
        Its modality.

    Returns
    -------
    Acquisition
        An empty one where there is no table, or it does not name the file.
    """
    location = file_part(path).absolute()
    for folder in location.parents[:FOLDERS_UP]:
        table = folder / PAIRS_FILE
        try:
            status = table.stat()
        except OSError:
            continue
        known = _known(table, status.st_mtime_ns, status.st_size)
        inside = path.partition(INSIDE)[2]
        acquisition = known.get((source, f"{location}{INSIDE}{inside}" if inside else str(location)))
        if acquisition is not None:
            return acquisition
    return ANY


def known_of(predictor: Predictor, path: str, source: str, given: Acquisition = ANY) -> Acquisition:
    """What is known of a file: what is given, else what the ``pairs.csv`` around it says and the model takes.

    Parameters
    ----------
    predictor : Predictor
        The model.
    path, source : str
        As for :func:`acquisition_in_table`.
    given : Acquisition
        It goes before the table.

    Returns
    -------
    Acquisition
        Of both.
    """
    table, shift = acquisition_in_table(path, source), predictor.condition_shift
    conditions, taken = table.conditions or {}, dict[str, float | str]()
    if shift is not None:
        taken = {name: value for name, value in conditions.items() if shift.encoding.takes(name, value)}
    return given.over(replace(table, conditions=taken or None))


@lru_cache(maxsize=8)
def _known(table: Path, mtime_ns: int, size: int) -> dict[tuple[str, str], Acquisition]:
    """By modality and file what a table says; a row that is not sound says nothing."""
    acquisitions: dict[tuple[str, str], Acquisition] = {}
    for pair in read_table(table).pairs:
        for name, file in pair.files.items():
            q_per_px = pair.saxs_q_per_px_inv_nm if name not in IMAGES else None
            known = Acquisition(pair.nm_per_px(name), q_per_px, conditions=pair.conditions or None)
            acquisitions.setdefault((name, str(file)), known)
    return acquisitions
