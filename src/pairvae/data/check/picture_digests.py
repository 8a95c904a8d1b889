"""Digests by which copies of a picture or a curve are found, whatever their names and formats."""

from __future__ import annotations

import hashlib

import numpy as np


def content_digest(pixels: np.ndarray) -> str:
    """Digest of a picture's shape and of the order of its values.

    A copy has the same under another name and in another format: grey or grey as RGB, with or without transparency, 8
    or 16 bits, stretched.
    """
    values = pixels[..., :3] if pixels.ndim == 3 else pixels
    if values.ndim == 3 and bool((values == values[..., :1]).all()):
        values = values[..., 0]
    if values.dtype.kind == "u":
        held = np.zeros(np.iinfo(values.dtype).max + 1, bool)
        held[values] = True
        ranks = np.cumsum(held) - 1
        ranks = ranks.astype(np.min_scalar_type(int(ranks[-1])))[values]
    else:
        ranks = np.unique(values, return_inverse=True)[1]
        ranks = ranks.astype(np.min_scalar_type(int(ranks.max())))
    digest = hashlib.blake2b(f"{values.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(ranks).data)
    return digest.hexdigest()


def curve_digest(points: np.ndarray) -> str:
    """Digest of a curve ``(points, 2 or 3)``: equal for copies in other units of q or I, and without errors."""
    q, intensity = (points[:, column] / np.nanmax(np.abs(points[:, column])) for column in (0, 1))
    return hashlib.sha256(np.round(np.stack([q, intensity]), 5).tobytes()).hexdigest()
