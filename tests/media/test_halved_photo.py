"""A large JPEG to decide on is read at half its size; nothing else is."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.errors import UnreadableImage
from mien.media.halved_photo import HalvedPhoto
from mien.media.image_file import MAX_PIXELS, read_door_photo, read_image
from mien.results import ByteArray

WIDE = (2600, 1600)  # 4.2 million pixels


def gradient(mode: str = "RGB", size_wh: tuple[int, int] = WIDE) -> Image.Image:
    """Brighter to the right in red, downwards in green; each turn of it is another picture."""
    right = Image.linear_gradient("L").rotate(90).resize(size_wh)
    down = Image.linear_gradient("L").resize(size_wh)
    return Image.merge("RGB", (right, down, Image.new("L", size_wh, 60))).convert(mode)


def file_of(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def halved(content: bytes) -> HalvedPhoto:
    photo = read_door_photo(content)
    assert isinstance(photo, HalvedPhoto)
    return photo


def means_of_four(whole: ByteArray) -> ByteArray:
    return np.asarray(Image.fromarray(whole).reduce(2))


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("RGB", {"quality": 90}),
    "progressive": ("RGB", {"quality": 90, "progressive": True}),
    "colours at full size": ("RGB", {"quality": 90, "subsampling": 0}),
    "grey": ("L", {"quality": 90}),
    "CMYK": ("CMYK", {"quality": 90}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_of_over_four_million_pixels_is_halved(kind: str) -> None:
    mode, options = KINDS[kind]
    content = file_of(gradient(mode), **options)
    photo, whole = halved(content), read_image(content)
    assert whole.shape == (1600, 2600, 3)
    assert photo.image_rgb.shape == (800, 1300, 3)
    assert photo.image_rgb.flags.c_contiguous
    difference = photo.image_rgb.astype(int) - means_of_four(whole)
    assert np.abs(difference).max() <= 4
    np.testing.assert_array_equal(photo.read_whole(), whole)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_is_upright_in_both_sizes(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = halved(file_of(gradient(), exif=exif.tobytes()))
    whole = photo.read_whole()
    assert photo.image_rgb.shape == ((1300, 800, 3) if orientation > 4 else (800, 1300, 3))
    assert np.abs(photo.image_rgb.astype(int) - means_of_four(whole)).max() <= 4


def test_odd_sides_are_rounded_up() -> None:
    assert halved(file_of(gradient(size_wh=(2601, 1601)))).image_rgb.shape == (801, 1301, 3)


def test_four_million_pixels_are_read_whole() -> None:
    content = file_of(gradient(size_wh=(2000, 2000)))
    np.testing.assert_array_equal(read_door_photo(content), read_image(content))


def test_what_is_halved_for_everybody_is_not_halved_again() -> None:
    width = 8192
    content = file_of(Image.new("L", (width, 2 * (MAX_PIXELS // width // 2 + 1))))
    photo = read_door_photo(content)
    assert isinstance(photo, np.ndarray)
    assert photo.shape[1] == width // 2


def test_other_files_and_pictures_in_memory_are_read_whole() -> None:
    picture = gradient()
    whole = np.asarray(picture)
    for source in (file_of(picture, "PNG", compress_level=1), picture, whole):
        np.testing.assert_array_equal(read_door_photo(source), whole)


def test_a_turned_tiff_is_read_whole() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file_of(gradient(), "TIFF", exif=exif)
    photo = read_door_photo(content)
    assert isinstance(photo, np.ndarray)
    np.testing.assert_array_equal(photo, read_image(content))


@pytest.mark.parametrize("size_wh", [WIDE, (2601, 1601)])
def test_without_its_last_byte_a_photo_is_read_in_one_of_the_two_sizes(
    size_wh: tuple[int, int],
) -> None:
    content = file_of(gradient(size_wh=size_wh))[:-1]
    photo, whole = read_door_photo(content), read_image(content)
    if isinstance(photo, HalvedPhoto):
        assert np.abs(photo.image_rgb.astype(int) - means_of_four(whole)).max() <= 4
        photo = photo.read_whole()
    np.testing.assert_array_equal(photo, whole)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_photo_that_lacks_half_of_its_data_is_refused(progressive: bool) -> None:
    content = file_of(gradient(), progressive=progressive)
    with pytest.raises(UnreadableImage, match="damaged or cut short"):
        read_door_photo(content[: len(content) // 2])
