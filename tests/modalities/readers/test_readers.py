"""What instruments write, read back exactly: values, pixel size, image rows."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from pairvae.errors import InputError
from pairvae.modalities.readers.image import (
    bad_pixels,
    beam_centre,
    data_bar,
    read_image,
    require_finite,
    scale_counts,
)
from pairvae.store.picture_files import Scale, write_picture
from real_files import real_file

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 50), np.uint8)
RGB8 = RNG.integers(0, 256, (40, 50, 3), np.uint8)
RGBA8 = RNG.integers(0, 256, (40, 50, 4), np.uint8)
GREY16 = RNG.integers(0, 65536, (40, 50), np.uint16)
RGB16 = RNG.integers(0, 65536, (40, 50, 3), np.uint16)
FLOAT = RNG.random((40, 50), np.float32)
ARRAYS = {"grey8": GREY8, "rgb8": RGB8, "rgba8": RGBA8, "grey16": GREY16, "rgb16": RGB16, "float": FLOAT}
FEI = """[User]\r\nUser=a\r\n[Scan]\r\nPixelWidth=2.9e-009\r\nPixelHeight=2.9e-009\r\n[Image]\r\n
ResolutionY=32\r\n[PrivateFei]\r\nDatabarHeight={bar}\r\n"""
ZEISS = (
    "\r\n0\r\n1\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 1.117 nm\r\n"
    "DP_IMAGE_STORE\r\nStore resolution = 50 * 36\r\n"
)

# --- formats ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["grey8", "rgb8", "rgba8", "grey16", "rgb16"])
def test_png_keeps_every_value(name: str, tmp_path: Path) -> None:
    pixels = ARRAYS[name]
    channels = {2: [], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[2 if pixels.ndim == 2 else pixels.shape[2]]
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., channels] if channels else pixels)
    raw = read_image(tmp_path / "a.png")
    assert raw.pixels.dtype == pixels.dtype and np.array_equal(raw.pixels, pixels)
    assert (raw.format, raw.nm_per_px, raw.image_rows) == ("png", None, None)


@pytest.mark.parametrize("mode", ["1", "P", "LA"])
def test_png_of_rare_modes_is_read(mode: str, tmp_path: Path) -> None:
    Image.fromarray(GREY8).convert(mode).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").pixels.shape[:2] == GREY8.shape


def test_interlaced_png_is_read(tmp_path: Path) -> None:
    # Adam7 by hand: a 1 x 1 picture has one pass and one byte.
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"\0\x7f")), chunk(b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert read_image(tmp_path / "a.png").pixels.tolist() == [[127]]


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_colours_come_in_rgb_order(tmp_path: Path, progressive: bool) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[..., 0] = 200
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, progressive=progressive)
    raw = read_image(str(tmp_path / "a.jpg"))
    assert raw.pixels.shape == (64, 64, 3) and raw.source.endswith("a.jpg")
    assert np.abs(raw.pixels.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"compression": "zlib", "rowsperstrip": 7}, {"tile": (16, 16)}]
)
def test_tiff_keeps_every_value(name: str, options: dict[str, object], tmp_path: Path) -> None:
    pixels = ARRAYS[name]
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, **options)
    raw = read_image(tmp_path / "a.tif")
    assert raw.pixels.dtype == pixels.dtype and np.array_equal(raw.pixels, pixels)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits"])
@pytest.mark.parametrize("name", ["grey8", "rgb8", "rgba8", "grey16", "float"])
def test_tiff_of_other_compressions(name: str, compression: str, tmp_path: Path) -> None:
    Image.fromarray(ARRAYS[name]).save(tmp_path / "a.tif", compression=compression)
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, ARRAYS[name])


def test_tiff_in_planes_big_endian_and_big(tmp_path: Path) -> None:
    planes = np.moveaxis(RGB16, -1, 0)
    tifffile.imwrite(
        tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", byteorder=">", bigtiff=True
    )
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, RGB16)


def test_tiff_palette_and_inverted_greys(tmp_path: Path) -> None:
    colours = RNG.integers(0, 256, (3, 256)).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "p.tif", GREY8, photometric="palette", colormap=colours)
    assert np.array_equal(read_image(tmp_path / "p.tif").pixels, (colours.T // 257).astype(np.uint8)[GREY8])
    tifffile.imwrite(tmp_path / "w.tif", GREY8, photometric="miniswhite")
    assert np.array_equal(read_image(tmp_path / "w.tif").pixels, 255 - GREY8)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.uint32])
def test_min_is_white_changes_no_measured_values(dtype: type, tmp_path: Path) -> None:
    counts = RNG.integers(0, 1000, (20, 30)).astype(dtype)
    if dtype != np.uint32:
        counts[3:5] = -1  # the mask of a detector
    tifffile.imwrite(tmp_path / "w.tif", counts, photometric="miniswhite")
    raw = read_image(tmp_path / "w.tif")
    assert np.array_equal(raw.pixels, counts) and "MinIsWhite" in raw.notes[0]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("pixels", [GREY8, GREY16], ids=["8 bit", "16 bit"])
def test_min_is_white_inverts_pictures_however_compressed(
    pixels: np.ndarray, compression: str, tmp_path: Path
) -> None:
    Image.fromarray(pixels).save(tmp_path / "w.tif", compression=compression, tiffinfo={262: 0})
    with tifffile.TiffFile(tmp_path / "w.tif") as tiff:
        assert int(tiff.pages[0].photometric) == 0
    # Pillow writes inverted 8-bit greys, so that they read as before, and 16-bit ones as they are.
    expected = pixels if pixels.dtype == np.uint8 else 65535 - pixels
    assert np.array_equal(read_image(tmp_path / "w.tif").pixels, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("suffix", "options"),
    [("tif", {}), ("tif", {"compression": "tiff_lzw"}), ("tif", {"compression": "zlib"}), ("png", {}), ("jpg", {})],
    ids=["tif", "lzw", "deflate", "png", "jpeg"],
)  # fmt: skip
def test_orientation_is_told_and_never_applied(
    suffix: str, options: dict[str, str], orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    pixels = np.kron(GREY8[:6, :5], np.ones((8, 8), np.uint8))
    if suffix == "tif":
        Image.fromarray(pixels).save(tmp_path / "a.tif", tiffinfo={274: orientation}, **options)
    else:
        Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", exif=exif.tobytes())
    raw = read_image(tmp_path / f"a.{suffix}")
    assert raw.pixels.shape == pixels.shape
    assert np.abs(raw.pixels.astype(int) - pixels).max() <= (40 if suffix == "jpg" else 0)
    assert [f"orientation tag {orientation}" in note for note in raw.notes] == [True] * (orientation > 1)


def test_tiff_pages_are_counted_from_0(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY8, 255 - GREY8]), photometric="minisblack")
    first, second = read_image(tmp_path / "a.tif"), read_image(f"{tmp_path / 'a.tif'}::[1]")
    assert np.array_equal(first.pixels, GREY8)
    assert np.array_equal(second.pixels, 255 - GREY8)
    (warning,) = first.warnings  # two detectors' images in one file: which one was taken must not stay unsaid
    assert warning.startswith("frame 0 of 2, as none is named")
    assert not second.warnings
    assert "frame 1 of 2, counted from 0" in second.notes


def test_a_thumbnail_in_a_tiff_is_no_second_image(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for pixels in (GREY8, GREY8[::4, ::4]):
            tiff.write(pixels, photometric="minisblack")
    assert not read_image(tmp_path / "a.tif").warnings


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.float64, np.int64])
def test_other_numbers_become_float32(dtype: type, tmp_path: Path) -> None:
    counts = RNG.integers(0, 1000, (20, 30)).astype(dtype)
    np.save(tmp_path / "a.npy", counts)
    raw = read_image(tmp_path / "a.npy")
    assert raw.pixels.dtype == np.float32 and np.array_equal(raw.pixels, counts)


def test_npy_axis_of_one_channel_and_bool(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", (GREY8 > 100)[..., None])
    assert np.array_equal(read_image(tmp_path / "a.npy").pixels, np.where(GREY8 > 100, 255, 0))


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), GREY8)
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").format == "png"


# --- metadata --------------------------------------------------------------------------------------


def tagged(path: Path, code: int, text: str, pixels: np.ndarray = GREY8, **options: object) -> Path:
    tifffile.imwrite(path, pixels, extratags=[(code, 2, 0, text, True)], **options)
    return path


@pytest.mark.parametrize(("bar", "rows"), [("8", 32), ("0", 32), ("-3", 32), ("900", 32), ("", 32)])
def test_fei_pixel_size_and_rows(bar: str, rows: int, tmp_path: Path) -> None:
    raw = read_image(tagged(tmp_path / "a.tif", 34682, FEI.format(bar=bar)))
    assert (raw.nm_per_px, raw.image_rows) == (2.9, rows)


def test_zeiss_pixel_size_and_rows(tmp_path: Path) -> None:
    raw = read_image(tagged(tmp_path / "a.tif", 34118, ZEISS))
    assert (raw.nm_per_px, raw.image_rows) == (1.117, 36)


@pytest.mark.parametrize(("unit", "nm"), [("nm", 2.5), ("um", 2500.0), ("\\u00B5m", 2500.0), ("pixel", None)])
def test_imagej_pixel_size(unit: str, nm: float | None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY8, imagej=True, resolution=(0.4, 0.4), metadata={"unit": unit})
    assert read_image(tmp_path / "a.tif").nm_per_px == (None if nm is None else pytest.approx(nm))


def test_resolution_tags_are_believed_below_a_micrometre(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "fine.tif", GREY8, resolution=(4_000_000, 4_000_000), resolutionunit="CENTIMETER"
    )
    tifffile.imwrite(tmp_path / "print.tif", GREY8, resolution=(300, 300), resolutionunit="INCH")
    assert read_image(tmp_path / "fine.tif").nm_per_px == pytest.approx(2.5)
    assert read_image(tmp_path / "print.tif").nm_per_px is None


@pytest.mark.parametrize(("dpi", "nm"), [(72, None), (300, None), (25_400_000, 1.0)])
def test_png_resolution_is_a_scale_only_below_a_micrometre(
    dpi: int, nm: float | None, tmp_path: Path
) -> None:
    Image.fromarray(GREY8).save(tmp_path / "a.png", dpi=(dpi, dpi))
    assert read_image(tmp_path / "a.png").nm_per_px == (None if nm is None else pytest.approx(nm, rel=1e-4))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("nm", [0.4321, 2.9, 1500.0])
def test_own_pictures_come_back_with_their_pixel_size(nm: float, name: str, tmp_path: Path) -> None:
    write_picture(tmp_path / name, (GREY8 > 100).astype(np.uint8), Scale(nm, "nm"))
    raw = read_image(tmp_path / name)
    assert raw.nm_per_px == pytest.approx(nm, rel=1e-6)
    write_picture(tmp_path / name, np.zeros((3, 20, 30), np.float32), Scale(0.005, "1/nm"))
    assert read_image(tmp_path / name).nm_per_px is None


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_keeps_every_value(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(GREY8).convert(mode)
    image.save(tmp_path / "a.bmp", dpi=(96, 96))
    raw = read_image(tmp_path / "a.bmp")
    assert np.array_equal(raw.pixels, np.asarray(image.convert("RGB" if raw.pixels.ndim == 3 else "L")))
    assert (raw.format, raw.nm_per_px) == ("bmp", None)


@pytest.mark.parametrize(
    "text", ["", "[Scan]\r\nPixelWidth=zero\r\n", "[Scan]\r\nPixelWidth=-1\r\n", "no sections = 1\r\n"]
)
def test_senseless_metadata_are_no_metadata(text: str, tmp_path: Path) -> None:
    raw = read_image(tagged(tmp_path / "a.tif", 34682, text))
    assert (raw.nm_per_px, raw.image_rows) == (None, None)


def test_the_real_fei_file() -> None:
    raw = read_image(real_file("fei_helios_cross_section.tif"))
    assert raw.pixels.shape == (943, 1024, 3) and raw.pixels.dtype == np.uint8
    assert (raw.nm_per_px, raw.image_rows) == (2.5, 884)
    assert data_bar(raw.pixels) == 59


def test_the_real_pictures() -> None:
    assert read_image(real_file("true_saxs_b.png")).pixels.shape == (192, 192, 3)
    crop = read_image(real_file("true_sem_c.png")).pixels
    assert np.mean(crop > 127) == pytest.approx(0.551, abs=0.002)


def test_the_real_hdf5_curve() -> None:
    pytest.importorskip("h5py")
    raw = read_image(f"{real_file('esrf_saxs_1d.h5')}::/entry_0000/saxsutilities/data/I")
    assert raw.pixels.shape == (1, 3481) and raw.format == "hdf5"


# --- detector files --------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["edf", "cbf"])
def test_detector_formats_keep_counts(suffix: str, tmp_path: Path) -> None:
    fabio = pytest.importorskip("fabio")
    counts = RNG.integers(-2, 100_000, (31, 47)).astype(np.int32)
    image = {"edf": fabio.edfimage.EdfImage, "cbf": fabio.cbfimage.CbfImage}[suffix](data=counts)
    image.write(str(tmp_path / f"a.{suffix}"))
    raw = read_image(tmp_path / f"a.{suffix}")
    assert np.array_equal(raw.pixels, counts) and raw.format == suffix


def test_hdf5_frames_and_links_within_the_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    frames = RNG.integers(0, 100, (3, 20, 30)).astype(np.uint16)
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file.create_dataset("entry/data", data=frames, chunks=(1, 20, 30), compression="gzip")
        file["entry/again"] = h5py.SoftLink("/entry/data")
        file["hard"] = file["entry/data"]
    for name in ("/entry/data", "entry/again", "/hard"):
        assert np.array_equal(read_image(f"{tmp_path / 'a.nxs'}::{name}", page=2).pixels, frames[2])


# --- counts ----------------------------------------------------------------------------------------


def pattern(centre: tuple[float, float], shape: tuple[int, int] = (200, 240)) -> np.ndarray:
    """Poisson counts of a halo, a ring and two arcs about a centre, with beamstop, gap and a dead pixel."""
    y, x = np.indices(shape)
    dy, dx = y - centre[0], x - centre[1]
    r, phi = np.hypot(dy, dx), np.arctan2(dy, dx)
    expected = 2000 * np.exp(-r / 12) + 120 * np.exp(-((r - 45) ** 2) / 30) * (1 + 0.8 * np.cos(2 * phi)) + 15
    counts = np.random.default_rng(1).poisson(expected).astype(np.int32)
    counts[:, 150:157] = 0  # gap between modules
    counts[90:97, :120] = -1  # beamstop
    counts[60, 60] = 0  # dead
    return counts


def test_bad_pixels_are_gaps_negatives_and_dead_ones() -> None:
    counts = pattern((100.0, 118.0))
    expected = np.zeros(counts.shape, bool)
    expected[:, 150:157] = expected[90:97, :120] = True
    expected[60, 60] = True
    assert np.array_equal(bad_pixels(counts), expected)


def test_sentinels_and_nan_are_bad() -> None:
    counts = np.full((9, 9), 50.0, np.float32)
    counts[2, 3], counts[4, 4], counts[5, 5] = 4294967295.0, np.nan, np.inf
    assert [tuple(place) for place in np.argwhere(bad_pixels(counts))] == [(2, 3), (4, 4), (5, 5)]
    deep = np.full((9, 9), 50, np.uint16)
    deep[1, 1] = 65535
    assert np.argwhere(bad_pixels(deep)).tolist() == [[1, 1]]


def test_zeros_among_few_counts_are_counts() -> None:
    counts = np.random.default_rng(0).poisson(1.0, (60, 60)).astype(np.int32)
    assert not bad_pixels(counts).any()


def test_scaled_counts_rise_from_0_to_1() -> None:
    counts = np.geomspace(1, 1e5, 4096).reshape(64, 64)
    scaled = scale_counts(counts, np.zeros(counts.shape, bool))
    assert scaled.dtype == np.float32 and scaled.min() > 0 and scaled.max() == 1.0
    assert np.all(np.diff(scaled.ravel()) >= 0)
    low, high = np.percentile(counts, [5, 99.9])
    place = (30, 7)
    assert scaled[place] == pytest.approx(np.log1p(counts[place] / low) / np.log1p(high / low), rel=1e-5)


def test_scaling_does_not_depend_on_the_dose() -> None:
    counts = pattern((100.0, 118.0)).astype(np.float32)
    mask = bad_pixels(counts)
    assert np.allclose(scale_counts(counts, mask), scale_counts(counts * 37, mask), atol=1e-5)
    assert np.all(scale_counts(counts, mask)[mask] == 0)


def test_pictures_are_scaled_linearly_and_nothing_gives_zeros() -> None:
    assert np.array_equal(scale_counts(RGB16), (RGB16 / np.float32(65535)).astype(np.float32))
    assert not scale_counts(np.zeros((8, 8), np.float32)).any()


@pytest.mark.parametrize("centre", [(100.0, 118.0), (87.5, 130.25), (120.0, 100.0)])
def test_the_beam_is_found_within_half_a_pixel(centre: tuple[float, float]) -> None:
    found = beam_centre(pattern(centre))
    assert found.how == "found" and found.symmetry > 0.8
    assert (found.row, found.column) == pytest.approx(centre, abs=0.5)


def test_the_beam_of_a_large_detector_is_found() -> None:
    counts = np.kron(pattern((100.0, 118.0)), np.ones((5, 5), np.int32))
    found = beam_centre(counts)
    assert (found.row, found.column) == pytest.approx((502.0, 592.0), abs=3.0)


def test_a_given_beam_is_kept_and_judged() -> None:
    counts = pattern((100.0, 118.0))
    right, wrong = beam_centre(counts, given=(100.0, 118.0)), beam_centre(counts, given=(60.0, 90.0))
    assert (right.row, right.column, right.how) == (100.0, 118.0, "given")
    assert right.symmetry > 0.8 > wrong.symmetry


def test_micrographs_need_finite_pixels(tmp_path: Path) -> None:
    pixels = FLOAT.copy()
    pixels[0, 0] = np.nan
    np.save(tmp_path / "a.npy", pixels)
    raw = read_image(tmp_path / "a.npy")
    with pytest.raises(InputError, match="1 NaN"):
        require_finite(raw)
    require_finite(read_image(_saved(tmp_path / "b.npy", FLOAT)))


def _saved(path: Path, array: np.ndarray) -> Path:
    stream = io.BytesIO()
    np.save(stream, array)
    path.write_bytes(stream.getvalue())
    return path


# --- data bar --------------------------------------------------------------------------------------


def micrograph(height: int = 300, width: int = 400) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.clip(120 + 300 * smooth, 0, 255).astype(np.uint8)


def with_bar(rows: int, background: int, ink: int, *, separator: bool = False) -> np.ndarray:
    image = micrograph()
    image[-rows:] = background
    if separator:
        image[-rows] = ink
        image[-rows // 2] = ink
    for column, text in ((5, "5.00 kV"), (130, "x 100 000"), (270, "500 nm")):
        cv2.putText(
            image, text, (column, 300 - rows // 3), cv2.FONT_HERSHEY_SIMPLEX, rows / 70, ink, 1, cv2.LINE_AA
        )
    return image


@pytest.mark.parametrize("rows", [20, 40, 59, 80])
@pytest.mark.parametrize(("background", "ink"), [(0, 255), (255, 0), (40, 220)])
@pytest.mark.parametrize("separator", [False, True])
def test_the_data_bar_is_found_to_the_row(rows: int, background: int, ink: int, separator: bool) -> None:
    image = with_bar(rows, background, ink, separator=separator)
    assert data_bar(image) == rows
    assert data_bar(np.repeat(image[..., None], 3, axis=2)) == rows
    assert data_bar(image.astype(np.uint16) * 257) == rows


def test_a_data_bar_survives_jpeg() -> None:
    done, data = cv2.imencode(".jpg", with_bar(40, 0, 255), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    assert abs(data_bar(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)) - 40) <= 2


@pytest.mark.parametrize(
    "image",
    [micrograph(), np.zeros((300, 400), np.uint8), (micrograph() > 120).astype(np.uint8), micrograph(20, 20)],
    ids=["micrograph", "constant", "binary", "tiny"],
)
def test_no_data_bar_where_there_is_none(image: np.ndarray) -> None:
    assert data_bar(image) == 0
