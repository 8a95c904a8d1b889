"""Which files belong to one sample, judged by their names alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pairvae.data.pairs.file_names import composed, stem_of
from pairvae.data.pairs.sample_files import Files, Matching, matched, sides_of
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES

SEPARATORS = r"[\s_\-.()/]+"


def by_names(files: Files, root: Path, *, strip: bool = False, path: bool = False) -> Matching | None:
    """Equal names, or micrographs whose name begins with the sample's (``a_1`` and ``a_2`` of ``a``).

    Parameters
    ----------
    files : mapping of str to sequence of Path
        By modality.
    root : Path
        The folder of all.
    strip : bool
        Compare names without words such as ``saxs`` and ``sem``, and without case.
    path : bool
        Compare names with their sub-folders before them.

    Returns
    -------
    Matching or None
        None where two files of one side have the same name.
    """
    words = {word for name, modality in MODALITIES.items() for word in (name, modality.folder.casefold())}

    def label(file: Path) -> str:
        text = stem_of(file)
        if path:
            inside = file.relative_to(root).parts[1:-1]
            text = "/".join((*map(composed, inside), text))
        if strip:
            text = "_".join(part for part in re.split(SEPARATORS, text) if part.casefold() not in words)
        return text

    first, _ = sides_of(files)
    labels = {name: [label(file) for file in files[name]] for name in files}
    keys = {name: [text.casefold() if strip else text for text in labels[name]] for name in files}
    if len(set(keys[first])) < len(keys[first]):
        return None
    equal = all(set(keys[name]) <= set(keys[first]) for name in files)
    how = "by equal names" if equal else "by names that begin with the sample's"
    how = "by what their names share besides the technique" if strip else how
    return matched(files, lambda a, b: _assign_names(keys[a], keys[b]), labels[first], how)


def _assign_names(firsts: Sequence[str], others: Sequence[str]) -> list[int | None]:
    """For each of ``others``, the index of the name in ``firsts`` that equals it or is its longest prefix."""
    index_of = {name: index for index, name in enumerate(firsts) if name}

    def find(name: str) -> int | None:
        lengths = (length for length in range(len(name), 0, -1) if _ends_a_word(name, length))
        return next((index_of[name[:length]] for length in lengths if name[:length] in index_of), None)

    return [find(name) for name in others]


def _ends_a_word(text: str, length: int) -> bool:
    """Whether a word or a number ends after ``length`` characters: ``s1`` in ``s1_a`` and ``s1a``, not in ``s10``."""
    if length == len(text):
        return True
    before, after = text[length - 1], text[length]
    return not after.isalnum() or (before.isdecimal() != after.isdecimal())


def by_numbers(files: Files) -> Matching:
    """The same number in both names.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        By modality.

    Returns
    -------
    Matching
        By the numbers that leave the fewest files without a partner.

    Raises
    ------
    InputError
        Where two numbers would pair the files differently.
    """
    first, _ = sides_of(files)
    columns = {name: number_columns(files[name]) for name in files}

    def assign(a: str, b: str) -> list[int | None]:
        candidates: list[list[int | None]] = []
        for column in columns[a]:
            index_of = {number: index for index, number in enumerate(column)}
            if len(index_of) == len(column):
                candidates += [[index_of.get(number) for number in other] for other in columns[b]]
        if not candidates:
            return [None] * len(files[b])
        lone = [_without_partner(assigned, len(files[a])) for assigned in candidates]
        chosen = [assigned for assigned, number in zip(candidates, lone, strict=True) if number == min(lone)]
        single = [assigned for assigned in chosen if len(set(assigned)) == len(assigned)]
        if min(lone) == 0 and any(assigned != single[0] for assigned in single):
            raise InputError(
                expected="one number in the names that pairs the files",
                found=f"several that pair them differently, as in {files[a][0].name} and {files[b][0].name}",
                where=str(files[a][0].parent.parent),
                remedy=r"give --pattern with a named group id, for instance 'film_(?P<id>\d+)'",
            )
        return (single or chosen)[0]

    ids = [stem_of(file) for file in files[first]]
    return matched(files, assign, ids, "by the numbers in their names")


def _without_partner(assigned: Sequence[int | None], count: int) -> int:
    """How many files of both sides an assignment leaves without a partner."""
    partners = {index for index in assigned if index is not None}
    return count - len(partners) + sum(index is None for index in assigned)


def number_columns(files: Sequence[Path]) -> list[list[int]]:
    """The n-th number of every name, for each n that all names have and that is not the same in all of them."""
    numbers = [[int(part) for part in re.findall(r"\d+", stem_of(file))] for file in files]
    columns = [
        [row[position] for row in numbers]
        for position in range(min((len(row) for row in numbers), default=0))
    ]
    return [column for column in columns if len(set(column)) > 1 or len(files) == 1]


def by_order(files: Files, *, trusted: bool) -> Matching:
    """The n-th file of one side with the n-th of the other, in natural order.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        By modality.
    trusted : bool
        Whether the order rules where the names' numbers contradict it.

    Returns
    -------
    Matching
        Without lone files of the two sides.

    Raises
    ------
    InputError
        For unequal numbers of files and, unless ``trusted``, where the names' numbers contradict.
    """
    first, second = sides_of(files)
    firsts, others = files[first], files[second]
    if len(firsts) != len(others):
        raise InputError(
            expected=f"equally many {MODALITIES[first].folder} and {MODALITIES[second].folder} files",
            found=f"{len(firsts)} and {len(others)}",
            where="--by-order",
        )
    wrong = contradiction(firsts, others)
    if wrong is not None and not trusted:
        mismatched, partner, same = (file.name for file in wrong)
        raise InputError(
            expected="an order that agrees with the numbers in the names",
            found=f"{mismatched} with {partner}, although there is {same}",
            where="--by-order",
            remedy="rename the files, write pairs.csv by hand, or add --force where the order is right",
        )
    ids = [stem_of(file) for file in firsts]

    def assign(a: str, b: str) -> list[int | None]:
        return list(range(len(others))) if b == second else _assign_names(ids, [stem_of(f) for f in files[b]])

    return matched(files, assign, ids, "by their order alone: compare the names")


def contradiction(firsts: Sequence[Path], others: Sequence[Path]) -> tuple[Path, Path, Path] | None:
    """Where the order of files contradicts the numbers in their names.

    Numbers that stand in every name and differ in all of them count; none is where one of them agrees in every pair.

    Parameters
    ----------
    firsts, others : sequence of Path
        As many files of either side, in order.

    Returns
    -------
    tuple of Path or None
        A file, its partner by the order, and the one of the other side that has its number; None where none is.
    """
    columns = [
        (column, other)
        for column in number_columns(firsts)
        for other in number_columns(others)
        if len(set(column)) == len(column) and len(set(other)) == len(other)
    ]
    if any(column == other for column, other in columns):
        return None
    for column, other in columns:
        index_of = {number: index for index, number in enumerate(other)}
        for index, number in enumerate(column):
            if index_of.get(number, index) != index:
                return firsts[index], others[index], others[index_of[number]]
    return None


def by_pattern(files: Files, pattern: str) -> Matching:
    """Equal ids, which a regular expression takes out of the names.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        By modality.
    pattern : str
        With a named group ``id``.

    Returns
    -------
    Matching
        By these ids.

    Raises
    ------
    InputError
        For no such expression, a name that it does not match, or two files of one id.
    """
    where = "--pattern"
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(expected="a regular expression", found=str(error), where=where) from error
    if "id" not in expression.groupindex:
        raise InputError(
            expected="a named group id", found=pattern, where=where, remedy=r"for instance (?P<id>\d+)"
        )
    ids = {name: [id_in(expression, file) for file in files[name]] for name in files}
    first, second = sides_of(files)

    def assign(a: str, b: str) -> list[int | None]:
        index_of = {identity: index for index, identity in enumerate(ids[a])}
        return [index_of.get(identity) for identity in ids[b]]

    for name in files:
        seen: dict[str, Path] = {}
        for identity, file in zip(ids[name], files[name], strict=True):
            other = seen.setdefault(identity, file)
            if other is not file and not (name == second and MODALITIES[name].cropped):
                found = f"{other.name} and {file.name} for id {identity}"
                raise InputError(expected="one file for each id", found=found, where=where)
    return matched(files, assign, ids[first], "by the ids in their names")


def id_in(expression: re.Pattern[str], file: Path) -> str:
    """What the group ``id`` of an expression finds in a file's name.

    Parameters
    ----------
    expression : re.Pattern
        With a named group ``id``.
    file : Path
        Its name is searched.

    Returns
    -------
    str
        Not empty.

    Raises
    ------
    InputError
        Where it finds nothing.
    """
    match = expression.search(composed(file.name))
    if match is None or not match["id"]:
        raise InputError(
            expected=f"names that {expression.pattern} matches", found=file.name, where="--pattern"
        )
    return match["id"]
