"""That simulated pairs are what they claim: the paper's numbers, and one structure seen in two ways."""

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from pairvae.data.simulate.micrograph import scale_bar_nm
from pairvae.data.simulate.samples import Sample, sample_latents, simulate_sample
from pairvae.data.simulate.saxs_pattern import colour_mapped, detect, expected_counts, q_grid, shadows
from pairvae.numerics.descriptors import phase_fraction
from pairvae.numerics.images import crop_positions, crops, resize
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.scattering import azimuthal_average, power_spectrum
from pairvae.numerics.spacing import domain_spacing
from pairvae.numerics.thresholds import binarise_sem
from pairvae.settings.simulation import MORPHOLOGIES, SimulationParameters
from real_files import real_file

PARAMETERS = SimulationParameters()
NM_PER_PX = PARAMETERS.sem_nm_per_px


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [simulate_sample(index, 0, PARAMETERS) for index in range(8)]


def binarised(sample: Sample) -> np.ndarray:
    return binarise_sem(sample.sem[0][: PARAMETERS.sem_rows])


def evaluation_crops(sample: Sample, count: int = 10) -> np.ndarray:
    image = binarised(sample)
    positions = crop_positions(image.shape[0], image.shape[1], 192, count, np.random.default_rng(42))
    return crops(image, positions, 192)


def ring(q: np.ndarray, intensity: np.ndarray) -> float:
    """Position of the ring (1/nm) after smearing by 0.006 1/nm, the beam's width, as the pattern has it."""
    fine = np.arange(0.12, 0.28, 0.0005)
    kernel = np.exp(-0.5 * (np.arange(-48, 49) * 0.0005 / 0.006) ** 2)
    smeared = np.convolve(np.interp(fine, q, intensity), kernel, mode="valid")
    return float(fine[48:-48][np.argmax(smeared)])


def test_the_ring_of_the_scattering_sits_at_the_period_of_the_micrograph(samples: list[Sample]) -> None:
    corners = np.array([[row, column] for row in (0, 159, 318) for column in (0, 256, 512, 768)])
    for sample in samples:
        spectrum = power_spectrum(crops(binarised(sample), corners, 512)).mean(axis=0)
        image = azimuthal_average(spectrum, (256, 256), q_per_px=2 * np.pi / (512 * NM_PER_PX))
        q_sem = ring(image.q, image.intensity)
        q_saxs = ring(sample.curve.q, sample.curve.intensity)
        assert q_saxs == pytest.approx(q_sem, rel=0.02)
        assert 2 * np.pi / q_saxs == pytest.approx(sample.latents.spacing_nm, rel=0.03)


def test_prepared_crops_have_the_phase_fraction_and_period_of_the_real_ones(samples: list[Sample]) -> None:
    for sample in samples:
        cut = evaluation_crops(sample)
        fraction = phase_fraction(cut)
        assert fraction.min() >= 0.40
        assert fraction.max() <= 0.57
        assert 10.5 <= float(np.median(domain_spacing(cut))) <= 11.5


def test_morphologies_differ_more_than_crops_of_one_image(samples: list[Sample]) -> None:
    curves = np.stack([two_point_correlation(evaluation_crops(sample)) for sample in samples])
    floor = np.median([np.abs(crop[0] - crop[1:]).mean() for crop in curves])
    mean = curves.mean(axis=1)
    others = [
        np.abs(mean[i] - mean[j]).mean() for i in range(8) for j in range(i) if i % len(MORPHOLOGIES) != j % 4
    ]
    assert floor < 0.012
    assert np.median(others) > 2.5 * floor


def test_two_exposures_of_a_sample_differ_by_counting_noise_alone(samples: list[Sample]) -> None:
    sample = samples[0]
    expected = expected_counts(sample.field, sample.latents, PARAMETERS)
    patterns = [
        resize(colour_mapped(detect(expected, PARAMETERS, np.random.default_rng(seed)), PARAMETERS), 192)
        for seed in (0, 1)
    ]
    assert np.abs(patterns[0] - patterns[1]).mean() / 255 == pytest.approx(0.02, abs=0.006)


