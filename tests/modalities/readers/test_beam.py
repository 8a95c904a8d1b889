"""The beam centre: found by symmetry, and refused where the symmetry is doubtful."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pairvae.data.simulate.simulated_folder import simulate
from pairvae.modalities.readers.beam import beam_centre
from pairvae.modalities.readers.counts import bad_pixels

SHAPE = (400, 380)
Y, X = np.indices(SHAPE)


def pattern(kind: str, centre: tuple[float, float], *, gaps: bool = False, stop: float = 11) -> np.ndarray:
    """Poisson counts about a beam that may lie outside, with a beamstop of zeros."""
    dy, dx = Y - centre[0], X - centre[1]
    r, phi = np.hypot(dy, dx), np.arctan2(dy, dx)
    ring = np.exp(-(((r - 76) / 8) ** 2))
    expected = {
        "halo": 1000 * np.exp(-r / 30) + 3,
        "ring": 500 * np.exp(-r / 19) + 200 * ring + 3,
        "arcs": 1000 * np.exp(-r / 19) + 200 * ring * np.cos(phi) ** 8 + 3,
        "wide angles": sum(300 * np.exp(-(((r - 380 * k) / 4) ** 2)) for k in (0.3, 0.45, 0.7, 0.9, 1.1, 1.3))
        + 3,
    }[kind]
    counts = np.random.default_rng(0).poisson(expected).astype(np.int32)
    counts[r < stop] = 0
    if gaps:
        counts[190:200], counts[:, 100:107] = -1, -1
    return counts


@pytest.mark.parametrize("kind", ["halo", "ring", "arcs"])
@pytest.mark.parametrize("centre", [(200, 190), (150, 230), (100, 120)])
def test_a_beam_on_the_detector_is_found(kind: str, centre: tuple[int, int]) -> None:
    found = beam_centre(pattern(kind, centre))
    assert not found.doubt
    assert (found.row, found.column) == pytest.approx(centre, abs=2.5)


@pytest.mark.parametrize("kind", ["halo", "ring", "arcs", "wide angles"])
@pytest.mark.parametrize("centre", [(10, 10), (-60, 190), (-50, -50), (500, 500)])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_beam_at_the_corner_or_outside_is_not_believed(
    kind: str, centre: tuple[int, int], gaps: bool
) -> None:
    assert beam_centre(pattern(kind, centre, gaps=gaps)).doubt


def without_scattering(kind: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    if kind == "noise":
        return rng.poisson(20, SHAPE).astype(np.int32)
    if kind == "gradient":
        return rng.poisson(20 + Y / 2).astype(np.int32)
    if kind == "round detector":
        return np.where(np.hypot(Y - 200, X - 190) < 180, rng.poisson(30, SHAPE), 0).astype(np.int32)
    if kind == "stripes of a micrograph":
        return (128 + 100 * np.sin(X / 4 + 0.3 * np.sin(Y / 20))).astype(np.float32)
    if kind == "modules of unequal gain":
        return rng.poisson(np.where((Y // 100 + X // 95) % 2, 30, 33)).astype(np.int32)
    if kind == "a hot pixel":
        counts = rng.poisson(1, SHAPE).astype(np.int32)
        counts[300, 50] = 100_000
        return counts
    horizon = pattern("ring", (350, 190))  # grazing incidence: the sample shadows one half
    horizon[352:] = 0
    return horizon


@pytest.mark.parametrize("kind", [
    "noise", "gradient", "round detector", "stripes of a micrograph", "modules of unequal gain", "a hot pixel",
    "horizon",
])  # fmt: skip
def test_symmetry_without_scattering_is_not_believed(kind: str) -> None:
    assert beam_centre(without_scattering(kind)).doubt


def test_a_centre_away_from_the_beamstop_is_not_believed() -> None:
    optics = 180 * np.exp(
        -((np.hypot(Y - 200, X - 190) / 120) ** 2)
    )  # the shadow of optics has a middle, too
    r = np.hypot(Y - 280, X - 250)
    counts = np.random.default_rng(2).poisson(optics + 200 * np.exp(-r / 12) + 2).astype(np.int32)
    counts[r < 9] = 0
    assert "the beamstop lies elsewhere, 70% from the top and 66% from the left" in beam_centre(counts).doubt


def test_shadows_of_zeros_are_masked_and_weak_patterns_are_not() -> None:
    counts = np.random.default_rng(3).poisson(40.0, (120, 120)).astype(np.int32)
    counts[50:70, 40:80] = 0
    assert bad_pixels(counts)[50:70, 40:80].all()
    assert not bad_pixels(np.random.default_rng(3).poisson(0.3, (120, 120)).astype(np.int32)).any()


def test_a_gap_between_modules_is_no_second_centre(tmp_path: Path) -> None:
    """A picture that was saved as JPEG again: the margins lose their noise, the gaps in them stay as they are."""
    simulate(tmp_path, pairs=1, seed=0)
    (file,) = (tmp_path / "SAXS").iterdir()
    picture = cv2.imread(str(file))
    assert picture is not None
    _, again = cv2.imencode(".jpg", np.roll(picture, 6, 1))
    found = beam_centre(cv2.imdecode(again, cv2.IMREAD_COLOR).mean(axis=2))
    assert not found.doubt
    assert (found.row, found.column) == pytest.approx((319.5, 327.5), abs=1)
