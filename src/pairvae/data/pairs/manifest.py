"""Which files make pairs: those that ``pairs.csv`` names, else those of equal names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pairvae.data.pairs.file_faults import file_fault, missing_partner, repeated_id, reused_files
from pairvae.data.pairs.file_names import is_utf8, modality_files, not_utf8, stem_of
from pairvae.data.pairs.pairs_table import read_table, write_pairs
from pairvae.data.pairs.sample import FOLDERS, OTHER_FOLDERS, PAIRS_FILE, Fault, Pair, Unpaired
from pairvae.data.split import Split, split_pairs
from pairvae.errors import InputError, number_of
from pairvae.modalities import MODALITIES

__all__ = [
    "FOLDERS",
    "OTHER_FOLDERS",
    "PAIRS_FILE",
    "Fault",
    "Manifest",
    "Pair",
    "Split",
    "collect",
    "named_samples",
    "no_pair",
    "read_manifest",
    "read_pairs",
    "read_samples",
    "split_pairs",
    "write_pairs",
]

CHECK = "pairvae data check lists every problem"


@dataclass(frozen=True)
class Manifest:
    """What a folder holds, all sorted by id, and what is wrong with the rest.

    Parameters
    ----------
    pairs : list of Pair
        Those with both files; of more than two techniques, with files of two or more.
    unpaired : list of Pair
        Samples without a partner.
    left_out : list of Pair
        Sound samples of none of the techniques (a curve beside pairs of SAXS and SEM).
    missing : list of Fault
        One for each of the ``unpaired``, and for each row of a table that is left out, for where they are not wanted.
    faults : list of Fault
        What is wrong with other files and rows.
    """

    pairs: list[Pair]
    unpaired: list[Pair]
    left_out: list[Pair]
    missing: list[Fault]
    faults: list[Fault]


def read_pairs(
    folder: Path, unpaired: Unpaired = "error", modalities: Sequence[str] | None = None
) -> list[Pair]:
    """The pairs of a folder: from ``pairs.csv`` where there is one, else from equal file names. Files are not opened.

    Parameters
    ----------
    folder : Path
        In the data layout.
    unpaired : {"error", "use"}
        Whether samples without a partner are faults; they are never among the pairs.
    modalities : sequence of str, optional
        The techniques of a sample, two or more; by default the two that are there.

    Returns
    -------
    list of Pair
        Sorted by id, at least one.

    Raises
    ------
    InputError
        It names the first fault and the number of faults.
    """
    return _sound(folder, unpaired, modalities).pairs


def read_samples(
    folder: Path, unpaired: Unpaired = "error", modalities: Sequence[str] | None = None
) -> tuple[list[Pair], list[Pair]]:
    """As :func:`read_pairs`, and beside the pairs the samples without a partner.

    Parameters
    ----------
    folder, unpaired, modalities
        As for :func:`read_pairs`.

    Returns
    -------
    tuple of list of Pair
        The pairs, and the others (none where they are not wanted).

    Raises
    ------
    InputError
        As from :func:`read_pairs`.
    """
    manifest = _sound(folder, unpaired, modalities)
    return manifest.pairs, manifest.unpaired if unpaired == "use" else []


def _sound(folder: Path, unpaired: Unpaired, modalities: Sequence[str] | None) -> Manifest:
    manifest = read_manifest(folder, modalities)
    faults = manifest.faults if unpaired == "use" else [*manifest.faults, *manifest.missing]
    if faults:
        first = faults[0].error
        more = f"{len(faults) - 1} more like it; {CHECK}" if len(faults) > 1 else CHECK
        raise InputError(
            expected=first.expected,
            found=first.found,
            where=first.where,
            remedy="; ".join(part for part in (first.remedy, more) if part),
        )
    if not manifest.pairs:
        raise no_pair(folder, manifest)
    return manifest


def no_pair(folder: Path, manifest: Manifest) -> InputError:
    """The error for samples without a partner alone.

    Parameters
    ----------
    folder : Path
        Their folder.
    manifest : Manifest
        What it holds.

    Returns
    -------
    InputError
        To raise.
    """
    found = f"{number_of(len(manifest.unpaired), 'sample')} without a partner and no pair"
    return InputError(expected="pairs beside samples without a partner", found=found, where=str(folder))


def named_samples(
    folder: Path, unpaired: Unpaired = "error", modalities: Sequence[str] | None = None
) -> list[Pair]:
    """All sound samples whose files a copy of the folder needs.

    Parameters
    ----------
    folder, unpaired, modalities
        As for :func:`read_pairs`.

    Returns
    -------
    list of Pair
        Pairs first.

    Raises
    ------
    InputError
        As from :func:`read_pairs`.
    """
    manifest = _sound(folder, unpaired, modalities)
    return [*manifest.pairs, *manifest.unpaired, *manifest.left_out]


def collect(folder: Path, modalities: Sequence[str] | None = None) -> tuple[list[Pair], list[Fault]]:
    """The sound pairs of a folder, sorted by id, and every fault of the others, lone samples among them.

    Parameters
    ----------
    folder, modalities
        As for :func:`read_manifest`.

    Returns
    -------
    tuple of list
        The pairs, and the faults.
    """
    manifest = read_manifest(folder, modalities)
    return manifest.pairs, [*manifest.faults, *manifest.missing]


def read_manifest(folder: Path, modalities: Sequence[str] | None = None) -> Manifest:
    """Everything that a folder holds.

    Parameters
    ----------
    folder : Path
        In the data layout.
    modalities : sequence of str, optional
        The techniques of a sample, two or more; by default the two that are there.

    Returns
    -------
    Manifest
        With the faults.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "none"
        error = InputError(
            expected="a folder of pairs", found=found, where=str(folder), remedy="check the path"
        )
        return Manifest([], [], [], [], [Fault("", str(folder), "no folder", error)])
    file = folder / PAIRS_FILE
    table = read_table(file) if file.exists() else None
    samples, faults = (table.pairs, list(table.faults)) if table is not None else _from_names(folder)
    sides = tuple(modalities) if modalities is not None else _sides(samples)
    sound: list[Pair] = []
    for sample in sorted(samples, key=lambda sample: sample.id):
        wrong = [fault for name in sample.files if (fault := file_fault(folder, sample, name)) is not None]
        faults += wrong
        if not wrong:
            sound.append(sample)
    faults += reused_files(sound)
    lacks = {sample.id: _lacks(sample, sides, stand_ins=modalities is not None) for sample in sound}
    measured = {
        sample.id: _measurements(sample, sides) if lacks[sample.id] else len(sides) for sample in sound
    }
    pairs = [sample for sample in sound if measured[sample.id] > 1]
    unpaired, left_out = ([sample for sample in sound if measured[sample.id] == number] for number in (1, 0))
    if not sound and not faults:
        error = InputError(
            expected="pairs as SAXS/<id>.<ext> and SEM/<id>.<ext>, or a pairs.csv",
            found=_contents(folder),
            where=str(folder),
            remedy="pairvae data init writes a pairs.csv from file names",
        )
        faults.append(Fault("", str(folder), "no pairs", error))
    # a curve in no pair of SAXS and SEM is left out; a row of the table was meant
    alone = [*unpaired, *left_out] if table is not None else unpaired
    missing = [missing_partner(folder, sample, lacks[sample.id][0], table) for sample in alone]
    return Manifest(pairs, unpaired, left_out, missing, faults)


