"""Everything that can be known before the first stage runs: settings against the data, networks and the disk.

A pipeline that cannot end well must not begin: it would replace data and models on its way.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pairvae
from pairvae import store
from pairvae.data.pairs.manifest import read_pairs, read_samples
from pairvae.data.pairs.sample import Pair
from pairvae.data.prepare import prepare_file, refuse_single_phase
from pairvae.data.split import Split, hold_out, split_pairs
from pairvae.errors import InputError, number_of, reason
from pairvae.evaluation.leakage import content_digests, refuse_same_content
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.readers.image import file_part
from pairvae.models.conditions import fit_encoding
from pairvae.operating_system import cores
from pairvae.progress import track
from pairvae.settings import Settings
from pairvae.stages.preprocess import with_calibrations
from pairvae.stages.project import Project
from pairvae.stages.raw import fingerprint, source_folder
from pairvae.store.code import code_digest
from pairvae.store.file_cache import FileCache
from pairvae.store.model_folder import PRIOR
from pairvae.store.outputs import refuse_sources
from pairvae.store.project_root import OWN_FILES

RECORD = "checked.json"
COPIES = 2  # of everything: in the project and in DVC's cache
GB = 1e9


@dataclass(frozen=True)
class Size:
    """Bytes of one pair: its files, its prepared arrays; and the digest of each array by modality."""

    raw: int
    prepared: int
    digests: dict[str, str]


def check_before(project: Project) -> None:
    """``InputError`` for what would end the pipeline later; what was found sound is not looked at again.

    The folder of an own source is read as ``pairvae data check`` reads it, and every file is prepared; of simulated
    pairs one is. What is prepared is kept for the stage `preprocess`.
    """
    refuse_sources(project.folder, project.settings)
    found = {"sound": _digest(project)}
    record = project.folder / OWN_FILES / RECORD
    if record.is_file() and record.read_text(encoding="utf-8", errors="replace") == _text(found):
        return
    pairs, readable = _incoming(project)
    split = _check_split(project.settings, pairs)
    fit_encoding(project.settings.pair.conditions, [pairs[row].conditions for row in split.train])
    settings = with_calibrations(project.settings, source_folder(project)) if readable else project.settings
    sizes = _sizes(readable, settings, project.file_cache)
    if sizes:  # `assess` would refuse to score validation pairs that a training pair repeats
        digests = {
            name: [size.digests.get(name, f"not measured {row}") for row, size in enumerate(sizes)]
            for name in project.settings.modalities
        }
        refuse_same_content(digests, [pair.id for pair in pairs], split.train, split.validation)
    _refuse_full_disk(project.folder, sizes)
    check_networks(project)
    store.write_text(record, _text(found))


def _text(found: dict[str, str]) -> str:
    return f"{found['sound']}\n"


def _digest(project: Project) -> str:
    settings = project.settings
    own = settings.data.source not in ("simulated", "mdf")
    source = fingerprint(source_folder(project)) if own else None
    values = settings.model_dump(mode="json")
    return store.digest([values, source, pairvae.__version__, code_digest("commands.preflight")])


def _incoming(project: Project) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """The pairs that the source will give, and the same ones where their files can be read now."""
    data = project.settings.data
    if data.source == "simulated":
        return _simulated(project), []
    if data.source == "mdf":
        return _published(project), []
    refuse_bad_folder(project)
    data, names = project.settings.data, project.settings.modalities
    wanted = names if data.unpaired == "use" else project.settings.several
    pairs, _ = read_samples(source_folder(project), data.unpaired, wanted)
    return pairs, pairs


def _simulated(project: Project) -> Sequence[Pair]:
    """The simulated pairs, once the first was simulated and prepared."""
    from pairvae.data.simulate.samples import sample_id, view_ids
    from pairvae.data.simulate.simulated_folder import write_first

    data = project.settings.data.simulated
    with tempfile.TemporaryDirectory(prefix="pairvae-") as scratch:
        folder = Path(scratch) / "raw"
        write_first(folder, data.seed, data.parameters, data.world)
        try:
            sizes = _sizes(read_pairs(folder), project.settings, project.file_cache)
        except InputError as error:
            advice = "change data.simulated, or the setting that does not fit"
            raise InputError(
                expected=error.expected, found=error.found, where="the simulated pairs", remedy=advice
            ) from error
    _refuse_full_disk(project.folder, sizes, data.pairs)
    return [
        Pair(name, None, None, group=sample_id(index) if data.parameters.sem_views > 1 else None)
        for index in range(data.pairs)
        for name in view_ids(index, data.parameters)
    ]


def _published(project: Project) -> Sequence[Pair]:
    from pairvae.data.published.fetch import published_identifiers

    archive = project.settings.data.mdf.archive
    if archive is not None and not (project.folder / archive).exists():
        raise InputError(
            expected="an archive of the published pairs", found="no such file", where="data.mdf.archive"
        )
    return [Pair(str(name), None, None) for name in published_identifiers()]


def refuse_bad_folder(project: Project) -> None:
    """``InputError`` with the first error of the user's own folder, and how many more there are."""
    from pairvae.commands.check import check_project

    folder = source_folder(project)
    report = check_project(folder, project.settings, project.file_cache)
    errors = [problem for problem in report.problems if problem.severity == "error"]
    if errors:
        first, more = errors[0], len(errors) - 1
        rest = f" (and {number_of(more, 'more problem')})" if more else ""
        raise InputError(
            expected="pairs without problems",
            found=f"{first.file or first.pair}: {first.message}{rest}",
            where=str(folder),
            remedy=f"`pairvae data check {folder}` lists every one",
        )


