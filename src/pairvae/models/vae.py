"""What every VAE here is made of: an encoder (part frozen, part trained) and a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pairvae.models.posterior import Posterior

WHOLE = "_whole"  # ends the key of a regression for whole arrays
SMALL = 256**2  # px of an image of which CHUNK are decoded at a time; of larger ones fewer
CHUNK = 5  # what a network holds of more images leaves the processor's caches: 40 take twice as long an image


class ScoreRegression(nn.Module):
    """A ridge regression from features to the component scores of another technique's array, and its share in them.

    Parameters
    ----------
    weight, bias : Tensor
        ``(T, K)`` and ``(T,)``: T component scores of K features.
    share : float
        In (0, 1]; the rest is the network's.
    """

    weight: Tensor
    bias: Tensor
    share: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, share: float = 0.0) -> None:
        super().__init__()
        for name, values in (("weight", weight), ("bias", bias), ("share", weight.new_full((1,), share))):
            self.register_buffer(name, values)

    def forward(self, features: Tensor) -> Tensor:
        """Share and scores ``(B, 1 + T, 1, 1)`` of features ``(B, K)``, as a ``LevelDecoder`` reads them."""
        scores = F.linear(features, self.weight, self.bias)
        return torch.cat([self.share.expand(scores.shape[0], 1), scores], dim=1)[:, :, None, None]


class Encoder(nn.Module):
    """Input ``(B, ...)`` to posterior statistics ``(B, 2C, g, g)``: ``head(features(x))``.

    ``features`` is frozen, so its values may be computed once and kept; ``head`` is what training moves. A buffer
    ``scale_tril`` ``(C, C)``, lower triangular, is set by the calibration that follows a training: with D the square
    roots of the head's standard deviations, D L L^T D is then the covariance of the channels at one place. (Few
    samples tell a common width better than one of each, so half of the logarithm of the width is each one's own.)

    ``toward``: regressions for the decoders of other techniques, which the calibration may add: by the technique's name
    that on features of one array, by the name and ``_whole`` that on features that are means over many crops.
    """

    scale_tril: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale_tril", None)
        self.toward = nn.ModuleDict()

    def features(self, inputs: Tensor) -> Tensor:
        """Frozen features, ``(B, K)`` or ``(B, K, g, g)``, of prepared inputs ``(B, channels, H, W)`` in [0, 1]."""
        raise NotImplementedError

    def head(self, features: Tensor) -> Tensor:
        """Posterior statistics ``(B, 2C, g, g)`` of features: means, then standard deviations (> 0)."""
        raise NotImplementedError

    def last_hidden(self, features: Tensor) -> Tensor:
        """What the last layer of the head sees, ``(B, ...)``: the features where there is no layer between."""
        return features

    def fit(self, inputs: Tensor) -> None:
        """Set the frozen part from training inputs ``(N, channels, H, W)``, where it is learned in closed form."""

    def statistics(self, features: Tensor) -> Tensor:
        """Posterior statistics ``(B, 2C, g, g)``: the head's, with the covariance where it is set."""
        statistics = self.head(features)
        if self.scale_tril is None:
            return statistics
        mean, std = statistics.chunk(2, dim=1)
        return torch.cat([mean, (std * self.scale_tril.square().sum(1)[:, None, None]).sqrt()], dim=1)

    def posterior(self, features: Tensor, *, whole: bool = False) -> Posterior:
        """Compute the posterior, with all that calibration added.

        Parameters
        ----------
        features : Tensor
            As :meth:`features` returns them.
        whole : bool
            Whether they are means over many crops of an array, which have regressions of their own.

        Returns
        -------
        Posterior
            Of B inputs.
        """
        mean, std = self.statistics(features).chunk(2, dim=1)
        tril = self.scale_tril
        heads = {key.removesuffix(WHOLE): key for key in self.toward if key.endswith(WHOLE) == whole}
        toward = {name: self.toward[key](features) for name, key in heads.items()}
        correlation = None if tril is None else F.normalize(tril, dim=1)
        return Posterior(mean, std, correlation, toward, features if features.ndim == 2 else None)

    def forward(self, inputs: Tensor) -> Tensor:
        """Posterior statistics ``(B, 2C, g, g)`` of prepared inputs."""
        return self.statistics(self.features(inputs))


