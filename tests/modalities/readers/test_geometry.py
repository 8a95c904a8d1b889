"""Beam centre and scale of q from .poni files and from the headers of detectors."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pairvae.errors import InputError
from pairvae.modalities.readers.geometry import of_dectris, of_header, read_poni
from pairvae.modalities.readers.image import read_image
from real_files import has_real, real_file

PONI = """# Nota: C-Order, 1 refers to the Y axis, 2 to the X axis
PixelSize1: 0.000172
PixelSize2: 0.000172
Distance: 2.0
Poni1: 0.0860
Poni2: 0.0430
Rot1: {rot1}
Rot2: {rot2}
Rot3: 0.3
Wavelength: 1e-10
"""


def poni(folder: Path, text: str) -> Path:
    path = folder / "detector.poni"
    path.write_text(text)
    return path


def test_an_upright_detector(tmp_path: Path) -> None:
    found = read_poni(poni(tmp_path, PONI.format(rot1=0, rot2=0)), "detector.poni")
    assert found.beam_centre == (499.5, 249.5), "a pixel's centre is a whole number"
    assert found.q_per_px == pytest.approx(2 * math.pi * 172e-6 / (0.1 * 2.0), rel=1e-6)
    assert (found.file, found.tilt_degrees) == ("detector.poni", 0)


def test_a_tilted_detector_as_pyfai_has_it(tmp_path: Path) -> None:
    # pyFAI 2026.9 on this text: getFit2D() centerY 274.85976, centerX 191.85998 (from the corner), tilt 1.14561;
    # q grows by 0.005402 1/nm from pixel to pixel next to the beam.
    found = read_poni(poni(tmp_path, PONI.format(rot1=0.005, rot2=-0.0193594)), "a")
    assert found.beam_centre == pytest.approx((274.35976, 191.35998), abs=1e-4)
    assert found.tilt_degrees == pytest.approx(1.14561, abs=1e-4)
    assert found.q_per_px == pytest.approx(0.005402, abs=1e-6)


@pytest.mark.parametrize(("lines", "pixel_um"), [
    ('Detector: Pilatus1M\nDetector_config: {"orientation": 3}', 172),
    ("Detector: Eiger2_CdTe_1M-W\nDetector_config: {}", 75),
    ('Detector: Detector\nDetector_config: {"pixel1": 5e-05, "pixel2": 5e-05}', 50),
])  # fmt: skip
def test_pixel_sizes_of_the_second_version(tmp_path: Path, lines: str, pixel_um: float) -> None:
    rest = "\n".join(line for line in PONI.format(rot1=0, rot2=0).splitlines() if "PixelSize" not in line)
    found = read_poni(poni(tmp_path, f"poni_version: 2.1\n{lines}\n{rest}\n"), "a")
    assert found.q_per_px == pytest.approx(2 * math.pi * pixel_um * 1e-6 / (0.1 * 2.0), rel=1e-6)


def test_the_last_entry_holds(tmp_path: Path) -> None:
    found = read_poni(poni(tmp_path, PONI.format(rot1=0, rot2=0) + "Distance: 4.0\n"), "a")
    assert found.q_per_px == pytest.approx(2 * math.pi * 172e-6 / (0.1 * 4.0), rel=1e-6)


@pytest.mark.parametrize(("old", "new", "message"), [
    ("Wavelength: 1e-10", "", "a .poni file with Wavelength, found none"),
    ("Distance: 2.0", "Distance: nan", "a .poni file with Distance, found none"),
    ("Distance: 2.0", "Distance: -2", "positive lengths"),
    ("PixelSize2: 0.000172", "PixelSize2: 0.0004", "square pixels, found 0.000172 x 0.0004 m"),
    ("Distance: 2.0", 'Distance: 2.0\nDetector_config: {"orientation": 2}', "a geometry of orientation 3, found 2"),
    ("PixelSize1: 0.000172", "Detector: NoSuchThing", "write PixelSize1 and PixelSize2"),
])  # fmt: skip
def test_what_a_poni_lacks_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_poni(poni(tmp_path, PONI.format(rot1=0, rot2=0).replace(old, new)), "a")


DECTRIS = """# Detector: PILATUS 300K, 3-0105
# Pixel_size {pixel}
# Wavelength 1.5418 A
# Detector_distance 1.20 m
# Beam_xy ({x}, {y}) pixels
"""
SCALE = 2 * math.pi * 172e-6 / (0.15418 * 1.2)


def test_dectris_comments() -> None:
    found = of_dectris(DECTRIS.format(pixel="172e-6 m x 172e-6 m", x="243.12", y="309.5"))
    assert found.beam == (309.5, 243.12)
    assert found.q_per_px == pytest.approx(SCALE, rel=1e-6)
    assert found.warnings == ()
    assert of_dectris(DECTRIS.format(pixel="172e-6 m x 172e-6 m", x="0.00", y="0.00")).beam is None
    oblong = of_dectris(DECTRIS.format(pixel="172e-6 m x 344e-6 m", x="2", y="3"))
    assert "are not square: rings become ellipses" in oblong.warnings[0]


def test_esrf_keys() -> None:
    header = {"Center_1": "243.5", "Center_2": "310.0", "PSize_1": "1.72e-4", "PSize_2": "1.72e-04_m"}
    found = of_header(header | {"SampleDistance": "1.2", "WaveLength": "1.5418e-10"})
    assert found.beam == (309.5, 243.0), "its first pixel reaches from 0 to 1"
    assert found.q_per_px == pytest.approx(SCALE, rel=1e-6)
    assert of_header({"Wavelength": "1.0e-10", "title": "seed"}).q_per_px is None


def test_headers_reach_the_image(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(40, (64, 48)).astype(np.int32)
    text = DECTRIS.format(pixel="172e-6 m x 172e-6 m", x="20.0", y="30.0")
    tifffile.imwrite(tmp_path / "a.tif", counts, description=text)
    found = [read_image(tmp_path / "a.tif")]
    if importlib.util.find_spec("fabio") is not None:
        import fabio

        header = {
            "_array_data.header_contents": text.replace("\n", "\r\n"),
            "_array_data.header_convention": "PILATUS_1.2",
        }
        fabio.cbfimage.CbfImage(data=counts, header=header).write(str(tmp_path / "a.cbf"))
        keys = {"Center_1": "20.5", "Center_2": "30.5", "PSize_1": "172e-6", "PSize_2": "172e-6"}
        keys |= {"SampleDistance": "1.2", "WaveLength": "1.5418e-10"}
        fabio.edfimage.EdfImage(data=counts, header=keys).write(str(tmp_path / "a.edf"))
        found += [read_image(tmp_path / "a.cbf"), read_image(tmp_path / "a.edf")]
    for raw in found:
        assert raw.beam == (30.0, 20.0), raw.source
        assert raw.header_q_per_px == pytest.approx(SCALE, rel=1e-6)


@has_real("CeO2_Pilatus1M.poni")
def test_the_real_poni() -> None:
    # pyFAI 2026.9 on this file: centre x 487.259, y 512.548 px, tilt 1.083 degrees; 0.1270 1/nm from pixel 10 to 100
    found = read_poni(real_file("CeO2_Pilatus1M.poni"), "a")
    assert found.beam_centre == pytest.approx((512.048, 486.759), abs=1e-3)
    assert found.tilt_degrees == pytest.approx(1.083, abs=1e-3)
    assert found.q_per_px == pytest.approx(0.1273, abs=2e-4)
