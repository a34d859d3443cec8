"""Frames from films, folders and pipes; and what is none of them."""

from __future__ import annotations

import io
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import UnreadableImage, UsageError
from mien.media.frame import MAX_FRAMES, Frame, is_dark
from mien.media.video import MAX_FRAME_BYTES, read_video
from mien.results import ByteArray


def coloured(red: int, green: int, blue: int, size: tuple[int, int] = (48, 64)) -> ByteArray:
    return np.full((*size, 3), (red, green, blue), np.uint8)


PICTURES = [coloured(200, 40, 40), coloured(40, 200, 40), coloured(40, 40, 200)]


def jpeg(picture: ByteArray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def y4m(pictures: list[ByteArray], colour: str = "420jpeg") -> bytes:
    height, width = pictures[0].shape[:2]
    film = f"YUV4MPEG2 W{width} H{height} F25:1 Ip C{colour}\n".encode()
    for picture in pictures:
        planes = np.asarray(Image.fromarray(picture).convert("YCbCr"))
        step = {"420jpeg": (2, 2), "422": (1, 2), "444": (1, 1)}.get(colour)
        film += b"FRAME\n" + planes[..., 0].tobytes()
        if step is not None:
            small = planes[:: step[0], :: step[1]]
            film += small[..., 1].tobytes() + small[..., 2].tobytes()
    return film


def frames(source: Path | str, **limits: int) -> list[Frame]:
    return list(read_video(str(source), clock=lambda: 0.0, timeout_s=1.0, **limits))


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], int]]:
    """Puts a real pipe in the place of standard input: these bytes, and a writer that stays."""
    ends: list[int] = []

    def put(content: bytes) -> int:
        reading, writing = os.pipe()
        ends.append(writing)
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading, "r"))
        assert os.write(writing, content) == len(content)
        return writing

    yield put
    sys.stdin.close()
    for end in ends:
        os.close(end)


def ticking() -> Callable[[], float]:
    """A clock on which a millisecond passes between two looks at it."""
    looks = itertools.count()
    return lambda: next(looks) / 1000


def expect_pictures(found: list[Frame], within: int) -> None:
    assert len(found) == len(PICTURES)
    for frame, picture in zip(found, PICTURES, strict=True):
        assert frame.image_rgb.dtype == np.uint8
        difference = frame.image_rgb.astype(int) - picture.astype(int)
        assert np.abs(difference).max() <= within


def test_a_y4m_video_is_read_with_its_times(tmp_path: Path) -> None:
    (tmp_path / "film.y4m").write_bytes(y4m(PICTURES))
    found = frames(tmp_path / "film.y4m")
    expect_pictures(found, 3)
    assert [frame.at_s for frame in found] == pytest.approx([0.0, 0.04, 0.08])


def test_y4m_with_full_chroma_and_without_chroma_is_read(tmp_path: Path) -> None:
    (tmp_path / "full.y4m").write_bytes(y4m(PICTURES, "444").replace(b"C444", b"C444 XYSCSS=jpeg"))
    assert len(frames(tmp_path / "full.y4m")) == 3
    (tmp_path / "grey.y4m").write_bytes(y4m(PICTURES, "mono"))
    grey = frames(tmp_path / "grey.y4m")[0].image_rgb
    assert grey.shape == (48, 64, 3)
    assert (grey[..., 0] == grey[..., 2]).all()


def test_motion_jpeg_is_read_from_a_file_and_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.mjpeg").write_bytes(b"".join(jpeg(picture) for picture in PICTURES))
    expect_pictures(frames(tmp_path / "film.mjpeg"), 6)
    with (tmp_path / "film.mjpeg").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        expect_pictures(frames("-"), 6)


def test_a_thumbnail_inside_a_jpeg_does_not_end_it(tmp_path: Path) -> None:
    film = b""
    for picture in PICTURES:
        whole, small = jpeg(picture), jpeg(picture[:8, :8])
        film += whole[:2] + b"\xff\xe1" + (2 + len(small)).to_bytes(2, "big") + small + whole[2:]
    (tmp_path / "film.mjpeg").write_bytes(film)
    expect_pictures(frames(tmp_path / "film.mjpeg"), 6)


def test_bytes_between_two_jpegs_are_skipped(tmp_path: Path) -> None:
    part = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    (tmp_path / "film.mjpeg").write_bytes(b"".join(jpeg(one) + part for one in PICTURES))
    expect_pictures(frames(tmp_path / "film.mjpeg"), 6)


def test_a_jpeg_that_is_cut_off_does_not_hide_the_next_one(tmp_path: Path) -> None:
    good = jpeg(PICTURES[0])
    (tmp_path / "film.mjpeg").write_bytes(good + good[:-30] + good)
    assert len(frames(tmp_path / "film.mjpeg")) == 2


