"""Predictions: tables and files, shared out in chunks or one by one; ensembles and movies of the same model."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import onnxruntime
import pytest
import tifffile
import torch

from pairvae.commands.ensemble import Constraints, ensemble
from pairvae.commands.export import export
from pairvae.commands.movie import movie
from pairvae.commands.predict import Request, predict, workers_for
from pairvae.errors import InputError
from pairvae.evaluation.rejection import Range
from pairvae.inference.loader import load
from pairvae.inference.predictions import nm_per_px
from pairvae.modalities.readers.image import read_image
from pairvae.models.posterior import Posterior
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.spacing import domain_spacing
from pairvae.stages.project import open_project
from pairvae.store.locks import folder_alone
from pairvae.store.model_folder import FORMAT


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_chunks_give_what_one_by_one_gives(
    tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_pair)
    for workers, name in ((1, "one"), (2, "two")):
        written = predict(
            ["data/raw/SAXS"],
            Request(to="sem", out=tmp_path / name, model="models/train-pair", samples=2, seed=3),
            workers=workers,
        )
        assert written == 16
        assert len(csv_rows(tmp_path / name / "curves.csv")) == 8 * 96
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_formats_of_the_field_are_read_back(
    tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_pair)
    pattern, micrograph = (min((tiny_pair / "data/raw" / name).iterdir()) for name in ("SAXS", "SEM"))
    model = load("models/train-pair")
    nm = nm_per_px(model, "sem")
    assert nm is not None

    def written(file: Path, to: str, kind: str, size: int | None = None) -> tuple[Path, list[dict[str, str]]]:
        out = tmp_path / f"{to}-{kind}"
        predict(
            [str(file)],
            Request(to=to, out=out, model="models/train-pair", samples=2, seed=3, kind=kind, size=size),
        )
        return out, csv_rows(out / "predictions.csv")

    out, rows = written(pattern, "sem", "png")
    expected = np.stack([read_image(out / row["file"]).pixels // 255 for row in rows])
    digest = hashlib.sha256(pattern.read_bytes()).hexdigest()

    out, rows = written(pattern, "sem", "ome-tiff")
    for row, image in zip(rows, expected, strict=True):
        with tifffile.TiffFile(out / row["file"]) as tiff:
            assert tiff.is_ome and f'PhysicalSizeX="{nm}" PhysicalSizeXUnit="nm"' in tiff.ome_metadata
            assert digest in tiff.ome_metadata and model.card["weights_sha256"] in tiff.ome_metadata
        again = read_image(out / row["file"])
        np.testing.assert_array_equal(again.pixels, image * 255)
        assert again.nm_per_px == pytest.approx(nm, rel=1e-6)

    out, rows = written(pattern, "sem", "nexus")
    assert {row["file"] for row in rows} == {f"{pattern.stem}-sem.nxs"}
    with h5py.File(out / rows[0]["file"]) as file:
        data = file[f"{file.attrs['default']}/{file['entry'].attrs['default']}"]
        assert data.attrs["NX_class"] == "NXdata" and list(data.attrs["axes"]) == ["sample", "y", "x"]
        np.testing.assert_array_equal(data[data.attrs["signal"]], expected)
        assert data["x"].attrs["units"] == "nm" and data["x"][1] - data["x"][0] == pytest.approx(nm)
        told = {name: one[()] for name, one in file["entry/process/parameters"].items()}
        assert told["input_sha256"].decode() == digest and told["seed"] == 3 and told["size"] == 192
    np.testing.assert_array_equal(
        read_image(f"{out / rows[0]['file']}::/entry/prediction/image").pixels, expected[0]
    )

    out, rows = written(micrograph, "saxs", "nexus")
    with h5py.File(out / rows[0]["file"]) as file:
        data = file["entry/prediction"]
        assert data["image"].shape == (2, 32, 32, 3) and data[data.attrs["signal"]].shape[:3] == (2, 32, 32)
        assert data["qx"].attrs["units"] == "1/nm" and abs(data["qx"][:].mean()) < 1e-9

    out, rows = written(pattern, "sem", "png", size=320)
    assert all(read_image(out / row["file"]).pixels.shape == (320, 320) for row in rows)
    assert len(csv_rows(out / "curves.csv")) == 160
    with pytest.raises(InputError, match=r"32 x 32, the only size that this network draws, found 320"):
        written(micrograph, "saxs", "png", size=320)


def test_larger_images_show_more_of_the_same(tiny_pair: Path) -> None:
    """S(r), phase fraction and spacing of 1024 px are those of the trained 192 px, within the scatter of the latter."""
    model = load(tiny_pair / "models/train-pair")
    pattern = min((tiny_pair / "data/raw/SAXS").iterdir())
    small, large = (
        np.stack([model.predict(pattern, target="sem", seed=seed, size=size)[0, 0] for seed in range(count)])
        for count, size in ((16, None), (1, 1024))
    )
    assert large.shape == (1, 1024, 1024)
    curves = two_point_correlation(small, bins=60)  # S(0) is the phase fraction
    gap = np.abs(two_point_correlation(large, bins=60)[0] - curves.mean(0))
    assert (gap < 2 * curves.std(0)).all()
    own, other = (domain_spacing(images) for images in (small, large))
    assert abs(other[0] - np.median(own)) < 2 * own.std()
    centred = large[0] - large[0].mean()
    power = np.abs(np.fft.rfft2(centred, (2048, 2048))) ** 2
    correlation = np.fft.irfft2(power)[:960, :960] / np.outer(*[1024 - np.arange(960)] * 2) / centred.var()
    correlation[:64, :64] = 0
    assert np.abs(correlation[:896, :896]).max() < 0.3, "a tiling repeats"


@pytest.mark.slow
def test_networks_as_onnx_give_the_same_numbers(tiny_pair: Path, tmp_path: Path) -> None:
    made = {one.name: one for one in export(tmp_path, str(tiny_pair / "models/train-pair"))}
    without = {name for name, one in made.items() if one.file is None}
    assert without and without <= {"sem-encoder", "sem-encoder-saxs"}
    assert made["sem-encoder"].reason
    model = load(tiny_pair / "models/train-pair")
    for count in (1, 3):
        arrays = np.random.default_rng(0).random((count, 3, 32, 32), dtype=np.float32)
        encoder, decoder = (
            onnxruntime.InferenceSession(tmp_path / f"{name}.onnx")
            for name in ("saxs-encoder", "sem-decoder")
        )
        (statistics,) = encoder.run(None, {encoder.get_inputs()[0].name: arrays})
        expected = np.concatenate(model.posterior(arrays, "saxs").numpy(), axis=1)
        np.testing.assert_allclose(statistics, expected, atol=1e-5)
        (images,) = decoder.run(
            None, {decoder.get_inputs()[0].name: statistics[:, : statistics.shape[1] // 2]}
        )
        assert images.shape == (count, 1, 192, 192)
        own = model.predict(arrays, source="saxs", target="sem").mean()
        assert (images >= 0.5).mean() == pytest.approx(own, abs=0.05)


def test_two_predictions_into_one_folder_do_not_mix(
    tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tiny_pair)
    pattern, out = str(min((tiny_pair / "data/raw/SAXS").iterdir())), tmp_path / "out"

    def once() -> int:
        return predict([pattern], Request(to="sem", out=out, model="models/train-pair"))

    out.mkdir()
    with folder_alone(out), pytest.raises(InputError, match="no other process writes results into"):
        once()
    assert not list(out.iterdir())
    assert once() == 1 and "tables of an earlier" not in capsys.readouterr().err
    assert once() == 1 and "tables of an earlier" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("inputs", "cores", "expected"),
    [(1, 16, 1), (299, 16, 1), (300, 16, 2), (300, 1, 1), (10_000, 2, 2), (10_000, 64, 4)],
)
def test_hundreds_of_files_are_worth_a_process_for_each_core(
    inputs: int, cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    assert workers_for(inputs) == expected


def test_a_bad_file_is_named_and_the_other_chunks_are_kept(
    tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairvae.commands.predict_tasks.CHUNK", 1)
    good = next((tiny_pair / "data" / "raw" / "SAXS").iterdir())
    files = [tmp_path / f"a{good.suffix}", tmp_path / f"b{good.suffix}"]
    shutil.copy(good, files[0])
    files[1].write_text("no image")
    model = str(tiny_pair / "models" / "train-pair")
    with pytest.raises(InputError, match=r"1 of 2 files without: .*b\.jpg"):
        predict(list(map(str, files)), Request(to="sem", out=tmp_path / "out", model=model), workers=2)
    assert (tmp_path / "out" / "a-sem-00.png").is_file()
    assert [row["input"] for row in csv_rows(tmp_path / "out" / "predictions.csv")] == [str(files[0])]


def test_names_of_any_kind_come_out_with_their_tables(
    tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source = min((tiny_pair / "data" / "raw" / "SAXS").iterdir())
    names = [
        "p" * 250 + ".jpg",
        "p" * 249 + "q.jpg",
        "\u6a23" * 75 + ".jpg",
        os.fsdecode(b"\xff.jpg"),
        "=1+1\x1b[31m.jpg",
    ]
    for name in (*names, "._a.jpg", "~$a.jpg"):
        shutil.copy(source, name)
    (tmp_path / "text.jpg").write_text("\x1b]0;title\x07")
    Path("text.jpg").rename("bad\x1b[31m.jpg")
    with pytest.raises(InputError, match=r"1 of 6 files without: bad\\x1b\[31m\.jpg"):
        predict(
            ["."], Request(to="sem", out=tmp_path / "out", model=str(tiny_pair / "models" / "train-pair"))
        )
    assert {row["input"] for row in csv_rows(tmp_path / "out" / "inputs.csv")} == {
        *names[:3], "\\udcff.jpg", "'=1+1\\x1b[31m.jpg",
    }  # fmt: skip
    files = [row["file"].removeprefix("'") for row in csv_rows(tmp_path / "out" / "predictions.csv")]
    assert len(set(files)) == 5
    assert all((tmp_path / "out" / file).is_file() for file in files)
    assert "\x1b" not in "".join(capfd.readouterr())


def test_a_bad_file_alone_is_told_as_it_was_given(
    tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = str(tiny_pair / "models" / "train-pair")
    with pytest.raises(InputError, match=r"^no\.jpg: expected a file, found none"):
        predict(["no.jpg"], Request(to="sem", out=tmp_path / "out", model=model))


def test_where_nothing_is_predicted_the_tables_of_before_stay(tiny_pair: Path, tmp_path: Path) -> None:
    model, good = (
        str(tiny_pair / "models" / "train-pair"),
        str(tiny_pair / "data" / "raw" / "SAXS" / "00000.jpg"),
    )
    predict([good], Request(to="sem", out=tmp_path, model=model))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for files in (["no.jpg"], ["no.jpg", "neither.jpg"]):
        with pytest.raises(InputError, match=r"no\.jpg: expected a file, found none"):
            predict(files, Request(to="sem", out=tmp_path, model=model))
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_both_directions_with_scales_spread_and_trust(tiny_pair: Path, tmp_path: Path) -> None:
    model = str(tiny_pair / "models" / "train-pair")
    raw = tiny_pair / "data" / "raw"
    files = [str(raw / "SAXS" / "00000.jpg"), str(raw / "SEM" / "00000.tif")]
    wanted = {"out": tmp_path, "model": model, "samples": 3, "seed": 0, "kind": "tiff", "neighbours": 2}
    assert predict(files, Request(to="both", **wanted)) == 6
    assert read_image(tmp_path / "00000-sem-02.tif").nm_per_px == pytest.approx(2.9)
    pattern, image = csv_rows(tmp_path / "inputs.csv")
    assert (pattern["from"], pattern["to"], image["from"], image["to"]) == ("saxs", "sem", "sem", "saxs")
    assert float(pattern["phase_fraction_std"]) > 0 and float(image["ring_q_inv_nm_mean"]) > 0
    for row in (pattern, image):
        assert float(row["distance"]) < 2 and row["unlike"] in ("True", "False") and row["ring_ratio"]
    row = csv_rows(tmp_path / "predictions.csv")[0]
    assert float(row["spacing_nm"]) == pytest.approx(2.9 * float(row["domain_spacing_px"]), rel=1e-3)
    assert cv2.imread(str(tmp_path / "contact-sheet.png")).shape[1] > 600
    first, second = csv_rows(tmp_path / "neighbours.csv")  # of the pattern alone
    assert float(first["distance"]) <= float(second["distance"]) and 0 < float(first["s2_difference"]) < 1
    prepared = open_project(folder=tiny_pair, track=False).prepared()
    crops = {pair.id: crop[0] for pair, crop in zip(prepared.pairs, prepared.crops("sem"), strict=True)}
    shown = cv2.imread(str(tmp_path / first["file"]), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(shown > 0, crops[first["sample"]] > 0)


def test_an_unlike_input_is_told(tiny_pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    model = str(tiny_pair / "models" / "train-pair")
    predict([str(tmp_path / "noise.png")], Request(to="sem", out=tmp_path / "out", model=model))
    assert "noise.png: unlike the training data" in capsys.readouterr().err
    assert csv_rows(tmp_path / "out" / "inputs.csv")[0]["unlike"] == "True"


def test_models_of_earlier_and_later_versions(
    tiny_pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "model"
    shutil.copytree(tiny_pair / "models" / "train-pair", old)
    (old / "facts.safetensors").unlink()
    known = json.loads((old / "card.json").read_text())
    del known["files_sha256"]["facts.safetensors"]
    (old / "card.json").write_text(json.dumps(known, indent=2))
    file = str(tiny_pair / "data" / "raw" / "SAXS" / "00000.jpg")
    predict([file], Request(to="sem", out=tmp_path / "out", model=str(old)))
    assert "does not know its training data" in capsys.readouterr().err
    assert csv_rows(tmp_path / "out" / "inputs.csv")[0]["distance"] == ""
    with pytest.raises(InputError, match=r"--neighbours.*keeps micrographs.*earlier version"):
        predict([file], Request(to="sem", out=tmp_path / "out", model=str(old), neighbours=1))
    card = (old / "card.json").read_text()
    newer = card.replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}')
    (old / "card.json").write_text(newer)
    with pytest.raises(
        InputError,
        match=rf"format {FORMAT} or lower, found {FORMAT + 1}, written by pairvae .*install that version",
    ):
        predict([file], Request(to="sem", out=tmp_path / "out", model=str(old)))


def test_an_ensemble_for_calculations(tiny_pair: Path, tmp_path: Path) -> None:
    model, raw = str(tiny_pair / "models" / "train-pair"), tiny_pair / "data" / "raw" / "SAXS"
    told = ensemble(
        [str(raw / "00000.jpg")], tmp_path / "e.h5", model=model, constraints=Constraints(samples=4, seed=3)
    )
    stack = tifffile.imread(tmp_path / "e-00000.tif")
    with h5py.File(tmp_path / "e.h5") as file:
        images = file["images"][:]
        assert file.attrs["nm_per_px"] == pytest.approx(2.9) and file.attrs["seed"] == 3
        latent, seed = torch.from_numpy(file["latents"][2:3]), int(file["noise_seeds"][2])
    again = load(model).decode(Posterior(latent, torch.zeros_like(latent)), "sem", 1, seed)[0, 0]
    np.testing.assert_array_equal(again, images[2])
    np.testing.assert_array_equal(stack, images * 255)
    assert (told.images, told.acceptance) == (4, 1.0)
    fraction = float(np.median(images.mean((1, 2))))
    constraints = Constraints(samples=3, phase_fraction=Range(fraction, 1))
    path = (str(raw / "00000.jpg"), str(raw / "00001.jpg"))
    ensemble(
        [],
        tmp_path / "path.npz",
        model=model,
        constraints=replace(constraints, samples=2),
        between=path,
        steps=3,
    )
    with np.load(tmp_path / "path.npz") as file:
        assert json.loads(str(file["facts"]))["centres"] == ["step-00", "step-01", "step-02"]
        assert (file["images"].mean((1, 2)) >= fraction).all()
    impossible = Constraints(samples=1, spacing_nm=Range(1, 2))
    with pytest.raises(InputError, match=r"expected images with the wished spacing.*widen --spacing"):
        ensemble(
            [],
            tmp_path / "no.npz",
            model=model,
            constraints=impossible,
            morphology=load(model).facts.morphologies[0],
        )
    with pytest.raises(InputError, match=r"expected a morphology: .*found 'cubes'"):
        ensemble([], tmp_path / "no.npz", model=model, constraints=constraints, morphology="cubes")
    assert not (tmp_path / "no.npz").exists()


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_movie_that_flickers_less(tiny_pair: Path, tmp_path: Path, suffix: str) -> None:
    model = str(tiny_pair / "models" / "train-pair")
    shown = movie([str(tiny_pair / "data" / "raw" / "SAXS")], tmp_path / f"m{suffix}", model=model, smooth=2)
    assert shown.flicker < shown.plain_flicker
    assert len(csv_rows(tmp_path / "m.csv")) == shown.frames == 8
    assert cv2.VideoCapture(str(shown.file)).get(cv2.CAP_PROP_FRAME_COUNT) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["m.csv", f"m{suffix}"])


def test_a_movie_with_a_bad_file_is_not_begun(tiny_pair: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no image")
    files = [str(tiny_pair / "data" / "raw" / "SAXS" / "00000.jpg"), str(tmp_path / "bad.jpg")]
    with pytest.raises(InputError, match=r"bad\.jpg: expected"):
        movie(files, tmp_path / "m.mp4", model=str(tiny_pair / "models" / "train-pair"))
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jpg"]


MEMORY = """
import resource, sys
from pathlib import Path
from pairvae.commands.predict import Request, predict
file, model, out, count = sys.argv[1:]
predict([file] * int(count), Request("sem", Path(out), model))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_many_inputs_need_the_memory_of_few(tiny_pair: Path, tmp_path: Path) -> None:
    """Whatever is kept for each of 10,000 inputs would show in 600 of them: 20 MB are 35 kB each."""
    file, model = tiny_pair / "data" / "raw" / "SAXS" / "00000.jpg", tiny_pair / "models" / "train-pair"
    peaks = []
    for count in (60, 660):
        out = tmp_path / str(count)
        arguments = [str(file), str(model), str(out), str(count)]
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, *arguments], capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, done.stderr
        assert len(csv_rows(out / "predictions.csv")) == count
        peaks.append(float(done.stdout))
    assert peaks[1] - peaks[0] < 20
