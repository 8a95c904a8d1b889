"""Planted attacks: each is refused in one clear line, and what it wanted to run has not run."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fuzz import models, seeds
from fuzz.watch import told
from pairvae.data.pairs.manifest import read_pairs
from pairvae.data.published.archive import read_images
from pairvae.data.published.published_file import Limits
from pairvae.errors import InputError
from pairvae.inference.backbone import read_backbone
from pairvae.inference.loader import load
from pairvae.modalities.readers.curve import read_curve
from pairvae.modalities.readers.image import read_image
from pairvae.settings import assignments, load_settings
from pairvae.store.files import file_digest, read_json, write_json
from pairvae.store.prepared import open_prepared
from pairvae.tracking.registry import scoring_app as scoring
from pairvae.tracking.registry.aliases import check_location, check_name

Attack = Callable[[Path], Callable[[], object]]  # prepares a folder; what it returns falls for it, or not
ATTACKS: dict[str, Attack] = {}
CANARY = "canary"
LIMITS = Limits(file_bytes=1_000_000, total_bytes=5_000_000, files=100)


class Payload:
    """What leaves a file behind when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch '{self.folder / CANARY}'",))


def attack(name: str) -> Callable[[Attack], Attack]:
    def register(made: Attack) -> Attack:
        assert name not in ATTACKS
        ATTACKS[name] = made
        return made

    return register


