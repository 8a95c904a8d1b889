import cv2
import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.numerics import descriptors, morphology, spacing
from real_files import real_file

SIDE = 96


def random_domains(count: int, height: int = SIDE, width: int = SIDE, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(count, height, width)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(image, (0, 0), 2.0) for image in noise]) > 0.02


def grating(period: float, angle: float = np.pi / 2, side: int = 192) -> np.ndarray:
    """Lines along ``angle`` (counter-clockwise from the horizontal axis)."""
    rows, columns = np.mgrid[:side, :side]
    across = columns * np.sin(angle) + rows * np.cos(angle)
    return np.cos(2 * np.pi * across / period) > 0


def brute_force(image: np.ndarray, bins: int, periodic: bool) -> np.ndarray:
    """S(r) straight from its definition, pair by pair."""
    height, width = image.shape
    sums, counts = np.zeros(bins), np.zeros(bins)
    for dy in range(-bins, bins + 1):
        for dx in range(-bins, bins + 1):
            ring = int(np.ceil(np.hypot(dy, dx)) if periodic else np.floor(np.hypot(dy, dx)))
            if ring >= bins:
                continue
            if periodic:
                value = np.mean(image * np.roll(image, (dy, dx), (0, 1)))
            else:
                one = image[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
                two = image[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
                value = np.mean(one * two)
            sums[ring] += value
            counts[ring] += 1
    return sums / counts


@pytest.mark.parametrize("shape", [(64, 64), (64, 50), (51, 64)])
def test_two_point_correlation_is_that_of_porespy(shape: tuple[int, int]) -> None:
    porespy = pytest.importorskip("porespy")
    images = random_domains(2, *shape)
    curves = morphology.two_point_correlation(images)
    for image, curve in zip(images, curves, strict=True):
        reference = porespy.metrics.two_point_correlation(image).probability_scaled
        assert np.allclose(curve, reference, rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimator", ["unbiased", "periodic"])
def test_two_point_correlation_counts_pairs(estimator: str) -> None:
    image = random_domains(1, 24, 31, seed=3)[0]
    expected = brute_force(image.astype(float), 12, estimator == "periodic")
    assert np.allclose(
        morphology.two_point_correlation(image, estimator=estimator), expected, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("estimator", ["unbiased", "periodic"])
def test_s_of_known_patterns(estimator: str) -> None:
    half_plane = np.zeros((SIDE, SIDE))
    half_plane[: SIDE // 2] = 1
    checkers = np.indices((SIDE, SIDE)).sum(0) % 2
    ones, zeros = np.ones((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    curves = morphology.two_point_correlation(
        np.stack([half_plane, checkers, ones, zeros]), estimator=estimator, bins=4
    )
    assert np.allclose(curves[:2, 0], 0.5)
    assert np.allclose(curves[2], 1) and np.allclose(curves[3], 0)
    # the bin of the four neighbours: all of them are of the other colour, the diagonal ones of the same
    diagonal = 0.5 if estimator == "unbiased" else 0.0
    assert curves[1, 1] == pytest.approx(diagonal * 4 / 8, abs=1e-3)


def test_s_of_a_half_plane() -> None:
    """At the lag (dy, dx) both ends are bright for H / 2 - |dy| of the H - |dy| rows that hold both."""
    image = np.zeros((SIDE, SIDE))
    image[: SIDE // 2] = 1
    lags = np.arange(-20, 21)
    dy, dx = np.meshgrid(lags, lags, indexing="ij")
    ring = np.floor(np.hypot(dy, dx)).astype(int)
    at_lag = (SIDE / 2 - np.abs(dy)) / (SIDE - np.abs(dy))
    expected = [at_lag[ring == number].mean() for number in range(20)]
    assert expected[0] == 0.5
    assert np.allclose(morphology.two_point_correlation(image)[0, :20], expected, rtol=0, atol=1e-12)


def test_s_of_stripes_that_repeat() -> None:
    """Lines of 4 of 8 px: the overlap with a shifted copy is a triangle wave of the shift across the lines."""
    stripes = np.broadcast_to(np.arange(SIDE) % 8 < 4, (SIDE, SIDE))
    lags = np.arange(-20, 21)
    dy, dx = np.meshgrid(lags, lags, indexing="ij")
    ring = np.ceil(np.hypot(dy, dx)).astype(int)
    at_lag = np.abs(np.abs(dx) % 8 - 4) / 8
    expected = [at_lag[ring == number].mean() for number in range(20)]
    found = morphology.two_point_correlation(stripes, estimator="periodic")[0, :20]
    assert np.allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(192, 192), (300, 500)])
def test_single_precision_counts_are_exact(shape: tuple[int, int]) -> None:
    """Both sides of the size up to which the sums of pairs are computed in single precision."""
    image = random_domains(1, *shape, seed=5)[0]
    whole = image.astype(np.int64)
    for dy, dx in ((0, 0), (3, 0), (0, 17), (40, 60)):
        expected = (whole[dy:, dx:] * whole[: shape[0] - dy, : shape[1] - dx]).sum()
        assert morphology._pair_counts(image[None], 60, False)[0, 60 + dy, dx] == expected


def test_estimators_agree_for_a_pattern_that_repeats_and_differ_for_one_that_does_not() -> None:
    image = random_domains(1)[0]
    lag_zero = [morphology.two_point_correlation(image, estimator=e)[0, 0] for e in ("unbiased", "periodic")]
    assert lag_zero == pytest.approx([image.mean()] * 2, abs=1e-12)
    half = np.zeros((SIDE, SIDE))
    half[:, : SIDE // 2] = 1
    unbiased, periodic = (
        morphology.two_point_correlation(half, estimator=e)[0, 20] for e in ("unbiased", "periodic")
    )
    assert unbiased > periodic + 0.04  # the periodic one sees a second edge


def test_s_starts_at_the_phase_fraction_and_ends_at_its_square() -> None:
    noise = np.random.default_rng(1).random((3, 192, 192)) < 0.4
    curves = morphology.two_point_correlation(noise)
    assert curves.shape == (3, 96)
    assert np.allclose(curves[:, 0], descriptors.phase_fraction(noise))
    assert np.allclose(curves[:, 1:], 0.16, atol=0.01)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_number_types_do_not_matter(kind: type) -> None:
    images = random_domains(2, 40, 40)
    expected = morphology.two_point_correlation(images)
    assert np.array_equal(morphology.two_point_correlation(images.astype(kind)), expected)
    assert np.array_equal(morphology.lineal_path(images.astype(kind), "vertical")[0, :2] <= 1, [True, True])


def test_wrong_requests_are_told() -> None:
    image = np.ones((20, 30))
    with pytest.raises(InputError, match="unbiased or periodic, found 'biased'"):
        morphology.two_point_correlation(image, estimator="biased")
    with pytest.raises(InputError, match="1 to 10 bins of S"):
        morphology.two_point_correlation(image, estimator="periodic", bins=11)
    with pytest.raises(InputError, match="vertical or horizontal, found 'x'"):
        morphology.lineal_path(image, "x")


@pytest.mark.parametrize(("axis", "number"), [("vertical", 0), ("horizontal", 1)])
def test_lineal_path_is_that_of_porespy(axis: str, number: int) -> None:
    porespy = pytest.importorskip("porespy")
    images = random_domains(2, 64, 50)
    bins = images.shape[number + 1] // 2
    curves = morphology.lineal_path(images, axis)
    for image, curve in zip(images, curves, strict=True):
        distance = porespy.filters.distance_transform_lin(image, axis=number)
        reference = porespy.metrics.lineal_path_distribution(distance, bins=np.arange(1, bins + 2)).cdf
        assert np.allclose(curve, reference, rtol=0, atol=1e-12)


def test_lineal_path_of_stripes() -> None:
    stripes = np.zeros((40, 40))
    stripes[:, np.arange(40) % 8 < 4] = 1  # vertical lines, 4 px wide
    across = morphology.lineal_path(stripes, "horizontal", bins=4)[0]
    assert across.tolist() == [1.0, 0.5, 0.0, 0.0]
    along = morphology.lineal_path(stripes, "vertical")[0]
    assert np.allclose(along, 1 - np.arange(20) / 20)


def test_lineal_path_is_cut_without_rescaling_and_zero_without_a_phase() -> None:
    images = random_domains(2)
    short, whole = (morphology.lineal_path(images, "vertical", bins=bins) for bins in (5, 60))
    assert whole.shape == (2, 60)
    assert not whole[:, 48:].any()  # no pixel is farther than half of the side from an edge
    assert np.array_equal(short, whole[:, :5])
    assert not morphology.lineal_path(np.zeros((8, 8)), "vertical").any()


@pytest.mark.parametrize("period", [8.3, 10.0, 11.3, 14.7])
@pytest.mark.parametrize("angle", [0.0, 0.6, np.pi / 2])
def test_domain_spacing_of_gratings(period: float, angle: float) -> None:
    measured = spacing.domain_spacing(grating(period, angle))
    assert measured == pytest.approx([period], rel=0.02)
    assert spacing.domain_spacing(grating(period, angle), nm_per_px=3.0) == pytest.approx(3 * measured)


def test_spread_tells_order_from_disorder() -> None:
    ordered, disordered = spacing.spacing_and_spread(np.stack([grating(11), random_domains(1, 192, 192)[0]]))[
        1
    ]
    assert ordered < 0.2 < disordered


def test_uniform_images_have_no_period() -> None:
    for value in (0, 1):
        assert np.isnan(spacing.domain_spacing(np.full((64, 64), value)))
        assert np.isnan(spacing.spacing_and_spread(np.full((64, 64), value))[1])


@pytest.mark.parametrize("angle", [-1.2, -0.5, 0.0, 0.7, np.pi / 2])
def test_orientation_of_gratings(angle: float) -> None:
    found, order = descriptors.orientation(grating(12, angle))
    assert np.exp(2j * found) == pytest.approx(np.exp([2j * angle]), abs=0.05)
    assert order[0] > 0.9


def test_orientation_without_a_direction() -> None:
    crossed = grating(16, 0.0) & grating(16, np.pi / 2)
    assert descriptors.orientation(crossed)[1][0] < 0.05
    assert descriptors.orientation(np.ones((32, 32)))[1][0] == 0


def euler_numbers(images: np.ndarray) -> list[int]:
    """Of images in a dark frame, where no domain is cut off."""
    framed = np.pad(np.atleast_3d(images.T).T, ((0, 0), (1, 1), (1, 1)))
    sites = (framed.shape[1] - 1) * (framed.shape[2] - 1)
    return [round(float(density) * sites) for density in descriptors.euler_density(framed)]


def test_euler_number_is_domains_minus_holes() -> None:
    skimage = pytest.importorskip("skimage.measure")
    images = random_domains(4)
    assert euler_numbers(images) == [skimage.euler_number(image, connectivity=1) for image in images]
    ring = np.ones((5, 5))
    ring[2, 2] = 0
    assert euler_numbers(ring) == [0]
    assert euler_numbers(np.eye(4)) == [4]


@pytest.mark.parametrize(
    ("name", "fraction", "period"), [("true_sem_c.png", 0.551, 11.3), ("true_sem_d.png", 0.419, 10.7)]
)
def test_real_crops(name: str, fraction: float, period: float) -> None:
    image = cv2.imread(str(real_file(name)), cv2.IMREAD_GRAYSCALE) > 127
    assert descriptors.phase_fraction(image)[0] == pytest.approx(fraction, abs=5e-4)
    # the published periods are whole Fourier bins of a 192 px crop: 17 and 18 periods
    assert abs(192 / spacing.domain_spacing(image)[0] - 192 / period) < 1.0
