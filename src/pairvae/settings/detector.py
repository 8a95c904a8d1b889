"""Detector files: masked pixels, beam centre and the scale of q.

``params.yaml`` names the files; prepared data and model folders keep what they say, so that a model predicts anywhere.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from pairvae.settings.parsing import Positive, Section

LONGEST_MASK = 4_000_000  # characters of a deflated mask
Pixel = Annotated[float, Field(ge=0, le=200_000, allow_inf_nan=False)]
BeamCentreOption = Literal["auto"] | Annotated[tuple[Pixel, Pixel], Strict(False)] | None


class MaskPixels(Section):
    """The content of a mask file: True where a pixel does not count."""

    file: str = Field(description="the file that it was read from")
    rows: Positive = Field(le=200_000, description="of the mask, px")
    columns: Positive = Field(le=200_000, description="of the mask, px")
    deflated: str = Field(max_length=LONGEST_MASK, description="the pixels as bits, deflated, in base64")


class DetectorGeometry(Section):
    """The content of a geometry file."""

    file: str = Field(description="the file that it was read from")
    beam_centre: tuple[float, float] = Field(strict=False, description="row and column of the beam, px")
    q_per_px: float = Field(gt=0, le=1000, description="q per pixel at the beam, 1/nm")
    tilt_degrees: float = Field(ge=0, le=90, description="between the beam and the detector's normal")


MaskOption = Annotated[str, Field(min_length=1)] | MaskPixels | None
GeometryOption = Annotated[str, Field(min_length=1)] | DetectorGeometry | None
QScale = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
