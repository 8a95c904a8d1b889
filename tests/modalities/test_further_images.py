"""AFM maps and TEM images: levelling by known planes, grey levels by default, two phases by a threshold."""

import numpy as np
import pytest

from pairvae.data.simulate.further_images import afm_map, tem_image
from pairvae.data.simulate.samples import simulate_sample
from pairvae.data.simulate.structure import draw_latents, make_field
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.afm import levelled
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.numerics.spacing import domain_spacing
from pairvae.settings import resolve
from pairvae.settings.simulation import SimulationParameters

PHYSICS = SimulationParameters(
    sem_rows=256, sem_columns=256, saxs_px=128, saxs_window_nm=600, afm=True, tem=True
)
WAVES = np.sin(2 * np.pi * np.arange(240) / 12) * np.ones((240, 1))


def raw(pixels: np.ndarray, nm_per_px: float | None = None) -> RawImage:
    return RawImage(pixels.astype(np.float32), nm_per_px, None, "npy", "map.npy")


def test_plane_and_offsets_of_lines_go_and_structure_stays() -> None:
    plane = 0.3 * np.arange(240)[:, None] - 0.1 * np.arange(240)[None] + 50
    steps = np.random.default_rng(0).normal(0, 5, (240, 1))
    np.testing.assert_allclose(levelled(WAVES + plane, "plane"), WAVES, atol=0.06)
    np.testing.assert_allclose(levelled(WAVES + plane + steps, "lines"), WAVES, atol=0.12)
    np.testing.assert_allclose(levelled(WAVES + plane, "none"), WAVES + plane, rtol=1e-6)


@pytest.mark.parametrize("name", ["afm", "tem"])
def test_grey_levels_by_default_and_two_phases_by_a_threshold(name: str) -> None:
    modality, default = MODALITIES[name], prepare_settings(resolve({}), name)
    assert not modality.two_phases(default)
    assert modality.prepare(raw(WAVES), default).dtype == np.float32
    settings = resolve({name: {"prepare": {"threshold": "otsu"}}})
    binary = modality.prepare(raw(WAVES), prepare_settings(settings, name))
    assert binary.dtype == np.uint8 and abs(binary.mean() - 0.5) < 0.1
    weights = settings.modality(name).training.texture  # type: ignore[union-attr]
    assert weights == settings.sem.training.texture
    grey = resolve({}).modality(name).training.texture  # type: ignore[union-attr]
    assert grey.phase_fraction == 0 and grey.histogram > 0


def test_messages_name_the_technique() -> None:
    prior = {"modalities": ["saxs", "afm"], "afm": {"training": {"start_from": "prior"}}}
    with pytest.raises(InputError, match=r"key afm: expected training\.start_from null"):
        resolve(prior)
    section = prepare_settings(resolve({"tem": {"prepare": {"nm_per_px": 2.0}}}), "tem")
    with pytest.raises(InputError, match=r"give tem_nm_per_px in pairs\.csv, or set tem\.prepare\.nm_per_px"):
        MODALITIES["tem"].prepare(raw(WAVES), section)
    assert MODALITIES["tem"].prepare(raw(WAVES, 2.0), section).shape == (1, 240, 240)


def test_simulated_images_show_the_spacing_of_the_sample_and_leave_the_others_as_they_are() -> None:
    sample, plain = (
        simulate_sample(1, 0, physics)
        for physics in (PHYSICS, PHYSICS.model_copy(update={"afm": False, "tem": False}))
    )
    np.testing.assert_array_equal(sample.sem[0], plain.sem[0])
    np.testing.assert_array_equal(sample.pattern, plain.pattern)
    assert not plain.images
    for name in ("afm", "tem"):
        section = prepare_settings(resolve({}), name)
        image = MODALITIES[name].prepare(raw(sample.images[name]), section)
        spacing = float(domain_spacing(image)[0]) * PHYSICS.sem_nm_per_px
        assert spacing == pytest.approx(sample.latents.spacing_nm, rel=0.15)


def test_a_blunt_tip_widens_what_stands_out_and_defocus_gives_contrast() -> None:
    rng = np.random.default_rng
    latents = draw_latents(0, PHYSICS, rng(0))
    field = make_field(latents, PHYSICS, rng(0))
    quiet = PHYSICS.model_copy(update={"afm_line_nm": 0.0, "afm_noise_nm": 0.0})
    sharp, blunt = (
        levelled(afm_map(field, quiet.model_copy(update={"afm_tip_nm": radius}), rng(1)), "plane")
        for radius in (1.0, 40.0)
    )
    assert (
        np.mean(blunt > (blunt.min() + blunt.max()) / 2)
        > np.mean(sharp > (sharp.min() + sharp.max()) / 2) + 0.05
    )
    bright = PHYSICS.model_copy(update={"tem_electrons": 20_000.0})
    focused, defocused = (
        tem_image(field, bright.model_copy(update={"tem_defocus_nm": nm}), rng(1)).std()
        for nm in (0.0, 30_000.0)
    )
    assert defocused > 1.2 * focused
