"""Inputs of `pairvae predict` for a model of more than two techniques: which files are of one sample."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pairvae.data.pairs.manifest import read_manifest
from pairvae.errors import InputError
from pairvae.inference.prediction_inputs import BOTH, Input, expand, output_stem, parts_of, unique_names
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import file_part, file_stem

Known = tuple[str, str]  # modality and file


def sample_inputs(files: Sequence[str], modalities: Sequence[str], to: str) -> list[Input]:
    """Raw files with their techniques; those of one sample together.

    Files of different techniques are of one sample where they have one name (``film7.edf`` and ``film7.csv``), or
    where each technique has exactly one file. Other files are samples of their own.

    Parameters
    ----------
    files : sequence of str
        Files, folders, name patterns, and folders with one folder a technique.
    modalities : sequence of str
        Those of the model.
    to : str
        The modality to predict.

    Returns
    -------
    list of Input
        In the order of the first file of each sample.

    Raises
    ------
    InputError
        No file is found, or the technique of one is not clear.
    """
    others = [name for name in modalities if name != to]
    known: list[Known] = []
    for entry in files:
        for name, part in parts_of(entry, others):
            known += [(name, path) for path in expand([part], MODALITIES[name].suffixes)]
    samples = _samples(known)
    names = iter(unique_names([sample[0][1] for sample in samples]))
    return [Input(sample[0][1], sample[0][0], to, next(names), tuple(sample[1:])) for sample in samples]


def unpaired_inputs(folders: Sequence[str], modalities: Sequence[str], to: str) -> list[Input]:
    """The files of all samples without a partner in folders of pairs, named by their samples' ids.

    Of more than two techniques, the samples without the one to predict: all their files count.

    Parameters
    ----------
    folders : sequence of str
        Folders of pairs.
    modalities : sequence of str
        Those of the model, two or more.
    to : str
        The modality that they lack, or ``both``.

    Returns
    -------
    list of Input
        In the order of folders and samples.

    Raises
    ------
    InputError
        There is none, or a folder has faults.
    """
    inputs: list[Input] = []
    for folder in folders:
        manifest = read_manifest(Path(folder), modalities)
        if manifest.faults:
            raise manifest.faults[0].error
        if len(modalities) > 2:
            wanted = [name for name in modalities if name != to]
            for sample in (*manifest.pairs, *manifest.unpaired):
                files = {name: str(sample.files[name]) for name in wanted if name in sample.files}
                if to != BOTH and to not in sample.files and files:
                    inputs.append(joined_input(sample.id, files, to))
            continue
        for sample in manifest.unpaired:
            for name in [name for name in modalities if name in sample.files and name != to]:
                target = next(other for other in modalities if other != name)
                inputs.append(Input(str(sample.files[name]), name, target, output_stem(sample.id)))
    if not inputs:
        raise InputError(
            expected=f"samples without {'a partner' if to == BOTH else MODALITIES[to].title}",
            found="none",
            where=", ".join(folders),
        )
    return inputs


def joined_input(identity: str, files: Mapping[str, str], to: str) -> Input:
    """All files of one sample as one input.

    Parameters
    ----------
    identity : str
        Of the sample, which names what comes out.
    files : mapping of str to str
        By modality; at least one.
    to : str
        The modality to predict.

    Returns
    -------
    Input
        Of the first file, with the others beside it.
    """
    (source, given), *others = files.items()
    return Input(given, source, to, output_stem(identity), tuple(others))


def _samples(known: Sequence[Known]) -> list[list[Known]]:
    techniques = [name for name, _ in known]
    if len(set(techniques)) == len(techniques):
        return [list(known)]
    by_name: dict[str, list[Known]] = defaultdict(list)
    for name, path in known:
        by_name[file_stem(file_part(path))].append((name, path))
    samples: list[list[Known]] = []
    for members in by_name.values():
        together = len({name for name, _ in members}) == len(members)
        samples += [members] if together else [[member] for member in members]
    return samples
