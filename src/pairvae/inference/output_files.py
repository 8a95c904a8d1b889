"""The files that predictions are written to: pictures, tables of curves, NeXus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import pairvae
from pairvae.errors import InputError
from pairvae.inference.prediction_inputs import Input
from pairvae.inference.predictions import nm_per_px
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import file_part
from pairvae.numerics.colormaps import levels
from pairvae.store import nexus_files
from pairvae.store.files import file_digest
from pairvae.store.picture_files import SUFFIXES, Scale, write_picture
from pairvae.store.rows import write_table

NEXUS, OME = "nexus", "ome-tiff"
FORMATS = (*SUFFIXES, NEXUS)
NO_PROVENANCE: nexus_files.Provenance = {}


def check_format(kind: str) -> None:
    """Refuse a format that is not known, or cannot be written here.

    Parameters
    ----------
    kind : str
        One of ``FORMATS``.

    Raises
    ------
    InputError
        It names the formats, or the package that is lacking.
    """
    if kind not in FORMATS:
        raise InputError(expected=" or ".join(FORMATS), found=repr(kind), where="--format")
    if kind == NEXUS:
        nexus_files.require_h5py("--format nexus")


def provenance_of(
    predictor: Predictor, model: str, item: Input, path: str, drawn: dict[str, int]
) -> nexus_files.Provenance:
    """What a prediction's file says of its making.

    Parameters
    ----------
    predictor : Predictor
        The model.
    model : str
        The registry's address or the model folder, of which only the name is kept.
    item : Input
        The input.
    path : str
        Its file, whose bytes are hashed.
    drawn : dict of str to int
        Seed, samples and size.

    Returns
    -------
    dict
        Names and values.
    """
    return {
        "program": "pairvae",
        "version": pairvae.__version__,
        "model": model if model.startswith("models:/") else Path(model).name,
        "model_sha256": str(predictor.card.get("weights_sha256", "")),
        "input": item.shown,
        "input_sha256": file_digest(file_part(path)),
        "from": item.sources,
        "to": item.target,
        **drawn,
    }


def scale_of(predictor: Predictor, modality: str) -> Scale | None:
    """The scale of predicted images.

    Parameters
    ----------
    predictor : Predictor
        The model.
    modality : str
        Of the images.

    Returns
    -------
    Scale or None
        nm per px of micrographs, 1/nm per px of patterns; None where it is not known, and for curves.
    """
    if MODALITIES[modality].cropped:
        nm = nm_per_px(predictor, modality)
        return None if nm is None else Scale(nm, "nm")
    q = predictor.facts.q_per_px if predictor.facts is not None else None
    return None if q is None or MODALITIES[modality].coordinates is not None else Scale(q, "1/nm")


def write_images(
    out: Path,
    item: Input,
    images: np.ndarray,
    predictor: Predictor,
    kind: str = "png",
    provenance: nexus_files.Provenance = NO_PROVENANCE,
) -> list[str]:
    """Write the images or curves predicted from one input.

    Parameters
    ----------
    out : Path
        The folder.
    item : Input
        The input, which names the files.
    images : ndarray
        ``(S, H, W)`` of 0 and 1, or ``(S, channels, H, W)`` in [0, 1].
    predictor : Predictor
        The model.
    kind : str
        One of ``FORMATS``.
    provenance : mapping
        See :func:`provenance_of`.

    Returns
    -------
    list of str
        The name of each sample's file. NeXus keeps all samples of an input in one file.
    """
    stem = f"{item.name}-{item.target}"
    if kind == NEXUS:
        file = out / f"{stem}{nexus_files.SUFFIX}"
        _write_nexus(file, images, predictor, item.target, provenance)
        return [file.name] * len(images)
    return [
        write_image(out / f"{stem}-{number:02d}", image, predictor, item.target, kind, provenance).name
        for number, image in enumerate(images)
    ]


def write_image(
    stem: Path,
    image: np.ndarray,
    predictor: Predictor,
    name: str,
    kind: str = "png",
    provenance: nexus_files.Provenance = NO_PROVENANCE,
) -> Path:
    """Write one predicted image, or a curve over its axis as CSV.

    Parameters
    ----------
    stem : Path
        The file without its ending.
    image : ndarray
        ``(H, W)`` of 0 and 1, or ``(channels, H, W)`` in [0, 1].
    predictor : Predictor
        The model.
    name : str
        The image's modality.
    kind : str
        Ending of a picture, a key of ``SUFFIXES``.
    provenance : mapping
        See :func:`provenance_of`.

    Returns
    -------
    Path
        The file.
    """
    modality = MODALITIES[name]
    if modality.coordinates is None:
        file = stem.with_name(f"{stem.name}{SUFFIXES[kind]}")
        write_picture(file, image, scale_of(predictor, name), provenance)
        return file
    file = stem.with_name(f"{stem.name}.csv")
    columns = curve_columns(image, predictor, name)
    write_table(
        file,
        [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)],
    )
    return file


def curve_columns(curve: np.ndarray, predictor: Predictor, name: str) -> dict[str, np.ndarray]:
    """The columns in which a predicted curve is written: q and I, not the prepared values.

    Parameters
    ----------
    curve : ndarray
        Prepared values, ``(1, 1, bins)`` in [0, 1].
    predictor : Predictor
        The model.
    name : str
        The curve's modality.

    Returns
    -------
    dict of str to ndarray
        ``(bins,)`` each, named with their units.

    Raises
    ------
    InputError
        For a modality without curves.
    """
    modality, settings = MODALITIES[name], predictor.prepared_with(name)
    if modality.exported is None or modality.coordinates is None:
        raise InputError(expected="a modality of curves", found=name)
    known = predictor.card["modalities"][name].get("measured", {})
    return modality.exported(curve.ravel(), settings, known)


def _write_nexus(
    file: Path, images: np.ndarray, predictor: Predictor, name: str, provenance: nexus_files.Provenance
) -> None:
    if MODALITIES[name].coordinates is None:
        known = predictor.facts.scattering if predictor.facts is not None else None
        coloured = known is not None and known.pattern == name and known.colormap is not None
        shown = levels(images, known.colormap) if known is not None and coloured else None
        nexus_files.write_images(file, images, scale_of(predictor, name), provenance, shown)
        return
    columns: Sequence[dict[str, np.ndarray]] = [curve_columns(image, predictor, name) for image in images]
    q, intensity = list(columns[0])
    unit = "1/cm" if "1/cm" in intensity else "arbitrary"
    curves = np.stack([column[intensity] for column in columns])
    nexus_files.write_curves(file, columns[0][q], curves, (intensity, unit), provenance)
