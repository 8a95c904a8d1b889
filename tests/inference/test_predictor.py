"""What a user calls: shapes, values, and that an input's images do not depend on its neighbours."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pairvae.errors import InputError
from pairvae.inference.encoder_inputs import _starts
from pairvae.inference.predictor import Predictor
from pairvae.models.build import build_vae
from pairvae.models.texture import TextureEncoder
from pairvae.models.vae import CHUNK, ScoreRegression
from pairvae.settings import CompactNetwork, LatentSettings, TextureNetwork, resolve

SHAPES = {"saxs": (3, 32, 32), "sem": (1, 32, 32)}
LATENT = LatentSettings(channels=3, grid=1)
COMPACT = CompactNetwork(architecture="compact", components=8, width=32, pool=1)
TEXTURE = TextureNetwork(
    architecture="texture", components=8, width=32, noise_channels=8, block_widths=(8, 8, 8)
)
COUNT = 37


def arrays(source: str, count: int = COUNT) -> np.ndarray:
    generator = np.random.default_rng(0)
    if source == "sem":
        return generator.integers(0, 2, (count, *SHAPES["sem"]), dtype=np.uint8)
    return generator.random((count, *SHAPES["saxs"]), dtype=np.float32)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    vaes = {
        "saxs": build_vae(COMPACT, LATENT, SHAPES["saxs"], seed=0).eval(),
        "sem": build_vae(TEXTURE, LATENT, SHAPES["sem"], seed=0).eval(),
    }
    for name, vae in vaes.items():
        examples = torch.from_numpy(arrays(name).astype(np.float32))
        vae.encoder.fit(examples)
        vae.decoder.fit(examples)
    settings = resolve({"saxs": {"prepare": {"size": 32}}, "sem": {"prepare": {"crop": 32}}})
    cards = {
        name: {"shape": list(shape), "prepare": settings.modality(name).prepare.model_dump(mode="json")}
        for name, shape in SHAPES.items()
    }
    return Predictor(vaes, {"modalities": cards})


def test_binary_images_of_a_pattern(predictor: Predictor) -> None:
    found = predictor.predict(arrays("saxs", 3), "saxs", "sem", samples=4)
    assert found.shape == (3, 4, 32, 32)
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 1}
    assert (found[0, 0] != found[0, 1]).any()


def test_patterns_of_an_image(predictor: Predictor) -> None:
    found = predictor.predict(arrays("sem", 3), "sem", "saxs", samples=2)
    assert found.shape == (3, 2, 3, 32, 32)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("source", ["saxs", "sem"])
@pytest.mark.parametrize("target", ["saxs", "sem"])
def test_no_input_gives_no_image(predictor: Predictor, source: str, target: str) -> None:
    found = predictor.predict(arrays(source, 0), source, target, samples=2)
    assert found.shape == (0, 2, *(SHAPES[target] if target == "saxs" else SHAPES[target][1:]))


@pytest.mark.parametrize("source", ["saxs", "sem"])
@pytest.mark.parametrize("target", ["saxs", "sem"])
@pytest.mark.parametrize("samples", [1, 3, CHUNK + 2])
def test_same_input_same_images_whatever_its_neighbours(
    predictor: Predictor, source: str, target: str, samples: int
) -> None:
    inputs = arrays(source)
    together = predictor.predict(inputs, source, target, samples, seed=5)
    backwards = predictor.predict(inputs[::-1], source, target, samples, seed=5)[::-1]
    np.testing.assert_array_equal(together, backwards)
    for index in (0, 17, COUNT - 1):
        alone = predictor.predict(inputs[index : index + 1], source, target, samples, seed=5)
        np.testing.assert_array_equal(alone[0], together[index])


def test_seed_changes_samples_and_leaves_the_global_stream_alone(predictor: Predictor) -> None:
    inputs = arrays("saxs", 2)
    before = torch.random.get_rng_state()
    first, other = (predictor.predict(inputs, "saxs", "sem", 2, seed) for seed in (0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert (first != other).any()


def test_one_sample_is_decoded_from_the_mean(predictor: Predictor) -> None:
    inputs = arrays("sem", 2)
    mean = predictor.posterior(inputs, "sem").mean
    with torch.no_grad():
        expected = predictor.vaes["saxs"].decoder(mean).numpy()
    np.testing.assert_allclose(predictor.predict(inputs, "sem", "saxs")[:, 0], expected, atol=1e-5)
    again = predictor.predict(inputs, "sem", "saxs", seed=9)
    np.testing.assert_array_equal(again, predictor.predict(inputs, "sem", "saxs", seed=0))
    several = predictor.predict(inputs, "sem", "saxs", samples=3)
    assert (several[:, 0] != several[:, 1]).any()


def test_binary_images_may_come_without_their_channel(predictor: Predictor) -> None:
    inputs = arrays("sem", 2)
    np.testing.assert_array_equal(
        predictor.predict(inputs[:, 0], "sem", "saxs"), predictor.predict(inputs, "sem", "saxs")
    )


def pattern(value: float) -> np.ndarray:
    return np.full((1, *SHAPES["saxs"]), value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            np.zeros((2, 1, 32, 32)),
            r"saxs: expected arrays of shape \(N, 3, 32, 32\), found \(2, 1, 32, 32\)",
        ),
        (np.zeros((2, 3, 32, 12)), r"expected arrays of shape"),
        ([np.zeros((5, 3, 32, 32))], r"expected arrays of shape .*, found one of \(5, 3, 32, 32\) in a list"),
        (7, r"expected arrays of shape .*, found int"),
        (np.float32(0), r"expected arrays of shape"),
        (pattern(np.nan), r"saxs: expected values in \[0, 1\]"),
        (pattern(np.inf), r"expected values in \[0, 1\]"),
        (pattern(-0.1), r"expected values in \[0, 1\], found -0\.1 to -0\.1"),
        (pattern(255), r"expected values in \[0, 1\], found 255 to 255"),
        (pattern(0).astype(str), r"saxs: expected numbers, found dtype <U"),
        (pattern(0).astype(complex), r"expected numbers"),
    ],
)
def test_arrays_that_are_no_prepared_ones_are_told(
    predictor: Predictor, given: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        predictor.predict(given, "saxs", "sem")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "afm"}, r"modality: expected a modality: saxs, sem, found 'afm'"),
        ({"target": "afm"}, r"modality: expected a modality: saxs, sem, found 'afm'"),
        ({"samples": 0}, r"samples: expected at least one sample, found 0"),
        ({"seed": -1}, r"seed: expected a seed from 0"),
        ({"seed": 2**70}, r"seed: expected a seed from 0"),
    ],
)
def test_arguments_that_are_wrong_are_told(
    predictor: Predictor, change: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {"source": "saxs", "target": "sem", "samples": 1, "seed": 0} | change
    with pytest.raises(InputError, match=message):
        predictor.predict(arrays("saxs", 1), **arguments)


def raw(kind: str, seed: int, side: int = 48) -> np.ndarray:
    """What a person holds: counts, a colour picture or a micrograph, none of it prepared."""
    generator = np.random.default_rng(seed)
    if kind == "counts":
        return generator.poisson(20, (side, side)).astype(np.uint16)
    if kind == "colours":
        return generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(generator.random((side, side + 8)), (0, 0), 2)
    return np.rint(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


@pytest.mark.parametrize(("kind", "source"), [("counts", "saxs"), ("colours", "saxs"), ("micrograph", "sem")])
def test_raw_arrays_files_and_lists_are_prepared_alike(
    predictor: Predictor, tmp_path: Path, kind: str, source: str
) -> None:
    images = [raw(kind, seed) for seed in range(3)]
    files = [tmp_path / f"{number}.npy" for number in range(3)]
    for file, image in zip(files, images, strict=True):
        np.save(file, image)
    expected = predictor.predict(files, source, samples=2, seed=4)
    assert len(expected) == 3
    for inputs in (np.stack(images), images, [images[0], str(files[1]), files[2]], iter(files)):
        np.testing.assert_array_equal(predictor.predict(inputs, source, samples=2, seed=4), expected)
    for one in (images[1], files[1], str(files[1])):
        np.testing.assert_array_equal(predictor.predict(one, source, samples=2, seed=4), expected[1:2])
    mixed = predictor.predict([images[0], raw(kind, 7, side=64)], source, samples=2, seed=4)
    np.testing.assert_array_equal(mixed[0], expected[0])


def test_colours_may_be_numbers_up_to_one(predictor: Predictor) -> None:
    colours = raw("colours", 0)
    np.testing.assert_array_equal(
        predictor.predict(colours / 255, target="sem"), predictor.predict(colours, target="sem")
    )


def test_binary_image_of_any_size_is_taken_as_it_is(predictor: Predictor) -> None:
    binary = np.random.default_rng(3).integers(0, 2, (64, 48), dtype=np.uint8)
    expected = predictor.decode(predictor.pooled_posterior(binary[None], "sem"), "saxs", 2)
    for image in (binary, binary[None], binary.astype(bool), binary.astype(float), [binary]):
        np.testing.assert_array_equal(predictor.predict(image, "sem", samples=2), expected)


def test_one_prepared_array_is_a_batch_of_one(predictor: Predictor) -> None:
    for source in SHAPES:
        inputs = arrays(source, 1)
        np.testing.assert_array_equal(predictor.predict(inputs[0], source), predictor.predict(inputs, source))


@pytest.mark.parametrize("given", [{"source": "saxs"}, {"target": "sem"}])
def test_of_source_and_target_one_is_enough(predictor: Predictor, given: dict[str, str]) -> None:
    inputs = arrays("saxs", 1)
    np.testing.assert_array_equal(
        predictor.predict(inputs, **given), predictor.predict(inputs, "saxs", "sem")
    )
    with pytest.raises(InputError, match="expected source or target, found neither"):
        predictor.predict(inputs)


@pytest.mark.parametrize(
    ("image", "source", "message"),
    [
        (np.full((48, 48), np.nan), "sem", r"sem\[0\]: expected finite pixels"),
        (np.full((20, 48), 7, np.uint8), "sem", r"sem\[0\]: expected an image area of at least 32 x 32 px"),
        (np.zeros((20, 48)), "sem", r"sem: expected an array of 1 x 32 x 32 or more, found 1 x 20 x 48"),
        (np.full((40, 40, 3), 1.5), "saxs", r"saxs\[0\]: expected colours in \[0, 1\], or whole numbers"),
        (np.zeros((40, 40), complex), "saxs", r"saxs\[0\]: expected numbers, found dtype complex"),
        ("nowhere.tif", "sem", r"nowhere.tif: expected a file, found none"),
    ],
)
def test_raw_input_that_cannot_be_used_is_told(
    predictor: Predictor, image: Any, source: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        predictor.predict(image, source)


def test_a_model_says_what_it_is(predictor: Predictor) -> None:
    lines = repr(predictor).splitlines()
    assert len(lines) == 5
    assert lines[0] == "Predictor: saxs <-> sem"
    assert "SEM image, 1 x 32 x 32" in lines[2]
    shown = predictor._repr_html_()
    assert shown.startswith("<table>") and shown.count("<tr>") == 5 and "saxs &lt;-&gt; sem" in shown


def test_a_model_without_a_folder_cannot_be_saved(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a model from a folder"):
        predictor.save(tmp_path / "model")


def crops_of(image: np.ndarray, rows: tuple[int, ...], columns: tuple[int, ...]) -> torch.Tensor:
    cut = [image[:, row : row + 32, column : column + 32] for row in rows for column in columns]
    return torch.from_numpy(np.stack(cut))


def test_posterior_of_a_larger_image_is_that_of_its_crops_mean_features(predictor: Predictor) -> None:
    image = np.random.default_rng(3).integers(0, 2, (1, 64, 48)).astype(np.float32)
    encoder = predictor.vaes["sem"].encoder
    with torch.no_grad():
        features = encoder.features(crops_of(image, (0, 16, 32), (0, 16)))
        mean, std = encoder.head(features.mean(0, keepdim=True)).chunk(2, dim=1)
    pooled = predictor.pooled_posterior(image, "sem")
    torch.testing.assert_close(pooled.mean, mean)
    torch.testing.assert_close(pooled.std, std)


def test_a_regression_toward_patterns_is_that_of_one_crop_or_many(predictor: Predictor) -> None:
    vaes = copy.deepcopy(dict(predictor.vaes))
    encoder, (_, rows, columns) = vaes["sem"].encoder, predictor.shape("sem")
    assert isinstance(encoder, TextureEncoder)
    for key, share in (("saxs", 0.25), ("saxs_whole", 0.75)):
        encoder.toward[key] = ScoreRegression(torch.ones(3, encoder.components), torch.zeros(3), share)
    moved = dataclasses.replace(predictor, vaes=vaes)
    image = np.random.default_rng(3).integers(0, 2, (1, 2 * rows, 2 * columns)).astype(np.float32)
    for array, share in (
        (image[:, :rows, :columns], 0.25),
        (image[:, : rows + 8, :columns], 0.25),
        (image, 0.75),
    ):
        posterior, own = moved.encode([array], "sem"), predictor.encode([array], "sem")
        assert torch.equal(posterior.mean, own.mean), "the image itself is decoded as before"
        more = posterior.for_target("saxs").mean[0, own.mean.shape[1] :].flatten()
        assert float(more[0]) == share and torch.equal(more[1:], more[1].expand(3))


@pytest.mark.parametrize("length", [192, 193, 336, 337, 830, 1280])
def test_windows_cover_an_image_and_overlap(length: int) -> None:
    starts = _starts(length, 192)
    assert starts[0] == 0 and starts[-1] == length - 192
    assert all(0 < after - before <= 144 for before, after in itertools.pairwise(starts))


def test_crop_of_a_larger_image_with_other_values_is_told(predictor: Predictor) -> None:
    image = np.zeros((1, 64, 64), np.float32)
    image[0, 60, 60] = 7
    with pytest.raises(InputError, match=r"values in \[0, 1\]"):
        predictor.pooled_posterior(image, "sem")


def test_image_of_the_network_s_size_is_one_crop(predictor: Predictor) -> None:
    image = arrays("sem", 1)[0].astype(np.float32)
    torch.testing.assert_close(
        predictor.pooled_posterior(image, "sem").mean, predictor.posterior(image[None], "sem").mean
    )