def test_a_named_pipe_is_read_like_any(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    # a writer that is there from the start; this end keeps the bytes while nobody reads them
    both = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(both, y4m(PICTURES))
    found = read_video(str(tmp_path / "pipe"), clock=ticking(), timeout_s=0.02)
    expect_pictures(list(found), 3)
    os.close(both)


def test_a_named_pipe_without_a_writer_times_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableImage, match=r"no complete frame was received .*pipe' in 0.02 s"):
        list(read_video(str(tmp_path / "pipe"), clock=ticking(), timeout_s=0.02))


@pytest.mark.parametrize("content", [b"", b"YUV", b"YUV4MPEG2 W64", b"\xff\xd8\xff\xe0\0"])
def test_a_writer_that_stops_before_a_frame_times_out(
    piped: Callable[[bytes], int], content: bytes
) -> None:
    piped(content)
    with pytest.raises(UnreadableImage, match="no complete frame was received from standard input"):
        list(read_video("-", clock=ticking(), timeout_s=0.02))


def test_frames_that_came_before_the_writer_stopped_count(
    piped: Callable[[bytes], int],
) -> None:
    piped(y4m(PICTURES) + b"FRAME\n1234")
    expect_pictures(list(read_video("-", clock=ticking(), timeout_s=0.02)), 3)


def test_a_video_is_read_no_longer_than_the_timeout(tmp_path: Path) -> None:
    (tmp_path / "film.y4m").write_bytes(y4m(PICTURES))
    found = read_video(str(tmp_path / "film.y4m"), clock=ticking(), timeout_s=0.003)
    assert 1 <= len(list(found)) < len(PICTURES)


def test_the_time_spent_on_the_first_frame_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "film.y4m").write_bytes(y4m([*PICTURES, *PICTURES]))
    now = 0.0
    found = read_video(str(tmp_path / "film.y4m"), clock=lambda: now, timeout_s=3.0)
    next(found)
    now = 50.0
    next(found)
    now = 52.0
    next(found)
    now = 54.0
    assert list(found) == []


def test_a_folder_of_pictures_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for number, picture in zip((1, 2, 10), PICTURES, strict=True):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    expect_pictures(frames(tmp_path), 0)


def test_files_of_a_folder_that_cannot_be_read_are_skipped(tmp_path: Path) -> None:
    Image.fromarray(PICTURES[0]).save(tmp_path / "2.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "3.jpg").write_bytes(jpeg(PICTURES[0])[:200])
    assert len(frames(tmp_path)) == 1


def test_a_folder_without_a_picture_that_can_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableImage, match=r"has no frame that can be read"):
        frames(tmp_path)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_16_bit_pictures_are_scaled_by_the_depth_of_their_sensor(tmp_path: Path, bits: int) -> None:
    scene = np.linspace(0.0, 1.0, 48 * 64).reshape(48, 64)
    deep = (scene * ((1 << bits) - 1)).astype(np.uint16)
    for number in range(2):
        Image.fromarray(deep).save(tmp_path / f"{number}.png")
    for frame in frames(tmp_path):
        difference = frame.image_rgb[..., 1] - scene * 255
        assert np.abs(difference).max() <= 1


def test_a_16_bit_picture_without_the_lamp_stays_dark(tmp_path: Path) -> None:
    lit = np.full((48, 64), 600, np.uint16)
    for number, picture in enumerate([lit // 20, lit, lit // 20]):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    assert [is_dark(frame.image_rgb) for frame in frames(tmp_path)] == [True, False, True]


def test_other_videos_are_read_by_opencv(tmp_path: Path) -> None:
    import cv2

    writer = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48)
    )
    for picture in PICTURES:
        writer.write(picture[..., ::-1])
    writer.release()
    expect_pictures(frames(tmp_path / "film.avi"), 12)


def deep_y4m(kind: str, planes: list[np.ndarray], more: str = "") -> bytes:
    height, width = planes[0].shape
    frame = b"".join(plane.astype("<u2").tobytes() for plane in planes)
    return f"YUV4MPEG2 W{width} H{height} F25:1 C{kind}{more}\nFRAME\n".encode() + frame


@pytest.mark.parametrize(("kind", "bits"), [("mono10", 10), ("mono12", 12), ("mono16", 16)])
@pytest.mark.parametrize("sensor", [10, 12])
def test_grey_y4m_of_more_than_8_bits_is_scaled_by_the_depth_of_its_sensor(
    tmp_path: Path, kind: str, bits: int, sensor: int
) -> None:
    white = (1 << min(bits, sensor)) - 1
    scene = np.linspace(0.0, 1.0, 48 * 64).reshape(48, 64)
    (tmp_path / "film.y4m").write_bytes(deep_y4m(kind, [scene * white]))
    rgb = frames(tmp_path / "film.y4m")[0].image_rgb
    assert rgb.shape == (48, 64, 3)
    assert np.abs(rgb[..., 0] - scene * 255).max() <= 1


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
@pytest.mark.parametrize(("colour", "step"), [("420", (2, 2)), ("422", (1, 2)), ("444", (1, 1))])
def test_colour_y4m_of_more_than_8_bits_looks_like_8_bits(
    tmp_path: Path, bits: int, colour: str, step: tuple[int, int]
) -> None:
    planes = np.asarray(Image.fromarray(PICTURES[0]).convert("YCbCr")).astype(np.uint16)
    planes <<= bits - 8
    small = planes[:: step[0], :: step[1]]
    film = deep_y4m(
        f"{colour}p{bits}", [planes[..., 0], small[..., 1], small[..., 2]], " XCOLORRANGE=FULL"
    )
    (tmp_path / "film.y4m").write_bytes(film)
    rgb = frames(tmp_path / "film.y4m")[0].image_rgb
    assert np.abs(rgb.astype(int) - PICTURES[0].astype(int)).max() <= 3