def put(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def pickled(folder: Path) -> bytes:
    return pickle.dumps(Payload(folder))


def forged(folder: Path, **changes: object) -> Path:
    """A model folder whose card was changed, and fits its weights."""
    models.write_model(folder)
    write_json(folder / models.CARD, {**read_json(folder / models.CARD), **changes})
    return folder


def forged_modality(folder: Path, **changes: object) -> Path:
    models.write_model(folder)
    card = read_json(folder / models.CARD)
    card["modalities"]["saxs"].update(changes)
    write_json(folder / models.CARD, card)
    return folder


# --- pickles under other names ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["plain", "torch"])
def test_the_payload_would_run(tmp_path: Path, how: str) -> None:
    """The attacks below are real: whoever unpickles them runs them."""
    if how == "plain":
        pickle.loads(pickled(tmp_path))
    else:
        torch.save(Payload(tmp_path), tmp_path / "a.pt")
        torch.load(tmp_path / "a.pt", weights_only=False)
    assert (tmp_path / CANARY).exists()


def _backbone(name: str, *, torch_file: bool) -> Attack:
    def made(folder: Path) -> Callable[[], object]:
        path = folder / name
        if torch_file:
            torch.save({"conv1.weight": Payload(folder)}, path)
        else:
            put(path, pickled(folder))
        return lambda: read_backbone(path)

    return made


for _name in ("weights.pth", "weights.pt", "weights.safetensors"):
    attack(f"a pickle named {_name}")(_backbone(_name, torch_file=False))
    attack(f"a torch file with a pickle, named {_name}")(_backbone(_name, torch_file=True))


@attack("a pickle in place of a model's weights, its hash in the card")
def _(folder: Path) -> Callable[[], object]:
    models.write_model(folder)
    put(folder / models.WEIGHTS, pickled(folder))
    models.fit_card(folder)
    return lambda: load(folder)


@attack("a pickle in place of a model's facts")
def _(folder: Path) -> Callable[[], object]:
    put(models.write_model(folder) / models.FACTS, pickled(folder))
    return lambda: load(folder)


@attack("a pickle named .npy")
def _(folder: Path) -> Callable[[], object]:
    return lambda: read_image(put(folder / "a.npy", pickled(folder)))


@attack("a npy image of objects")
def _(folder: Path) -> Callable[[], object]:
    return lambda: read_image(put(folder / "a.npy", seeds.npy(np.array([Payload(folder)]), objects=True)))


@attack("a npy curve of objects")
def _(folder: Path) -> Callable[[], object]:
    return lambda: read_curve(put(folder / "a.npy", seeds.npy(np.array([Payload(folder)]), objects=True)))


@attack("a npz archive of objects named .npy")
def _(folder: Path) -> Callable[[], object]:
    stream = io.BytesIO()
    np.savez(stream, image=np.array([Payload(folder)]))
    return lambda: read_image(put(folder / "a.npy", stream.getvalue()))


@attack("prepared arrays of objects, their hash in the card")
def _(folder: Path) -> Callable[[], object]:
    array = seeds.npy(np.array([Payload(folder)]), objects=True)
    put(folder / "saxs.npy", array)
    digest = file_digest(folder / "saxs.npy")
    card = {"format": 1, "pairs": [], "shapes": {}, "digest": "x", "sha256": {"saxs.npy": digest}}
    write_json(folder / "card.json", card)
    return lambda: (open_prepared(folder).verify(), open_prepared(folder).whole("saxs"))


# --- model folders ---------------------------------------------------------------------------------


@attack("a model folder of MLflow's with a pickle, without a card")
def _(folder: Path) -> Callable[[], object]:
    put(
        folder / "MLmodel",
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n    python_model: m.pkl\n",
    )
    put(folder / "m.pkl", pickled(folder))
    return lambda: load(folder)


@attack("a card that names a class")
def _(folder: Path) -> Callable[[], object]:
    made = forged_modality(folder, network={"architecture": "os.system", "components": "touch canary"})
    return lambda: load(made)


@attack("a card that names a modality outside")
def _(folder: Path) -> Callable[[], object]:
    made = forged(folder, modalities={"../../x": {"prepare": {}}})
    return lambda: load(made)


@attack("a card whose hashes lead outside")
def _(folder: Path) -> Callable[[], object]:
    made = forged(folder, files_sha256={"../../../etc/passwd": "0" * 64})
    return lambda: load(made)


@attack("a card of a network of terabytes")
def _(folder: Path) -> Callable[[], object]:
    network = {"architecture": "levels", "components": 10**6, "width": 10**6, "pool": 4}
    made = forged_modality(folder, network=network)
    return lambda: load(made)


@attack("a card of images of terabytes")
def _(folder: Path) -> Callable[[], object]:
    made = forged_modality(folder, shape=[3, 10**7, 10**7])
    return lambda: load(made)


@attack("a card of another preparation")
def _(folder: Path) -> Callable[[], object]:
    made = forged_modality(folder, prepare={"size": 64, "colormap": "__import__('os')"})
    return lambda: load(made)


@attack("a card of NaN")
def _(folder: Path) -> Callable[[], object]:
    put(forged(folder) / models.CARD, '{"format": 1, "epochs": NaN}')
    return lambda: load(folder)


@attack("a card of a hundred thousand brackets")
def _(folder: Path) -> Callable[[], object]:
    put(forged(folder) / models.CARD, '{"format": 1, "a": ' + "[" * 100_000)
    return lambda: load(folder)


@attack("weights of NaN, their hash in the card")
def _(folder: Path) -> Callable[[], object]:
    from safetensors.torch import load_file, save_file

    models.write_model(folder)
    weights = load_file(folder / models.WEIGHTS)
    name = next(name for name in weights if weights[name].is_floating_point())
    save_file({**weights, name: torch.full_like(weights[name], torch.nan)}, folder / models.WEIGHTS)
    models.fit_card(folder)
    return lambda: load(folder)


@attack("a safetensors header of exabytes")
def _(folder: Path) -> Callable[[], object]:
    models.write_model(folder)
    put(folder / models.WEIGHTS, struct.pack("<Q", 2**60) + b"{}")
    models.fit_card(folder)
    return lambda: load(folder)


for _place in (
    "http://evil.example/m",
    "models:/pairvae/../../x",
    "s3://evil/m",
    "file:///etc",
    "models://evil.example/pairvae/1",
    "runs:/0123/model",
    "mlflow-artifacts://evil.example/0/m",
    "/dev/zero",
    "//evil.example/share",
):
    attack(f"the model {_place}")(lambda folder, place=_place: lambda: load(place, folder))  # type: ignore[misc]  # a default binds

for _place in (
    "http://evil.example/m",
    "https://evil.example:5000/m",
    "mlflow-artifacts://evil.example/0/m",
    "ftp://evil.example/m",
):
    attack(f"a registered version that lies at {_place}")(
        lambda folder, place=_place: (
            lambda: check_location(place, "http://mlflow.lab.example:5000", "models:/pairvae/1")
        )  # type: ignore[misc]
    )
for _other in ("../../x", "..", "a/b", "a\\b", "a\0b"):
    attack(f"a registered model called {_other!r}")(
        lambda folder, name=_other: lambda: check_name(name, "models:/pairvae/1")  # type: ignore[misc]  # a default binds
    )


# --- settings --------------------------------------------------------------------------------------

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)
TEXTS = {
    "a yaml tag that calls": "seed: !!python/object/apply:os.system ['touch canary']\n",
    "a yaml tag that builds": "seed: !!python/object/new:os.system ['touch canary']\n",
    "a yaml tag that imports": "seed: !!python/name:os.system\n",
    "a yaml tag of one's own": "seed: !evil {a: 1}\n",
    "yaml aliases that multiply": LAUGHS,
    "yaml merge keys that multiply": MERGES,
    "a yaml alias of itself": "a: &a [*a]\n",
    "yaml of ten thousand brackets": "a: " + "[" * 10_000,
    "yaml of 400,000 values": "a:\n" + "- 1\n" * 200_000,
    "yaml of 2 MB": "seed: " + "1" * 2_000_000,
    "yaml of a number without end": "seed: " + "9" * 100_000,
    "a path for a modality": "modalities: [../../x, sem]\n",
}
for _name, _text in TEXTS.items():
    attack(_name)(lambda folder, text=_text: lambda: load_settings(put(folder / "params.yaml", text)))  # type: ignore[misc]


