"""A ``pairs.csv`` from file names: equal names, shared numbers, ids by a pattern, or file order on request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pairvae.data.pairs.file_names import is_utf8, modality_files, natural, not_utf8, stem_of
from pairvae.data.pairs.matching import by_names, by_numbers, by_order, by_pattern, id_in
from pairvae.data.pairs.pairs_table import write_pairs
from pairvae.data.pairs.sample import FOLDERS, OTHER_FOLDERS, PAIRS_FILE, Pair
from pairvae.data.pairs.sample_files import Files, Matching, Sample, sides_of
from pairvae.data.pairs.sample_ids import fit_id
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import FORMATS

SHOWN = 3


@dataclass(frozen=True)
class NameRules:
    """How files are found and matched.

    Parameters
    ----------
    pattern : str, optional
        A regular expression with a named group ``id``, searched in each file's name.
    by_order : bool
        The n-th file with the n-th.
    lone : bool
        Files without a partner get rows of their own.
    folders : mapping of str to str
        The sub-folder of a modality where it is not called ``SAXS``, ``SEM`` or ``IQ`` (in any case).
    """

    pattern: str | None = None
    by_order: bool = False
    lone: bool = False
    folders: Mapping[str, str] = field(default_factory=dict)


def init_pairs(
    folder: Path,
    *,
    pattern: str | None = None,
    force: bool = False,
    rules: NameRules | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Pair]:
    """Write ``pairs.csv`` from the files below a folder's SAXS, SEM and IQ folders.

    Equal names pair up, then names with the same number; several micrographs of one sample are several rows of one
    ``group``.

    Parameters
    ----------
    folder : Path
        The folder of all.
    pattern : str, optional
        As of :class:`NameRules`, where no ``rules`` are given.
    force : bool
        Write over an existing ``pairs.csv``, and trust an order that contradicts the names.
    rules : NameRules, optional
        How files are found and matched.
    say : callable
        Receives a line on the pairing.

    Returns
    -------
    list of Pair
        As written.

    Raises
    ------
    InputError
        For files that no name pairs, unless ``rules`` asks for their order, and for an existing ``pairs.csv`` unless
        ``force``.
    """
    rules = rules or NameRules(pattern=pattern)
    _require_new_table(folder, force)
    files = _files(folder, rules.folders)
    matching = _match(folder, files, rules, force)
    if matching.lone and not rules.lone:
        raise _without_partner(folder, files, matching, rules.pattern)
    pairs = _rows(matching)
    write_pairs(folder / PAIRS_FILE, pairs)
    say(f"paired {matching.how}")
    if matching.left_out:
        say(f"in no pair: {_some(matching.left_out)}")
    return pairs


def _require_new_table(folder: Path, force: bool) -> None:
    table = folder / PAIRS_FILE
    if not folder.is_dir():
        raise InputError(expected="a folder", found="none", where=str(folder), remedy="check the path")
    if table.exists() and not force:
        raise InputError(
            expected="no pairs.csv yet", found="one", where=str(table), remedy="--force writes it anew"
        )


def named_folders(given: Sequence[str]) -> dict[str, str]:
    """Names of sub-folders as the command line gives them.

    Parameters
    ----------
    given : sequence of str
        As ``["saxs=patterns"]``.

    Returns
    -------
    dict of str to str
        From modality to sub-folder.

    Raises
    ------
    InputError
        For an unknown modality, or no name of a folder.
    """
    folders = dict[str, str]()
    for text in given:
        name, _, sub = text.partition("=")
        if name not in MODALITIES or not sub or "/" in sub:
            raise InputError(
                expected=f"a technique ({', '.join(MODALITIES)}) and the name of its folder",
                found=repr(text),
                where="--folder",
                remedy="--folder saxs=patterns",
            )
        folders[name] = sub
    return folders


def _files(folder: Path, called: Mapping[str, str]) -> Files:
    """Readable files of each modality that has any; at least two modalities (``InputError``)."""
    by_modality = {
        name: modality_files(folder, name, called.get(name)) for name in (*FOLDERS, *OTHER_FOLDERS)
    }
    files = {name: paths for name, paths in by_modality.items() if paths}
    unnamed = [path for paths in files.values() for path in paths if not is_utf8(path)]
    if unnamed:
        raise not_utf8(unnamed[0])
    if len(files) < 2:
        missing = [name for name in FOLDERS if name not in files]
        sub = called.get(missing[-1], FOLDERS[missing[-1]])
        others = sorted(
            path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
        there = f", and the folders {', '.join(others[:5])}" if others else ""
        raise InputError(
            expected=f"files in {sub}/ ({FORMATS})",
            found=f"none{there}",
            where=str(folder),
            remedy=f"put them into {folder / sub}, or name the folder with --folder {missing[-1]}=NAME",
        )
    return files


def _match(folder: Path, files: Files, rules: NameRules, force: bool) -> Matching:
    """The first rule that gives every file a partner, else the one that leaves the fewest without."""
    if rules.pattern is not None:
        return by_pattern(files, rules.pattern)
    if rules.by_order:
        return by_order(files, trusted=force)
    attempts: tuple[Callable[[], Matching | None], ...] = (
        partial(by_names, files, folder),
        partial(by_names, files, folder, path=True),
        partial(by_names, files, folder, strip=True),
        partial(by_numbers, files),
    )
    best: Matching | None = None
    for attempt in attempts:
        matching = attempt()
        if matching is not None and (best is None or len(matching.lone) < len(best.lone)):
            best = matching
        if best is not None and not best.lone:
            break
    if best is None or not best.samples:
        raise _without_partner(folder, files, best, None)
    return best


def _without_partner(
    folder: Path, files: Files, matching: Matching | None, pattern: str | None
) -> InputError:
    """The error for names that do not pair all files."""
    lone = [file for _, file in matching.lone] if matching is not None and matching.samples else []
    keep = "; --lone keeps files without a partner" if lone else ""
    if pattern is not None and lone:
        more = f", and {len(lone) - 1} more without" if len(lone) > 1 else ""
        return InputError(
            expected=f"a partner of {lone[0].parent.name}/{lone[0].name}",
            found=f"none with id {id_in(re.compile(pattern), lone[0])}{more}",
            where=str(folder),
            remedy=f"add it, or change --pattern{keep}",
        )
    first, second = (MODALITIES[name].folder for name in sides_of(files))
    counts = [len(files[name]) for name in sides_of(files)]
    alone = f" ({_some(lone)} without partner)" if lone else ""
    orders = "; --by-order pairs the first with the first" if counts[0] == counts[1] else ""
    return InputError(
        expected=f"{first} and {second} files of equal names, or with the same numbers in them",
        found=f"{counts[0]} and {counts[1]}{alone}",
        where=str(folder),
        remedy=f"add or rename files, or give --pattern with a named group id{orders}{keep}",
    )


def _rows(matching: Matching) -> list[Pair]:
    """A row for each micrograph of each sample, the rows of one sample in a group; then the lone files."""
    rows: list[tuple[str, dict[str, Path], str | None]] = []
    for sample in matching.samples:
        rows += _rows_of(sample)
    rows += [(stem_of(file), {name: file}, None) for name, file in matching.lone]
    count = Counter(fit_id(name) for name, _, _ in rows)
    seen: Counter[str] = Counter()
    pairs = []
    for name, files, group in rows:
        identity = fit_id(name)
        seen[identity] += 1
        if count[identity] > 1:
            identity = f"{identity}-{seen[identity]:04d}"
        others = {side: file for side, file in files.items() if side not in FOLDERS}
        pairs.append(Pair(identity, files.get("saxs"), files.get("sem"), group=group, others=others))
    return sorted(pairs, key=lambda pair: natural(pair.id))


def _rows_of(sample: Sample) -> list[tuple[str, dict[str, Path], str | None]]:
    shared = {name: paths[0] for name, paths in sample.files.items()}
    several = next((name for name, paths in sample.files.items() if len(paths) > 1), None)
    if several is None:
        return [(sample.id, shared, None)]
    names = [stem_of(path) for path in sample.files[several]]
    ids = [name if name.startswith(sample.id) else f"{sample.id}_{name}" for name in names]
    group = fit_id(sample.id)
    return [
        (name, {**shared, several: path}, group)
        for name, path in zip(ids, sample.files[several], strict=True)
    ]


def _some(paths: Sequence[Path]) -> str:
    names = [f"{path.parent.name}/{path.name}" for path in paths[:SHOWN]]
    return ", ".join(names) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")
