"""PairVAE: predict SEM images from SAXS patterns and back (Lu and Jayaraman, JACS Au 2023, 3, 2510-2521).

``pairvae.load("models:/pairvae@champion")`` opens a trained pair, ``pairvae.fit({"saxs": patterns, "sem": images})``
trains one; both return a :class:`Predictor`. ``describe``, ``two_point_correlation`` and ``lineal_path`` characterise
two-phase images.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pairvae.errors import InputError

if TYPE_CHECKING:
    from pairvae.commands.fit import fit
    from pairvae.inference.loader import load
    from pairvae.inference.predictor import Predictor
    from pairvae.modalities.acquisition import Acquisition
    from pairvae.numerics.plain import describe, lineal_path, two_point_correlation

    __version__: str

__all__ = [
    "Acquisition",
    "InputError",
    "Predictor",
    "__version__",
    "describe",
    "fit",
    "lineal_path",
    "load",
    "two_point_correlation",
]

# Heavy parts are imported when they are first asked for.
_MODULES = {
    "Acquisition": "pairvae.modalities.acquisition",
    "Predictor": "pairvae.inference.predictor",
    "describe": "pairvae.numerics.plain",
    "fit": "pairvae.commands.fit",
    "lineal_path": "pairvae.numerics.plain",
    "load": "pairvae.inference.loader",
    "two_point_correlation": "pairvae.numerics.plain",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("pairvae")
        except PackageNotFoundError:  # a source tree on the path, not installed
            return "0+unknown"
    raise AttributeError(f"module 'pairvae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
