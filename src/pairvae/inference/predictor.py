"""What a user calls: a trained pair that predicts either measurement from the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pairvae.errors import InputError
from pairvae.inference.decoder_outputs import draw, require_draws, require_size
from pairvae.inference.encoder_inputs import Known, acquisitions, covering_crops, network_inputs, shifted
from pairvae.inference.model_summary import html_table, summary
from pairvae.inference.out_of_distribution import Confidence
from pairvae.inference.training_summary import TrainingSummary
from pairvae.modalities import MODALITIES
from pairvae.modalities.acquisition import Acquisition
from pairvae.modalities.arrays import Item, prepared_already, raw_of, separate
from pairvae.models.conditions import ConditionShift, shift_of_card
from pairvae.models.posterior import Posterior, joined
from pairvae.models.vae import VAE
from pairvae.numerics.scattering import PhysicalCheck
from pairvae.settings import Section
from pairvae.store.model_folder import copy_model

MANY = 4  # crops whose mean features are those of a whole array rather than of one crop


@dataclass(frozen=True, repr=False)
class Predictor:
    """A trained pair: it predicts either measurement from the other. :func:`pairvae.load` and :func:`pairvae.fit`
    return one.

    Parameters
    ----------
    vaes : mapping of str to VAE
        By modality, in evaluation mode.
    card : mapping
        That of the model folder.
    facts : TrainingSummary, optional
        What is known of the training data; None for models that were trained before that was kept.
    folder : Path, optional
        The model folder; None where there is none.
    """

    vaes: Mapping[str, VAE]
    card: Mapping[str, Any]
    facts: TrainingSummary | None = None
    folder: Path | None = None

    def __repr__(self) -> str:
        (head, value), *rows = summary(self.card, self.facts, self.vaes)
        return "\n".join([f"{head}: {value}", *(f"  {name}: {value}" for name, value in rows)])

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        return html_table(summary(self.card, self.facts, self.vaes))

    def save(self, folder: str | Path) -> Path:
        """Write the model folder, which :func:`pairvae.load` and ``pairvae predict --model`` open.

        Parameters
        ----------
        folder : str or Path
            A new or empty folder, or that of a model saved before, which is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            Where the folder holds something else, or the model's own files are gone or have changed.
        """
        if self.folder is None:
            raise InputError(expected="a model from a folder", found="one without", where="save")
        return copy_model(self.folder, Path(folder), self.card)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.vaes)

    def shape(self, modality: str) -> tuple[int, int, int]:
        """Channels, rows and columns of the prepared arrays of ``modality``."""
        self._known(modality)
        channels, rows, columns = self.card["modalities"][modality]["shape"]
        return channels, rows, columns

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

    def confidence(self, measurement: str | Path | np.ndarray, source: str) -> Confidence | None:
        """How unlike the training data one measurement is.

        Parameters
        ----------
        measurement, source
            As for :meth:`prepare`.

        Returns
        -------
        Confidence or None
            None for a model that does not know.
        """
        self._known(source)
        if self.facts is None or source not in self.facts.familiar:
            return None
        return self.facts.familiar[source].confidence(self.prepare(measurement, source), self.shape(source))

    def physical_check(self, images: np.ndarray, pattern: np.ndarray) -> PhysicalCheck | None:
        """Whether images scatter like a pattern.

        Parameters
        ----------
        images : ndarray
            ``(S, H, W)`` of 0 and 1.
        pattern : ndarray
            ``(3, h, w)`` in [0, 1].

        Returns
        -------
        PhysicalCheck or None
            None for a model that does not know.
        """
        if self.facts is None or self.facts.scattering is None:
            return None
        return self.facts.scattering.agreement(images, pattern)

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

    def predict(
        self,
        inputs: Any,
        source: str | None = None,
        target: str | None = None,
        samples: int = 1,
        seed: int = 0,
        acquisition: Known = None,
        size: int | None = None,
    ) -> np.ndarray:
        """Images of one technique for each measurement of the other.

        An input's images depend on it and on ``seed`` alone, not on its neighbours.

        Parameters
        ----------
        inputs : array, file, or list of either
            Prepared arrays ``(N, channels, H, W)`` in [0, 1] or one ``(channels, H, W)``; raw patterns ``(H, W)``
            (counts) or ``(H, W, 3)`` (colours), images ``(H, W)`` (grey levels, or binary), curves ``(points, 2)``
            (q and I): one, an array of several, or a list of different sizes; files as paths. What is raw is
            prepared as the training data were. Of an image larger than the networks see, all is used.
        source, target : str, optional
            The modality of the inputs and the one to predict. Of two, one is enough.
        samples : int
            Images for each input. One is decoded from the posterior's mean, several from draws of it.
        seed : int
            Of the draws.
        acquisition : Acquisition or sequence of Acquisition, optional
            What is known of the inputs besides, as ``Acquisition(nm_per_px=1.2)`` or, for a model that was trained
            with conditions, ``Acquisition(conditions={"pitch_nm": 40.0})``: of all, or one for each input.
        size : int, optional
            Side of the images, px, from 32 to 4096; that of the training crops by default. A pixel is as long in all
            sizes: a larger image shows more of the sample. Of textures (micrographs by the preset ``fast``).

        Returns
        -------
        ndarray
            ``(N, samples, H, W)`` for micrographs: uint8 in {0, 1} (the Bernoulli mode), or float32 grey levels in
            [0, 1] where the model was trained on these; else ``(N, samples, channels, H, W)`` float32 in [0, 1]. One
            input is N = 1.

        Raises
        ------
        InputError
            For an unknown modality, arrays of another layout, values outside [0, 1] in prepared arrays, or files
            that cannot be read.
        """
        source, target = self._direction(source, target)
        self.check_size(target, size)
        return self.decode(self.encode(inputs, source, acquisition), target, samples, seed, size)

    def _direction(self, source: str | None, target: str | None) -> tuple[str, str]:
        """Source and target; the one that is not given is the other of the two."""
        for name in (source, target):
            if name is not None:
                self._known(name)
        if source is None and target is None:
            raise InputError(
                expected="source or target", found="neither", remedy=f"say target={self.modalities[-1]!r}"
            )
        source = source or next(name for name in self.modalities if name != target)
        return source, target or next(name for name in self.modalities if name != source)

    def draws_any_size(self, modality: str) -> bool:
        """Whether :meth:`predict` takes a ``size`` for images of ``modality``."""
        self._known(modality)
        return self.vaes[modality].decoder.any_size

    def check_size(self, target: str, size: int | None) -> None:
        """Refuse a size that images cannot have.

        Parameters
        ----------
        target : str
            Their modality.
        size : int or None
            Side in px; None: that of the training crops.

        Raises
        ------
        InputError
            As from :func:`pairvae.inference.decoder_outputs.require_size`.
        """
        self._known(target)
        if size is None:
            return
        require_size(size, self.shape(target), self.draws_any_size(target), MODALITIES[target].title)

    def decode(
        self, posterior: Posterior, target: str, samples: int = 1, seed: int = 0, size: int | None = None
    ) -> np.ndarray:
        """Images for posteriors.

        Parameters
        ----------
        posterior : Posterior
            ``(N, C, g, g)``.
        target : str
            The modality of the images.
        samples, seed, size
            As for :meth:`predict`.

        Returns
        -------
        ndarray
            As from :meth:`predict`.
        """
        self.check_size(target, size)
        require_draws(samples, seed)
        posterior = posterior.for_target(target)
        channels, rows, columns = self.shape(target)
        binary, micrograph = self.is_binary(target), self.is_micrograph(target)
        decoder = self.vaes[target].decoder
        side = None if size == rows else size
        images = [
            draw(
                decoder, posterior.repeated(index, samples), seed, side, micrograph=micrograph, binary=binary
            )
            for index in range(len(posterior.mean))
        ]
        if images:
            return np.stack(images)
        sides = (rows, columns) if size is None else (size, size)
        shape = sides if micrograph else (channels, *sides)
        return np.zeros((0, samples, *shape), np.uint8 if binary else np.float32)

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

    def is_micrograph(self, modality: str) -> bool:
        """Whether arrays of ``modality`` are micrographs: images ``(H, W)`` of a texture."""
        return self.is_binary(modality) or MODALITIES[modality].cropped

    def is_binary(self, modality: str) -> bool:
        """Whether images of ``modality`` have two phases, not grey levels."""
        one_channel = self.shape(modality)[0] == 1
        return bool(self.card["modalities"][modality].get("binary", one_channel))

    def _known(self, modality: str) -> None:
        if modality not in self.vaes:
            raise InputError(
                expected=f"a modality: {', '.join(self.vaes)}", found=repr(modality), where="modality"
            )