def test_detected_counts_have_their_expectation_and_shadows_have_none(samples: list[Sample]) -> None:
    sample = samples[1]
    expected = expected_counts(sample.field, sample.latents, PARAMETERS)
    counts = detect(expected, PARAMETERS, np.random.default_rng(0))
    dark = shadows(PARAMETERS)
    assert counts[dark].max() == 0
    assert counts[~dark].mean() == pytest.approx(expected[~dark].mean(), rel=0.01)
    assert colour_mapped(counts, PARAMETERS)[dark].max() == 0


def test_grating_spots_lie_on_the_horizontal_axis_at_the_pitch(samples: list[Sample]) -> None:
    sample = samples[3]  # ladders: their pitch is far from the domain spacing
    expected = expected_counts(sample.field, sample.latents, PARAMETERS)
    q_y, q_x = q_grid(PARAMETERS)
    q_pitch = 2 * np.pi / sample.latents.pitch_nm
    row = int(np.argmin(np.abs(q_y[:, 0])))
    near = np.flatnonzero(np.abs(q_x[0] - q_pitch) < 0.02)
    assert q_x[0, near[np.argmax(expected[row, near])]] == pytest.approx(q_pitch, abs=0.004)


def test_a_larger_composition_gives_more_bright_phase_and_more_scattering() -> None:
    small = SimulationParameters(sem_rows=400, sem_columns=400, composition_variation=1.0)
    ranked = sorted(range(12), key=lambda index: sample_latents(index, 0, small).composition)
    few, many = (simulate_sample(index, 0, small) for index in (ranked[0], ranked[-1]))
    fractions = [phase_fraction(binarise_sem(sample.sem[0][:400])[None])[0] for sample in (few, many)]
    assert fractions[0] < fractions[1]
    assert few.curve.intensity.sum() < many.curve.intensity.sum()


@pytest.mark.parametrize("artefact", [{"sem_drift_nm": 60.0}, {"sem_charging": 0.8}])
def test_artefacts_change_the_micrograph_and_nothing_else(artefact: dict[str, float]) -> None:
    small = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600)
    clean, spoilt = (simulate_sample(0, 0, p) for p in (small, small.model_copy(update=artefact)))
    assert np.array_equal(clean.field, spoilt.field)
    assert np.abs(clean.sem[0].astype(float) - spoilt.sem[0]).mean() > 0.5


@pytest.mark.parametrize(("width_nm", "bar_nm"), [(3712, 500), (900, 200), (400, 100), (40, 10)])
def test_the_scale_bar_is_a_round_length(width_nm: float, bar_nm: int) -> None:
    assert scale_bar_nm(width_nm) == bar_nm


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"spacing": 30}, "Extra inputs are not permitted"),
        ({"blend": 1.5}, "less than or equal to 1"),
        ({"sem_nm_per_px": 20}, "spacing_nm must be at least 8 times sem_nm_per_px"),
        ({"saxs_q_max_per_nm": 0.2}, "must lie beyond the ring"),
        ({"saxs_distance_m": 20.0}, "q at saxs_distance_m must lie beyond the ring"),
        ({"saxs_window_nm": 150}, "at least 8 domain spacings"),
    ],
)
def test_impossible_parameters_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulationParameters(**values)  # type: ignore[arg-type]  # values of several types


def test_each_real_crop_has_a_simulated_one_like_it(samples: list[Sample]) -> None:
    real = [cv2.imread(str(real_file(f"true_sem_{name}.png")), 0) for name in "cd"]
    curves = two_point_correlation(np.stack([image > 127 for image in real]).astype(np.uint8))
    simulated = np.concatenate([two_point_correlation(evaluation_crops(sample)) for sample in samples])
    nearest = np.abs(simulated[:, None] - curves[None]).mean(axis=2).min(axis=0)
    assert nearest.max() < 0.04


def test_detector_distance_sets_the_scale_of_q() -> None:
    """At 5 m, 0.1 nm and a detector of 100 mm: 2 theta = atan(0.01), q = 4 pi / 0.1 x sin(theta) = 0.6283 1/nm."""
    near = SimulationParameters(saxs_distance_m=5.0, saxs_wavelength_nm=0.1, saxs_detector_mm=100.0)
    assert near.q_max_per_nm == pytest.approx(0.62829, abs=1e-4)
    assert SimulationParameters().q_max_per_nm == SimulationParameters().saxs_q_max_per_nm
    far = near.model_copy(update={"saxs_distance_m": 8.0})
    assert far.q_max_per_nm == pytest.approx(near.q_max_per_nm * 5 / 8, rel=1e-4)
