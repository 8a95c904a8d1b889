"""Ids of samples: parts of file names on any system."""

from __future__ import annotations

from pairvae.data.pairs.file_names import composed
from pairvae.errors import InputError

LONGEST_ID = 100


def _fits(char: str) -> bool:
    """Whether a character can be part of a file name on any system."""
    return char.isalnum() or char in " _-+.,()=@" or (not char.isascii() and char.isprintable())


def fit_id(text: str) -> str:
    """An id made of any text: composed letters, ``_`` in place of what no file name can have."""
    kept = "".join(char if _fits(char) else "_" for char in composed(text)).strip(" .")
    return kept[: LONGEST_ID - 10].rstrip() or "sample"


def checked_id(text: str, where: str) -> str:
    """Refuse an id that cannot be part of a file name on any system.

    Parameters
    ----------
    text : str
        The id.
    where : str
        For the message.

    Returns
    -------
    str
        The same.

    Raises
    ------
    InputError
        For what is no id of 1 to 100 letters, digits and _-+.,()=@ or spaces.
    """
    bad = not text or len(text) > LONGEST_ID or text.startswith(".")
    if bad or not all(_fits(char) for char in text):
        raise InputError(
            expected="an id of 1 to 100 letters, digits and _-+.,()=@",
            found=repr(text[:LONGEST_ID]),
            where=where,
        )
    return text
