"""Names of columns: which is q, I or an error, and which are other quantities."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pairvae.errors import InputError
from pairvae.modalities.readers.raw_image import unreadable

NO_CURVE = "a curve: columns q, I and error"
AVERAGE = "export the azimuthal average, or give it as the column saxs of pairs.csv"
TO_Q = "export it against q, which is 4 pi sin(theta) / wavelength"

_NO_Q_BEHIND = r"(?!.*(?:err|dev|std|sig|resol|mean|spread))"
_POWER = r"\s?(?:\^|\*\*)?[2-4\u00b2-\u00b4]"
Q_NAME = re.compile(
    rf"(?:q(?![a-z])(?!{_POWER}){_NO_Q_BEHIND}|q1(?!\d)|q.?(?:val|unit|vec|nm|aa?\b|inv|ang)|scattering.?vector"
    r"|momentum.?transfer|wave.?vector|modulus.?q|\|q\||streuvektor)",
    re.IGNORECASE,
)
I_NAME = re.compile(
    r"(?:i(?![a-z])|i.?q(?![a-z])|i.?val|int(?![a-z])|inten|counts?(?![a-z])|y(?![a-z])|s\s?\(q|(?:abs\w*\W+)?cross.?section"
    r"|d\s?(?:sigma|\u03c3)|(?:scat\w*|mean|avg|average|total|abs\w*|norm\w*)\W?(?:i(?![a-z])|inten))",
    re.IGNORECASE,
)
ERROR_NAME = re.compile(
    r"(?:err|fehler|std|stat|sig(?:ma)?(?![_ (]*q)|\u03c3|s\.?d\.?(?![a-z])|e(?![a-z])|di(?![a-z])|idev|unc"
    r"|i.?(?:err|dev|std|sig|unc)|\w*.?(?:err|sigma|dev)\w*\W*i(?![a-z])|int\w*.?err|\u0394i|delta.?i|sval)",
    re.IGNORECASE,
)
TWO_D = re.compile(r"q_?[xy](?![a-z])", re.IGNORECASE)
NO_Q = {  # quantities other than q, by name
    "2-theta": r"(?:2|two)[\s_*.-]*th(?:eta|et)?(?![a-z])|2\s?\u03b8|tth(?![a-z])|2th_|angle\W+2|2\W?theta",
    "an angle": r"(?:theta|\u03b8|angle|winkel|chi|azim\w*|deg\w*)(?![a-z])|chi_",
    "a power of q": rf"q{_POWER}",
    "log q": r"(?:log|ln|lg)\w*[\s(_]*q(?![a-z])",
    "a d-spacing": r"d(?:[\s_-]?spac|\s?[\[(])",
    "a radius": r"r(?:_(?:mm|m|px)|adius|adial dist\w*|\s?[\[(]\s?(?:mm|px|pixel|nm|a|\u00c5))(?![a-z])",
    "pixels": r"(?:pixels?|channels?|px)(?![a-z])",
    "a time": r"(?:time|t\s?[\[(]s)(?![a-z])",
    "an energy or wavelength": r"(?:energy|wave.?length|lambda|\u03bb|ev\b)",
}
NO_I = {  # quantities other than I
    "a logarithm of the intensity": r"(?:log|ln|lg)\w*[\s(_]*i(?![a-z])",
    "a product of I and a power of q": rf"(?:i\W*q{_POWER}|q{_POWER}\W*i)(?![a-z])|i\s?(?:\(q\))?\s?\*\s?q",
    "a pair distance distribution": r"p\s?\(r",
}
NO_Q_NAMES = {quantity: re.compile(pattern, re.IGNORECASE) for quantity, pattern in NO_Q.items()}
NO_I_NAMES = {quantity: re.compile(pattern, re.IGNORECASE) for quantity, pattern in NO_I.items()}


def bare(name: str) -> str:
    """A column's name without marks in front."""
    return re.sub(r"^[\s#%!<>|\"'*\[(:=-]+", "", name)


def names_q(names: Sequence[str]) -> bool:
    """Whether one of the names is that of q."""
    return any(Q_NAME.match(bare(name)) for name in names)


def names_intensity(name: str) -> bool:
    """Whether a name is that of the intensity, and not of its error."""
    short = bare(name)
    return I_NAME.match(short) is not None and ERROR_NAME.match(short) is None


def names_two_d(names: Sequence[str]) -> bool:
    """Whether the names hold the two axes of a pattern."""
    return len({match.group().lower() for name in names if (match := TWO_D.match(bare(name)))}) > 1


def names_axis(names: Sequence[str]) -> bool:
    """Whether names are a table's: q among them, or axes of a pattern, or another axis and an intensity."""
    other = any(pattern.match(bare(names[0])) for pattern in NO_Q_NAMES.values())
    return names_q(names) or names_two_d(names) or other or any(map(names_intensity, names[1:]))


def refuse_axis(name: str, source: str) -> None:
    """``InputError`` where the name of the first axis says that it is not q."""
    for quantity, pattern in NO_Q_NAMES.items():
        if pattern.match(bare(name)):
            remedy = TO_Q if quantity == "2-theta" else "export it against q"
            raise unreadable(source, "a curve over q", f"{quantity} ({_short(name)})", remedy)


def refuse_names(names: Sequence[str], source: str) -> None:
    """``InputError`` where the names of a table say that it holds no I over q."""
    if names_two_d(names):
        raise two_d(source, "a 2D table of Qx, Qy and I")
    if not names_q(names):
        refuse_axis(names[0], source)
    if any(map(names_intensity, names)):
        return
    for name in names:
        for quantity, pattern in NO_I_NAMES.items():
            if pattern.match(bare(name)):
                raise unreadable(source, NO_CURVE, f"{quantity} ({_short(name)})", "export I itself")


def two_d(source: str, found: str) -> InputError:
    """The line that refuses a 2D pattern given as a curve."""
    return unreadable(source, NO_CURVE, found, AVERAGE)


def _short(text: str) -> str:
    return " ".join(text.split())[:40]
