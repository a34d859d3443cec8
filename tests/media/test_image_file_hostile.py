"""Contents that lie, stop short or swell: refused in one line, with no crash and no warning."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from mien.errors import ExitCode, UnreadableImage
from mien.media import image_file
from mien.media.image_file import read_image

GUARD_S = 300.0
"""Only so that a hang fails instead of hanging the tests; nothing is timed."""


def refusal(source: object, **options: int) -> str:
    """The one line that a source is refused with."""
    with pytest.raises(UnreadableImage) as caught:
        read_image(source, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.isprintable()
    assert caught.value.exit_code is ExitCode.UNREADABLE_IMAGE
    return message


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(width: int = 40, height: int = 30) -> Image.Image:
    """Noise, so that every byte of the file carries something."""
    rng = np.random.default_rng(7)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of_zeros(width: int, height: int, extra: bytes = b"") -> bytes:
    """A whole RGB PNG that decodes to black, a thousandth of its size; `height` in hundreds."""
    n_zeros = (width * 3 + 1) * height
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(n_zeros // 100)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = struct.pack(">I", (n_zeros % 65521) << 16 | 1)
    body = b"\x78\xda" + block * 100 + b"\x03\0" + adler
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_the_packed_pictures_of_these_tests_are_whole() -> None:
    small = read_image(png_of_zeros(300, 200))
    assert small.shape == (200, 300, 3)
    assert not small.any()


def test_a_picture_packed_from_2700_mb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_zeros(30_000, 30_000))
    assert path.stat().st_size < 3_000_000
    assert "is 30000 x 30000, 900.0 million pixels; the limit" in refusal(path)


def test_a_picture_of_144_million_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_of_zeros(12_000, 12_000))
    message = refusal(path)
    assert "12000 x 12000" in message
    assert "26.0 million: scale it down" in message


def test_a_large_picture_is_refused_by_its_header_alone() -> None:
    no_pixels = png_of_zeros(12_000, 12_000)[:60]
    assert "12000 x 12000" in refusal(no_pixels)


def test_the_cap_is_an_argument_and_counts_every_source() -> None:
    fits, over = picture(40, 30), picture(40, 31)
    for make in (lambda im: encoded(im, "PNG"), lambda im: im, np.asarray):
        assert read_image(make(fits), max_pixels=1200).shape == (30, 40, 3)
        assert "is 40 x 31" in refusal(make(over), max_pixels=1200)


@pytest.mark.parametrize(
    ("kind", "options", "cap"),
    [
        ("JPEG", {"quality": 90}, 7),
        ("JPEG", {"progressive": True, "subsampling": 2}, 7),
        ("JPEG", {"progressive": True, "subsampling": 0}, 10),
        ("WEBP", {}, 14.5),
        ("TIFF", {}, 12),
    ],
)
def test_a_decoder_that_needs_more_memory_gets_fewer_pixels(
    kind: str, options: dict[str, object], cap: float
) -> None:
    data = encoded(picture(40, 30), kind, **options)
    least = int(1200 * cap / 7) + 1
    assert read_image(data, max_pixels=least).shape == (30, 40, 3)
    assert "is 40 x 30" in refusal(data, max_pixels=least - 2)
    assert "is 40 x 30" in refusal(Image.open(io.BytesIO(data)), max_pixels=least - 2)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP"])
def test_a_large_picture_of_any_kind_says_its_size_and_the_cap(kind: str) -> None:
    data = encoded(Image.new("L", (9000, 3000)), kind)
    assert "is 9000 x 3000, 27.0 million pixels; the limit for its kind is" in refusal(data)


def test_a_jpeg_of_more_than_four_times_the_cap_says_its_size_and_its_cap() -> None:
    data = encoded(Image.new("L", (12_000, 9000)), "JPEG")
    assert "is 12000 x 9000, 108.0 million pixels; the limit for its kind is 104.0" in refusal(data)


def test_a_small_picture_in_a_huge_tile_is_refused() -> None:
    body = zlib.compress(bytes(1000))
    tags = {256: 100, 257: 100, 258: 8, 259: 8, 262: 1, 277: 1, 284: 1}
    tags |= {322: 40_000, 323: 40_000, 324: 10 + 12 * 11 + 4, 325: len(body)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + body
    assert "is 40000 x 40000" in refusal(data)


def test_a_gif_frame_larger_than_its_screen_counts() -> None:
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x44\x01\x00;"
    assert "is too large" in refusal(screen + frame)


def test_compressed_text_in_a_png_is_limited() -> None:
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000), 9)) * 80
    assert "Too much memory used in text chunks" in refusal(png_of_zeros(100, 100, text))


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    data = encoded(picture(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    assert read_image(data).shape == (30, 40, 3)
    assert "has over 24 scans" in refusal(data[:-2] + scan * 30 + b"\xff\xd9")


def test_data_after_a_jpeg_is_not_counted_as_scans() -> None:
    film_of_a_live_photo = b"\xff\xda\x00\x02" * 1000
    data = encoded(picture(), "JPEG", progressive=True)
    assert read_image(data + film_of_a_live_photo).shape == (30, 40, 3)


def test_the_pixel_warning_of_pillow_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(encoded(picture(40, 30), "PNG")).shape == (30, 40, 3)


def test_reading_leaves_the_warning_filter_and_pillow_as_they_were() -> None:
    before = (list(warnings.filters), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    read_image(encoded(picture(), "JPEG"))
    refusal(b"\xff\xd8\xff nothing")
    after = (list(warnings.filters), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    assert after == before
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_many_threads_read_at_once() -> None:
    data = encoded(picture(), "PNG")
    expected = np.asarray(picture())
    filters = list(warnings.filters)
    right: list[bool] = []
    threads = [
        threading.Thread(target=lambda: right.append(bool((read_image(data) == expected).all())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)
    assert right == [True] * 8
    assert list(warnings.filters) == filters


ANIMATIONS = {"GIF": 3, "WEBP": 3, "PNG": 3, "TIFF": 3}


@pytest.mark.parametrize("kind", ANIMATIONS)
def test_an_animation_is_refused_with_its_number_of_frames(tmp_path: Path, kind: str) -> None:
    frames = [picture(), picture().rotate(90), picture().rotate(180)]
    path = tmp_path / "wave"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])
    assert "of 3 frames; give one still picture" in refusal(path)
    with Image.open(path) as opened:
        assert "frames; give one still picture" in refusal(opened)


def test_frames_of_a_long_animation_are_not_counted() -> None:
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    many = image_file.MAX_COUNTED_BYTES // len(frame) + 1
    assert "of several frames; give one still picture" in refusal(screen + frame * many + b";")


def test_a_phone_s_still_with_a_second_picture_behind_it_is_read() -> None:
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture(20, 15)])
    assert read_image(data).shape == (30, 40, 3)
    assert read_image(Image.open(io.BytesIO(data))).shape == (30, 40, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kind: str, kept: float) -> None:
    data = encoded(picture(), kind)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: int(len(data) * kept)])
    assert "'" + str(path) + "'" in refusal(path)


@pytest.mark.parametrize(
    "data",
    [
        b"this is a letter, not a photograph\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"8BPS\0\1" + bytes(20),
        b"P3 1 1 255 1 2 3",
        b"\0",
    ],
)
def test_a_file_of_an_unknown_format_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    assert "is not a picture that mien reads; convert it to JPEG or PNG" in refusal(path)


def test_compressions_that_pillow_decodes_in_python_are_refused() -> None:
    rle = struct.pack("<2sIHHI", b"BM", 1082, 0, 0, 1078)
    rle += struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 8, 1, 4, 1, 1, 256, 0) + bytes(1024)
    assert "has a rare compression" in refusal(rle + b"\x04\x01\0\0" * 4 + b"\0\1")
    assert "has a rare compression" in refusal(b"P6 2 2 200 " + bytes(12))


def test_a_damaged_exif_does_not_spoil_the_picture() -> None:
    expected = np.asarray(picture())
    for exif in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        assert (read_image(encoded(picture(), "PNG", exif=exif)) == expected).all()
        assert read_image(encoded(picture(), "JPEG", exif=exif)).shape == (30, 40, 3)


def test_a_pil_image_without_a_pixel_is_refused() -> None:
    assert "has no pixels" in refusal(Image.new("RGB", (0, 5)))


def test_a_closed_pil_image_is_refused(tmp_path: Path) -> None:
    picture().save(tmp_path / "me.png")
    with Image.open(tmp_path / "me.png") as opened:
        pass
    refusal(opened)