def _check_split(settings: Settings, pairs: Sequence[Pair]) -> Split:
    """Which pairs will train and validate (``InputError``: none on one side, or too few to hold some out)."""
    split = split_pairs(pairs, settings.split.train, settings.split.seed)
    stops = [settings.modality(name).training.early_stop for name in settings.modalities]
    for stop in (*stops, settings.pair.training.early_stop):
        if stop.patience:
            hold_out(pairs, split.train, stop.held_out, settings.split.seed)
    return split


def _sizes(pairs: Sequence[Pair], settings: Settings, kept: FileCache) -> list[Size]:
    """Prepare every file as `preprocess` will (``InputError`` names the first that cannot be)."""
    with ThreadPoolExecutor(cores()) as pool:
        found = pool.map(lambda pair: _size(pair, settings, kept), pairs)
        return list(track(found, len(pairs), "check"))


def _size(pair: Pair, settings: Settings, kept: FileCache) -> Size:
    total, digests = 0, {}
    for name in [name for name in settings.modalities if settings.several is None or pair.measured_by(name)]:
        modality, section = MODALITIES[name], prepare_settings(settings, name)
        array, _ = prepare_file(pair, modality, section, kept)
        total += array.nbytes
        (digests[name],) = content_digests([array])
        if modality.cropped:
            _refuse_image(pair, name, array[0], modality.prepared_shape(section)[1])
            total += settings.assess.crops * modality.prepared_shape(section)[1] ** 2
    files = {file_part(file) for file in pair.files.values()}
    return Size(sum(file.stat().st_size for file in files), total, digests)


def _refuse_image(pair: Pair, name: str, image: np.ndarray, crop: int) -> None:
    height, width = image.shape
    if min(height, width) < crop:
        raise InputError(
            expected=f"prepared images of at least {crop} x {crop} px",
            found=f"{height} x {width}",
            where=str(pair.files[name]),
            remedy=f"lower {name}.prepare.crop, or leave the pair out of pairs.csv",
        )
    refuse_single_phase(image, pair.files[name])


def _refuse_full_disk(folder: Path, sizes: Sequence[Size], times: int = 1) -> None:
    needed = COPIES * times * sum(size.raw + size.prepared for size in sizes)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            expected=f"about {needed / GB:.3g} GB of room for raw and prepared data, here and in DVC's cache",
            found=f"{free / GB:.3g} GB",
            where=str(folder),
            remedy="free some space, or take fewer pairs",
        )


def check_networks(project: Project) -> None:
    """Build what will be trained, and send two random samples through it: ``InputError`` where settings do not fit."""
    import torch

    from pairvae.inference.backbone import read_backbone
    from pairvae.stages.start import begin_from, begin_from_prior
    from pairvae.stages.training_inputs import card_description, shape_of, untrained
    from pairvae.training.devices import choose

    settings = project.settings
    choose(settings.device)
    if settings.pretrain.enabled and settings.pretrain.backbone is not None:
        read_backbone(project.folder / settings.pretrain.backbone)
    for name in settings.modalities:
        network, shape = settings.modality(name).network, shape_of(settings, name)
        try:
            vae = untrained(settings, name)
            if network.architecture != "paper":  # its backbone is made later
                with torch.no_grad():
                    vae.decoder(vae.posterior(torch.rand(2, *shape).round()).mean)
        except InputError:
            raise
        except (RuntimeError, ValueError, ArithmeticError, IndexError, AssertionError) as error:
            raise InputError(
                expected=f"{name}.network, {name}.prepare and latent that fit together",
                found=reason(error),
                where="params.yaml",
                remedy="take one of them back to its default (`pairvae params` prints all)",
            ) from error
        starts = {
            f"{name}.training.start_from": settings.modality(name).training.start_from,
            "pair.training.start_from": settings.pair.training.start_from,
        }
        for key, start in starts.items():
            if start == PRIOR:
                begin_from_prior(vae, name, torch.rand(4, *shape).round(), key)
                continue
            begin_from(project.folder, vae, name, start, card_description(settings, name), key)
