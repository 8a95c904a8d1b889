"""PairVAE: predict SEM images from SAXS patterns and back (Lu and Jayaraman, JACS Au 2023, 3, 2510-2521).

``pairvae.load("models:/pairvae@champion")`` gives a trained pair; see :class:`pairvae.predictor.Predictor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pairvae.predictor import Predictor
    from pairvae.stages.load import load

    __version__: str

__all__ = ["Predictor", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Heavy parts are imported when they are first asked for, the version is looked up then."""
    if name == "load":
        from pairvae.stages.load import load

        return load
    if name == "Predictor":
        from pairvae.predictor import Predictor

        return Predictor
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("pairvae")
        except PackageNotFoundError:  # a source tree on the path, not installed
            return "0+unknown"
    raise AttributeError(f"module 'pairvae' has no attribute {name!r}")
