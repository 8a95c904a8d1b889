"""Files damaged in their middle: the next command makes them anew, or names the file and the way out in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.harness import Ran, Tally, Warm, tree
from faults.stages import MODEL, STAGES, with_store


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def garbled(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + b"\xff\x00{" * 8 + content[middle + 24 :]


def emptied(_: bytes) -> bytes:
    return b""


ALL, SEEN = (cut, garbled, emptied), (cut, emptied)  # pixels of a picture may be anything
CASES: tuple[tuple[str, tuple[str, ...], tuple[Callable[[bytes], bytes], ...]], ...] = (
    ("params.yaml", ("preprocess",), (garbled,)),
    ("data/raw/simulation.json", ("raw",), ALL),
    ("data/raw/pairs.csv", ("preprocess",), (garbled, emptied)),
    ("data/raw/SAXS/00001.jpg", ("preprocess",), SEEN),
    ("data/raw/SEM/00001.tif", ("preprocess",), SEEN),
    *((f"data/prepared/{name}", ("train", "saxs"), ALL)
      for name in ("card.json", "saxs.npy", "sem.npy", "sem-crops.npy")),
    *((f"models/train-saxs/{name}", ("train", "pair"), ALL) for name in ("card.json", "weights.safetensors")),
    *((f"models/train-pair/{name}", ("predict", "data/raw/SAXS/00000.jpg", *MODEL), ALL)
      for name in ("card.json", "weights.safetensors")),
    *((f"models/train-pair/{name}", ("assess",), ALL) for name in ("card.json", "weights.safetensors")),
    ("models/train-pair/facts.safetensors", ("predict", "data/raw/SAXS/00000.jpg", *MODEL), ALL),
    ("models/train-sem/history.csv", ("report",), (garbled,)),
    (".pairvae/checkpoints/*/checkpoint.safetensors", ("train", "saxs"), ALL),
    ("reports/metrics.json", ("report",), ALL),
    ("reports/assessment/assessment.json", ("report",), ALL),
    ("reports/assessment/arrays.npz", ("report",), ALL),
    ("reports/ensembles/*.npz", ("report",), ALL),
    ("fetched/fetch.json", STAGES["fetch"].argv, ALL),
    ("fetched/SAXS/00000.jpg", STAGES["fetch"].argv, ALL),
    ("published.zip", ("data", "fetch", "again", "--archive", "published.zip"), ALL),
    ("out/predictions.csv", STAGES["watch"].argv, (garbled,)),
    (".pairvae/tune/t.log", STAGES["tune"].again[0], ALL),
    (".pairvae/study/*/cells/*.json", STAGES["study"].argv, ALL),
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(warm: Warm, snapshots: dict[str, Path]) -> Path:
    """The whole project after a fetch, a watch, a search and a study, too."""
    place = snapshots["end"].with_name("used")
    shutil.copytree(snapshots["end"], place)
    shutil.copy(snapshots["fetch"] / "published.zip", place)
    for name in ("fetch", "watch", "tune", "study"):
        done = warm.run(place, *STAGES[name].argv, **STAGES[name].job, timeout_s=900)
        assert done.code == 0, done.stderr
    return place


def wrong(done: Ran, damaged: str, place: Path, whole: dict[str, str]) -> str:
    """What is wrong with how a command took a damaged file."""
    if done.problem():
        return done.problem()
    if done.code == 0:
        now = tree(place)
        other = [name for name in whole if name in now and now[name] != whole[name] and name != damaged]
        return f"went on and made another {other[:3]}" if other else ""
    (line,) = done.faults_told
    named = {damaged, damaged.rsplit("/", 1)[-1], Path(damaged).parent.name + "/", str(Path(damaged).stem)}
    return "" if any(name in line for name in named) else f"does not name the file: {line}"


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_damaged_file_is_made_anew_or_named(
    warm: Warm, finished: Path, tmp_path: Path, tally: Tally
) -> None:
    references: dict[tuple[str, ...], dict[str, str]] = {}
    for pattern, argv, damages in CASES:
        place = tmp_path / "project"
        if argv not in references:
            references[argv] = reference(warm, finished, tmp_path / "project", argv)
        for damage in damages:
            if place.exists():
                shutil.rmtree(place)
            shutil.copytree(finished, place)
            for path in place.glob(pattern):
                path.write_bytes(damage(path.read_bytes()))
            name = next(place.glob(pattern)).relative_to(place).as_posix()
            watching = {"until_rows": 8, "table": "out/predictions.csv"} if argv[0] == "watch" else {}
            done = warm.run(place, *argv, **watching)
            found = wrong(done, name, place, references[argv])
            became = "refused" if done.code == 1 else "continued"
            tally.add("damaged", damage.__name__, "lost" if found else became)
            if found:
                tally.problems.append(f"{name} {damage.__name__}, {' '.join(argv[:2])}: {found}")
                print(tally.problems[-1], flush=True)
    assert tally.problems == []


def reference(warm: Warm, finished: Path, place: Path, argv: tuple[str, ...]) -> dict[str, str]:
    """What is the same each time the command runs on sound files."""
    trees = []
    for _ in range(2):
        if place.exists():
            shutil.rmtree(place)
        shutil.copytree(finished, place)
        watching = {"until_rows": 8, "table": "out/predictions.csv"} if argv[0] == "watch" else {}
        done = warm.run(place, *argv, **watching)
        assert done.code == 0, (argv, done.stderr[-2000:])
        trees.append(tree(place))
    return {name: value for name, value in trees[0].items() if trees[1].get(name) == value}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("damage", ALL)
def test_a_damaged_database_of_runs_is_named(
    warm: Warm,
    snapshots: dict[str, Path],
    tmp_path: Path,
    tally: Tally,
    damage: Callable[[bytes], bytes],
) -> None:
    place = tmp_path / "project"
    with_store(warm, snapshots, place)
    database = place / "mlflow.db"
    content = database.read_bytes()
    database.write_bytes(damage(content) if damage is not garbled else b"\xff" * 4096 + content[4096:])
    done = warm.run(place, "train", "saxs", track=True)
    if done.problem() or (done.code == 1 and "mlflow.db" not in done.faults_told[0]):
        tally.problems.append(done.problem() or f"does not name the file: {done.faults_told[0]}")
    became = "refused" if done.code == 1 else "continued"
    tally.add("database", damage.__name__, "lost" if tally.problems else became)
    assert tally.problems == []
