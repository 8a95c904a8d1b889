"""What a model keeps of its training data: whether an input is out of distribution, and whether a prediction fits.

The first is told by :mod:`pairvae.inference.out_of_distribution`, the second by the ring ratio of true pairs, which
says whether an image scatters like a pattern (:func:`pairvae.numerics.scattering.physical_check`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairvae.inference.out_of_distribution import OutOfDistributionScore
from pairvae.numerics.colormaps import known_colormap, levels
from pairvae.numerics.scattering import Calibration, Mask, PhysicalCheck, calibrate, physical_check, shadow

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Scattering:
    """How an image and a pattern of one sample agree in the training data, for the physical check.

    Parameters
    ----------
    image, pattern : str
        The modalities.
    calibration : Calibration
        Of the check, on true pairs.
    mask : ndarray of bool
        ``(h, w)``, True where a pixel of the pattern does not count.
    colormap : str or None
        Of the patterns, where it is known.
    """

    image: str
    pattern: str
    calibration: Calibration
    mask: Mask
    colormap: str | None

    def agreement(self, images: NDArray[np.generic], pattern: Singles) -> PhysicalCheck:
        """Check images against a pattern.

        Parameters
        ----------
        images : ndarray
            ``(S, H, W)`` in [0, 1].
        pattern : ndarray
            ``(3, h, w)`` in [0, 1].

        Returns
        -------
        PhysicalCheck
            Its ring ratio is 1 in the training data.
        """
        level = levels(pattern[None], self.colormap)[0]
        check = physical_check(images, level, None, None, mask=self.mask, calibration=self.calibration)
        return PhysicalCheck(check.ring_ratio / self.calibration.ratio, check.arc_angle_deg, check.agrees)


@dataclass(frozen=True)
class TrainingSummary:
    """What a model keeps of N training pairs.

    Parameters
    ----------
    familiar : mapping of str to OutOfDistributionScore
        By modality.
    latents : mapping of str to ndarray
        ``(N, C, g, g)`` by modality.
    ids : tuple of str
        Of the pairs.
    morphologies : tuple of str or None
        Of the pairs, where they are known.
    scattering : Scattering or None
        Where the pair is an image and a pattern.
    nm_per_px, q_per_px : float or None
        Medians of the pixel sizes, nm and 1/nm.
    sizes : mapping of str to tuple
        Rows and columns (px) that were used of the files, by modality, the most frequent first.
    micrographs : ndarray, optional
        ``(N, h, w)``, uint8 of 0 and 1 or floating-point grey levels: a measured crop of each pair; None: the model
        keeps none.
    pixel_sizes : mapping of str to float
        The median pixel size of each technique's images, nm, where it is known.
    """

    familiar: Mapping[str, OutOfDistributionScore] = field(default_factory=dict)
    latents: Mapping[str, Singles] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    morphologies: tuple[str | None, ...] = ()
    scattering: Scattering | None = None
    nm_per_px: float | None = None
    q_per_px: float | None = None
    sizes: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    micrographs: NDArray[Any] | None = None
    pixel_sizes: Mapping[str, float] = field(default_factory=dict)

    def scale(self, fact: str, modality: str) -> float | None:
        """The usual scale of the training files of a modality.

        Parameters
        ----------
        fact : {"nm_per_px", "q_per_px"}
            Which scale.
        modality : str
            Of the files.

        Returns
        -------
        float or None
            Their median, where it is known.
        """
        usual: float | None = getattr(self, fact)
        return self.pixel_sizes.get(modality, usual) if fact == "nm_per_px" else usual


def scattering_of(
    names: tuple[str, str], crops: Sequence[NDArray[np.generic]], patterns: Singles
) -> Scattering:
    """Calibrate the physical check on true pairs.

    Parameters
    ----------
    names : tuple of str
        The modalities of image and pattern.
    crops : sequence of ndarray
        ``(K, h, w)`` of each image.
    patterns : ndarray
        ``(N, 3, H, W)`` in [0, 1].

    Returns
    -------
    Scattering
        For predictions.
    """
    mask, colormap = shadow(patterns), known_colormap(patterns)
    checks = [
        physical_check(images, levels(pattern[None], colormap)[0], None, None, mask=mask)
        for images, pattern in zip(crops, patterns, strict=True)
    ]
    return Scattering(*names, calibrate(checks), mask, colormap)