@attack("a --set with a yaml tag")
def _(folder: Path) -> Callable[[], object]:
    return lambda: assignments(["seed=!!python/object/apply:os.system ['touch canary']"])


# --- archives --------------------------------------------------------------------------------------


def _zip(name: str, mode: int = 0) -> Attack:
    def made(folder: Path) -> Callable[[], object]:
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            info = zipfile.ZipInfo("x.jpg")
            info.filename, info.external_attr = name, mode << 16
            archive.writestr(info, "/etc/passwd")
        return lambda: read_images(folder / "a.zip", LIMITS)

    return made


def _tar(name: str, kind: bytes) -> Attack:
    def made(folder: Path) -> Callable[[], object]:
        with tarfile.open(folder / "a.tar", "w") as archive:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        return lambda: read_images(folder / "a.tar", LIMITS)

    return made


for _name in ("../../SAXS/1.jpg", "/etc/cron.d/1.jpg", "..\\1.jpg", "C:\\1.jpg", "a/../../1.jpg"):
    attack(f"a zip with {_name}")(_zip(_name))
    attack(f"a tar with {_name}")(_tar(_name, tarfile.REGTYPE))
attack("a zip with a link")(_zip("SAXS/1.jpg", 0o120777))
attack("a zip with a device")(_zip("SAXS/1.jpg", 0o060666))
KINDS = {
    "link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "disk": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
}  # fmt: skip
for _name, _kind in KINDS.items():
    attack(f"a tar with a {_name}")(_tar("SAXS/1.jpg", _kind))


# --- raw files and folders -------------------------------------------------------------------------


def _pairs(text: str) -> Attack:
    def made(folder: Path) -> Callable[[], object]:
        put(folder / "pairs.csv", "id,saxs,sem\n" + text)
        put(folder / "SEM/1.png", seeds.pngs()[0])
        return lambda: read_pairs(folder)

    return made


for _row in (
    "a,../../etc/passwd,SEM/1.png",
    "a,/etc/passwd,SEM/1.png",
    "../a,SEM/1.png,SEM/1.png",
    "a,SAXS/../../x,SEM/1.png",
    "a,..\\x,SEM/1.png",
    "a,/dev/zero::/x,SEM/1.png",
):
    attack(f"pairs.csv with {_row}")(_pairs(_row + "\n"))


@attack("a link out of the folder of pairs")
def _(folder: Path) -> Callable[[], object]:
    put(folder / "in/SEM/1.png", seeds.pngs()[0])
    (folder / "in/SAXS").mkdir()
    (folder / "in/SAXS/1.png").symlink_to("/etc/passwd")
    return lambda: read_pairs(folder / "in")


@attack("a link to a device")
def _(folder: Path) -> Callable[[], object]:
    (folder / "a.tif").symlink_to("/dev/zero")
    return lambda: read_image(folder / "a.tif")


for _file, _read in {"a.png": read_image, "a.csv": read_curve, "params.yaml": load_settings}.items():

    def _pipe(
        folder: Path, file: str = _file, read: Callable[[Path], object] = _read
    ) -> Callable[[], object]:
        os.mkfifo(folder / file)
        return lambda: read(folder / file)

    attack(f"a pipe named {_file}")(_pipe)


