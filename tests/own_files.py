"""Thirty ways in which own data, links and settings may lie across the pipeline, and what counts the own files."""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SETTINGS = """
preset: fast
seed: 0
modalities: [saxs, sem]
data:
  source: {source}
  simulated:
    pairs: 8
    parameters: {{sem_rows: 208, sem_columns: 240, sem_bar_rows: 0, saxs_px: 64, saxs_window_nm: 300}}
split: {{}}
latent: {{}}
saxs: {{prepare: {{size: 32}}, network: {{}}, training: {{epochs: 1, log_every: 1}}}}
sem: {{prepare: {{rows: 208, columns: 240}}, network: {{}}, training: {{epochs: 1, log_every: 1}}}}
iq: {{prepare: {{}}, network: {{}}, training: {{}}}}
pair: {{training: {{}}}}
pretrain: {{}}
assess: {{crops: 2, realism_steps: 2}}
baselines: {{}}
generate: {{}}
tracking: {{}}
device: {{threads: 1}}
"""


def write_pairs(folder: Path, pairs: int = 8) -> Path:
    """A sound folder of pairs: noise with domains, different in every one."""
    import cv2

    rng = np.random.default_rng(3)
    for name in ("SAXS", "SEM"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for pair in range(pairs):
        pattern = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "SAXS" / f"{pair:02d}.png"), pattern)
        grey = cv2.GaussianBlur(rng.normal(size=(208, 240)), (9, 9), 0)
        levels = cv2.normalize(grey, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)  # type: ignore[call-overload]
        cv2.imwrite(str(folder / "SEM" / f"{pair:02d}.png"), levels)
    return folder


def digests(*places: Path) -> dict[str, str]:
    """sha256 of every file below ``places`` by path, links followed: what a person would count and compare."""
    found: dict[str, str] = {}
    for place in places:
        for folder, folders, names in os.walk(place, followlinks=True):
            folders[:] = [name for name in folders if name != "src"]  # the pipeline's code
            for name in names:
                path = Path(folder) / name
                content = path.read_bytes() if path.is_file() else str(path.readlink()).encode()
                found[str(path)] = hashlib.sha256(content).hexdigest()
    return found


@dataclass(frozen=True)
class Way:
    """``lay(project, pairs)`` puts own files somewhere and returns where they are and ``data.source``."""

    name: str
    lay: Callable[[Path, Path], tuple[list[Path], str]]
    refused: bool = True


def _copied(project: Path, pairs: Path, place: str, source: str) -> tuple[list[Path], str]:
    target = project / place
    shutil.copytree(pairs, target, dirs_exist_ok=True)
    return [target], source


def at(place: str, source: str | None = None) -> Callable[[Path, Path], tuple[list[Path], str]]:
    """Own pairs copied to ``place`` in the project."""
    return lambda project, pairs: _copied(project, pairs, place, place if source is None else source)


def linked(
    link: str, source: str, target: str | None = None
) -> Callable[[Path, Path], tuple[list[Path], str]]:
    """A link in the project that leads to the pairs, or to ``target`` in the project, where the pairs are put."""

    def lay(project: Path, pairs: Path) -> tuple[list[Path], str]:
        kept = pairs
        if target is not None:
            kept = project / target
            shutil.copytree(pairs, kept)
        (project / link).parent.mkdir(parents=True, exist_ok=True)
        (project / link).symlink_to(kept, target_is_directory=True)
        return [kept], source

    return lay


def one_file(name: str, source: str = "simulated") -> Callable[[Path, Path], tuple[list[Path], str]]:
    """A single file of one's own."""

    def lay(project: Path, pairs: Path) -> tuple[list[Path], str]:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"my only copy of {name}")
        return [path.parent], source

    return lay


def absolute(project: Path, pairs: Path) -> tuple[list[Path], str]:
    """The source as an absolute path with detours."""
    return _copied(project, pairs, "data/raw", f"'{project}/models/../data/./raw'")


def dangling(project: Path, pairs: Path) -> tuple[list[Path], str]:
    """An own folder apart, in which a pair's file is a link that leads nowhere; data/raw holds an older copy."""
    own = project / "mine"
    shutil.copytree(pairs, own)
    (own / "SAXS" / "03.png").unlink()
    (own / "SAXS" / "03.png").symlink_to(project / "gone.png")
    return [own], "mine"


