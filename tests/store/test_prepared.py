"""Prepared arrays: ragged images in one flat file, memory-mapped and checked."""

from pathlib import Path

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.store.files import read_json, write_json
from pairvae.store.prepared import CARD, PreparedPair, create_array, open_prepared, write_card

SHAPES = [[5, 7], [3, 2], [4, 4]]


@pytest.fixture
def images() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 2, shape, dtype=np.uint8) for shape in SHAPES]


@pytest.fixture
def folder(tmp_path: Path, images: list[np.ndarray]) -> Path:
    flat = create_array(tmp_path, "sem.npy", [sum(image.size for image in images)], "uint8")
    flat[:] = np.concatenate([image.ravel() for image in images])
    whole = create_array(tmp_path, "saxs.npy", [3, 3, 8, 8], "float32")
    whole[:] = np.linspace(0, 1, whole.size, dtype=np.float32).reshape(whole.shape)
    crops = create_array(tmp_path, "sem-crops.npy", [3, 2, 2, 2], "uint8")
    crops[:] = 1
    for array in (flat, whole, crops):
        array.flush()  # type: ignore[attr-defined]  # a memory map
    pairs = [{"id": "a", "morphology": "skew"}, {"id": "b", "group": "wafer"}, {"id": "c"}]
    card = {"pairs": pairs, "shapes": {"sem": SHAPES}, "digest": "0123456789abcdef"}
    write_card(tmp_path, card, ["sem.npy", "saxs.npy", "sem-crops.npy"])
    return tmp_path


def test_ragged_images_come_back_as_views_of_the_map(folder: Path, images: list[np.ndarray]) -> None:
    found = open_prepared(folder).images("sem")
    assert [image.shape for image in found] == [tuple(shape) for shape in SHAPES]
    for image, expected in zip(found, images, strict=True):
        assert isinstance(image, np.memmap)
        np.testing.assert_array_equal(image, expected)


def test_whole_arrays_crops_and_pairs(folder: Path) -> None:
    prepared = open_prepared(folder)
    prepared.verify()
    assert prepared.whole("saxs").shape == (3, 3, 8, 8)
    assert prepared.crops("sem").shape == (3, 2, 2, 2)
    assert prepared.pairs[0] == PreparedPair("a", morphology="skew")
    assert prepared.pairs[1].group == "wafer"
    assert prepared.digest == "0123456789abcdef"


def test_arrays_cannot_be_changed_by_accident(folder: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        open_prepared(folder).whole("saxs")[0] = 0


def test_no_prepared_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected prepared data, found none - run `pairvae preprocess`"):
        open_prepared(tmp_path)


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_damaged_card(folder: Path, damage: str) -> None:
    (folder / CARD).write_text(damage)
    with pytest.raises(InputError, match=r"card\.json: expected a JSON card"):
        open_prepared(folder)


def test_other_format(folder: Path) -> None:
    write_json(folder / CARD, {**read_json(folder / CARD), "format": 99})
    with pytest.raises(InputError, match="expected format 1, found 99"):
        open_prepared(folder)


def test_changed_array_is_refused(folder: Path) -> None:
    array = np.load(folder / "saxs.npy", mmap_mode="r+")
    array[0, 0, 0, 0] = 0.5
    array.flush()
    with pytest.raises(InputError, match=r"saxs\.npy: expected an array with sha256 \w{12}, found \w{12}"):
        open_prepared(folder).verify()
    (folder / "saxs.npy").unlink()
    with pytest.raises(InputError, match="found no file"):
        open_prepared(folder).verify()


@pytest.mark.parametrize("keep", [0, 5, 100, 200])
def test_truncated_array_is_told(folder: Path, keep: int) -> None:
    path = folder / "saxs.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"saxs\.npy: expected a whole npy file"):
        open_prepared(folder).whole("saxs")


def test_pickled_array_is_refused(folder: Path) -> None:
    np.save(folder / "saxs.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match="expected a whole npy file"):
        open_prepared(folder).whole("saxs")