def test_limited_range_y4m_has_black_at_16_and_white_at_235(tmp_path: Path) -> None:
    luma = np.repeat([16, 235], 24 * 64).reshape(48, 64)
    grey = np.full((24, 32), 128)
    film = b"YUV4MPEG2 W64 H48 F25:1 C420jpeg XCOLORRANGE=LIMITED\nFRAME\n"
    film += b"".join(plane.astype(np.uint8).tobytes() for plane in (luma, grey, grey))
    (tmp_path / "film.y4m").write_bytes(film)
    (tmp_path / "deep.y4m").write_bytes(deep_y4m("420p10", [luma * 4, grey * 4, grey * 4]))
    for name in ("film.y4m", "deep.y4m"):
        rgb = frames(tmp_path / name)[0].image_rgb
        assert set(rgb[:24].flat) == {0}
        assert set(rgb[24:].flat) == {255}


def test_a_damaged_jpeg_in_the_stream_is_skipped(tmp_path: Path) -> None:
    good = jpeg(PICTURES[0])
    torn = good[: len(good) // 2] + b"\xff\xd9"
    (tmp_path / "film.mjpeg").write_bytes(good + torn[:200] + b"\xff\xd9" + good)
    assert 1 <= len(frames(tmp_path / "film.mjpeg")) <= 3


@pytest.mark.parametrize("cut", [1, 100, 3000, 4000])
def test_a_video_that_ends_in_the_middle_gives_its_whole_frames(tmp_path: Path, cut: int) -> None:
    (tmp_path / "film.y4m").write_bytes(y4m(PICTURES)[:-cut])
    assert len(frames(tmp_path / "film.y4m")) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no film", b"YUV4MPEG2", b"YUV4MPEG2 W0 H0\nFRAME\n", b"YUV4MPEG2 W-2 H4\nFRAME\n",
        b"YUV4MPEG2 W99999 H99999 F25:1\nFRAME\n", b"YUV4MPEG2 W4 H4 F0:0\nFRAME\n",
        b"YUV4MPEG2 W4 H4 F25:1 C420p10\nFRAME\n", b"YUV4MPEG2 W4 H4 F25:1 Cxyz\nFRAME\n",
        b"YUV4MPEG2 W4 H4 F25:1 C420p17\nFRAME\n", b"YUV4MPEG2 W4 H4 F25:1 C444alpha\nFRAME\n",
        b"\xff\xd8\xff", b"\xff\xd8\xff" + bytes(500), b"RIFF\0\0\0\0AVI ",
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_video_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "film").write_bytes(content)
    with pytest.raises((UnreadableImage, UsageError)) as refusal:
        frames(tmp_path / "film")
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("source", ["/nowhere/film.y4m", "a\0b", "x" * 5000])
def test_a_missing_video_is_refused(source: str) -> None:
    with pytest.raises(UnreadableImage):
        frames(source)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no picture"):
        frames(tmp_path)


@pytest.mark.parametrize(
    "filler",
    [bytes(4096), b"\xff" * 4096, b"\xff\xe1\x10\0" + bytes(4094), b"\xff\xd9" + bytes(4094)],
    ids=["no marker", "fill", "segments", "nothing between pictures"],
)
def test_an_endless_stream_is_refused(tmp_path: Path, filler: bytes) -> None:
    (tmp_path / "film").write_bytes(b"\xff\xd8\xff" + filler * 300)
    with pytest.raises(UnreadableImage, match=r"has no end|no frame"):
        frames(tmp_path / "film", max_frame_bytes=1 << 20)
    assert MAX_FRAME_BYTES < 1 << 30


def test_the_number_of_frames_is_limited(tmp_path: Path) -> None:
    tiny = coloured(200, 200, 200, (2, 2))
    (tmp_path / "film.y4m").write_bytes(y4m([tiny] * (MAX_FRAMES + 50)))
    assert len(frames(tmp_path / "film.y4m")) == MAX_FRAMES


def test_a_device_is_not_read_as_a_video() -> None:
    with pytest.raises(UsageError, match="for a camera use --camera"):
        frames("/dev/zero")
