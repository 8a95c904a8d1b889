"""One sample of the built-in data: a block-copolymer blend on a grating, as SAXS and SEM see it (docs/simulator.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairvae.data.simulate.further_images import IMAGES
from pairvae.data.simulate.micrograph import micrograph, with_data_bar
from pairvae.data.simulate.saxs_pattern import Curve, azimuthal_curve, colour_mapped, detect, expected_counts
from pairvae.data.simulate.structure import Latents, draw_latents, make_field
from pairvae.numerics.phasefield import Field
from pairvae.settings.simulation import SimulationParameters


@dataclass(frozen=True)
class Sample:
    """One simulated sample.

    Parameters
    ----------
    sem : list of ndarray of uint8
        Grey views, ``(rows + bar, columns)`` each.
    pattern : ndarray of uint8
        ``(side, side, 3)`` RGB.
    latents : Latents
        What was drawn for it.
    field : Field
        The phase field of the first view on ``field_grid``.
    curve : Curve
        The azimuthal average of the counts.
    images : dict of str to ndarray
        Of further techniques that the parameters ask for, by name: of another place of the first view's field.
    """

    sem: list[NDArray[np.uint8]]
    pattern: NDArray[np.uint8]
    latents: Latents
    field: Field
    curve: Curve
    images: dict[str, NDArray[np.generic]]

    @property
    def truth(self) -> dict[str, str | float]:
        """What was drawn for this sample, the columns of ``truth.csv``."""
        return self.latents.row()


def sample_id(index: int) -> str:
    """Name of sample ``index``; names sort in the order of the indices."""
    return f"{index:05d}"


def view_ids(index: int, parameters: SimulationParameters) -> list[str]:
    """Names of a sample's SEM views: the sample's own name, then ``<id>-view2`` and so on.

    Parameters
    ----------
    index : int
        The sample, from 0.
    parameters : SimulationParameters
        With the number of views.

    Returns
    -------
    list of str
        ``sem_views`` names.
    """
    name = sample_id(index)
    return [name, *(f"{name}-view{view}" for view in range(2, parameters.sem_views + 1))]


def sample_latents(index: int, seed: int, parameters: SimulationParameters) -> Latents:
    """Latents of a sample, without simulating it.

    Parameters
    ----------
    index : int
        The sample, from 0.
    seed : int
        Of the data set.
    parameters : SimulationParameters
        Of the blend.

    Returns
    -------
    Latents
        As of :func:`simulate_sample`.
    """
    return draw_latents(index, parameters, np.random.default_rng([seed, index, 0]))


def simulate_sample(index: int, seed: int, parameters: SimulationParameters) -> Sample:
    """Simulate a sample: it depends on the arguments alone and touches no file.

    Each SEM view shows a place of its own; the beam sees them all, so their scattering is averaged.

    Parameters
    ----------
    index, seed, parameters
        As for :func:`sample_latents`.

    Returns
    -------
    Sample
        Views, pattern and curve.
    """
    latents = sample_latents(index, seed, parameters)
    rng = np.random.default_rng([seed, index, 1])
    name = sample_id(index)
    fields = [make_field(latents, parameters, rng) for _ in range(parameters.sem_views)]
    views = [with_data_bar(micrograph(field, parameters, rng), parameters, name) for field in fields]
    expected = np.mean([expected_counts(field, latents, parameters) for field in fields], axis=0)
    counts = detect(expected, parameters, rng)
    curve = azimuthal_curve(counts, parameters)
    images = {
        name: draw(fields[0], parameters, np.random.default_rng([seed, index, stream]))
        for stream, (name, draw) in enumerate(IMAGES.items(), 3)
        if name in parameters.further
    }
    return Sample(views, colour_mapped(counts, parameters), latents, fields[0], curve, images)