def dangling_output(project: Path, pairs: Path) -> tuple[list[Path], str]:
    """data/raw as a link to a disk that is not mounted."""
    (project / "data").mkdir()
    (project / "data" / "raw").symlink_to(project / "not-mounted", target_is_directory=True)
    return [pairs], "simulated"


def folder_in_the_way(project: Path, pairs: Path) -> tuple[list[Path], str]:
    """A folder of one's own under the name of a file that the pipeline writes."""
    return _copied(project, pairs, "reports/metrics.json", "simulated")


def pipe(project: Path, pairs: Path) -> tuple[list[Path], str]:
    """A named pipe among the files, which nothing may wait for."""
    found = _copied(project, pairs, "data/raw", "simulated")
    os.mkfifo(project / "data" / "raw" / "pipe")
    return [found[0][0] / "SAXS"], found[1]


def archive(project: Path, pairs: Path) -> tuple[list[Path], str]:
    """The archive of the published pairs, kept in data/raw."""
    return one_file("data/raw/published.zip")(project, pairs)[
        0
    ], "mdf\n  mdf: {archive: data/raw/published.zip}"


def detour(project: Path, pairs: Path) -> tuple[list[Path], str]:
    """Files of an own folder that are links into data/raw."""
    shutil.copytree(pairs, project / "data" / "raw")
    (project / "mine").mkdir()
    for name in ("SAXS", "SEM"):
        (project / "mine" / name).symlink_to(project / "data" / "raw" / name, target_is_directory=True)
    return [project / "data" / "raw"], "mine"


WAYS = (
    Way("own pairs in data/raw, named", at("data/raw")),
    Way("own pairs below data/raw, named", at("data/raw/mine")),
    Way("own pairs in data/raw, simulated", at("data/raw", "simulated")),
    Way("own pairs below data/raw, simulated", at("data/raw/mine", "simulated")),
    Way("own pairs in data, above data/raw", at("data")),
    Way("own pairs in the project's root", at(".", ".")),
    Way("own pairs beside the project, above it", lambda project, pairs: ([pairs], "..")),
    Way("own pairs in data/prepared", at("data/prepared")),
    Way("own pairs below a model folder", at("models/train-pair/mine")),
    Way("own pairs in reports/figures", at("reports/figures")),
    Way("a detour by ..", at("data/raw", "data/../data/raw")),
    Way("a trailing slash", at("data/raw", "data/raw/")),
    Way("an absolute path with detours", absolute),
    Way("a blank before the name", at("data/raw", "' data/raw'")),
    Way("a link that leads to data/raw", linked("mine", "mine", "data/raw")),
    Way("a link that leads below data/raw", linked("mine", "mine", "data/raw/mine")),
    Way("a link to the folder above data/raw", linked("mine", "mine/raw", "data")),
    Way("data/raw as a link to own pairs, named", linked("data/raw", "data/raw")),
    Way("data/raw as a link to own pairs, simulated", linked("data/raw", "simulated")),
    Way("data as a link to own pairs", linked("data", "simulated")),
    Way("models as a link", linked("models", "simulated")),
    Way("a model folder as a link", linked("models/train-saxs", "simulated")),
    Way("reports as a link to own pairs", linked("reports", "simulated")),
    Way("data/raw as a broken link", dangling_output),
    Way("links into data/raw", detour),
    Way("a broken link in the own folder", dangling),
    Way("a note in data/raw", one_file("data/raw/SAXS/note.txt")),
    Way("a note among the figures", one_file("reports/figures/note.md")),
    Way("an own file reports/index.html", one_file("reports/index.html")),
    Way("an own file data/raw", one_file("data/raw")),
    Way("a hidden file in a model folder", one_file("models/pretrain/.notes")),
    Way("a folder named reports/metrics.json", folder_in_the_way),
    Way("a pipe in data/raw", pipe),
    Way("an archive in data/raw", archive),
    Way("own pairs beside data/raw", at("data/mine"), refused=False),
    Way("own pairs elsewhere", lambda project, pairs: ([pairs], f"'{pairs}'"), refused=False),
    Way("a link to own pairs elsewhere", linked("mine", "mine"), refused=False),
    Way("a name that is only like an output's", at("data/raw-mine"), refused=False),
    Way("a note beside the outputs", one_file("reports/note.md"), refused=False),
)
