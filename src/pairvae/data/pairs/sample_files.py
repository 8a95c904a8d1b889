"""The files of samples, put together by an assignment of one side to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pairvae.data.pairs.file_names import natural
from pairvae.modalities import MODALITIES

Files = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Sample:
    """The files of one sample.

    Parameters
    ----------
    id : str
        Its name.
    files : dict of str to list of Path
        By modality; several only of the modality whose images are cropped.
    """

    id: str
    files: dict[str, list[Path]]


@dataclass(frozen=True)
class Matching:
    """Which files belong together.

    Parameters
    ----------
    samples : list of Sample
        Those with files of both sides.
    lone : list of (str, Path)
        Modalities and files without a partner.
    left_out : list of Path
        Files of a further modality that join no sample.
    how : str
        In words, by what they were matched.
    """

    samples: list[Sample]
    lone: list[tuple[str, Path]]
    left_out: list[Path]
    how: str


def sides_of(files: Files) -> tuple[str, str]:
    """The two modalities that make a pair: SAXS and SEM, or one of them and a further one."""
    present = [name for name in files if files[name]]
    main = [name for name in ("saxs", "sem") if name in present]
    further = [name for name in present if name not in main]
    first, second = (*main, *further)[:2]
    cropped = MODALITIES[first].cropped and not MODALITIES[second].cropped
    return (second, first) if cropped else (first, second)


def matched(
    files: Files, assign: Callable[[str, str], list[int | None]], ids: Sequence[str], how: str
) -> Matching:
    """Samples of the first side's files and those that are assigned to them.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        By modality.
    assign : callable
        Gives, for two modalities, the number of the first's file that each file of the second belongs to, or None.
    ids : sequence of str
        Of the first side's files.
    how : str
        In words, by what they are matched.

    Returns
    -------
    Matching
        Lone files in natural order.
    """
    first, second = sides_of(files)
    by_sample: list[dict[str, list[Path]]] = [{first: [file]} for file in files[first]]
    left_out: list[Path] = []
    lone: list[tuple[str, Path]] = []
    for name in (name for name in files if name != first):
        assigned = assign(first, name)
        if name == second and None in assigned:
            assigned = _other_way_round(assigned, assign(second, first))
        for index, file in zip(assigned, files[name], strict=True):
            if index is not None and (name not in by_sample[index] or MODALITIES[name].cropped):
                by_sample[index].setdefault(name, []).append(file)
            elif name == second:
                lone.append((name, file))
            else:
                left_out.append(file)
    pairs = zip(ids, by_sample, strict=True)
    samples = [Sample(identity, sample_files) for identity, sample_files in pairs if second in sample_files]
    lone += [(first, sample_files[first][0]) for sample_files in by_sample if second not in sample_files]
    return Matching(samples, sorted(lone, key=lambda entry: natural(str(entry[1]))), left_out, how)


def _other_way_round(forwards: list[int | None], backwards: Sequence[int | None]) -> list[int | None]:
    """The assignment from the other side (``film1_scan3`` of ``film1``) where it is one to one and leaves less out."""
    partners = [index for index in backwards if index is not None]
    if len(set(partners)) < len(partners) or len(partners) <= sum(index is not None for index in forwards):
        return forwards
    turned: list[int | None] = [None] * len(forwards)
    for position, other in enumerate(backwards):
        if other is not None:
            turned[other] = position
    return turned
