"""gwy and spm files: heights, their pixel size and channel; what is damaged or missing in one line."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities.readers.afm_files import AFM_SUFFIXES, read_afm

HEIGHTS = np.add.outer(np.arange(40.0), 2 * np.arange(60.0)) * 1e-9
needs_gwyfile = pytest.mark.skipif(find_spec("gwyfile") is None, reason="the extra [afm] is not installed")
needs_afmreader = pytest.mark.skipif(
    find_spec("AFMReader") is None, reason="the extra [afm] is not installed"
)


def gwy(path: Path, yreal: float = 80e-9) -> Path:
    from gwyfile.objects import GwyContainer, GwyDataField, GwySIUnit

    container = GwyContainer()
    for number, (title, data) in enumerate((("Phase", -HEIGHTS), ("ZSensor", HEIGHTS))):
        container[f"/{number}/data/title"] = title
        unit = GwySIUnit(unitstr="m")
        container[f"/{number}/data"] = GwyDataField(data, xreal=120e-9, yreal=yreal, si_unit_xy=unit)
    container.tofile(str(path))
    return path


def spm(path: Path) -> Path:
    """A Bruker file of one channel, 40 lines of 40 samples over 100 nm, 16 bits over 10 V of 5 nm each."""
    levels = np.arange(1600, dtype="<i2").reshape(40, 40)
    lines = [
        "\\*File list", "\\*Scanner list", "\\@Sens. Zsens: V 5.0 nm/V", "\\*Ciao image list",
        "\\Data offset: 2048", f"\\Data length: {levels.nbytes}", "\\Bytes/pixel: 2", "\\Samps/line: 40",
        "\\Number of lines: 40", "\\Scan Size: 100 100 nm", "\\Aspect Ratio: 1:1", "\\Line Direction: Trace",
        '\\@2:Image Data: S [Height] "Height"', "\\@2:Z scale: V [Sens. Zsens] (0.0001 V/LSB) 10.0 V",
        "\\@2:Z offset: V [Sens. Zsens] (0.0001 V/LSB) 0.0 V", "\\*File list end",
    ]  # fmt: skip
    header = "\r\n".join(lines).encode() + b"\r\n"
    path.write_bytes(header.ljust(2048, b"\0") + levels.tobytes())
    return path


@needs_gwyfile
def test_gwyddion_gives_heights_first_and_a_channel_by_name(tmp_path: Path) -> None:
    raw = read_afm(gwy(tmp_path / "a.gwy"))
    assert raw.pixels.dtype == np.float32 and raw.nm_per_px == pytest.approx(2)
    np.testing.assert_allclose(raw.pixels, HEIGHTS, rtol=1e-6)
    assert raw.notes == ("channel ZSensor",)
    phase = read_afm(f"{tmp_path / 'a.gwy'}::phase")
    np.testing.assert_allclose(phase.pixels, -HEIGHTS, rtol=1e-6)
    with pytest.raises(InputError, match="expected a channel Current, found Phase, ZSensor"):
        read_afm(f"{tmp_path / 'a.gwy'}::Current")


@needs_gwyfile
def test_scan_of_fewer_lines_gets_square_pixels(tmp_path: Path) -> None:
    raw = read_afm(gwy(tmp_path / "a.gwy", yreal=160e-9))
    assert raw.pixels.shape == (80, 60) and raw.nm_per_px == pytest.approx(2)


@needs_afmreader
def test_bruker(tmp_path: Path) -> None:
    raw = read_afm(spm(tmp_path / "a.spm"))
    assert raw.pixels.shape == (40, 40) and raw.nm_per_px == pytest.approx(2.5)
    assert float(np.ptp(raw.pixels)) == pytest.approx(1599 / 65536 * 10 * 5, rel=1e-3)  # nm


@pytest.mark.parametrize("suffix", sorted(AFM_SUFFIXES))
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"GWYP" + bytes(range(256)), b"no such thing\n"])
def test_what_is_no_such_file_is_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    bad = tmp_path / f"bad.{suffix}"
    bad.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_afm(bad)
    assert str(caught.value).startswith(str(bad)) and "\n" not in str(caught.value)


@needs_gwyfile
def test_damaged_gwyddion_files_are_read_or_refused(tmp_path: Path) -> None:
    whole = bytearray(gwy(tmp_path / "a.gwy").read_bytes())
    rng = np.random.default_rng(0)
    for number in range(60):
        damaged = bytearray(whole[: rng.integers(4, len(whole))]) if number % 2 else bytearray(whole)
        for place in rng.integers(0, min(len(damaged), 400), 3):
            damaged[place] = int(rng.integers(256))
        bad = tmp_path / "bad.gwy"
        bad.write_bytes(damaged)
        try:
            read_afm(bad)
        except InputError as error:
            assert "\n" not in str(error)
