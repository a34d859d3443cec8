"""What a picture means: modes, depths, orientation, arrays. Hostile files are tested next door."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from mien.errors import UnreadableImage
from mien.media.image_file import read_image
from mien.media.pixels import BACKGROUND_GREY, blend_over_grey, stored_view, to_rgb_array

# red, green / blue, white / black, yellow: no turn and no mirroring looks like another
FLAG = np.array(
    [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]], [[0, 0, 0], [255, 255, 0]]],
    np.uint8,
)
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How an upright picture is stored under each EXIF orientation: the inverse of a viewer's turn."""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def flag(side: int = 1) -> Image.Image:
    return Image.fromarray(np.repeat(np.repeat(FLAG, side, axis=0), side, axis=1))


def assert_is_a_picture(rgb: object, shape: tuple[int, int, int]) -> None:
    assert isinstance(rgb, np.ndarray)
    assert rgb.dtype == np.uint8
    assert rgb.shape == shape
    assert rgb.flags.c_contiguous


def test_a_path_a_name_bytes_a_pil_image_and_an_array_give_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "me.png"
    flag().save(path)
    opened = Image.open(path)
    for source in (path, str(path), path.read_bytes(), flag(), opened, FLAG):
        rgb = read_image(source)
        assert_is_a_picture(rgb, (3, 2, 3))
        assert (rgb == FLAG).all()
    opened.close()


def test_the_format_is_recognised_by_content_and_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    flag().save(path, "PNG")
    assert (read_image(path) == FLAG).all()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_lossless_formats_are_read_exactly(kind: str) -> None:
    image = flag().convert("P", palette=Image.Palette.ADAPTIVE) if kind == "GIF" else flag()
    assert (read_image(encoded(image, kind)) == FLAG).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_are_read_nearly_exactly(kind: str) -> None:
    if kind not in registered_kinds():
        pytest.skip(f"this Pillow does not write {kind}; install a later pillow")
    rgb = read_image(encoded(flag(32), kind, quality=95))
    assert_is_a_picture(rgb, (96, 64, 3))
    # the middle of each field, away from the blur of the edges
    assert np.abs(rgb[16::32, 16::32].astype(int) - FLAG).max() < 12


def registered_kinds() -> set[str]:
    Image.init()
    return set(Image.SAVE)


