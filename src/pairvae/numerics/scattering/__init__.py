"""Scattering patterns: grids, averages, peaks, masks, power spectra.

Patterns are intensities ``(H, W)`` or colour-mapped RGB ``(H, W, 3)`` in [0, 1]. Positions are (row, column)
in px, where a pixel's centre is a whole number; q is in px from the beam's centre unless a scale is given.
"""

from __future__ import annotations

from pairvae.numerics.scattering.arcs import (
    DIRECTIONS,
    Arcs,
    arc_distribution,
    arcs,
    spot_positions,
    turned_by,
)
from pairvae.numerics.scattering.noise import mend_non_positive
from pairvae.numerics.scattering.peaks import RingPeak, half_width, parabolic_peak, ring_peak
from pairvae.numerics.scattering.profiles import (
    AzimuthalProfile,
    Centre,
    Floats,
    Mask,
    RadialProfile,
    azimuthal_average,
    azimuthal_profile,
    gap_mask,
    q_map,
    shadow,
)
from pairvae.numerics.scattering.spectra import (
    Calibration,
    PhysicalCheck,
    RingAndArcs,
    calibrate,
    horizontal_period,
    physical_check,
    power_spectrum,
    scattering_of_images,
    scattering_of_pattern,
    scattering_of_spectrum,
)

__all__ = [
    "DIRECTIONS",
    "Arcs",
    "AzimuthalProfile",
    "Calibration",
    "Centre",
    "Floats",
    "Mask",
    "PhysicalCheck",
    "RadialProfile",
    "RingAndArcs",
    "RingPeak",
    "arc_distribution",
    "arcs",
    "azimuthal_average",
    "azimuthal_profile",
    "calibrate",
    "gap_mask",
    "half_width",
    "horizontal_period",
    "mend_non_positive",
    "parabolic_peak",
    "physical_check",
    "power_spectrum",
    "q_map",
    "ring_peak",
    "scattering_of_images",
    "scattering_of_pattern",
    "scattering_of_spectrum",
    "shadow",
    "spot_positions",
    "turned_by",
]
