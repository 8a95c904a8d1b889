"""Transmission electron microscopy: grey levels, or two phases where a threshold is set.

dm3, dm4, mrc and emd files are read with their pixel size (the extra ``[em]``), tif and pictures as for SEM.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pairvae.modalities.sem import SEM
from pairvae.settings import SemPrepare


class TemPrepare(SemPrepare):
    """Preprocessing of TEM images: as of micrographs (:class:`~pairvae.settings.SemPrepare`)."""

    technique: ClassVar[str] = "tem"


TEM = replace(SEM, name="tem", title="TEM image", folder="TEM", settings=TemPrepare)
