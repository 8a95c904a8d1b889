"""Statistics that all crops of one stationary texture share, as differentiable functions of the image.

They say what a morphology looks like without saying where anything lies: the autocovariance map
(the Fourier partner of the scattering pattern), the phase fraction, the lineal path of both phases along both
axes, the responses of oriented filters, which distinguish dots from lines of equal autocovariance, the Euler number,
which counts domains and holes, the dominant wave number, the spacing's, and how parallel domains run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakIdKeyDictionary

from pairvae.numerics import grey_statistics, straight_runs
from pairvae.numerics.coherence import coherence

LAGS = 32
FILTER_SCALES = (1.5, 3.0)
FILTER_ANGLES = 6
FILTER_SIDE = 15
FILTER_STRIDE = 2  # px; responses of filters this wide vary slowly, and take a quarter of the time
FILTER_THRESHOLDS = (-0.5, 0.0, 0.5)
EULER_AREA = 100.0  # px^2
LEAST_PERIODS = 3  # across an image, for a wave to count as domains
SHORTEST_PERIOD = 4.0  # px
LEAST_POWER = 1e-12
# Statistics of images without a gradient, by image, and its version.
_KNOWN: MutableMapping[Tensor, tuple[int, dict[tuple[str, bool], Tensor]]] = WeakIdKeyDictionary()
NAMES = ("autocovariance", "phase_fraction", "lineal_path", "filters", "euler", "wave_number", "coherence")
GREY_NAMES = ("histogram", "joint_filters")  # what grey levels have besides, or instead (grey_statistics.py)


def autocovariance(images: Tensor, *, periodic: bool, lags: int = LAGS) -> Tensor:
    """Autocovariance of images; the half that the other one follows from by symmetry.

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)``.
    periodic : bool
        Whether images wrap around; of others only overlapping pixels are averaged.
    lags : int
        The longest lag each way, px.

    Returns
    -------
    Tensor
        ``(B, lags + 1, 2 lags + 1)``, row lags 0..lags and column lags -lags..lags; 0 for lags beyond half of a
        side.
    """
    height, width = images.shape[-2:]
    reach = min(lags, height // 2, width // 2)
    centred = (images - images.mean((-2, -1), keepdim=True)).squeeze(1)
    size = (height, width) if periodic else (height + lags, width + lags)
    power = torch.fft.rfft2(centred, s=size).abs().square()
    full = torch.fft.irfft2(power, s=size)
    half = torch.cat([full[:, : reach + 1, -reach:], full[:, : reach + 1, : reach + 1]], dim=2)
    if periodic:
        half = half / (height * width)
    else:
        rows = height - torch.arange(reach + 1, device=images.device)
        columns = width - torch.arange(-reach, reach + 1, device=images.device).abs()
        half = half / (rows[:, None] * columns[None, :]).to(half.dtype)
    pad = lags - reach
    return F.pad(half, (pad, pad, 0, pad)) if pad else half


def lineal_paths(images: Tensor) -> Tensor:
    """Share of straight runs that lie in one phase, for both phases and both axes (Lu and Torquato 1992).

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)`` in [0, 1].

    Returns
    -------
    Tensor
        ``(B, 4 * 9)`` in [0, 1]: bright vertical, bright horizontal, dark vertical, dark horizontal, each for all
        ``straight_runs.LENGTHS``.
    """
    parts = [straight_runs.shares(phase, axis) for phase in (images, 1.0 - images) for axis in (2, 3)]
    return torch.cat(parts, dim=1)


@cache
@torch.inference_mode(False)  # a tensor that is made in inference mode could never be trained through
def filter_bank(device: torch.device | None = None) -> Tensor:
    """Second derivatives of Gaussians, ``FILTER_ANGLES`` orientations and one isotropic, two scales.

    Parameters
    ----------
    device : torch.device, optional
        Where the bank is kept: made once for each device, and not to be written into.

    Returns
    -------
    Tensor
        ``(14, 1, 15, 15)``, each with zero sum and an absolute sum of 2: responses to 0/1 images lie in [-1, 1].
    """
    reach = FILTER_SIDE // 2
    grid = torch.arange(-reach, reach + 1, dtype=torch.float32)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    kernels = []
    for scale in FILTER_SCALES:
        envelope = torch.exp(-(x.square() + y.square()) / (2 * scale**2))
        for index in range(FILTER_ANGLES):
            angle = math.pi * index / FILTER_ANGLES
            along = (x * math.cos(angle) + y * math.sin(angle)) / scale
            kernels.append((1 - along.square()) * envelope)
        kernels.append((2 - (x.square() + y.square()) / scale**2) * envelope)
    bank = torch.stack(kernels)
    bank = bank - bank.mean((1, 2), keepdim=True)
    bank = 2 * bank / bank.abs().sum((1, 2), keepdim=True)
    return bank[:, None].to(device)


def filtered(images: Tensor, bank: Tensor) -> Tensor:
    """Responses of filters at every ``FILTER_STRIDE``-th pixel along each axis where a filter fits in.

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)``.
    bank : Tensor
        ``(F, 1, S, S)``, S odd.

    Returns
    -------
    Tensor
        ``(B, F, (H - S) // 2 + 1, (W - S) // 2 + 1)``.
    """
    even = not any(side % FILTER_STRIDE for side in images.shape[-2:])
    if not (even and torch.is_grad_enabled() and images.requires_grad):
        return F.conv2d(images, bank, stride=FILTER_STRIDE)
    # The same sums over four interleaved images: the backward pass to one channel at a stride takes thrice as long.
    folded = F.pixel_unshuffle(F.pad(bank, (0, 1, 0, 1)), FILTER_STRIDE)
    return F.conv2d(F.pixel_unshuffle(images, FILTER_STRIDE), folded)


def filter_responses(images: Tensor) -> Tensor:
    """Mean excess of each filter's response over each threshold.

    At every ``FILTER_STRIDE``-th pixel along each axis where the filter fits in.

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)`` in [0, 1].

    Returns
    -------
    Tensor
        ``(B, 14 * 3)``, filters fastest.
    """
    responses = filtered(images, filter_bank(images.device))
    excess = [F.relu(responses - threshold).mean((2, 3)) for threshold in FILTER_THRESHOLDS]
    return torch.cat(excess, dim=1)


def euler_numbers(images: Tensor) -> Tensor:
    """Bright domains minus the holes in them, without edge effects.

    An edge is as bright as the darker of its two pixels, a face as the darkest of its four: so it is the mean
    over all thresholds of the Euler number of what lies above, and for 0/1 images that of
    :func:`pairvae.numerics.descriptors.euler_density`.

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)`` in [0, 1].

    Returns
    -------
    Tensor
        ``(B, 1)``, per 100 px^2.
    """
    here, below = images[..., :-1, :-1], images[..., 1:, :-1]
    down, right = torch.minimum(here, below), torch.minimum(here, images[..., :-1, 1:])
    face = torch.minimum(down, torch.minimum(images[..., :-1, 1:], images[..., 1:, 1:]))
    return EULER_AREA * (here - down - right + face).mean((2, 3))


def wave_numbers(images: Tensor) -> Tensor:
    """Logarithm of the dominant wave number: a smooth stand-in for -log of the domain spacing.

    Its mean weighted by the power of the spectrum to 3/2, under a Hann window, between three periods across the
    shorter side and 4 px (:func:`pairvae.numerics.spacing.domain_spacing` seeks the peak).

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)``.

    Returns
    -------
    Tensor
        ``(B, 1)``; wave numbers in periods per px. A uniform image has the least.
    """
    height, width = images.shape[-2:]
    window = torch.outer(*(_hann(side, images.device) for side in (height, width)))
    down = torch.fft.fftfreq(height, device=images.device)[:, None]
    across = torch.fft.rfftfreq(width, device=images.device)
    least = LEAST_PERIODS / min(height, width)
    wave = torch.hypot(down, across).clamp_min(least)
    counted = (wave > least) & (wave < 1 / SHORTEST_PERIOD)
    mean = (images * window).sum((-2, -1), keepdim=True) / window.sum()
    spectrum = torch.fft.rfft2((images - mean) * window)[:, 0]
    power = (spectrum.real.square() + spectrum.imag.square()) / (height * width) ** 2
    mirrored = torch.where(
        across > 0, 2.0, 1.0
    )  # a frequency of the half plane stands for its mirror image, too
    weight = (power + LEAST_POWER).pow(1.5) * counted * mirrored  # not 0: a uniform image has a gradient, too
    total = weight.sum((-2, -1)) + LEAST_POWER
    log_wave: Tensor = math.log(least) + (weight * (wave / least).log()).sum((-2, -1)) / total
    return log_wave[:, None]


def _hann(side: int, device: torch.device) -> Tensor:
    """A Hann window ``(side,)`` that is nowhere 0."""
    window: Tensor = torch.hann_window(side + 2, periodic=False, device=device)[1:-1]
    return window


def statistics(images: Tensor, *, periodic: bool = False, names: Sequence[str] = NAMES) -> dict[str, Tensor]:
    """Texture statistics of images by name.

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)`` in [0, 1].
    periodic : bool
        Whether images wrap around, for the autocovariance.
    names : sequence of str
        Of ``NAMES`` and ``GREY_NAMES``: the statistics to compute.

    Returns
    -------
    dict of Tensor
        ``(B, D)`` each, in the order of ``names``. Of images without a gradient they are computed once for as long
        as the tensor exists (a training step's encoder and its likelihood ask for the same), and not to be written
        into.
    """
    differentiated = torch.is_grad_enabled() and images.requires_grad
    # What is computed in inference mode could not be trained with afterwards, and its tensors have no version.
    inference = torch.is_inference_mode_enabled() or images.is_inference()
    if differentiated or inference or torch.compiler.is_compiling():
        return _measured(images, periodic, names)
    version, known = _KNOWN.get(images, (images._version, {}))
    if version != images._version:  # written into since
        version, known = images._version, {}
    missing = [name for name in names if (name, periodic) not in known]
    known |= {(name, periodic): value for name, value in _measured(images, periodic, missing).items()}
    _KNOWN[images] = version, known
    return {name: known[name, periodic] for name in names}


def _measured(images: Tensor, periodic: bool, names: Sequence[str]) -> dict[str, Tensor]:
    images = images.float()
    measures: dict[str, Callable[[], Tensor]] = {
        "autocovariance": lambda: autocovariance(images, periodic=periodic).flatten(1),
        "phase_fraction": lambda: images.mean((2, 3)),
        "lineal_path": lambda: lineal_paths(images),
        "filters": lambda: filter_responses(images),
        "euler": lambda: euler_numbers(images),
        "wave_number": lambda: wave_numbers(images),
        "coherence": lambda: coherence(images),
        "histogram": lambda: grey_statistics.histogram(images),
        "joint_filters": lambda: grey_statistics.joint_filters(images, filter_bank(images.device)),
    }
    return {name: measures[name]() for name in names}


def discrepancy(decoded: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean absolute difference of each statistic over batch and elements.

    Parameters
    ----------
    decoded : mapping of str to Tensor
        Statistics by name, as of :func:`statistics`.
    targets : mapping of str to Tensor
        Those that they should have, of the same shapes.

    Returns
    -------
    dict of Tensor
        Scalars >= 0, by the names of ``decoded``.
    """
    return {name: (value - targets[name]).abs().mean() for name, value in decoded.items()}
