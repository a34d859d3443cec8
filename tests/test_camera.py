"""Frames from films, folders, pipes and devices; and what is none of them."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.camera import (
    MAX_FRAME_BYTES,
    MAX_FRAMES,
    Frame,
    as_rgb,
    device_frames,
    film_frames,
    is_dark,
)
from mien.errors import CameraUnavailable, UnreadableImage, UsageError
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


def frames(source: Path | str) -> list[Frame]:
    return list(film_frames(str(source)))


def expect_pictures(found: list[Frame], within: int) -> None:
    assert len(found) == len(PICTURES)
    for frame, picture in zip(found, PICTURES, strict=True):
        assert frame.image_rgb.dtype == np.uint8
        difference = frame.image_rgb.astype(int) - picture.astype(int)
        assert np.abs(difference).max() <= within


def test_a_y4m_film_is_read_with_its_times(tmp_path: Path) -> None:
    (tmp_path / "film.y4m").write_bytes(y4m(PICTURES))
    found = frames(tmp_path / "film.y4m")
    expect_pictures(found, 3)
    assert [frame.at_s for frame in found] == pytest.approx([0.0, 0.04, 0.08])


def test_y4m_with_full_chroma_and_without_any(tmp_path: Path) -> None:
    (tmp_path / "full.y4m").write_bytes(y4m(PICTURES, "444").replace(b"C444", b"C444 XYSCSS=jpeg"))
    assert len(frames(tmp_path / "full.y4m")) == 3
    (tmp_path / "grey.y4m").write_bytes(y4m(PICTURES, "mono"))
    grey = frames(tmp_path / "grey.y4m")[0].image_rgb
    assert grey.shape == (48, 64, 3)
    assert (grey[..., 0] == grey[..., 2]).all()


def test_motion_jpeg_is_read_from_a_file_and_from_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = b"".join(jpeg(picture) for picture in PICTURES)
    (tmp_path / "film.mjpeg").write_bytes(stream)
    expect_pictures(frames(tmp_path / "film.mjpeg"), 6)

    class Pipe:
        buffer = io.BytesIO(stream)

    monkeypatch.setattr(sys, "stdin", Pipe())
    expect_pictures(frames("-"), 6)


def test_a_folder_of_pictures_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for number, picture in enumerate(PICTURES):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    expect_pictures(frames(tmp_path), 0)


def test_other_films_are_read_by_opencv(tmp_path: Path) -> None:
    import cv2

    writer = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48)
    )
    for picture in PICTURES:
        writer.write(picture[..., ::-1])
    writer.release()
    expect_pictures(frames(tmp_path / "film.avi"), 12)


def test_dark_frames_are_left_out(tmp_path: Path) -> None:
    dark = coloured(3, 3, 3)
    (tmp_path / "film.y4m").write_bytes(y4m([dark, PICTURES[0], dark, PICTURES[1], dark]))
    assert len(frames(tmp_path / "film.y4m")) == 2
    assert is_dark(dark)
    assert not is_dark(PICTURES[0])


def test_a_damaged_jpeg_in_the_stream_is_passed_over(tmp_path: Path) -> None:
    good = jpeg(PICTURES[0])
    torn = good[: len(good) // 2] + b"\xff\xd9"
    (tmp_path / "film.mjpeg").write_bytes(good + torn[:200] + b"\xff\xd9" + good)
    assert 1 <= len(frames(tmp_path / "film.mjpeg")) <= 3


@pytest.mark.parametrize("cut", [1, 100, 3000, 4000])
def test_a_film_that_ends_in_the_middle_gives_its_whole_frames(tmp_path: Path, cut: int) -> None:
    (tmp_path / "film.y4m").write_bytes(y4m(PICTURES)[:-cut])
    assert len(frames(tmp_path / "film.y4m")) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no film", b"YUV4MPEG2", b"YUV4MPEG2 W0 H0\nFRAME\n", b"YUV4MPEG2 W-2 H4\nFRAME\n",
        b"YUV4MPEG2 W99999 H99999 F25:1\nFRAME\n", b"YUV4MPEG2 W4 H4 F0:0\nFRAME\n",
        b"YUV4MPEG2 W4 H4 F25:1 C420p10\nFRAME\n", b"YUV4MPEG2 W4 H4 F25:1 Cxyz\nFRAME\n",
        b"\xff\xd8\xff", b"\xff\xd8\xff" + bytes(500), b"RIFF\0\0\0\0AVI ",
    ],
)  # fmt: skip
def test_what_is_no_film_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "film").write_bytes(content)
    with pytest.raises((UnreadableImage, UsageError)) as refusal:
        frames(tmp_path / "film")
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("source", ["/nowhere/film.y4m", "a\0b", "x" * 5000])
def test_a_name_that_leads_nowhere_is_refused(source: str) -> None:
    with pytest.raises(UnreadableImage):
        frames(source)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no picture"):
        frames(tmp_path)


def test_a_stream_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        first = True

        def read(self, size: int = -1) -> bytes:
            start = b"\xff\xd8\xff" if self.first else b""
            self.first = False
            return (start + bytes(size))[:size]

    class Pipe:
        buffer = Endless()

    monkeypatch.setattr(sys, "stdin", Pipe())
    with pytest.raises(UnreadableImage, match="never ends"):
        frames("-")
    assert MAX_FRAME_BYTES < 1 << 30


def test_no_more_than_so_many_frames_are_taken(tmp_path: Path) -> None:
    tiny = coloured(200, 200, 200, (2, 2))
    (tmp_path / "film.y4m").write_bytes(y4m([tiny] * (MAX_FRAMES + 50)))
    assert len(frames(tmp_path / "film.y4m")) == MAX_FRAMES


@pytest.mark.parametrize(
    ("picture", "pixel"),
    [
        (np.full((4, 4), 90, np.uint8), (90, 90, 90)),
        (np.full((4, 4, 1), 90, np.uint8), (90, 90, 90)),
        (np.full((4, 4, 3), (1, 2, 3), np.uint8), (3, 2, 1)),
        (np.array([[1023, 0], [512, 1023]], np.uint16), (255, 255, 255)),
    ],
)
def test_grey_infrared_and_colour_pictures_become_rgb(
    picture: np.ndarray, pixel: tuple[int, int, int]
) -> None:
    rgb = as_rgb(picture)
    assert rgb.shape == (*picture.shape[:2], 3)
    assert tuple(rgb[0, 0]) == pixel


def test_an_absent_camera_and_a_file_in_its_place_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CameraUnavailable, match="there is no camera '/dev/video97'"):
        list(device_frames("97", clock=lambda: 0.0, timeout_s=1.0))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is no device; for a film use --frames"):
        list(device_frames(str(tmp_path / "file"), clock=lambda: 0.0, timeout_s=1.0))


def test_a_device_that_is_no_camera_does_not_open() -> None:
    with pytest.raises(CameraUnavailable, match="does not open"):
        list(device_frames("/dev/null", clock=lambda: 0.0, timeout_s=1.0))
