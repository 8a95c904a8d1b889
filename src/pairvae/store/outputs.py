"""The pipeline's outputs: never deleted or replaced where they are not, or not only, what pairvae wrote.

DVC would empty an output before its stage runs. dvc.yaml therefore declares every output ``persist: true``: DVC leaves
it alone, and the stage replaces it, once this guard has looked.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pairvae import store
from pairvae.errors import InputError
from pairvae.settings import Settings, flatten
from pairvae.store.model_folder import PRIOR
from pairvae.store.project_root import OWN_FILES
from pairvae.store.written import WrittenFiles, files_below, refuse_strangers, stamp

OUTPUTS: dict[str, tuple[str, ...]] = {
    "raw": ("data/raw",),
    "preprocess": ("data/prepared",),
    "pretrain": ("models/pretrain",),
    "train-saxs": ("models/train-saxs",),
    "train-sem": ("models/train-sem",),
    "train-pair": ("models/train-pair",),
    "assess": ("reports/assessment", "reports/metrics.json"),
    "generate": ("reports/ensembles",),
    "report": (
        "reports/figures",
        "reports/plots",
        "reports/index.html",
        "reports/model-card.md",
        "reports/summary.json",
    ),
    "register": ("models/registered.json",),
}
STAGES = tuple(OUTPUTS)
ALL_OUTPUTS = tuple(output for outputs in OUTPUTS.values() for output in outputs)
TOP = {Path(output).parts[0] for output in ALL_OUTPUTS}
BY_DVC = "DVC_STAGE"
TIMES = "stage_times.json"  # below OWN_FILES: seconds, and when the stage ended (seconds since 1970)


@contextmanager
def guarded(folder: Path, stage: str) -> Iterator[None]:
    """Run a stage within: its outputs are checked first, and again when it replaces a file or folder.

    ``folder`` is the project's. Started by DVC, a stage also looks at the outputs of those after it, so that the
    pipeline ends before it computes for hours. ``InputError`` where something would be lost.
    """
    later = STAGES[STAGES.index(stage) :] if stage in STAGES and BY_DVC in os.environ else (stage,)
    written = WrittenFiles(folder)
    refuse_outputs(written, [output for name in later for output in OUTPUTS.get(name, ())])

    def check_and_note(finished: Path, path: Path) -> None:
        absolute = path.absolute()
        if not absolute.is_relative_to(folder):
            return
        name = absolute.relative_to(folder)
        if name.parts[0] not in TOP or any(part.startswith(".") for part in name.parts):
            return
        refuse_strangers(written, name.as_posix())
        written.note(
            {(name / file.relative_to(finished)).as_posix(): stamp(file) for file in files_below(finished)}
        )

    started = time.monotonic()
    with store.observed(check_and_note):
        yield
    with suppress(OSError):  # the stage is done: a full disk may not make it fail for its time
        times = _times(folder) | {stage: [time.monotonic() - started, time.time()]}
        store.write_json(folder / OWN_FILES / TIMES, times)


def stage_seconds(folder: Path, since: float) -> dict[str, float]:
    """How long each stage took that ended after ``since`` (seconds since 1970), in the pipeline's order."""
    times = _times(folder)
    return {name: times[name][0] for name in STAGES if name in times and times[name][1] >= since}


def _times(folder: Path) -> dict[str, list[float]]:
    """Seconds and end of each stage's last run; empty where the file is missing or damaged, which costs nothing."""
    try:
        times = json.loads((folder / OWN_FILES / TIMES).read_text("utf-8"))
        return {str(name): [float(value) for value in pair] for name, pair in times.items() if len(pair) == 2}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def refuse_outputs(written: WrittenFiles, outputs: list[str] | tuple[str, ...] = ALL_OUTPUTS) -> None:
    """``InputError`` for an output that is a link or lies below one, or holds files that pairvae did not write."""
    for output in outputs:
        path = written.folder
        for part in Path(output).parts:
            path /= part
            if path.is_symlink():
                raise InputError(
                    expected="a folder or file of the project itself",
                    found=f"a link to {path.readlink()}",
                    where=path.relative_to(written.folder).as_posix(),
                    remedy="remove the link (what it leads to stays); a source of data is named in data.source",
                )
        refuse_strangers(written, output)


def refuse_sources(folder: Path, settings: Settings) -> None:
    """``InputError`` where the settings name something at, in or above an output as what is read."""
    for key, text in _named_paths(settings).items():
        source = named_place(folder, text, key)
        for output in ALL_OUTPUTS:
            if meets(source, folder / output):
                raise InputError(
                    expected=f"a place apart from {output}, which the pipeline replaces",
                    found=repr(text),
                    where=key,
                    remedy="copy it to another folder and name that one",
                )


def named_place(folder: Path, text: str, key: str) -> Path:
    """The place that a setting names, relative to the project (``InputError`` for a text that can be no path)."""
    if "\0" in text:
        raise InputError(expected="a path", found=repr(text), where=key)
    return folder / os.path.expanduser(text)  # noqa: PTH111  # of an unknown user: as it is, not an error


def _named_paths(settings: Settings) -> dict[str, str]:
    """Paths that the settings name, by key."""
    values = flatten(settings.model_dump(mode="json"))
    keys = [key for key in values if key.endswith(".training.start_from")]
    keys += ["data.mdf.archive", "pretrain.backbone"]
    if settings.data.source not in ("simulated", "mdf"):
        keys.append("data.source")
    return {key: str(values[key]) for key in keys if values.get(key) not in (None, PRIOR)}


def meets(path: Path, other: Path) -> bool:
    """Whether two places are the same or one lies in the other, whatever links, ``..`` and case hide."""
    real, other_real = (Path(os.path.realpath(each)) for each in (path, other))
    if real.is_relative_to(other_real) or other_real.is_relative_to(real):
        return True
    return _within(real, other_real) or _within(other_real, real)


def _within(path: Path, above: Path) -> bool:
    """Whether one of the folders around ``path`` is the very folder ``above`` under another name."""
    if not above.exists():
        return False
    return any(folder.exists() and folder.samefile(above) for folder in (path, *path.parents))