@attack("a PNG that inflates to gigabytes")
def _(folder: Path) -> Callable[[], object]:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(30_000_000)))
    return lambda: read_image(put(folder / "a.png", b"\x89PNG\r\n\x1a\n" + head + rows + chunk(b"IEND", b"")))


def _hdf5(write: Callable[[Any], object], read: Callable[[str], object] = read_image) -> Attack:
    def made(folder: Path) -> Callable[[], object]:
        h5py = pytest.importorskip("h5py")
        with h5py.File(folder / "a.h5", "w") as file:
            write(file)
        return lambda: read(f"{folder / 'a.h5'}::/d")

    return made


def _far_chunk(file: Any) -> None:
    file.create_dataset(
        "d", (64, 64), np.uint8, chunks=(30_000, 30_000), maxshape=(None, None), compression="gzip"
    )


def _deflated(file: Any, shape: tuple[int, int] = (64, 64), kind: type = np.uint8) -> None:
    data = file.create_dataset("d", shape, kind, chunks=shape, compression="gzip")
    data.id.write_direct_chunk((0, 0), zlib.compress(bytes(300_000_000), 1))


def _large_deflated(file: Any) -> None:
    data = file.create_dataset("d", (2000, 1000), np.uint8, chunks=(2000, 1000), compression="gzip")
    data.id.write_direct_chunk((0, 0), zlib.compress(bytes(200_000_000), 1))


attack("an HDF5 chunk of a gigabyte behind 64 x 64 pixels")(_hdf5(_far_chunk))
attack("an HDF5 chunk that inflates to far more than it is")(_hdf5(_deflated))
attack("an HDF5 chunk, large, that inflates to far more than it is")(_hdf5(_large_deflated))
attack("an HDF5 curve whose chunk inflates to far more than it is")(
    _hdf5(lambda file: _deflated(file, (50, 2), np.float64), read_curve)
)
attack("an HDF5 data set of 196 million chunks")(
    _hdf5(lambda file: file.create_dataset("d", (14_000, 14_000), np.uint8, chunks=(1, 1)))
)


@attack("a CBF file without end")
def _(folder: Path) -> Callable[[], object]:
    pytest.importorskip("fabio")
    data = seeds.detector_files("cbf")[0].replace(b"\x0c\x1a\x04\xd5", b"----")
    return lambda: read_image(put(folder / "a.cbf", data))


@attack("an EDF frame that FabIO would hand to a program")
def _(folder: Path) -> Callable[[], object]:
    fabio = pytest.importorskip("fabio")
    path = folder / "a.edf"
    fabio.edfimage.EdfImage(np.ones((8, 8), np.uint16), header={"Compression": "GZIP"}).write(str(path))
    return lambda: read_image(path)


@attack("XML with an external entity, named .edf")
def _(folder: Path) -> Callable[[], object]:
    return lambda: read_image(
        put(folder / "a.edf", "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>")
    )


@attack("a file name that steers the terminal")
def _(folder: Path) -> Callable[[], object]:
    return lambda: read_image(put(folder / "\x1b[2J\x1b]0;x\x07\udcff.png", b"x"))


# --- what a server would run -----------------------------------------------------------------------


def served(folder: Path, description: str = "") -> Path:
    """What MLflow keeps of a registered pair, with our own code."""
    text = f"flavors:\n  python_function:\n    loader_module: {scoring.LOADER}\n    model_code_path: x/served.py\n"
    put(folder / "MLmodel", text + description)
    put(folder / "served.py", scoring.SERVED.read_bytes())
    return folder


def refused(folder: Path) -> None:
    """What `pairvae serve` does before it loads a model."""
    fault = scoring._foreign(folder)
    if fault is not None:
        raise InputError(expected="a model without foreign code", found=fault)


@attack("a registered model with other code under our name")
def _(folder: Path) -> Callable[[], object]:
    put(served(folder) / "served.py", f"import os; os.system('touch {folder / CANARY}')")
    return lambda: refused(folder)


@attack("a registered model with code beside ours")
def _(folder: Path) -> Callable[[], object]:
    return lambda: refused(served(folder, "    code: code\n"))


@attack("a registered model with a pickle beside our code")
def _(folder: Path) -> Callable[[], object]:
    return lambda: refused(served(folder, "    python_model: m.pkl\n"))


