"""The physics of the built-in data, as settings; every length in nm, every wave number in 1/nm (level 0)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pairvae.errors import InputError

MORPHOLOGIES = ("hexagonal", "skew", "alternating lines", "ladders")
LEAST_PX_PER_SPACING = 8
LARGEST_IMAGE = 512  # px

World = Literal["film", "broad"]  # the built-in film, or two-phase structures of many kinds

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)]
Deviation = Annotated[float, Field(ge=0, le=0.2)]
Length = Annotated[float, Field(ge=1, le=100_000)]


class SimulationParameters(BaseModel):
    """Ranges of a data set; each sample's own values are drawn from them and written to ``truth.csv``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Structure
    spacing_nm: float = Field(default=31.75, ge=10, le=500, description="mean domain spacing, nm")
    spacing_variation: Deviation = Field(
        default=0.028, description="largest relative deviation of the spacing"
    )
    pitch_variation: Deviation = Field(
        default=0.02,
        description="largest relative deviation of the grating's pitch from the one of its morphology",
    )
    grating: Amount = Field(default=0.03, description="mean strength of the chemical grating")
    blend: Share = Field(default=0.35, description="largest area share of a second morphology in a sample")
    domain_nm: Length = Field(default=190.0, description="size of a region of one morphology, nm")
    disorder: Amount = Field(default=0.32, description="mean displacement of the domains, in domain spacings")
    disorder_nm: Length = Field(default=200.0, description="correlation length of the displacement, nm")
    defects: Amount = Field(
        default=0.45, description="defect density: mean amplitude of the dislocation field"
    )
    roughness: Amount = Field(default=0.35, description="amplitude of the noise that domains grow from")
    roughness_nm: Length = Field(default=12.0, description="correlation length of that noise, nm")
    variation: Share = Field(default=0.35, description="relative range of grating, disorder and defects")
    composition_variation: Share = Field(default=0.12, description="range of the shift to the bright phase")
    relaxation_steps: int = Field(
        default=10, ge=0, le=1000, description="steps of the phase field's relaxation"
    )

    # SEM
    sem_rows: int = Field(default=830, ge=64, le=8192, description="rows of the image area, px")
    sem_columns: int = Field(default=1280, ge=64, le=8192, description="columns of the image area, px")
    sem_bar_rows: int = Field(
        default=70, ge=0, le=1000, description="rows of the data bar below the image, px"
    )
    sem_nm_per_px: float = Field(default=2.9, ge=0.1, le=50, description="pixel size, nm")
    sem_views: int = Field(default=1, ge=1, le=100, description="images of different places of a sample")
    sem_electrons: float = Field(
        default=60.0, gt=0, le=1e6, description="electrons detected in a white pixel"
    )
    sem_drift_nm: float = Field(
        default=0.0, ge=0, le=500, description="drift of the sample over one image, nm"
    )
    sem_charging: Share = Field(default=0.0, description="strength of charging streaks along the scan lines")

    # SAXS
    saxs_px: int = Field(default=640, ge=64, le=4096, description="side of the pattern, px")
    saxs_q_max_per_nm: float = Field(default=0.36, gt=0, le=5, description="q at the middle of an edge, 1/nm")
    saxs_distance_m: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="from sample to detector, m; sets q at the middle of an edge in place of saxs_q_max_per_nm",
    )
    saxs_wavelength_nm: float = Field(
        default=0.0918, gt=0, le=10, description="wavelength of the beam, nm; counts with saxs_distance_m"
    )
    saxs_detector_mm: float = Field(
        default=100.0, gt=0, le=5000, description="side of the detector, mm; counts with saxs_distance_m"
    )
    saxs_window_nm: float = Field(
        default=1485.0, ge=100, le=20_000, description="coherent part of the beam, nm"
    )
    saxs_resolution_per_nm: float = Field(
        default=0.006, ge=0, le=0.1, description="standard deviation of the beam's smearing, 1/nm"
    )
    saxs_dose: float = Field(default=26.0, gt=0, le=1e7, description="counts of unit intensity in a pixel")
    saxs_q_interface_per_nm: float = Field(
        default=0.30, gt=0, le=10, description="q at which diffuse interfaces damp the intensity to 1/e, 1/nm"
    )
    # Further images of the same structure, as large as the shorter side of the SEM image and at most 512 px
    afm: bool = Field(default=False, description="also write maps of height to AFM/<id>.tif")
    afm_height_nm: float = Field(default=5.0, gt=0, le=100, description="height between the two phases, nm")
    afm_tip_nm: float = Field(default=8.0, gt=0, le=200, description="radius of the tip, nm")
    afm_line_nm: float = Field(
        default=0.4, ge=0, le=10, description="standard deviation of the offsets of scan lines, nm"
    )
    afm_noise_nm: float = Field(
        default=0.25, ge=0, le=10, description="standard deviation of the height's noise, nm"
    )
    tem: bool = Field(default=False, description="also write TEM images to TEM/<id>.tif")
    tem_defocus_nm: float = Field(default=20_000.0, ge=0, le=500_000, description="defocus, nm")
    tem_electrons: float = Field(default=200.0, gt=0, le=30_000, description="electrons in a mean pixel")
    curves: bool = Field(default=False, description="also write the azimuthal averages to IQ/<id>.csv")

    @property
    def image_px(self) -> int:
        """Side of further images, px; a pixel is as large as in the SEM image."""
        return min(self.sem_rows, self.sem_columns, LARGEST_IMAGE)

    @property
    def further(self) -> tuple[str, ...]:
        """Techniques whose files are written besides SAXS and SEM."""
        asked = {"iq": self.curves, "afm": self.afm, "tem": self.tem}
        return tuple(name for name, wanted in asked.items() if wanted)

    def record(self) -> dict[str, Any]:
        """All values as JSON, without those of further images that are not written."""
        absent = tuple(name for name in ("afm", "tem") if name not in self.further)
        values = self.model_dump(mode="json")
        return {key: value for key, value in values.items() if key.partition("_")[0] not in absent}

    @property
    def q_max_per_nm(self) -> float:
        """q at the middle of an edge of the detector, 1/nm: given, or 4 pi / wavelength x sin(half the angle)."""
        if self.saxs_distance_m is None:
            return self.saxs_q_max_per_nm
        angle = math.atan2(self.saxs_detector_mm / 2, self.saxs_distance_m * 1000)
        return 4 * math.pi / self.saxs_wavelength_nm * math.sin(angle / 2)

    @model_validator(mode="after")
    def _resolved(self) -> Self:
        if self.spacing_nm < LEAST_PX_PER_SPACING * self.sem_nm_per_px:
            raise ValueError(f"spacing_nm must be at least {LEAST_PX_PER_SPACING} times sem_nm_per_px")
        if self.q_max_per_nm < 2.4 * math.pi / self.spacing_nm:
            given = "saxs_q_max_per_nm" if self.saxs_distance_m is None else "q at saxs_distance_m"
            raise ValueError(f"{given} must lie beyond the ring, at 1.2 x 2 pi / spacing_nm or more")
        if self.saxs_window_nm < 8 * self.spacing_nm:
            raise ValueError("saxs_window_nm must hold at least 8 domain spacings")
        return self


SWITCHES = {"iq": "curves", "afm": "afm", "tem": "tem"}  # the parameter that asks for a technique's files


def simulated_techniques(names: Sequence[str], where: str) -> dict[str, bool]:
    """The parameters that ask for files of techniques.

    Parameters
    ----------
    names : sequence of str
        Of techniques; saxs and sem are always simulated.
    where : str
        What gave the names, for the message.

    Returns
    -------
    dict of str to bool
        Entries of :class:`SimulationParameters`.

    Raises
    ------
    InputError
        Where a technique is not simulated.
    """
    unknown = [name for name in names if name not in ("saxs", "sem", *SWITCHES)]
    if unknown:
        known = ", ".join(("saxs", "sem", *SWITCHES))
        raise InputError(
            expected=f"techniques that are simulated: {known}", found=repr(unknown[0]), where=where
        )
    return {SWITCHES[name]: True for name in names if name in SWITCHES}
