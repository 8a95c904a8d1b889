"""Settings that the files of a folder need: ranges of q, units, sizes, scales, the split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pairvae.data.check.measure import Measured
from pairvae.data.check.proposed_settings import Proposal
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.readers.geometry import read_poni
from pairvae.modalities.readers.image import read_image
from pairvae.modalities.readers.masks import mask_of
from pairvae.settings import SemPrepare, SemTraining, Settings

PER_NM = {"1/nm": 1.0, "1/angstrom": 10.0}
LONGEST_SPACING = 30.0  # nm; where no curve of unknown unit reaches a smaller one as 1/nm, q is in 1/angstrom
NARROWEST = 1.5  # q_max / q_min below which a common range is none
SCALES_DIFFER = 1.1  # ratio of the extreme pixel sizes
SHARE_KEPT = (
    0.7  # of a micrograph's rows or columns, below which rows and columns of the settings do not fit it
)
Size = tuple[int, int]
CROP_STEP = 32  # px, see sem.prepare.crop


def propose(measured: Sequence[Measured], settings: Settings, pairs: int) -> list[Proposal]:
    """Values that the settings need for the files of a folder.

    Parameters
    ----------
    measured : sequence of Measured
        What the files offer.
    settings : Settings
        The present ones.
    pairs : int
        How many there are.

    Returns
    -------
    list of Proposal
        None where the settings fit.
    """
    proposals: list[Proposal] = []
    if isinstance(settings.split.train, int) and 2 <= pairs <= settings.split.train:
        train = max(1, min(pairs - 1, round(pairs * 2 / 3)))
        proposals.append(Proposal("split.train", train, f"two thirds of {pairs} pairs"))
    for name in settings.modalities:
        of_modality = [measurement for measurement in measured if measurement.modality == name]
        if MODALITIES[name].coordinates is not None:
            proposals += _curves(name, of_modality, settings)
        if MODALITIES[name].cropped:
            proposals += _micrographs(name, of_modality, settings)
    return proposals + _patterns(
        [measurement for measurement in measured if measurement.modality == "saxs"], settings
    )


def calibrations(folder: Path, names: Sequence[str], settings: Settings, sizes: set[Size]) -> list[Proposal]:
    """A .poni file and a mask that lie beside pairs.csv and that no setting names, where there is one of each.

    Parameters
    ----------
    folder : Path
        In the data layout.
    names : sequence of str
        Modalities of the pair.
    settings : Settings
        The present ones.
    sizes : set of (int, int)
        Rows and columns of the patterns. A mask is known by its name, its values and its size.

    Returns
    -------
    list of Proposal
        None where patterns have several sizes.
    """
    proposals: list[Proposal] = []
    top = sorted(path for path in folder.iterdir() if path.is_file()) if len(sizes) == 1 else []
    geometries = [path for path in top if path.suffix.casefold() == ".poni" and _reads(read_poni, path)]
    masks = [path for path in top if "mask" in path.stem.casefold() and _reads(_mask_size, path) in sizes]
    for name in names:
        section = prepare_settings(settings, name)
        kinds = {
            "geometry": geometries if getattr(section, "beam_centre", None) is None else [],
            "mask": masks,
        }
        for key, files in kinds.items():
            if key in type(section).model_fields and getattr(section, key) is None and len(files) == 1:
                proposals.append(
                    Proposal(f"{name}.prepare.{key}", files[0].name, f"the {key} beside the pairs")
                )
    return proposals


def _reads(read: Callable[[Path, str], Any], path: Path) -> Any:
    try:
        return read(path, path.name)
    except InputError:
        return None


def _mask_size(path: Path, name: str) -> Size:
    mask = mask_of(read_image(path), name)
    return mask.rows, mask.columns


def _curves(name: str, measured: Sequence[Measured], settings: Settings) -> list[Proposal]:
    ranged = [measurement for measurement in measured if measurement.q_range is not None]
    if not ranged or MODALITIES[name].coordinates is None:
        return []
    prepare = prepare_settings(settings, name).model_dump(mode="json")
    proposals: list[Proposal] = []
    factor = 1.0
    unknown = [measurement for measurement in ranged if not measurement.unit_known]
    if unknown and len(unknown) == len(ranged) and prepare.get("q_unit") in (None, "1/nm"):
        last = max(measurement.q_range[1] for measurement in unknown if measurement.q_range is not None)
        if 2 * math.pi / last > LONGEST_SPACING:
            factor = PER_NM["1/angstrom"]
            why = (
                f"no file names its unit, and as 1/nm the last q, {last:.3g}, is {2 * math.pi / last:.0f} nm"
            )
            proposals.append(Proposal(f"{name}.prepare.q_unit", "1/angstrom", why))
    common = common_range(ranged)
    first, last = common[0] * factor, common[1] * factor
    covered = first <= float(prepare["q_min"]) and last >= float(prepare["q_max"])
    if covered or last < NARROWEST * first:
        return proposals
    why = f"common to all {len(ranged)} curves"
    return [
        *proposals,
        Proposal(f"{name}.prepare.q_min", _rounded(first, up=True), why),
        Proposal(f"{name}.prepare.q_max", _rounded(last, up=False), why),
    ]


def common_range(measured: Sequence[Measured]) -> tuple[float, float]:
    """The range of q that all curves cover, 1/nm; the first above the last where there is none."""
    ranges = [measurement.q_range for measurement in measured if measurement.q_range is not None]
    return max(first for first, _ in ranges), min(last for _, last in ranges)


def no_common_range(measured: Sequence[Measured]) -> str | None:
    """Which two curves have no range of q in common, in one line."""
    ranged = [measurement for measurement in measured if measurement.q_range is not None]
    if not ranged:
        return None
    first, last = common_range(ranged)
    if last >= NARROWEST * first:
        return None
    late = next(
        measurement
        for measurement in ranged
        if measurement.q_range is not None and measurement.q_range[0] == first
    )
    early = next(
        measurement
        for measurement in ranged
        if measurement.q_range is not None and measurement.q_range[1] == last
    )
    return (
        f"no range of q is common to all curves: that of pair {early.pair} ends at {last:.4g} 1/nm, that of pair "
        f"{late.pair} begins at {first:.4g} - correct a unit of q, or take one out"
    )


def _micrographs(name: str, measured: Sequence[Measured], settings: Settings) -> list[Proposal]:
    prepare = prepare_settings(settings, name)
    if not isinstance(prepare, SemPrepare):
        return []
    sized = [
        measurement
        for measurement in measured
        if measurement.area is not None and measurement.size is not None
    ]
    if not sized:
        return []
    proposals: list[Proposal] = []
    areas = [measurement.area for measurement in sized if measurement.area is not None]
    sizes = [measurement.size for measurement in sized if measurement.size is not None]
    cut = [
        min(a / s for a, s in zip(area, size, strict=True)) for area, size in zip(areas, sizes, strict=True)
    ]
    given = {"rows": prepare.rows, "columns": prepare.columns}
    if any(given.values()) and sorted(cut)[len(cut) // 2] < SHARE_KEPT:
        why = f"{prepare.rows} x {prepare.columns} px cut away {1 - min(cut):.0%} of a micrograph"
        proposals += [Proposal(f"{name}.prepare.{key}", None, why) for key, value in given.items() if value]
        areas = sizes
    scales = [measurement.scale for measurement in sized if measurement.scale is not None]
    factors = [1.0] * len(sized)
    if len(scales) == len(sized):
        target = prepare.nm_per_px
        if target is None and max(scales) > SCALES_DIFFER * min(scales):
            target = _rounded(max(scales), up=True)
            why = f"micrographs have {min(scales):.4g} to {max(scales):.4g} nm per px"
            proposals.append(Proposal(f"{name}.prepare.nm_per_px", target, why))
        factors = [1.0 if target is None else scale / target for scale in scales]
    return proposals + _crop(name, areas, factors, prepare.crop, settings)


def _crop(
    name: str, areas: Sequence[Size], factors: Sequence[float], wanted: int, settings: Settings
) -> list[Proposal]:
    """A crop that fits into every micrograph as it is prepared, where the one that is set does not."""
    sides = sorted(int(min(area) * factor) for area, factor in zip(areas, factors, strict=True))
    least, usual = sides[0], sides[len(sides) // 2]
    crop = least // CROP_STEP * CROP_STEP
    # where the crop fits most of them, the small ones are the exception
    if usual >= wanted or crop < CROP_STEP:
        return []
    proposals = [
        Proposal(f"{name}.prepare.crop", crop, f"the smallest image area is {least} px wide or high")
    ]
    training = settings.modality(name).training
    if (
        isinstance(training, SemTraining)
        and training.likelihood == "texture"
        and training.texture.crop > crop
    ):
        proposals.append(
            Proposal(f"{name}.training.texture.crop", crop, f"no larger than {name}.prepare.crop")
        )
    return proposals


def _patterns(measured: Sequence[Measured], settings: Settings) -> list[Proposal]:
    scales = [measurement.scale for measurement in measured if measurement.scale is not None]
    can = "q_per_px" in type(settings.saxs.prepare).model_fields
    unset = can and getattr(settings.saxs.prepare, "q_per_px", None) is None
    if not unset or len(scales) < len(measured) or not scales or max(scales) <= SCALES_DIFFER * min(scales):
        return []
    why = f"patterns have {min(scales):.4g} to {max(scales):.4g} 1/nm per prepared px"
    return [Proposal("saxs.prepare.q_per_px", _rounded(min(scales), up=False), why)]


def _rounded(value: float, *, up: bool) -> float:
    """Four significant digits, never across ``value``."""
    step = 10.0 ** (math.floor(math.log10(value)) - 3)
    steps = math.ceil(value / step - 1e-9) if up else math.floor(value / step + 1e-9)
    return float(f"{steps * step:.6g}")
