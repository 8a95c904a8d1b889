"""One micrograph under every threshold: a picture, phase fractions and spacings, and which one to choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pairvae.data.pairs.manifest import read_pairs
from pairvae.errors import InputError
from pairvae.modalities.readers.image import RawImage, read_image
from pairvae.modalities.sem import MOSTLY, prepared_grey, threshold_options
from pairvae.numerics.images import grey_levels
from pairvae.numerics.spacing import domain_spacing
from pairvae.numerics.thresholds import binarise_sem, noise_share
from pairvae.settings import SemPrepare
from pairvae.store import atomic_path
from pairvae.store.picture_files import INK, png_bytes, write_caption

METHODS = ("adaptive", "otsu", "li", "sauvola")  # in the order in which they are recommended
LOCAL = frozenset({"adaptive", "sauvola"})  # compare with a window
WIDER = 4  # times the window that is set
SIDE, TILE, GAP, CAPTION = 320, 240, 10, 22  # px of the image, of its tile, around it, of its caption
COLUMNS = 4
CHOSEN = (0, 110, 40)
LEAST_PHASE = 0.05  # share of the rarer phase
QUIET = 0.3  # share of pixels decided by noise that the present choice may have
SIMPLER, UNSHADED = 0.02, 0.2  # share of pixels that the next method, or shading, has to win


@dataclass(frozen=True)
class Choice:
    """One way to binarise a micrograph.

    Parameters
    ----------
    threshold : str
        The method, one of ``METHODS``.
    window_px : int
        Its window.
    shading : bool
        Whether uneven brightness is taken out before.
    fraction : float
        Share of bright pixels, in [0, 1].
    spacing_px : float
        Domain spacing; nan where there is none.
    noise : float
        Share of pixels that noise decides, in [0, 1].
    binary : ndarray of uint8
        ``(H, W)`` of 0 and 1.
    """

    threshold: str
    window_px: int
    shading: bool
    fraction: float
    spacing_px: float
    noise: float
    binary: np.ndarray

    @property
    def two_phases(self) -> bool:
        """Whether both phases have a share worth the name."""
        return LEAST_PHASE <= self.fraction <= 1 - LEAST_PHASE

    @property
    def name(self) -> str:
        """In a few words."""
        window = f" {self.window_px} px" if self.threshold in LOCAL else ""
        return f"{self.threshold}{window}{', shading' if self.shading else ''}"


@dataclass(frozen=True)
class Preview:
    """All choices for one micrograph.

    Parameters
    ----------
    source : str
        The file.
    grey : ndarray of uint8
        ``(H, W)``, as measured.
    nm_per_px : float or None
        Where it is known.
    choices : tuple of Choice
        Without shading first.
    recommended : Choice or None
        The one to take; None where every one is mostly noise.
    """

    source: str
    grey: np.ndarray
    nm_per_px: float | None
    choices: tuple[Choice, ...]
    recommended: Choice | None


def preview(path: Path, settings: SemPrepare, pair: str | None = None) -> Preview:
    """Binarise a micrograph in every way.

    Parameters
    ----------
    path : Path
        A file, or a folder of pairs.
    settings : SemPrepare
        The present choice, and the image area.
    pair : str, optional
        The pair whose micrograph it is; the first without it.

    Returns
    -------
    Preview
        With a recommendation.

    Raises
    ------
    InputError
        Where there is no such micrograph, or it cannot be read.
    """
    raw = _micrograph(path, pair)
    choices = []
    for shading in (False, True):
        prepared = settings.model_copy(update={"shading": shading})
        grey = grey_levels(prepared_grey(raw, prepared))
        options = threshold_options(raw, prepared)
        window = options["window_px"]
        most = min(grey.shape) // 2 * 2 - 1
        for method in METHODS:
            for size in (window, min(WIDER * window + 1 - WIDER % 2, most)) if method in LOCAL else (window,):
                chosen = {**options, "method": method, "window_px": size}
                binary = binarise_sem(grey, **chosen)  # type: ignore[arg-type]  # the same keys
                share = noise_share(grey, **chosen)  # type: ignore[arg-type]  # the same keys
                spacing = float(domain_spacing(binary[None])[0])
                fraction = float(binary.mean())
                choices.append(Choice(method, size, shading, fraction, spacing, share, binary))
    grey = grey_levels(prepared_grey(raw, settings.model_copy(update={"shading": False})))
    nm_per_px = settings.nm_per_px or raw.nm_per_px
    present = (settings.threshold, threshold_options(raw, settings)["window_px"], settings.shading)
    return Preview(raw.source, grey, nm_per_px, tuple(choices), recommend(choices, present))


def recommend(choices: Sequence[Choice], present: tuple[str, int, bool]) -> Choice | None:
    """The present choice where noise decides few pixels, else the one where it decides fewest; simple ones first.

    Parameters
    ----------
    choices : sequence of Choice
        Of one micrograph.
    present : tuple
        Threshold, window (px) and shading of the present choice.

    Returns
    -------
    Choice or None
        None where noise, or one phase, has most of the pixels in all of them.
    """
    sound = [choice for choice in choices if choice.two_phases and choice.noise <= MOSTLY]
    for choice in sound:
        if (choice.threshold, choice.window_px, choice.shading) == present and choice.noise <= QUIET:
            return choice
    return min(
        sound,
        key=lambda choice: (
            choice.noise + SIMPLER * METHODS.index(choice.threshold) + UNSHADED * choice.shading
        ),
        default=None,
    )


def _micrograph(path: Path, pair: str | None) -> RawImage:
    if path.is_file():
        return read_image(path)
    pairs = [sample for sample in read_pairs(path) if sample.sem is not None and pair in (None, sample.id)]
    if not pairs:
        expected = "a pair with a micrograph" if pair is None else f"a pair {pair} with a micrograph"
        raise InputError(expected=expected, found="none", where=str(path), remedy="see `pairvae data check`")
    raw = read_image(str(pairs[0].sem))
    known = pairs[0].sem_nm_per_px or raw.nm_per_px
    return RawImage(raw.pixels, known, raw.image_rows, raw.format, raw.source)


def render(result: Preview) -> str:
    """A table of the choices, and the line that sets the recommended one."""
    rows = [("threshold", "bright", "spacing", "by chance")]
    rows += [
        (choice.name, f"{choice.fraction:.0%}", _spacing(choice, result.nm_per_px), f"{choice.noise:.0%}")
        for choice in result.choices
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([result.source, *lines, "", _advice(result.recommended)])


def _spacing(choice: Choice, nm_per_px: float | None) -> str:
    if np.isnan(choice.spacing_px):
        return "-"
    return f"{choice.spacing_px:.3g} px" if nm_per_px is None else f"{choice.spacing_px * nm_per_px:.4g} nm"


def _advice(choice: Choice | None) -> str:
    if choice is None:
        return (
            "none recommended: each leaves most pixels to noise or to one phase - "
            "average more frames, or take a higher magnification"
        )
    sets = [f"sem.prepare.threshold={choice.threshold}"]
    sets += [f"sem.prepare.window_px={choice.window_px}"] if choice.threshold in LOCAL else []
    sets += ["sem.prepare.shading=true"] if choice.shading else []
    line = " ".join(f"--set {setting}" for setting in sets)
    return f"recommended: {choice.name}: pairvae repro {line} (and sem.prepare.phase=dark for the dark phase)"


def write_preview(result: Preview, out: Path) -> None:
    """Draw the middle of the micrograph as measured, then under each choice, the recommended one in green.

    Parameters
    ----------
    result : Preview
        Of the micrograph.
    out : Path
        The PNG.
    """
    tiles = [_tile(result.grey, "as measured", INK)]
    for choice in result.choices:
        shares = f"{choice.fraction:.0%} bright, {choice.noise:.0%} by chance"
        caption = f"{choice.name}: {_spacing(choice, result.nm_per_px)}, {shares}"
        colour = CHOSEN if choice is result.recommended else INK
        tiles.append(_tile(choice.binary * np.uint8(255), caption, colour))
    rows = -(-len(tiles) // COLUMNS)
    height, width = tiles[0].shape[:2]
    sheet = np.full((rows * (height + GAP) + GAP, COLUMNS * (width + GAP) + GAP, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // COLUMNS * (height + GAP) + GAP, number % COLUMNS * (width + GAP) + GAP
        sheet[top : top + height, left : left + width] = tile
    with atomic_path(out) as temporary:
        temporary.write_bytes(png_bytes(sheet))


def _tile(image: np.ndarray, caption: str, colour: tuple[int, int, int]) -> np.ndarray:
    """``(CAPTION + TILE, 2 TILE, 3)``: the middle of an image ``(H, W)`` under its caption."""
    tile = np.full((CAPTION + TILE, 2 * TILE, 3), 255, np.uint8)
    write_caption(tile, caption, CAPTION, colour)
    height, width = (min(side, most) for side, most in zip(image.shape, (SIDE, 2 * SIDE), strict=True))
    top, left = ((side - part) // 2 for side, part in zip(image.shape, (height, width), strict=True))
    part = np.ascontiguousarray(image[top : top + height, left : left + width])
    factor = min(TILE / height, 2 * TILE / width)
    small = cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    tile[CAPTION : CAPTION + small.shape[0], : small.shape[1]] = small[:TILE, : 2 * TILE, None]
    return tile