@attack("a registered model with another loader")
def _(folder: Path) -> Callable[[], object]:
    put(served(folder) / "MLmodel", "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n")
    return lambda: refused(folder)


def _program(folder: Path, change: Callable[[dict[str, bytes]], object]) -> Callable[[], object]:
    """A program as torch exports it, with some of its records changed."""
    exported = torch.export.export(nn.Linear(2, 2).eval(), (torch.zeros(2, 2),))
    torch.export.save(exported, folder / "good.pt2")
    refused(served(folder))  # as it was, it is not
    with zipfile.ZipFile(folder / "good.pt2") as archive:
        records = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    (folder / "good.pt2").unlink()
    change(records)
    with zipfile.ZipFile(folder / "bad.pt2", "w", zipfile.ZIP_STORED) as archive:
        for name, data in records.items():
            archive.writestr(f"bad/{name}", data)
    return lambda: refused(folder)


def _torch_pickle(folder: Path) -> bytes:
    stream = io.BytesIO()
    torch.save(Payload(folder), stream)
    return stream.getvalue()


@attack("a pt2 program whose weights are a pickle")
def _(folder: Path) -> Callable[[], object]:
    def change(records: dict[str, bytes]) -> None:
        config = json.loads(records["data/weights/model_weights_config.json"])
        for entry in config["config"].values():
            entry["use_pickle"] = True
            records[f"data/weights/{entry['path_name']}"] = _torch_pickle(folder)
        records["data/weights/model_weights_config.json"] = json.dumps(config).encode()

    return _program(folder, change)


@attack("a pt2 program with a pickled object among its constants")
def _(folder: Path) -> Callable[[], object]:
    def change(records: dict[str, bytes]) -> None:
        entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        records["data/constants/opaque_obj_0"] = pickled(folder)
        records["data/constants/model_constants_config.json"] = json.dumps({"config": {"a": entry}}).encode()

    return _program(folder, change)


@attack("a pt2 program with a pickle for its examples")
def _(folder: Path) -> Callable[[], object]:
    return _program(
        folder, lambda records: records.update({"data/sample_inputs/model.pt": _torch_pickle(folder)})
    )


@attack("a pt2 program in the older, pickled format")
def _(folder: Path) -> Callable[[], object]:
    def change(records: dict[str, bytes]) -> None:
        records.clear()
        records |= {"version": b"8.8", "serialized_state_dict.pt": _torch_pickle(folder)}

    return _program(folder, change)


@attack("a pt2 program with a compiled library")
def _(folder: Path) -> Callable[[], object]:
    return _program(folder, lambda records: records.update({"data/aotinductor/model/a.so": b"\x7fELF"}))


@attack("a pt2 program that calls the system")
def _(folder: Path) -> Callable[[], object]:
    def change(records: dict[str, bytes]) -> None:
        model = json.loads(records["models/model.json"])
        model["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.system"
        records["models/model.json"] = json.dumps(model).encode()

    return _program(folder, change)


@attack("a pt2 program with Python for a size")
def _(folder: Path) -> Callable[[], object]:
    def change(records: dict[str, bytes]) -> None:
        model = json.loads(records["models/model.json"])
        model["expr_str"] = f"__import__('os').system('touch {folder / CANARY}')"
        records["models/model.json"] = json.dumps(model).encode()

    return _program(folder, change)


@attack("a pt2 program that is no archive")
def _(folder: Path) -> Callable[[], object]:
    put(served(folder) / "a.pt2", pickled(folder))
    return lambda: refused(folder)


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is imported late, is imported before the watch."""
    folder = tmp_path_factory.mktemp("good")
    load(models.write_model(folder / "model"))
    for suffix, files in (("h5::/entry/data", seeds.hdf5s()), ("cbf", seeds.detector_files("cbf"))):
        for data in files[:1]:
            put(folder / f"a.{suffix.partition('::')[0]}", data)
            read_image(folder / f"a.{suffix}")


@pytest.mark.parametrize("name", ATTACKS)
def test_a_planted_attack_is_refused_and_runs_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "here"
    folder.mkdir()
    falls = ATTACKS[name](folder)
    line = told(lambda _: falls(), folder / "a")
    assert line is not None, "not refused"
    assert line.isprintable()
    assert not list(tmp_path.rglob(CANARY))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["here"]


def test_attacks_are_many() -> None:
    print(f"attacks refused: {len(ATTACKS)}")
    assert len(ATTACKS) >= 90
