"""Kinds of files: those of phones and cameras that are read, and those that are only named."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import UnreadableImage
from mien.media.image_file import MAX_PIXELS, read_image


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def ramp(width: int, height: int) -> Image.Image:
    """A picture that differs everywhere: its lower end cannot be guessed."""
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(data)
    return str(caught.value)


# what is read -----------------------------------------------------------------------------


def test_a_jpeg_of_48_million_pixels_is_read_at_half_its_size() -> None:
    wide = Image.linear_gradient("L").resize((8064, 6048))
    rgb = read_image(jpeg(wide))
    assert rgb.shape == (3024, 4032, 3)
    expected = np.asarray(wide.reduce(2).convert("RGB"), int)
    assert np.abs(rgb[::100, ::100].astype(int) - expected[::100, ::100]).max() <= 3


def test_a_large_turned_jpeg_is_upright_at_half_its_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(Image.new("L", (8192, 6144)), exif=exif.tobytes())
    assert read_image(data).shape == (4096, 3072, 3)


def test_a_jpeg_within_the_limit_is_read_at_its_full_size() -> None:
    height = MAX_PIXELS // 6500
    assert read_image(jpeg(Image.new("L", (6500, height)))).shape == (height, 6500, 3)


def test_a_large_progressive_jpeg_that_needs_too_much_memory_is_refused() -> None:
    data = jpeg(Image.new("RGB", (8064, 6048)), progressive=True)
    assert "is 8064 x 6048, 48.8 million pixels; the limit for its kind is 38.3" in refusal(data)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_jpeg_that_lacks_its_last_bytes_is_read(lost: int) -> None:
    data = jpeg(ramp(640, 480), quality=80)
    whole, cut = read_image(data), read_image(data[:-lost])
    assert np.mean(whole != cut) <= 0.001


@pytest.mark.parametrize("lost", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_part_of_its_picture_is_refused(lost: float, progressive: bool) -> None:
    data = jpeg(ramp(640, 480), quality=80, progressive=progressive)
    assert "is damaged or cut short" in refusal(data[: int(len(data) * (1 - lost))])


@pytest.mark.parametrize(("white", "half"), [(1023, 512), (4095, 2048), (16383, 8192)])
def test_grey_of_10_12_or_14_bits_in_16_is_read_as_bright_as_it_is(white: int, half: int) -> None:
    file = io.BytesIO()
    Image.fromarray(np.array([[0, half, white]], np.uint16)).save(file, "PNG")
    assert read_image(file.getvalue())[0, :, 0].tolist() == [0, 128, 255]


def test_a_heic_turned_only_by_its_exif_tag_is_upright(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="install pillow-heif")
    exif = Image.Exif()
    exif[0x0112] = 1
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:, 48:] = 255
    for turned_by_file in (False, True):
        exif[0x0112] = 6 if turned_by_file else 1
        path = tmp_path / "me.heic"
        pillow_heif.from_pillow(Image.fromarray(upright)).save(path, exif=exif.tobytes())
        data = path.read_bytes()
        assert (b"irot" in data) is turned_by_file
        if not turned_by_file:  # as some phones write it
            tag = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00"
            assert tag in data
            data = data.replace(tag + b"\x01", tag + b"\x06")
        rgb = read_image(data)
        assert rgb.shape == (96, 64, 3)
        assert rgb[:40].max() < 60
        assert rgb[-40:].min() > 200


# what is refused by name ------------------------------------------------------------------


def tiff(values: np.ndarray, **options: object) -> bytes:
    tifffile = pytest.importorskip("tifffile", reason="install tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="rgb", **options)
    return file.getvalue()


def test_a_tiff_of_16_bits_with_the_colours_apart_is_refused_by_name() -> None:
    data = tiff(np.zeros((3, 20, 30), np.uint16), planarconfig="separate")
    assert "TIFF of 16 bits that stores each colour apart; save it with 8" in refusal(data)
    interleaved = tiff(np.full((20, 30, 3), 65535, np.uint16), planarconfig="contig")
    assert read_image(interleaved).min() == 255


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint32"])
def test_a_tiff_of_colours_in_floats_is_not_called_damaged(dtype: str) -> None:
    said = refusal(tiff(np.zeros((20, 30, 3), dtype), planarconfig="contig"))
    assert "is a TIFF of a rare kind of numbers" in said
    assert "save it with 8 bits a colour" in said


def test_colours_of_12_bits_in_a_file_of_16_are_refused_by_name() -> None:
    dark = np.full((20, 30, 3), 4095, np.uint16)
    assert "as if it held values of 10 or 12 bits" in refusal(tiff(dark, planarconfig="contig"))
    assert read_image(tiff(dark * 16, planarconfig="contig")).max() == 255


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"RIFF$\0\0\0WAVEfmt ", "a sound file"),
        (b"ID3\x04\0\0", "a sound file"),
        (b"\xff\xfb\x90\x44", "a sound file"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom", "a sound file"),
        (b"OggS\0\2", "a sound file"),
        (b"fLaC\0\0\0\x22", "a sound file"),
        (b"\0\0\0\x20ftypmp42\0\0\0\0mp42avis", "a video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x0a\xfa", "JPEG XL"),
        (b"%PDF-1.7", "a PDF document"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"<?xml version='1.0'?><svg xmlns='a'>", "an SVG drawing"),
    ],
)
def test_a_file_that_is_no_picture_is_named_and_not_called_damaged(start: bytes, kind: str) -> None:
    said = refusal(start + bytes(100))
    assert f"is {kind}, which is not a picture that mien reads" in said
    assert "damaged" not in said


@pytest.mark.parametrize("text", [b"BM is a text on pictures" * 4, b"P5 is a text" * 9])
def test_a_text_that_begins_like_a_picture_is_not_called_damaged(text: bytes) -> None:
    assert "is not a picture that mien reads" in refusal(text)