def test_a_picture_of_one_pixel_is_a_picture() -> None:
    rgb = read_image(encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"))
    assert rgb.tolist() == [[[1, 2, 3]]]


def test_a_picture_of_many_strips_is_assembled_in_order() -> None:
    rows = np.arange(700, dtype=np.uint16)[:, np.newaxis] * np.ones((1, 301), np.uint16)
    picture = np.stack([rows % 256, rows // 256, rows % 7], axis=2).astype(np.uint8)
    assert (read_image(encoded(Image.fromarray(picture), "PNG")) == picture).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_exif_orientation_gives_the_same_upright_picture(kind: str, orientation: int) -> None:
    turn = TURNS[orientation]
    stored = flag() if turn is None else flag().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(stored, kind, exif=exif.tobytes(), **options)
    assert_is_a_picture(read_image(data), (3, 2, 3))
    assert (read_image(data) == FLAG).all()
    assert (read_image(Image.open(io.BytesIO(data))) == FLAG).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_is_upright(orientation: int) -> None:
    turn = TURNS[orientation]
    stored = flag(32) if turn is None else flag(32).transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = read_image(encoded(stored, "JPEG", quality=95, exif=exif.tobytes()))
    assert np.abs(rgb[16::32, 16::32].astype(int) - FLAG).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_stored_view_shares_memory_with_the_upright_picture(orientation: int) -> None:
    upright = np.zeros((3, 2, 3), np.uint8)
    turn = TURNS[orientation]
    stored_view(upright, orientation)[:] = np.asarray(
        flag() if turn is None else flag().transpose(turn)
    )
    assert (upright == FLAG).all()


@pytest.mark.parametrize("nonsense", [0, 9, 65535])
def test_an_invalid_orientation_is_ignored(nonsense: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = nonsense
    assert (read_image(encoded(flag(), "PNG", exif=exif.tobytes())) == FLAG).all()


MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"]


@pytest.mark.parametrize("mode", [*MODES, "I", "F", "I;16", "I;16L", "I;16B"])
@pytest.mark.parametrize("size_wh", [(1, 1), (2, 3), (301, 700)])
def test_every_mode_gives_rgb_bytes(mode: str, size_wh: tuple[int, int]) -> None:
    assert_is_a_picture(read_image(Image.new(mode, size_wh)), (size_wh[1], size_wh[0], 3))


@pytest.mark.parametrize("mode", ["RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "P"])
def test_the_colours_of_a_mode_are_kept(mode: str) -> None:
    rgb = read_image(flag().convert(mode))
    # HSV and YCbCr round once more on the way
    assert np.abs(rgb.astype(int) - FLAG).max() <= 3


def test_lab_is_turned_to_srgb() -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    grey = ImageCms.applyTransform(Image.new("RGB", (2, 2), (100, 150, 200)), to_lab)
    assert grey is not None
    assert np.abs(read_image(grey).astype(int) - [100, 150, 200]).max() <= 3


def test_cmyk_as_adobe_stores_it_inverted_is_not_a_negative() -> None:
    data = encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    assert read_image(data).min() > 250  # no ink is white paper


def test_black_and_white_is_0_and_255() -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert read_image(encoded(image, "PNG")).tolist() == [[[255] * 3, [0] * 3]]


def test_grey_of_16_bit_is_scaled_and_not_clipped() -> None:
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    assert read_image(encoded(Image.fromarray(values), "PNG"))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert to_rgb_array(values)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_grey_of_32_bit_holds_16_bit_or_is_refused() -> None:
    held = Image.fromarray(np.array([[0, 257, 65535]], np.int32))
    assert read_image(held)[0, :, 0].tolist() == [0, 1, 255]
    with pytest.raises(UnreadableImage, match=r"has grey values -1\.\.0; save it with 16 bit"):
        read_image(Image.fromarray(np.array([[0, -1]], np.int32)))


@pytest.mark.parametrize(
    ("values", "bytes_"),
    [([0.0, 0.5, 1.0], [0, 128, 255]), ([0.0, 99.6, 255.0], [0, 100, 255]), ([0, 0, 0], [0, 0, 0])],
)
def test_a_tiff_of_floats_may_run_to_1_or_to_255(values: list[float], bytes_: list[int]) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    assert read_image(encoded(image, "TIFF"))[0, :, 0].tolist() == bytes_


@pytest.mark.parametrize("value", [-0.1, 255.5, np.nan, np.inf, -np.inf])
def test_floats_out_of_range_are_refused(value: float) -> None:
    values = np.array([[0.5, value, 0.25]], np.float32)
    for source in (values, values.astype(np.float64), encoded(Image.fromarray(values), "TIFF")):
        with pytest.raises(UnreadableImage, match=r"within 0\.\.1 or 0\.\.255"):
            read_image(source)


def test_transparent_pixels_are_mid_grey_and_not_their_stored_colour() -> None:
    clear_red, half_white, solid = (255, 0, 0, 0), (255, 255, 255, 128), (1, 2, 3, 255)
    image = Image.new("RGBA", (3, 1))
    for x, colour in enumerate((clear_red, half_white, solid)):
        image.putpixel((x, 0), colour)
    seen = [[[BACKGROUND_GREY] * 3, [192] * 3, [1, 2, 3]]]
    assert read_image(encoded(image, "PNG")).tolist() == seen
    assert read_image(encoded(image, "WEBP", lossless=True, exact=True)).tolist() == seen
    assert to_rgb_array(np.asarray(image)).tolist() == seen


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_a_transparent_colour_becomes_mid_grey(mode: str) -> None:
    white: int | tuple[int, ...] = (255, 255, 255) if mode == "RGB" else 0 if mode == "P" else 255
    image = Image.new(mode, (2, 2), white)
    if mode == "P":
        image.putpalette([255, 255, 255, 0, 0, 0])
    assert (read_image(encoded(image, "PNG", transparency=white)) == BACKGROUND_GREY).all()


@settings(deadline=None)
@given(hnp.arrays(np.uint8, (5, 7, 4)))
def test_arrays_and_files_are_blended_over_grey_alike(rgba: np.ndarray) -> None:
    assert (read_image(Image.fromarray(rgba)) == blend_over_grey(rgba)).all()


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 1), (3, 2, 3), (3, 2, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64", "bool"])
def test_full_brightness_is_white_in_every_shape_and_dtype(
    shape: tuple[int, ...], dtype: str
) -> None:
    top = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    rgb = to_rgb_array(np.full(shape, top, dtype))
    assert_is_a_picture(rgb, (3, 2, 3))
    assert (rgb == 255).all()


def test_an_array_in_the_right_form_is_not_copied() -> None:
    assert np.shares_memory(to_rgb_array(FLAG), FLAG)


def test_an_array_with_strides_becomes_contiguous() -> None:
    assert_is_a_picture(to_rgb_array(FLAG[:, ::-1]), (3, 2, 3))
    assert_is_a_picture(to_rgb_array(np.asfortranarray(FLAG)), (3, 2, 3))


def test_a_torch_tensor_is_read_as_an_array() -> None:
    torch = pytest.importorskip("torch", reason="install torch")
    assert (read_image(torch.from_numpy(FLAG)) == FLAG).all()
    assert (read_image(torch.from_numpy(FLAG).float() / 255) == FLAG).all()
    with pytest.raises(UnreadableImage, match="channels first"):
        read_image(torch.from_numpy(FLAG).permute(2, 0, 1))
    assert (read_image(torch.from_numpy(FLAG).float().requires_grad_() / 255) == FLAG).all()
    assert (read_image((torch.from_numpy(FLAG) // 255).bfloat16()) == FLAG).all()
    with pytest.raises(UnreadableImage, match="convert it to float32 or uint8"):
        read_image(torch.from_numpy(FLAG).to_sparse())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_array_with_channels_first_is_refused_with_a_hint_to_transpose(channels: int) -> None:
    with pytest.raises(UnreadableImage, match=r"\(H, W, 3\): transpose it"):
        to_rgb_array(np.zeros((channels, 5, 6), np.uint8))


@pytest.mark.parametrize("shape", [(), (4,), (5, 5, 2), (5, 5, 5), (2, 5, 5, 3), (1, 3, 5, 5)])
def test_other_shapes_are_refused_with_the_expected_ones(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnreadableImage, match=r"has shape \(.*\); expected \(H, W\)"):
        to_rgb_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0, 3), (0, 5, 4)])
def test_arrays_without_a_pixel_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnreadableImage, match="has no pixels"):
        to_rgb_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "dtype", ["int8", "int32", "int64", "uint32", "complex64", "object", "<U3"]
)
def test_dtypes_whose_range_is_unknown_are_refused(dtype: str) -> None:
    with pytest.raises(UnreadableImage, match="expected uint8, uint16, bool or float"):
        to_rgb_array(np.zeros((2, 2, 3), dtype))


@pytest.mark.parametrize("source", [None, 7, [[1, 2]], {"a": 1}, object()])
def test_an_object_that_is_not_a_picture_is_refused_with_the_types_to_give(source: object) -> None:
    with pytest.raises(UnreadableImage, match="give a path, bytes, an open file, a PIL"):
        read_image(source)  # type: ignore[arg-type]


@settings(deadline=None)
@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16]), hnp.array_shapes(min_dims=0, max_dims=4)))
def test_any_array_is_a_picture_or_refused_in_one_line(array: np.ndarray) -> None:
    try:
        assert_is_a_picture(to_rgb_array(array), (*array.shape[:2], 3))
    except UnreadableImage as refused:
        message = str(refused)
        assert message.isprintable()


def test_heic_is_read_or_the_error_names_the_package_to_install(tmp_path: Path) -> None:
    path = tmp_path / "me.heic"
    try:
        import pillow_heif  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
        with pytest.raises(UnreadableImage, match="pip install pillow-heif"):
            read_image(path)
    else:
        pillow_heif.from_pillow(flag(32)).save(path, quality=95)
        assert_is_a_picture(read_image(path), (96, 64, 3))
