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


def ibw(path: Path, slow: float = 160e-9) -> Path:
    """A wave as Asylum's software saves it, of 40 lines of 60 points: columns first, the lowest line first."""
    wave = pytest.importorskip("igorwriter").IgorWave(
        np.stack([-HEIGHTS[::-1].T, HEIGHTS[::-1].T], -1).astype(np.float32), name="scan"
    )
    wave.set_note(f"ScanSize: 2.4e-07\rFastScanSize: 2.4e-07\rSlowScanSize: {slow}\rXOffset: 0")
    for number, label in enumerate(("PhaseRetrace", "HeightRetrace")):
        wave.set_dimlabel(2, number, label)
    wave.save(str(path))
    return path


def jpk(path: Path, slow: float = 160e-9) -> Path:
    """JPK's image format: a TIFF whose first page is a thumbnail with the grid, and a page a channel, in slots."""
    import tifffile

    grid = [(32834, "d", 1, 240e-9), (32835, "d", 1, slow), (32838, "I", 1, 60), (32839, "I", 1, 40)]
    levels = np.rint(HEIGHTS[::-1] / 1e-9).astype(np.int32)  # lowest line first, 1 nm a level
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(np.zeros((8, 8), np.uint8), extratags=[(*tag, True) for tag in grid])
        for name, sign in (("vDeflection", -1), ("height", 1)):
            slots = [
                (32848, "s", 0, name), (32849, "I", 1, 0), (32896, "I", 1, 2), (32897, "s", 0, "nominal"),
                (32912, "s", 0, "volts"), (32931, "s", 0, "NullScaling"),
                (32960, "s", 0, "nominal"), (32979, "s", 0, "LinearScaling"),
                (32980, "d", 1, 1e-9), (32981, "d", 1, 0.0),
            ]  # fmt: skip
            tiff.write(sign * levels, extratags=[(*tag, True) for tag in slots])
    return path


@needs_afmreader
def test_jpk(tmp_path: Path) -> None:
    raw = read_afm(jpk(tmp_path / "a.jpk"))
    assert raw.nm_per_px == pytest.approx(4) and raw.notes == ("channel height_trace",)
    np.testing.assert_allclose(raw.pixels, HEIGHTS * 1e9, rtol=1e-6)  # nm
    other = read_afm(f"{tmp_path / 'a.jpk'}::vDeflection_trace")
    np.testing.assert_allclose(other.pixels, -HEIGHTS, rtol=1e-6)
    assert read_afm(jpk(tmp_path / "b.jpk", slow=320e-9)).pixels.shape == (80, 60)
    with pytest.raises(InputError, match=r"'current' not in \.jpk channel list"):
        read_afm(f"{tmp_path / 'a.jpk'}::current")


def test_asylum(tmp_path: Path) -> None:
    raw = read_afm(ibw(tmp_path / "a.ibw"))
    assert raw.nm_per_px == pytest.approx(4) and raw.notes == ("channel HeightRetrace",)
    np.testing.assert_allclose(raw.pixels, HEIGHTS, rtol=1e-6)
    np.testing.assert_allclose(read_afm(f"{tmp_path / 'a.ibw'}::phaseretrace").pixels, -HEIGHTS, rtol=1e-6)
    fewer = read_afm(ibw(tmp_path / "b.ibw", slow=320e-9))
    assert fewer.pixels.shape == (80, 60) and fewer.nm_per_px == pytest.approx(4)
    with pytest.raises(InputError, match="expected a channel Current, found PhaseRetrace, HeightRetrace"):
        read_afm(f"{tmp_path / 'a.ibw'}::Current")


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
