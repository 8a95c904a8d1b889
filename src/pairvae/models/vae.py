"""What every VAE here is made of: an encoder (part frozen, part trained), a decoder, a normal posterior."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_STD = 1e-4
WHOLE = "_whole"  # ends the key of a regression for whole arrays
SMALL = 256**2  # px of an image of which CHUNK are decoded at a time; of larger ones fewer
CHUNK = 5  # what a network holds of more images leaves the processor's caches: 40 take twice as long an image


@dataclass(frozen=True)
class Posterior:
    """Normals over the latent: ``mean`` and ``std`` (> 0), each ``(B, C, g, g)``.

    Parameters
    ----------
    mean, std : Tensor
        Mean and standard deviation of samples.
    correlation : Tensor, optional
        ``(C, C)``, lower triangular with rows of norm 1: the Cholesky factor of the correlations of the channels at
        one place. Without it the channels are independent.
    toward : mapping of modality to Tensor
        Further channels ``(B, 1 + T, 1, 1)`` that the decoder of another technique gets (:class:`ScoreRegression`).
    """

    mean: Tensor
    std: Tensor
    correlation: Tensor | None = None
    toward: Mapping[str, Tensor] = field(default_factory=dict)

    def for_target(self, modality: str) -> Posterior:
        """The posterior that the decoder of a modality gets, with its channels of ``toward`` (standard deviation 0)."""
        if modality not in self.toward:
            return replace(self, toward={})
        more = self.toward[modality]
        mean, std = torch.cat([self.mean, more], dim=1), torch.cat([self.std, torch.zeros_like(more)], dim=1)
        return Posterior(mean, std, self.correlation)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One reparameterised sample ``(B, C, g, g)`` (Kingma and Welling 2013)."""
        return self._around(self._noise(len(self.mean), generator))

    def antithetic_samples(self, generator: torch.Generator | None = None) -> Tensor:
        """Samples ``(B, C, g, g)`` two by two on opposite sides of the mean; of an odd number the last is alone.

        Each is a sample like any other. But the mean of an even number of samples of one input is exactly that of its
        posterior, so that a few of them stand for all (antithetic variates, Hammersley and Morton 1956).
        """
        noise = self._noise((len(self.mean) + 1) // 2, generator)
        return self._around(torch.stack([noise, -noise], dim=1).flatten(0, 1)[: len(self.mean)])

    def _noise(self, count: int, generator: torch.Generator | None) -> Tensor:
        shape = (count, *self.mean.shape[1:])
        return torch.randn(shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)

    def _around(self, noise: Tensor) -> Tensor:
        if self.correlation is not None:
            noise = torch.einsum("cd,bd...->bc...", self.correlation, noise)
        return self.mean + self.std * noise

    def numpy(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation as arrays, each ``(B, C, g, g)`` float32."""
        return self.mean.detach().float().cpu().numpy(), self.std.detach().float().cpu().numpy()

    def repeated(self, index: int, count: int) -> Posterior:
        """The posterior of one of its inputs, several times over.

        Parameters
        ----------
        index : int
            The input, in [0, B).
        count : int
            How many times.

        Returns
        -------
        Posterior
            Of ``count`` equal inputs.
        """
        return self._each(lambda part: part[index].expand(count, *part.shape[1:]))

    def first(self, count: int) -> Posterior:
        """The posteriors of the first inputs."""
        return self._each(lambda part: part[:count])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Posterior:
        toward = {name: change(mean) for name, mean in self.toward.items()}
        return Posterior(change(self.mean), change(self.std), self.correlation, toward)


def joined(parts: Sequence[Posterior]) -> Posterior:
    """One posterior of the inputs of several, which one encoder gave; there is at least one."""
    mean, std = (torch.cat([getattr(part, name) for part in parts]) for name in ("mean", "std"))
    toward = {name: torch.cat([part.toward[name] for part in parts]) for name in parts[0].toward}
    return Posterior(mean, std, parts[0].correlation, toward)


def join_statistics(outputs: Tensor) -> Tensor:
    """``(B, 2C, g, g)`` of mean and unbounded scale to mean and standard deviation (softplus, as published)."""
    mean, scale = outputs.chunk(2, dim=1)
    return torch.cat([mean, F.softplus(scale) + LEAST_STD], dim=1)


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
        return Posterior(mean, std, None if tril is None else F.normalize(tril, dim=1), toward)

    def forward(self, inputs: Tensor) -> Tensor:
        """Posterior statistics ``(B, 2C, g, g)`` of prepared inputs."""
        return self.statistics(self.features(inputs))


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
