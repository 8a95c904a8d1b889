"""Everything that reads a file somebody else may have made: seeds, how they are damaged, and the reader."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from fuzz import models, seeds
from fuzz.edits import Repair, png_sums, tar_sums
from pairvae.commands.watch.table import COLUMNS, Table
from pairvae.data.pairs.manifest import read_pairs
from pairvae.data.published.archive import choose_sets, copy_images, read_images
from pairvae.data.published.fetch_record import Item, Record, pairs_csv, read_record, record_json
from pairvae.data.published.published_file import Limits, PublishedFile
from pairvae.inference.loader import load
from pairvae.modalities.readers.curve import read_curve
from pairvae.modalities.readers.geometry import read_poni
from pairvae.modalities.readers.image import read_image
from pairvae.modalities.readers.masks import mask_of
from pairvae.settings import assignments, load_settings
from pairvae.store import write_json
from pairvae.store.model_folder import read_history
from pairvae.store.prepared import create_array, open_prepared, write_card

SMALL_LIMITS = Limits(file_bytes=200_000, total_bytes=1_000_000, files=50)
WORDS = (
    b"../../x", b"/etc/passwd", b"\0", b"\xff\xfe", b"-1", b"nan", b"1e400", b"9" * 5000, b"\n", b'"', b"::",
)  # fmt: skip
CSV_WORDS = (
    *WORDS, b",", b";", b"\r", b"\t", b"::/entry/data", b"\xe2\x80\xa8", b"=1+1", b"id", b"split", b"iq", b"0x1",
    b"inf",
)  # fmt: skip
CURVE_WORDS = (
    b"1,5", b"1e999", b"-0.0", b"1d5", b"q [1/nm]", b"2theta I", b"Qx Qy I", b"#", b"|", b"\xc5-1", b"(" * 999,
    b" " * 9999, b"q " * 4999,
)  # fmt: skip
XML_WORDS = (
    *WORDS, b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&amp;", b"&#0;", b"<a>" * 5000, b"<Idata>", b"</SASdata>", b"<!--",
    b"]]>", b'encoding="utf-7"', b'unit="1/nm"',
)  # fmt: skip
NPY_WORDS = (
    *WORDS, b"(", b")", b"{", b"}", b"'''", b"#", b"\\", b"O", b"|V9", b"<f4", b"(1,)*9", b"[('a','<f4')]", b"('",
    b"<U99",
)  # fmt: skip
EDF_WORDS = (
    *WORDS, b"Dim_1 = 99999999 ;", b"Dim_2 = 0 ;", b"DataType = DoubleValue ;", b"ByteOrder = x ;", b"Size = -5 ;",
    b"}", b"{", b"Image = 999 ;", b"EDF_BinarySize = 9999999999 ;", b"Compression = GzipCompression ;", b"<?xml",
    b"EDF_BlockBoundary = 9 ;", b"EDF_HeaderSize = 99999999 ;", b"EDF_DataBlockID = 2.Image.Psd ;",
)  # fmt: skip
CBF_WORDS = (
    *WORDS,
    b"X-Binary-Size: 99999999999",
    b"X-Binary-Size-Fastest-Dimension: 99999",
    b'conversions="x-CBF_PACKED"',
    b"X-Binary-Size-Second-Dimension: 0",
    b'X-Binary-Element-Type: "x"',
    b"\x0c\x1a\x04\xd5",
    b"loop_",
    b"data_",
)
PONI_WORDS = (
    *WORDS, b": ", b"Distance: 0", b"Rot1: 1.5707963267948966", b"Detector: ../x", b"Detector_config: [[[[",
    b'Detector_config: {"pixel1": {}}', b"1e-999", b"inf", b"PixelSize1: 1e300",
)  # fmt: skip
YAML_WORDS = (
    *WORDS,
    b"&a [*a, *a]",
    b"*a",
    b"!!python/object/apply:os.system ['touch ran']",
    b"!!binary x",
    b"<<: *a",
    b"? ",
    b"- ",
    b"preset: paper",
    b"seed: 1e3",
    b"{{{{",
    b"[[[[" * 300,
    b"null",
    b"1.e99",
    b"!!timestamp x",
    b"2001-02-30",
    b"---\n",
    b"%YAML 9.9",
    b"saxs: ",
    b"modalities: [iq, sem]",
    b"{a: b}",
    b": ",
    b"0b1",
    b"1:60",
    b"!!set {a}",
    b"!!omap x",
    b"\xc2\x85",
    b"|+",
    b">9",
)
SETTINGS = (
    b"preset: fast\nseed: 3\nsplit: {train: 5}\nlatent:\n  channels: 4\n",
    b"saxs: {prepare: {size: 32, beam_centre: [3, 4]}, training: {epochs: 2}}\npair: {training: {log_every: 1}}\n",
    b"modalities: [iq, sem]\ntune:\n  space:\n    latent.channels: {low: 2, high: 8}\ndevice: {threads: 1}\n",
)


@dataclass(frozen=True)
class Target:
    """A reader. ``file``: the name of what it reads; ``setup`` fills the folder around it first; ``json``: half of
    the inputs are edited as JSON; ``inputs``: how many the long campaign tries."""

    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    file: str
    inputs: int
    words: tuple[bytes, ...] = WORDS
    repair: Repair | None = None
    setup: Callable[[Path], object] | None = None
    json: bool = False


def _image(inside: str = "") -> Callable[[Path], object]:
    return lambda path: read_image(f"{path}{inside}", max_pixels=40_000_000)


def _picture_around(folder: Path) -> None:
    (folder / "a.png").write_bytes(seeds.pngs()[0])


def _beside(path: Path) -> object:
    return read_image(path.with_name("a.png"))


def _unpacked_here(path: Path) -> object:
    """What is unpacked lies in the folder of temporary files, which is this one here."""
    before, tempfile.tempdir = tempfile.tempdir, str(path.parent)
    try:
        return read_image(path, max_pixels=40_000_000)
    finally:
        tempfile.tempdir = before


def _two_pages(path: Path) -> object:
    return read_image(path), read_image(path, page=1)


def _curve(inside: str = "") -> Callable[[Path], object]:
    return lambda path: read_curve(f"{path}{inside}")


def _unpack(path: Path) -> object:
    files = read_images(path, SMALL_LIMITS)
    choose_sets(files, {"saxs": (".jpg",), "sem": (".tif",)}, str(path))
    out = path.parent / "out"
    out.mkdir(exist_ok=True)
    copy_images(
        path,
        {one.source: out / f"{number}.bin" for number, one in enumerate(files)},
        SMALL_LIMITS,
        lambda: None,
    )
    assert sum(one.stat().st_size for one in out.iterdir()) <= SMALL_LIMITS.total_bytes
    return files


def _pairs_around(folder: Path) -> None:
    for number in range(2):
        for sub, suffix, data in (("SAXS", "png", seeds.pngs()[0]), ("SEM", "tif", seeds.tiff())):
            (folder / sub).mkdir(exist_ok=True)
            (folder / sub / f"{number}.{suffix}").write_bytes(data)


def _watch_table() -> list[bytes]:
    row = dict.fromkeys(COLUMNS, "0") | {
        "input": "a.tif", "samples": "1", "sha256": "ab" * 32, "error": "",
    }  # fmt: skip
    lines = [",".join(COLUMNS), *(",".join({**row, "input": f"{n}.tif"}.values()) for n in range(3))]
    return ["\n".join(lines).encode() + b"\n"]


def _open_table(path: Path) -> None:
    Table(path).close()


def _record() -> list[bytes]:
    files = [
        Item(f"{folder}/{n}.jpg", PublishedFile(f"{n}.jpg", f"x/{n}.jpg", 9, "ab" * 32))
        for n in range(2)
        for folder in ("SAXS", "SEM")
    ]
    import json

    return [json.dumps(record_json(Record("c", "l", None, tuple(files)))).encode()]


def _read_record(path: Path) -> object:
    record = read_record(path)
    return None if record is None else pairs_csv(record.items)


def _prepared(folder: Path) -> None:
    images = create_array(folder, "sem.npy", (2 * 20 * 30,), "uint8")
    images[:] = 1
    create_array(folder, "sem-crops.npy", (2, 2, 8, 8), "uint8")[:] = 1
    create_array(folder, "saxs.npy", (2, 3, 8, 8), "float32")[:] = 0.5
    pairs = [{"id": name, "morphology": None, "split": "train", "group": None} for name in "ab"]
    card = {
        "pairs": pairs,
        "shapes": {"sem": [[20, 30], [20, 30]]},
        "digest": "ab" * 8,
        "settings": {},
        "done": {},
    }
    write_card(folder, card, ["sem.npy", "sem-crops.npy", "saxs.npy"])


def _read_prepared(path: Path) -> object:
    prepared = open_prepared(path.parent)
    prepared.verify()
    return (
        prepared.pairs, prepared.images("sem"), prepared.whole("saxs"), prepared.crops("sem"), prepared.digest,
    )  # fmt: skip


def _load(path: Path) -> object:
    predictor = load(path.parent)
    pattern = np.full((1, *predictor.shape("saxs")), 0.5, np.float32)
    return (
        predictor.confidence(pattern[0], "saxs"),
        predictor.prepared_with("saxs"),
        predictor.is_binary("sem"),
    )


def _load_fitted(path: Path) -> object:
    models.fit_card(path.parent)
    return _load(path)


@cache
def _model_file(name: str) -> bytes:
    def write(path: Path) -> None:
        path.write_bytes((models.write_model(path.parent / "model") / name).read_bytes())

    return seeds.in_file(write, "")


def _model(name: str) -> Callable[[], list[bytes]]:
    return lambda: [_model_file(name)]


def _card_of_prepared() -> list[bytes]:
    def write(path: Path) -> None:
        _prepared(path.parent)
        path.write_bytes((path.parent / "card.json").read_bytes())

    return [seeds.in_file(write, ".json")]


TARGETS: dict[str, Target] = {
    "png": Target(seeds.pngs, _image(), "a.png", 6_000),
    "png, sums right": Target(seeds.pngs, _image(), "a.png", 6_000, repair=png_sums),
    "jpeg": Target(seeds.jpegs, _image(), "a.jpg", 9_000),
    "tiff": Target(seeds.tiffs, _image(), "a.tif", 16_000),
    "tiff, page 1": Target(seeds.tiffs, _two_pages, "a.tif", 3_000),
    "bmp": Target(seeds.bmps, _image(), "a.bmp", 2_000),
    "text beside": Target(seeds.sidecars, _beside, "a.txt", 2_000, setup=_picture_around),
    "json beside": Target(lambda: [seeds.JSON], _beside, "a.json", 2_000, setup=_picture_around, json=True),
    "mrc": Target(lambda: seeds.em_files("mrc"), _image(), "a.mrc", 1_000),
    "dm3": Target(lambda: seeds.em_files("dm3"), _image(), "a.dm3", 2_000),
    "emd": Target(lambda: seeds.em_files("emd"), _image(), "a.emd", 1_000),
    "npy": Target(seeds.npys, _image(), "a.npy", 7_000, NPY_WORDS),
    "edf": Target(lambda: seeds.detector_files("edf"), _image(), "a.edf", 5_000, EDF_WORDS),
    "cbf": Target(lambda: seeds.detector_files("cbf"), _image(), "a.cbf", 5_000, CBF_WORDS),
    "img": Target(lambda: seeds.detector_files("img"), _image(), "a.img", 2_000, EDF_WORDS),
    "gzip": Target(seeds.gzipped, _unpacked_here, "a.edf.gz", 2_000),
    "poni": Target(seeds.ponis, lambda path: read_poni(path, "a"), "a.poni", 2_000, PONI_WORDS),
    "2D table": Target(seeds.table_patterns, _image(), "a.dat", 2_000, CSV_WORDS),
    "mask file": Target(seeds.pngs, lambda path: mask_of(read_image(path), "a"), "a.png", 1_000),
    "hdf5 frame": Target(seeds.hdf5s, _image("::/entry/frames[1]"), "a.h5", 2_000),
    "hdf5 image": Target(seeds.hdf5s, _image("::/entry/data"), "a.h5", 8_000),
    "hdf5 by link": Target(seeds.hdf5s, _image("::/entry/soft"), "a.h5", 1_000),
    "hdf5 curve": Target(seeds.hdf5s, _curve("::/entry/curve"), "a.h5", 2_000),
    "hdf5 without a name": Target(seeds.hdf5s, _curve(), "a.h5", 2_000),
    "hdf5 group": Target(seeds.hdf5s, _curve("::/entry"), "a.h5", 2_000),
    "text curve": Target(seeds.curves, _curve(), "a.csv", 5_000, (*CSV_WORDS, *CURVE_WORDS)),
    "xml curve": Target(seeds.xml_curves, _curve(), "a.xml", 3_000, XML_WORDS),
    "npy curve": Target(seeds.npy_curves, _curve(), "a.npy", 4_000, NPY_WORDS),
    "pairs.csv": Target(
        seeds.tables, lambda path: read_pairs(path.parent), "pairs.csv", 6_000, CSV_WORDS, setup=_pairs_around
    ),
    "params.yaml": Target(lambda: list(SETTINGS), load_settings, "params.yaml", 2_000, YAML_WORDS),
    "--set": Target(
        lambda: [b"split.train=5", b"modalities=[iq, sem]", b"saxs.prepare.beam_centre=[1, 2]"],
        lambda path: assignments([path.read_text("utf-8", "replace")]),
        "set.txt",
        2_000,
        YAML_WORDS,
    ),
    "zip": Target(lambda: [seeds.archives()["zip"]], _unpack, "a.zip", 4_000),
    "tar": Target(lambda: [seeds.archives()["tar"]], _unpack, "a.tar", 2_000),
    "tar, sums right": Target(lambda: [seeds.archives()["tar"]], _unpack, "a.tar", 2_000, repair=tar_sums),
    "model card": Target(_model("card.json"), _load, "card.json", 1_500, setup=models.write_model, json=True),
    "model weights": Target(
        _model("weights.safetensors"), _load_fitted, "weights.safetensors", 500, setup=models.write_model
    ),
    "model facts": Target(
        _model("facts.safetensors"), _load, "facts.safetensors", 500, setup=models.write_model
    ),
    "model history": Target(
        _model("history.csv"), lambda path: read_history(path.parent), "history.csv", 1_500, CSV_WORDS
    ),
    "prepared card": Target(
        _card_of_prepared, _read_prepared, "card.json", 1_500, setup=_prepared, json=True
    ),
    "watch table": Target(_watch_table, _open_table, "predictions.csv", 2_000, CSV_WORDS),
    "fetch record": Target(_record, _read_record, "fetch.json", 1_500, json=True),
}
ALL_INPUTS = sum(target.inputs for target in TARGETS.values())

__all__ = ["ALL_INPUTS", "TARGETS", "Target", "write_json"]
