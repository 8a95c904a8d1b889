"""Pixel size and image rows as each instrument writes them: small files of each kind, then real ones."""

import json
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from pairvae.modalities.readers.image import RawImage, read_image
from pairvae.modalities.readers.instruments.metadata import length_nm, xml_elements
from pairvae.modalities.sem import describe
from pairvae.settings import resolve
from pairvae.stages.raw import copy_folder
from real_files import real_file

GREY = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
FEI = "[Beam]\r\nBeam=EBeam\r\nScan=EScan\r\n{scan}[Image]\r\nResolutionX={x}\r\nResolutionY={y}\r\n"
FEI += "[PrivateFei]\r\nDatabarHeight={bar}\r\n"
SCAN = "[EScan]\r\nPixelWidth=2.9e-009\r\n"
ZEISS = "\r\n0\r\n1\r\n{lines}"
PHENOM = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<FeiImage><databarHeight>8</databarHeight>'
    '<pixelWidth unit="{unit}">{value}</pixelWidth><cropHint><right>50</right><bottom>32</bottom></cropHint></FeiImage>'
)
THERMO = (
    '<Metadata xmlns:nil="http://schemas.microsoft.com/2003/10/Serialization/"><BinaryResult>'
    '<PixelSize><X unit="m">3.5E-09</X><Y unit="m">3.5E-09</Y></PixelSize></BinaryResult></Metadata>'
)
TESCAN = b"Y\x14\0\0binary \xff\xd8\0AccFrames=1\r\nImageStripSize=8\r\nPixelSizeX=2.5012e-9\r\n"
HITACHI = "[SemImageFile]\r\nInstructName=S-4800\r\nDataSize=50x40\r\n{size}Magnification=50000\r\n"
JEOL = "$CM_MAG 50\r\n$CM_FULL_SIZE 640 480\r\n{bar}$$SM_MICRON_MARKER 500um\r\n"


def told(raw: RawImage) -> tuple[float | None, int | None]:
    return (None if raw.nm_per_px is None else pytest.approx(raw.nm_per_px, rel=1e-4)), raw.image_rows


def tagged(folder: Path, code: int, text: str | bytes, pixels: np.ndarray = GREY) -> RawImage:
    kind = 1 if isinstance(text, bytes) else 2
    count = len(text) if isinstance(text, bytes) else 0
    tifffile.imwrite(folder / "a.tif", pixels, extratags=[(code, kind, count, text, True)])
    return read_image(folder / "a.tif")


@pytest.mark.parametrize(
    ("code", "text", "nm", "rows"),
    [
        (34682, FEI.format(scan=SCAN, x=50, y=32, bar=0), 2.9, 32),  # the bar is there, and not told
        (34682, FEI.format(scan=SCAN, x=50, y=40, bar=8), 2.9, 40),  # the bar was cut off
        (34680, FEI.format(scan=SCAN, x=50, y=32, bar=8), 2.9, 32),
        (34682, FEI.format(scan="[EBeam]\r\nHFW=1.45e-7\r\n", x=50, y=32, bar=8), 2.9, 32),
        (34682, FEI.format(scan=SCAN, x=100, y=64, bar=16), 5.8, 32),  # shrunk by half afterwards
        (34682, FEI.format(scan=SCAN, x=100, y=74, bar=0), 5.8, 37),  # the same, of a bar that is not told
        (34682, '{"binaryResult": {"pixelSize": {"x": 2.9e-9, "y": 2.9e-9}}}', 2.9, None),
        (34683, PHENOM.format(unit="nm", value="86.11"), 86.11, 32),
        (34683, PHENOM.format(unit="pm", value="861.1"), 0.8611, 32),
        (34683, THERMO, 3.5, None),
        (34118, ZEISS.format(lines="AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 558.2 pm\r\n"), 0.5582, None),
        (34118, ZEISS.format(lines="AP_PIXEL_SIZE\r\nPixel Size = 5.825 nm\r\n"), 5.825 * 1024 / 50, None),
        (50431, TESCAN, 2.5012, 32),
        (51023, '<Fibics><Scan><FOV_X units="um">0.2</FOV_X></Scan></Fibics>', 4.0, None),
    ],
)
def test_tags(code: int, text: str | bytes, nm: float, rows: int | None, tmp_path: Path) -> None:
    assert told(tagged(tmp_path, code, text)) == (nm, rows)


