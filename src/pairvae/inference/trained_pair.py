"""The encoders of a trained pair: measurements, raw or prepared, to posteriors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pairvae.errors import InputError
from pairvae.inference.encoder_inputs import Known, acquisitions, covering_crops, network_inputs, shifted
from pairvae.modalities import MODALITIES, main_pair
from pairvae.modalities.acquisition import Acquisition
from pairvae.modalities.arrays import Item, prepared_already, raw_of, separate
from pairvae.models.conditions import ConditionShift, shift_of_card
from pairvae.models.joint import JointPosterior, equal_joint, joints_of_card
from pairvae.models.posterior import Posterior, joined
from pairvae.models.vae import VAE
from pairvae.settings import Section

MANY = 4  # crops whose mean features are those of a whole array rather than of one crop


@dataclass(frozen=True, repr=False)
class TrainedPair:
    """A trained pair as far as it reads: what :class:`pairvae.Predictor` knows of a measurement.

    Parameters
    ----------
    vaes : mapping of str to VAE
        By modality, in evaluation mode.
    card : mapping
        That of the model folder.
    """

    vaes: Mapping[str, VAE]
    card: Mapping[str, Any]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.vaes)

    def shape(self, modality: str) -> tuple[int, int, int]:
        """Channels, rows and columns of the prepared arrays of ``modality``."""
        self._known(modality)
        channels, rows, columns = self.card["modalities"][modality]["shape"]
        return channels, rows, columns

    def is_micrograph(self, modality: str) -> bool:
        """Whether arrays of ``modality`` are micrographs: images ``(H, W)`` of a texture."""
        return self.is_binary(modality) or MODALITIES[modality].cropped

    def is_binary(self, modality: str) -> bool:
        """Whether images of ``modality`` have two phases, not grey levels."""
        one_channel = self.shape(modality)[0] == 1
        return bool(self.card["modalities"][modality].get("binary", one_channel))

    def prepare(
        self, measurement: str | Path | np.ndarray, source: str, acquisition: Acquisition | None = None
    ) -> np.ndarray:
        """Prepare one measurement as those of the training data were.

        Parameters
        ----------
        measurement : str, Path or ndarray
            A raw file or array; an array that is prepared comes back as it is.
        source : str
            Its modality.
        acquisition : Acquisition, optional
            What is known of it besides, as ``Acquisition(nm_per_px=1.2)``.

        Returns
        -------
        ndarray
            ``(channels, H, W)`` in [0, 1]; of a whole micrograph larger than what the networks see.

        Raises
        ------
        InputError
            For what cannot be read, or more than one measurement.
        """
        items = self._separate(measurement, source)
        if len(items) != 1:
            raise InputError(expected="one measurement", found=str(len(items)), where=source)
        (item,) = items
        return self._prepared(item, source, source, acquisition or Acquisition())

    def _separate(self, inputs: Any, source: str) -> list[Item]:
        shape = self.shape(source)  # an unknown one is an InputError
        return separate(inputs, MODALITIES[source], shape)

    def _prepared(self, item: Item, source: str, where: str, known: Acquisition) -> np.ndarray:
        modality, shape = MODALITIES[source], self.shape(source)
        array = prepared_already(item, modality, shape, two_phases=self.is_binary(source))
        if array is not None:
            return array
        raw = raw_of(item, modality, shape, where)
        return modality.prepare(*known.applied(raw, self.prepared_with(source)))

    def prepared_with(self, modality: str) -> Section:
        """The settings that the training data of one modality were prepared with."""
        self._known(modality)
        return MODALITIES[modality].settings.model_validate(self.card["modalities"][modality]["prepare"])

    @cached_property
    def condition_shift(self) -> ConditionShift | None:
        """What conditions of a sample do to its posterior; None for a model without conditions."""
        return shift_of_card(self.card)

    @cached_property
    def joints(self) -> Mapping[tuple[frozenset[str], str], JointPosterior]:
        """Posteriors of several techniques together, by the set of sources and the target; none of a pair."""
        return joints_of_card(self.card)

    def partner(self, modality: str) -> str:
        """The other modality of a pair; of more techniques, the other one of the main pair, or its second one."""
        self._known(modality)
        first, second = main_pair(self.modalities)
        return first if modality == second else second

    def together(self, posteriors: Mapping[str, Posterior], target: str) -> Posterior:
        """The posterior that the decoder of ``target`` gets, of one technique or of several that measured a sample.

        Parameters
        ----------
        posteriors : mapping of str to Posterior
            By modality, ``(N, C, g, g)`` each, of the same N samples.
        target : str
            The modality to predict.

        Returns
        -------
        Posterior
            ``(N, C, g, g)``.
        """
        joint = self.joints.get((frozenset(posteriors), target))
        if joint is None and len(posteriors) == 1:
            return next(iter(posteriors.values()))
        return (joint or equal_joint(tuple(posteriors), target)).of(posteriors)

    def encode_together(self, inputs: Mapping[str, Any], target: str, acquisition: Known = None) -> Posterior:
        """Posteriors of samples that one or several techniques measured, for the decoder of ``target``.

        Parameters
        ----------
        inputs : mapping of str to inputs
            By modality, as :meth:`predict` takes them: as many of each.
        target : str
            The modality to predict.
        acquisition
            As for :meth:`predict`.

        Returns
        -------
        Posterior
            ``(N, C, g, g)``.

        Raises
        ------
        InputError
            For an unknown modality, for the target among the inputs, and for unequal numbers.
        """
        for name in (*inputs, target):
            self._known(name)
        if not inputs or (len(inputs) > 1 and target in inputs):
            others = " or ".join(name for name in self.modalities if name != target)
            raise InputError(
                expected=f"measurements of {others}, to predict {target}",
                found=", ".join(inputs) or "none",
                where="inputs",
            )
        posteriors = {name: self.encode(some, name, acquisition) for name, some in inputs.items()}
        counts = {name: len(posterior.mean) for name, posterior in posteriors.items()}
        if len(set(counts.values())) > 1:
            raise InputError(
                expected="as many measurements of each technique: those of one place are of one sample",
                found=" and ".join(f"{count} of {name}" for name, count in counts.items()),
                where="inputs",
            )
        return self.together(posteriors, target)

    def encode(self, inputs: Any, source: str, acquisition: Known = None) -> Posterior:
        """Posteriors of whatever :meth:`predict` takes; of a whole micrograph, that of all of it.

        Parameters
        ----------
        inputs, acquisition
            As for :meth:`predict`.
        source : str
            The modality of the inputs.

        Returns
        -------
        Posterior
            ``(N, C, g, g)``; ``.numpy()`` gives means and standard deviations as arrays.
        """
        items = self._separate(inputs, source)
        known_of_each = acquisitions(acquisition, len(items))
        posteriors = [
            self._encoded(self._prepared(item, source, f"{source}[{number}]", known), source, known)
            for number, (item, known) in enumerate(zip(items, known_of_each, strict=True))
        ]
        if not posteriors:
            return self.posterior(np.zeros((0, *self.shape(source)), np.float32), source)
        return joined(posteriors)

    def _encoded(self, array: np.ndarray, source: str, known: Acquisition) -> Posterior:
        if MODALITIES[source].cropped and array.shape != self.shape(source):
            posterior = self.pooled_posterior(array, source)
        else:
            posterior = self.posterior(array[None], source)
        return shifted(posterior, self.condition_shift, source, known)

    def posterior(self, arrays: np.ndarray, source: str) -> Posterior:
        """Posteriors of prepared arrays.

        Parameters
        ----------
        arrays : ndarray
            ``(N, channels, H, W)`` in [0, 1].
        source : str
            Their modality.

        Returns
        -------
        Posterior
            ``(N, C, g, g)``.
        """
        inputs = network_inputs(arrays, self.shape(source), source)
        with torch.inference_mode():
            # One by one: a matrix product's last bits depend on the batch, and may tip a pixel over its threshold.
            at_least_one = inputs if len(inputs) else torch.zeros(1, *self.shape(source))
            parts = [self.vaes[source].posterior(part) for part in torch.split(at_least_one, 1)]
        return joined(parts).first(len(inputs))

    def pooled_posterior(self, image: np.ndarray, source: str) -> Posterior:
        """One posterior of an array larger than the networks see.

        The crops that cover the array are encoded up to the frozen features, and the posterior is that of the
        features' mean: a whole micrograph says more of its sample than one crop does, and the mean of statistics is
        the statistics of the whole.

        Parameters
        ----------
        image : ndarray
            ``(channels, H, W)`` in [0, 1].
        source : str
            Its modality.

        Returns
        -------
        Posterior
            ``(1, C, g, g)``.
        """
        return self.pooled_of_crops(covering_crops(image, self.shape(source), source), source)

    def pooled_of_crops(self, crops: Iterable[np.ndarray], source: str) -> Posterior:
        """One posterior of several crops of one image: of their features' mean.

        Parameters
        ----------
        crops : iterable of ndarray
            ``(channels, h, w)`` or ``(h, w)`` in [0, 1].
        source : str
            Their modality.

        Returns
        -------
        Posterior
            ``(1, C, g, g)``.
        """
        encoder = self.vaes[source].encoder
        with torch.inference_mode():
            total, count = torch.zeros(()), 0
            for crop in crops:
                stack = crop[None] if crop.ndim == 3 else crop[None, None]
                inputs = network_inputs(stack, self.shape(source), source)
                total, count = total + encoder.features(inputs).double(), count + 1
            return self.vaes[source].posterior_of((total / count).float(), whole=count >= MANY)

    def _known(self, modality: str) -> None:
        if modality not in self.vaes:
            raise InputError(
                expected=f"a modality: {', '.join(self.vaes)}", found=repr(modality), where="modality"
            )
