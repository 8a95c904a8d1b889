"""What a user calls: trained techniques that predict each other's measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.inference.decoder_outputs import draw, require_draws, require_size
from pairvae.inference.encoder_inputs import Known
from pairvae.inference.model_summary import html_table, summary
from pairvae.inference.out_of_distribution import Confidence
from pairvae.inference.trained_pair import TrainedPair
from pairvae.inference.training_summary import TrainingSummary
from pairvae.modalities import MODALITIES
from pairvae.models.posterior import Posterior
from pairvae.numerics.scattering import PhysicalCheck
from pairvae.store.model_folder import copy_model


@dataclass(frozen=True, repr=False)
class Predictor(TrainedPair):
    """Two or more techniques trained together: it predicts one measurement from others. :func:`pairvae.load` and
    :func:`pairvae.fit` return one.

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
        array, encoder = self.prepare(measurement, source), self.vaes[source].encoder
        return self.facts.familiar[source].confidence(array, self.shape(source), encoder)

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
        """Images of one technique for each measurement of another one, or of several.

        An input's images depend on it and on ``seed`` alone, not on its neighbours.

        Parameters
        ----------
        inputs : array, file, or list of either
            Prepared arrays ``(N, channels, H, W)`` in [0, 1] or one ``(channels, H, W)``; raw patterns ``(H, W)``
            (counts) or ``(H, W, 3)`` (colours), images ``(H, W)`` (grey levels, or binary), curves ``(points, 2)``
            (q and I): one, an array of several, or a list of different sizes; files as paths. What is raw is
            prepared as the training data were. Of an image larger than the networks see, all is used. Of a model of
            more than two techniques, a mapping of several of them to such inputs predicts from all measurements of a
            sample together: ``{"saxs": patterns, "afm": maps}``, the first pattern and the first map of one sample.
        source, target : str, optional
            The modality of the inputs and the one to predict. Of two, one is enough. A mapping names its own.
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
        if isinstance(inputs, Mapping):
            target = target or self._only_other(inputs)
        else:
            source, target = self._direction(source, target)
            inputs = {source: inputs}
        self.check_size(target, size)
        return self.decode(self.encode_together(inputs, target, acquisition), target, samples, seed, size)

    def _only_other(self, inputs: Mapping[str, Any]) -> str:
        others = [name for name in self.modalities if name not in inputs]
        if len(others) != 1:
            raise InputError(
                expected="the target", found="none", where="target", remedy=f"one of {', '.join(others)}"
            )
        return others[0]

    def _direction(self, source: str | None, target: str | None) -> tuple[str, str]:
        """Source and target; the one that is not given is the other of the two."""
        for name in (source, target):
            if name is not None:
                self._known(name)
        if source is None and target is None:
            raise InputError(
                expected="source or target", found="neither", remedy=f"say target={self.modalities[-1]!r}"
            )
        if len(self.modalities) > 2 and None in (source, target):
            known, given = ("source", source) if source else ("target", target)
            raise InputError(
                expected="source and target, of more than two techniques",
                found=f"{known}={given!r} alone",
                remedy=f"say one of {', '.join(name for name in self.modalities if name != given)}",
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
