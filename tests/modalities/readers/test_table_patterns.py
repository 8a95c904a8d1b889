"""2D patterns as text: columns Qx, Qy and I on a grid."""

from pathlib import Path

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import read_image
from pairvae.settings import SaxsPrepare
from real_files import has_real, real_file

ROWS, COLUMNS, STEP = 40, 48, 0.002
QX = (np.arange(COLUMNS) - 20) * STEP
QY = (np.arange(ROWS) - 15) * STEP
GRID_X, GRID_Y = np.meshgrid(QX, QY)
INTENSITY = 100 * np.exp(-np.hypot(GRID_X, GRID_Y) / 0.01) + 50 * (GRID_Y > 0.02)


def table(
    path: Path, head: str = "Qx Qy I err\nASCII data\n", order: str = "rows", bend: float = 0.0
) -> Path:
    x = GRID_X + bend * STEP * (GRID_Y / 0.05) ** 2
    points = np.stack([x, GRID_Y, INTENSITY - 1.0, np.ones_like(x)], axis=-1)
    points = points.transpose(1, 0, 2) if order == "columns" else points
    points = points[::-1] if order == "from above" else points
    lines = "\n".join(" ".join(f"{value:.7g}" for value in point) for point in points.reshape(-1, 4))
    path.write_text(f"{head}{lines}\n", encoding="latin-1")
    return path


@pytest.mark.parametrize("order", ["rows", "columns", "from above"])
@pytest.mark.parametrize("bend", [0.0, 0.3])
def test_a_grid_in_any_order_is_a_pattern_with_qy_upwards(order: str, bend: float, tmp_path: Path) -> None:
    raw = read_image(table(tmp_path / "a.dat", order=order, bend=bend))
    np.testing.assert_allclose(raw.pixels, INTENSITY[::-1] - 1, rtol=1e-5)
    assert raw.format == "table"
    assert raw.beam == pytest.approx((ROWS - 1 - 15, 20), abs=0.2)
    assert raw.header_q_per_px == pytest.approx(10 * STEP, rel=0.01), "1/angstrom is usual"
    assert "q in 1/angstrom, as is usual" in raw.notes[0]


@pytest.mark.parametrize(
    ("head", "factor"),
    [("Qx (1/A) Qy (1/A) I\n", 10), ("Qx [nm^-1], Qy [nm^-1], I\n", 1), ("q in 1/nm\n", 1), ("", 10)],
)
def test_the_unit_comes_from_the_header(head: str, factor: float, tmp_path: Path) -> None:
    assert read_image(table(tmp_path / "a.txt", head)).header_q_per_px == pytest.approx(
        factor * STEP, rel=1e-3
    )


def test_noise_below_zero_is_kept_in_the_means(tmp_path: Path) -> None:
    section = SaxsPrepare(size=32, colormap=None, beam_centre="auto")
    raw = read_image(table(tmp_path / "a.dat"))
    told = MODALITIES["saxs"].describe(raw, section)
    assert (told["beam_from"], told["beam_centre"]) == ("header", [24.0, 20.0])
    assert told["q_per_px_inv_nm"] == pytest.approx(10 * STEP * ROWS / 32, rel=1e-3)
    array = MODALITIES["saxs"].prepare(raw, section)
    assert array.shape == (3, 32, 32) and array[0].max() == array[0, 14:18, 14:18].max() == 1


def test_what_is_no_grid_is_told(tmp_path: Path) -> None:
    q = np.linspace(0.01, 1, 200)
    np.savetxt(tmp_path / "curve.dat", np.stack([q, 1 / q, 0.1 / q], axis=1))
    with pytest.raises(
        InputError, match="200 points that are no grid of Qx and Qy - give a 1D curve in the folder IQ"
    ):
        read_image(tmp_path / "curve.dat")
    (tmp_path / "notes.dat").write_text("sample 7, annealed\n" * 30)
    with pytest.raises(InputError, match=r"found a text file named \.dat"):
        read_image(tmp_path / "notes.dat")


@has_real("SILIC010_noheader_3col.DAT")
def test_the_real_tables() -> None:
    raw = read_image(real_file("P123_D2O_10_percent.dat"))
    assert raw.pixels.shape == (100, 100) and raw.header_q_per_px == pytest.approx(0.02)
    assert raw.beam == pytest.approx((49.5, 49.5), abs=1e-6)
    assert raw.pixels[-1, 0] == pytest.approx(-0.0862318)
    raw = read_image(real_file("SILIC010_noheader_3col.DAT"))
    assert raw.pixels.shape == (128, 128) and raw.header_q_per_px == pytest.approx(0.01303, rel=1e-3)