class Features(nn.Module):
    """The frozen part of an encoder as a network of its own."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: Tensor) -> Tensor:
        """Features of prepared inputs."""
        return self.encoder.features(inputs)


class Toward(nn.Module):
    """An encoder as the decoder of another technique needs it, as a network of its own.

    Parameters
    ----------
    encoder : Encoder
        With a regression of T scores for ``target``.
    target : str
        The decoder's modality.
    """

    def __init__(self, encoder: Encoder, target: str) -> None:
        super().__init__()
        self.encoder, self.target = encoder, target

    def forward(self, inputs: Tensor) -> Tensor:
        """Statistics ``(B, 2 (C + 1 + T), 1, 1)`` of prepared inputs, with share and scores among the channels."""
        posterior = self.encoder.posterior(self.encoder.features(inputs)).for_target(self.target)
        return torch.cat([posterior.mean, posterior.std], dim=1)


class Decoder(nn.Module):
    """Latent ``(B, C, g, g)`` to an image ``(B, channels, H, W)`` in [0, 1].

    Attributes
    ----------
    periodic : bool
        Whether its images go on at the opposite edge.
    any_size : bool
        Whether they may have another side than the training crops, at the same length of a pixel.
    """

    periodic = False
    any_size = False

    def fit(self, outputs: Tensor) -> None:
        """Set what is learned from training outputs ``(N, channels, H, W)`` in closed form."""

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        """What the likelihood sees before the image is squashed into [0, 1] (logits for binary images).

        Parameters
        ----------
        latent : Tensor
            ``(B, C, g, g)``.
        generator : torch.Generator, optional
            Draws the noise of a stochastic decoder; torch's own without it.
        size : int, optional
            Side in px that a decoder of textures draws; that of the training crops without it.

        Returns
        -------
        Tensor
            ``(B, channels, H, W)``.
        """
        raise NotImplementedError

    def forward(self, latent: Tensor) -> Tensor:
        """Images ``(B, channels, H, W)`` in [0, 1] of latents; of binary ones the probability of the bright phase."""
        raise NotImplementedError

    def enlarged(self, latent: Tensor, size: int) -> Tensor:
        """Decode images of another side, where ``any_size``: more of the same, not magnified.

        Parameters
        ----------
        latent : Tensor
            ``(B, C, g, g)``.
        size : int
            Side of the images, px.

        Returns
        -------
        Tensor
            ``(B, channels, size, size)`` in [0, 1].
        """
        raise NotImplementedError


def decode_in_chunks(decoder: nn.Module, latents: Tensor, size: int | None = None) -> Tensor:
    """Decode any number of latents in little memory, a few at a time.

    Each few have a draw of noise of their own, so that images follow from latents, the random state, ``CHUNK`` and
    the ``size``.

    Parameters
    ----------
    decoder : nn.Module
        A :class:`Decoder`; without a ``size`` any module of the same shapes.
    latents : Tensor
        ``(B, C, g, g)``.
    size : int, optional
        Side of the images in px; that of the training crops without it.

    Returns
    -------
    Tensor
        Images ``(B, channels, H, W)`` in [0, 1].
    """
    if size is None:
        return torch.cat([decoder(part) for part in torch.split(latents, CHUNK)])
    assert isinstance(decoder, Decoder)
    few = max(1, CHUNK * SMALL // max(size**2, SMALL))
    return torch.cat([decoder.enlarged(part, size) for part in torch.split(latents, few)])


class VAE(nn.Module):
    """One modality's encoder and decoder.

    Parameters
    ----------
    encoder : Encoder
        Arrays of the modality to posteriors.
    decoder : Decoder
        Latents to images of the modality.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def posterior(
        self, inputs: Tensor, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> Posterior:
        """Posterior of prepared inputs.

        Parameters
        ----------
        inputs : Tensor
            ``(B, channels, H, W)`` in [0, 1].
        noise : float
            Standard deviation of normal noise that training adds to the features, >= 0.
        generator : torch.Generator, optional
            Draws that noise; torch's own without it.

        Returns
        -------
        Posterior
            Of B inputs.
        """
        return self.posterior_of(self.encoder.features(inputs), noise, generator)

    def posterior_of(
        self,
        features: Tensor,
        noise: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        whole: bool = False,
    ) -> Posterior:
        """Posterior of features that were computed before.

        Parameters
        ----------
        features : Tensor
            As :meth:`Encoder.features` returns them.
        noise, generator
            As for :meth:`posterior`.
        whole : bool
            Whether they are means over many crops of an array.

        Returns
        -------
        Posterior
            Of B inputs.
        """
        if noise > 0:
            draw = torch.randn(
                features.shape, generator=generator, device=features.device, dtype=features.dtype
            )
            features = features + noise * draw
        return self.encoder.posterior(features, whole=whole)
