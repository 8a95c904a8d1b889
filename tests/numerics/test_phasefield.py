"""The phase field against formulas with known numbers."""

import numpy as np
import pytest

from pairvae.numerics.phasefield import Grid, mirror_average, relax, scattering, smooth_noise

GRID = Grid(128, 192, 5.0)
SPACING_NM = 40.0  # 24 periods in x, 16 in y: stripes fit the grid
WAVE_NUMBER = 2 * np.pi / SPACING_NM


def stripes(amplitude: float, spacing_nm: float = SPACING_NM) -> np.ndarray:
    _, x = GRID.positions()
    wave = amplitude * np.cos(2 * np.pi * x / spacing_nm)
    return np.broadcast_to(wave, GRID.shape).astype(np.float32)


def relaxed(seed: np.ndarray, steps: int, quadratic: float = 0.0, forcing: float = 0.0) -> np.ndarray:
    return relax(
        seed,
        np.full(GRID.shape, forcing, np.float32),
        GRID,
        wave_number=WAVE_NUMBER,
        quadratic=quadratic,
        growth=0.3,
        step=0.5,
        steps=steps,
    )


def amplitude(field: np.ndarray) -> float:
    return float(np.sqrt(2) * field.std())


def test_stripes_at_the_preferred_spacing_grow_by_the_linear_rate() -> None:
    grown = relaxed(stripes(1e-3), steps=4)
    assert amplitude(grown) == pytest.approx(1e-3 * (1 - 0.5 * 0.3) ** -4, rel=1e-3)


def test_stripes_at_half_the_spacing_die_out() -> None:
    # (1 - 2^2)^2 = 9: each step divides by 1 + 0.5 (9 - 0.3).
    grown = relaxed(stripes(1e-3, SPACING_NM / 2), steps=3)
    assert amplitude(grown) == pytest.approx(1e-3 / (1 + 0.5 * 8.7) ** 3, rel=0.02)


def test_stripes_saturate_at_the_weakly_nonlinear_amplitude() -> None:
    # One mode: growth A = 3/4 A^3; the third harmonic takes a little.
    assert amplitude(relaxed(stripes(0.1), steps=200)) == pytest.approx(np.sqrt(4 * 0.3 / 3), rel=0.03)


@pytest.mark.parametrize(("quadratic", "sign"), [(1.0, 1), (-1.0, -1)])
def test_the_quadratic_term_decides_between_bright_and_dark_dots(quadratic: float, sign: int) -> None:
    seed = 0.3 * smooth_noise(GRID, 12.0, np.random.default_rng(0))
    field = relaxed(seed, steps=60, quadratic=quadratic)
    skewness = float(((field - field.mean()) ** 3).mean() / field.std() ** 3)
    assert sign * skewness > 0.5


def test_noise_has_unit_variance_and_its_correlation_length() -> None:
    grid = Grid(256, 256, 5.0)
    noise = np.stack([smooth_noise(grid, 50.0, np.random.default_rng(seed)) for seed in range(20)])
    assert noise.mean() == pytest.approx(0, abs=1e-6)
    assert noise.var() == pytest.approx(1, abs=1e-4)
    correlation = float((noise * np.roll(noise, 10, axis=2)).mean())  # 10 cells = 50 nm
    assert correlation == pytest.approx(np.exp(-1), abs=0.05)


def test_noise_follows_its_generator() -> None:
    first, same, other = (smooth_noise(GRID, 50.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.allclose(first, other)


def test_stripes_of_40_nm_scatter_at_their_wave_number() -> None:
    window = 64
    intensity = scattering(stripes(1.0), window)
    row, column = np.unravel_index(int(np.argmax(intensity)), intensity.shape)
    q_per_cell = 2 * np.pi / (window * GRID.cell_nm)
    assert row == window // 2
    assert abs(column - window // 2) * q_per_cell == pytest.approx(WAVE_NUMBER)


def test_scattering_keeps_the_variance_and_is_centrosymmetric() -> None:
    field = smooth_noise(GRID, 20.0, np.random.default_rng(3))
    intensity = scattering(field, 64)
    assert intensity.mean() == pytest.approx(field.var(), rel=0.15)
    inner = intensity[1:, 1:]
    assert np.allclose(inner, inner[::-1, ::-1], rtol=1e-4)


def test_the_mirror_average_is_symmetric_about_the_beam() -> None:
    pattern = np.random.default_rng(0).random((8, 8), dtype=np.float32)
    averaged = mirror_average(pattern)
    assert np.array_equal(averaged[:, 1:], averaged[:, :0:-1])
    assert averaged.sum() == pytest.approx(pattern.sum(), rel=1e-6)


def test_noise_of_one_cell_reaches_the_finest_waves() -> None:
    spectrum = np.abs(np.fft.rfft2(smooth_noise(Grid(48, 64, 5.0), 4.0, np.random.default_rng(0))))
    assert (spectrum[:, 1:32].max(0) > 0.02 * spectrum.max()).all()


def test_scattering_looks_at_the_whole_field() -> None:
    noise = np.random.default_rng(0).standard_normal(GRID.shape).astype(np.float32)
    for part in (np.s_[80:, :], np.s_[:, 120:]):
        field = np.zeros(GRID.shape, np.float32)
        field[part] = noise[part]
        assert scattering(field, 64).mean() == pytest.approx(field.var(), rel=0.35)