def test_gatan_tags(tmp_path: Path) -> None:
    tags = [(65003, 2, 0, "µm".encode(), True), (65009, 12, 1, 0.002, True)]
    tifffile.imwrite(tmp_path / "a.tif", GREY, extratags=tags)
    assert told(read_image(tmp_path / "a.tif")) == (2.0, None)


def test_zeiss_tells_the_stored_pixel_not_the_one_of_the_screen(tmp_path: Path) -> None:
    lines = "AP_PIXEL_SIZE\r\nPixel Size = 5.825 nm\r\nAP_WIDTH\r\nWidth = 5.965 µm\r\n"
    lines += "AP_HEIGHT\r\nHeight = 4.474 µm\r\n"
    data = np.resize(GREY, (384, 512))
    text = ZEISS.format(lines=lines).encode("cp1252")
    tifffile.imwrite(tmp_path / "a.tif", data, extratags=[(34118, 2, 0, text, True)])
    raw = read_image(tmp_path / "a.tif")
    assert raw.nm_per_px == pytest.approx(11.650, abs=0.001)
    assert "on the screen" in raw.notes[0]


@pytest.mark.parametrize(
    ("content", "sound"),
    [
        ({"pixel_size": {"x": 2e-9, "y": 2e-9}}, True),
        ({"metadata": {"image": {"hfw": 1e-7, "resolution": [50, 40]}}}, True),
        ({"BinaryResult": {"PixelSize": {"width": "2E-09", "height": "2E-09"}}}, True),
        ({"pixel_size_nm": 2}, True),
        ({"PixelSize": {"value": 0.002, "unit": "um"}}, True),
        ({"pixel_size": 172e-6}, False),  # of a detector
        ({"pixel_size": "large"}, False),
        ([1, 2], False),
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_json_beside_and_inside(content: object, sound: bool, beside: bool, tmp_path: Path) -> None:
    text = json.dumps(content)
    tifffile.imwrite(tmp_path / "a.tif", GREY, description=None if beside else text, metadata=None)
    if beside:
        (tmp_path / "a.json").write_text(text)
    assert told(read_image(tmp_path / "a.tif")) == (2.0 if sound else None, None)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize(
    ("size", "nm"),
    [("PixelSize=1.984375\r\n", 1.984375), ("", 127e6 / 50000 / 50), ("PixelSize=0\r\n", 50.8)],
)
@pytest.mark.parametrize("suffix", ["tif", "bmp", "jpg", "png"])
def test_hitachi_beside(suffix: str, size: str, nm: float, encoding: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / f"q 07.{suffix}"), GREY)
    (tmp_path / "q 07.txt").write_text(HITACHI.format(size=size), encoding)
    assert told(read_image(tmp_path / f"q 07.{suffix}")) == (pytest.approx(nm), None)


def test_hitachi_of_another_size_is_followed_or_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(HITACHI.format(size="PixelSize=2\r\n"))
    cv2.imwrite(str(tmp_path / "a.png"), GREY[::2, ::2])
    assert read_image(tmp_path / "a.png").nm_per_px == pytest.approx(4.0)
    cv2.imwrite(str(tmp_path / "a.png"), GREY[:, :30])
    cut = read_image(tmp_path / "a.png")
    assert cut.nm_per_px is None and "40 x 50" in cut.warnings[0]


@pytest.mark.parametrize(
    ("bar", "drawn", "nm"), [("$$SM_MICRON_BAR 125\r\n", 0, 4000.0), ("", 125, 4000.0), ("", 90, None)]
)
def test_jeol_beside(bar: str, drawn: int, nm: float | None, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(20, 200, (480, 640), np.uint8)
    image[440:443, 50 : 50 + drawn] = 255
    cv2.imwrite(str(tmp_path / "a.tif"), image)
    (tmp_path / "a.txt").write_text(JEOL.format(bar=bar))
    raw = read_image(tmp_path / "a.tif")
    assert told(raw) == (nm, None)
    assert bool(raw.warnings) == (nm is None)  # the way to give it


@pytest.mark.parametrize("name", ["a-tif.hdr", "a.hdr"])
def test_tescan_beside(name: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    (tmp_path / name).write_text("[MAIN]\nImageStripSize=8\nPixelSizeX=5e-9\n")
    assert told(read_image(tmp_path / "a.tif")) == (5.0, 32)


def test_two_sizes_that_disagree_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(HITACHI.format(size="PixelSize=2\r\n"))
    raw = tagged(tmp_path, 34682, FEI.format(scan=SCAN, x=50, y=40, bar=0))
    assert raw.nm_per_px == 2.9 and "two pixel sizes" in raw.warnings[0]


def test_other_texts_and_links_beside_are_not_read(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), GREY)
    (tmp_path / "a.txt").write_text("PixelSize=2\nthe image of Monday")
    (tmp_path / "secret").write_text(HITACHI.format(size="PixelSize=2\r\n"))
    (tmp_path / "a.hdr").symlink_to(tmp_path / "secret")
    assert read_image(tmp_path / "a.png").nm_per_px is None


def test_phenom_jpeg_carries_its_xml(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), GREY)
    data = (tmp_path / "a.jpg").read_bytes()
    xml = PHENOM.format(unit="um", value="0.02").encode()
    comment = b"\xff\xfe" + struct.pack(">H", len(xml) + 2) + xml
    (tmp_path / "a.jpg").write_bytes(data[:2] + comment + data[2:])
    assert told(read_image(tmp_path / "a.jpg")) == (20.0, 32)


@pytest.mark.parametrize(("text", "nm"), [
    ("5.965 µm", 5965.0), ("5.965 μm", 5965.0), ("500um", 5e5), ("558.2 pm", 0.5582), ("1,5 nm", 1.5), ("3 V", None),
])  # fmt: skip
def test_lengths(text: str, nm: float | None) -> None:
    assert length_nm(text) == (None if nm is None else pytest.approx(nm))


def test_xml_with_entities_is_not_parsed() -> None:
    assert (
        xml_elements('<!DOCTYPE a [<!ENTITY b "bbbb">]><a><pixelWidth unit="nm">2&b;</pixelWidth></a>') == {}
    )
    assert xml_elements("<a><b></a>") == {}


def test_own_data_are_copied_with_what_lies_beside(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    for name in ("SAXS", "SEM"):
        (mine / name).mkdir(parents=True)
        cv2.imwrite(str(mine / name / "a.png"), GREY)
    (mine / "SEM/a.txt").write_text(HITACHI.format(size="PixelSize=2\r\n"))
    (mine / "SEM/b.txt").write_text(HITACHI.format(size="PixelSize=2\r\n"))
    copy_folder(mine, tmp_path / "raw")
    assert read_image(tmp_path / "raw/SEM/a.png").nm_per_px == 2.0
    assert not (tmp_path / "raw/SEM/b.txt").exists()


@pytest.mark.parametrize(("name", "rows", "nm"), [
    ("fei-sem-rbc.tif", 1024, 7.70833),
    ("FEI-Helios-Ebeam-16bits.tif", 442, 3372.4),
    ("test_tiff_Zeiss_SEM_512pix.tif", 350, 11.650),
    ("tescan_example_sem1.tif", 768, 2501.2),
    ("jeol_example_sem.tif", 960, 2000.0),
    ("z1_undilute_1.tiff", 600, 86.1112),
    ("C67 on Dow 55_q07.tif", 836, 1.984375),
    ("fei_helios_cross_section.tif", 884, 2.5),
])  # fmt: skip
def test_real_files(name: str, rows: int, nm: float, tmp_path: Path) -> None:
    file = real_file(name)
    raw = read_image(file)
    metadata = describe(raw, resolve({}).sem.prepare)
    assert (metadata["rows"], metadata["nm_per_px"]) == (rows, pytest.approx(nm, rel=1e-4))
    assert [line.split(":")[0] for line in metadata["warnings"]] == {
        "fei-sem-rbc.tif": ["mostly noise"],
        "jeol_example_sem.tif": [
            "letters are burned into the image at row 908 - set sem.prepare.rows to 906, or export the image "
            "without them"
        ],
    }.get(name, [])
    shutil.copyfile(file, tmp_path / name)
    assert describe(read_image(tmp_path / name), resolve({}).sem.prepare)["rows"] == rows