def _sides(samples: Sequence[Pair]) -> tuple[str, str]:
    """The two modalities that make a pair here: SAXS and SEM, or one of them and the further one that is there."""
    present = {name for sample in samples for name in sample.files}
    main = [name for name in FOLDERS if name in present]
    if len(main) == 2 or not main:
        return "saxs", "sem"
    further = next((name for name in OTHER_FOLDERS if name in present), None)
    return (main[0], further) if further is not None else ("saxs", "sem")


def _lacks(sample: Pair, sides: Sequence[str], *, stand_ins: bool) -> list[str]:
    """Which of ``sides`` a sample has no file of, nor (with ``stand_ins``) of what may stand in for it."""
    return [
        name
        for name in sides
        if name not in sample.files and not (stand_ins and MODALITIES[name].instead in sample.files)
    ]


def _measurements(sample: Pair, sides: Sequence[str]) -> int:
    """Different files of a sample for ``sides``: a pattern that stands in for its curve is one measurement."""
    files = (sample.files.get(name) or sample.files.get(MODALITIES[name].instead or "") for name in sides)
    return len({str(file) for file in files if file is not None})


def _from_names(folder: Path) -> tuple[list[Pair], list[Fault]]:
    """Samples of ``SAXS/<id>.<ext>``, ``SEM/<id>.<ext>`` and the folders of further modalities."""
    faults: list[Fault] = []
    samples: dict[str, dict[str, Path]] = defaultdict(dict)
    for name in (*FOLDERS, *OTHER_FOLDERS):
        by_id: dict[str, list[Path]] = defaultdict(list)
        for path in modality_files(folder, name):
            if is_utf8(path):
                by_id[stem_of(path)].append(path)
            else:
                faults.append(Fault("", str(path), "file name", not_utf8(path)))
        for identity, paths in sorted(by_id.items()):
            if len(paths) > 1:
                faults.append(repeated_id(folder, identity, paths))
            samples[identity][name] = paths[0]
    return [
        Pair(identity, files.pop("saxs", None), files.pop("sem", None), others=dict(files))
        for identity, files in samples.items()
    ], faults


def _contents(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if not names:
        return "an empty folder"
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
