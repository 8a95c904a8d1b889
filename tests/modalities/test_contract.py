"""What every modality promises, held for all of them at once: a new one is tested by being there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pairvae
from pairvae.data.pairs.manifest import read_pairs
from pairvae.data.prepare import raw_of
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, Modality, prepare_settings
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.settings import modality_names, resolve
from pairvae.settings.simulation import SimulationParameters

PHYSICS = SimulationParameters(
    sem_rows=208,
    sem_columns=240,
    saxs_px=128,
    saxs_window_nm=600,
    curves=True,
    afm=True,
    tem=True,
    saxs_q_max_per_nm=0.36,
)
SMALL: dict[str, Any] = {"iq": {"prepare": {"q_min": 0.07, "q_max": 0.33, "bins": 64}}}
PACKAGE = Path(pairvae.__file__).parent


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contract") / "raw"
    simulate(folder, pairs=2, seed=0, parameters=PHYSICS, workers=1)
    return folder


@pytest.fixture(params=list(MODALITIES))
def modality(request: pytest.FixtureRequest) -> Modality:
    return MODALITIES[request.param]


def opened(raw: Path, modality: Modality, number: int = 0) -> RawImage:
    return raw_of(read_pairs(raw)[number], modality)


def settings_of(modality: Modality) -> Any:
    return prepare_settings(resolve(SMALL), modality.name)


def test_sections_of_the_preset_and_modules_of_the_folder_agree() -> None:
    assert tuple(MODALITIES) == modality_names()
    for name, one in MODALITIES.items():
        assert one.name == name
        assert name.isalnum(), "directions are <source>_<target>"


def test_prepared_array_has_the_promised_shape_type_and_range(raw: Path, modality: Modality) -> None:
    settings = settings_of(modality)
    array = modality.prepare(opened(raw, modality), settings)
    expected = modality.prepared_shape(settings)
    if modality.cropped:
        assert array.shape[0] == expected[0]
        assert all(side >= least for side, least in zip(array.shape[1:], expected[1:], strict=True))
    else:
        assert array.shape == expected
    two_phases = modality.two_phases(settings)
    assert array.dtype == (np.uint8 if two_phases else np.float32)
    assert np.isfinite(array).all()
    assert 0 <= array.min() < array.max() <= 1
    if two_phases:
        assert set(np.unique(array)) == {0, 1}


def test_preparation_repeats_itself_and_tells_samples_apart(raw: Path, modality: Modality) -> None:
    settings = settings_of(modality)
    first, again, other = (modality.prepare(opened(raw, modality, number), settings) for number in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_preparation_leaves_the_raw_pixels_alone(raw: Path, modality: Modality) -> None:
    image = opened(raw, modality)
    before = image.pixels.copy()
    modality.prepare(image, settings_of(modality))
    np.testing.assert_array_equal(image.pixels, before)


def test_what_was_done_is_json(raw: Path, modality: Modality) -> None:
    told = modality.describe(opened(raw, modality), settings_of(modality))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told


def test_settings_survive_a_card(modality: Modality) -> None:
    settings = settings_of(modality)
    dumped = json.loads(json.dumps(settings.model_dump(mode="json")))
    assert modality.settings.model_validate(dumped) == settings


def test_axes_carry_units(modality: Modality) -> None:
    assert modality.axes
    assert all(axis.name and axis.unit for axis in modality.axes)
    if modality.coordinates is not None:
        settings = settings_of(modality)
        assert len(modality.coordinates(settings)) == modality.prepared_shape(settings)[-1]


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"no such thing\n", bytes(range(256))])
def test_bad_file_is_one_line(tmp_path: Path, modality: Modality, content: bytes) -> None:
    for suffix in ("png", "csv", "npy"):
        bad = tmp_path / f"bad.{suffix}"
        bad.write_bytes(content)
        with pytest.raises(InputError) as caught:
            modality.read(bad)
        assert str(caught.value).startswith(str(bad))
        assert "\n" not in str(caught.value)


def test_absent_file_is_one_line(tmp_path: Path, modality: Modality) -> None:
    with pytest.raises(InputError, match="expected a file, found none"):
        modality.read(tmp_path / "absent")


def test_unknown_setting_names_its_key(modality: Modality) -> None:
    with pytest.raises(InputError, match=rf"unknown key {modality.name}\.prepare\.nothing_of_the_kind"):
        prepare_settings(resolve({modality.name: {"prepare": {"nothing_of_the_kind": 1}}}), modality.name)


def test_nothing_else_has_to_know_of_the_third_one() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "modalities"]
    knowing = {path.name for path in files if '"iq"' in path.read_text("utf-8")}
    assert knowing == {"simulated_folder.py", "simulation.py", "old_names.py"}, (
        "the simulator's files; a setting that was removed"
    )


def test_curve_stands_in_for_a_file_by_the_pattern(raw: Path) -> None:
    one, section = MODALITIES["iq"], settings_of(MODALITIES["iq"])
    pair = read_pairs(raw)[0]
    from_file = one.prepare(raw_of(pair, one), section)
    averaged = one.prepare(raw_of(replace(pair, others={}), one), section)
    assert np.corrcoef(from_file.ravel(), averaged.ravel())[0, 1] > 0.95
    with pytest.raises(InputError, match="expected a curve file, or the q per pixel of the pattern"):
        one.prepare(raw_of(replace(pair, others={}, saxs_q_per_px_inv_nm=None), one), section)
