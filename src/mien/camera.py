"""Frames from a camera, a film, a folder of pictures or a stream: RGB, with the time of each.

Everything that comes in is hostile: a stream may end in the middle, never end, or say that
its pictures are larger than memory.
"""

from __future__ import annotations

import os
import queue
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mien.errors import CameraUnavailable, UnreadableImage, UsageError
from mien.images import read_image
from mien.photos import SUFFIXES, shown
from mien.results import ByteArray

MAX_FRAMES = 3_000
MAX_FRAME_PIXELS = 1 << 24
MAX_FRAME_BYTES = 64 * 1024 * 1024
WARM_UP_FRAMES = 5  # a camera sets its exposure over the first few
DARK = 12.0  # mean luma, 0..255: an infrared camera's lamp is off in every other frame
STEP_S = 0.1  # between pictures that say no time of their own
SILENCE_S = 5.0  # a device that gives no frame for so long has failed


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """at_s: seconds since the first frame. image_rgb: (H, W, 3) uint8."""

    at_s: float
    image_rgb: ByteArray = field(repr=False)


def film_frames(source: str) -> Iterator[Frame]:
    """Frames of a file, a folder of pictures, or "-" for standard input.

    Y4M and motion JPEG are read by mien, also from a pipe; other films by OpenCV, from a
    file. Dark frames are left out. Raises UsageError for what is none of these, and
    UnreadableImage where not one frame can be read.
    """
    found = 0
    for frame in _bounded(_frames_of(source)):
        found += 1
        if not is_dark(frame.image_rgb):
            yield frame
    if not found:
        raise UnreadableImage(f"there is no frame in {shown(source)}; give another film")


def device_frames(device: str, *, clock: Callable[[], float], timeout_s: float) -> Iterator[Frame]:
    """Frames of a V4L2 camera ("0" or "/dev/video0"), for at most so many seconds.

    The first few and dark ones are left out. clock: seconds that only rise. Raises
    CameraUnavailable for a device that is absent, busy, not ours, or silent.
    """
    reader = _Reader(device)
    try:
        start = clock()
        for number in range(MAX_FRAMES):
            left_s = start + timeout_s - clock()
            if left_s <= 0:
                return
            image = reader.next(min(left_s, SILENCE_S), silent_is_fault=left_s > SILENCE_S)
            if image is None:
                return
            if number >= WARM_UP_FRAMES and not is_dark(image):
                yield Frame(clock() - start, image)
    finally:
        reader.close()


def is_dark(image_rgb: ByteArray) -> bool:
    """Whether there is nothing to be seen, as when an infrared lamp is off."""
    return float(image_rgb[::8, ::8].mean()) < DARK


def as_rgb(picture: np.ndarray) -> ByteArray:
    """What OpenCV gives, (H, W), (H, W, 1) or (H, W, 3) BGR, 8 or 16 bits, as RGB of 8 bits."""
    if picture.dtype != np.uint8:  # infrared cameras have 10 to 16 bits, in the low ones
        highest = max(1.0, float(picture.max()))
        picture = (picture.astype(np.float32) * (255.0 / highest)).astype(np.uint8)
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    if picture.shape[2] == 1:
        return np.repeat(picture, 3, axis=2)
    return np.ascontiguousarray(picture[..., 2::-1])


class _Reader:
    """A device on a thread of its own: a driver that hangs does not hang us."""

    def __init__(self, device: str) -> None:
        import cv2

        self._path = Path(f"/dev/video{device}" if device.isdigit() else device)
        _expect_camera(self._path)
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraUnavailable(
                f"the camera {shown(str(self._path))} does not open; close the program that is"
                " using it, or choose another with --camera"
            )
        self._frames: queue.Queue[ByteArray | None] = queue.Queue(maxsize=2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mien-camera", daemon=True)
        self._thread.start()

    def next(self, wait_s: float, *, silent_is_fault: bool) -> ByteArray | None:
        """The newest frame; None when the time is up. Raises CameraUnavailable."""
        try:
            image = self._frames.get(timeout=wait_s)
        except queue.Empty:
            if not silent_is_fault:
                return None
            image = None
        if image is None:
            raise CameraUnavailable(
                f"the camera {shown(str(self._path))} gives no picture; unplug it and plug it in"
            )
        return image

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(1.0)
        if not self._thread.is_alive():  # one that hangs keeps its device until the process ends
            self._capture.release()

    def _run(self) -> None:
        while not self._stopped.is_set():
            there, picture = self._capture.read()
            image = as_rgb(picture) if there else None
            with suppress(queue.Empty):
                if self._frames.full():
                    self._frames.get_nowait()  # who looks at an old frame opens late
            self._frames.put(image)
            if image is None:
                return


def _expect_camera(path: Path) -> None:
    try:
        status = os.stat(path)
    except OSError as error:
        raise CameraUnavailable(
            f"there is no camera {shown(str(path))}; plug one in, or choose another with --camera"
        ) from error
    if not stat.S_ISCHR(status.st_mode):
        raise UsageError(f"{shown(str(path))} is no device; for a film use --frames")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraUnavailable(
            f"you may not use the camera {shown(str(path))}; join the group video:"
            " sudo usermod -aG video $USER, and log in again"
        )


def _bounded(frames: Iterator[Frame]) -> Iterator[Frame]:
    for number, frame in enumerate(frames):
        if number >= MAX_FRAMES:
            return
        yield frame


def _frames_of(source: str) -> Iterator[Frame]:
    if source == "-":
        if sys.stdin is None:
            raise UsageError("there is no standard input to read frames from")
        yield from _stream_frames(sys.stdin.buffer, "standard input")
        return
    path = Path(source)
    try:
        if path.is_dir():
            yield from _folder_frames(path)
            return
        with path.open("rb") as stream:
            start = stream.read(9)
            stream.seek(0)
            if _kind_of(start) is not None:
                yield from _stream_frames(stream, source)
                return
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        why = error.strerror if isinstance(error, OSError) else "no such name"
        raise UnreadableImage(f"cannot read {shown(source)}: {why}; check the path") from error
    yield from _video_frames(path)


def _kind_of(start: bytes) -> str | None:
    if start.startswith(b"YUV4MPEG2"):
        return "y4m"
    return "mjpeg" if start.startswith(b"\xff\xd8\xff") else None


def _stream_frames(stream: BinaryIO, name: str) -> Iterator[Frame]:
    start = stream.read(9)
    kind = _kind_of(start)
    if kind == "y4m":
        yield from _y4m_frames(stream, start, name)
    elif kind == "mjpeg":
        yield from _mjpeg_frames(stream, start)
    else:
        raise UsageError(
            f"{shown(name)} is neither Y4M nor motion JPEG; a pipe takes these two, for example"
            " ffmpeg -i FILM -f mjpeg -"
        )


def _folder_frames(folder: Path) -> Iterator[Frame]:
    names = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not names:
        raise UsageError(f"there is no picture in {shown(str(folder))}; name another folder")
    for number, path in enumerate(names):
        yield Frame(number * STEP_S, read_image(path))


def _mjpeg_frames(stream: BinaryIO, start: bytes) -> Iterator[Frame]:
    """JPEG after JPEG. One that cannot be read is passed over, as a door has to."""
    held, number = bytearray(start), 0
    while True:
        end = held.find(b"\xff\xd9", 2)
        if end < 0:
            more = stream.read(1 << 16)
            if not more:
                return
            held += more
            if len(held) > MAX_FRAME_BYTES:
                raise UnreadableImage("a frame of the stream never ends; give another stream")
            continue
        picture = bytes(held[: end + 2])
        del held[: end + 2]
        begin = held.find(b"\xff\xd8")
        if begin > 0:
            del held[:begin]
        with suppress(UnreadableImage):
            yield Frame(number * STEP_S, read_image(picture))
        number += 1


def _y4m_frames(stream: BinaryIO, start: bytes, name: str) -> Iterator[Frame]:
    """YUV4MPEG2, 8 bits, 4:2:0, 4:2:2, 4:4:4 or mono (the format of mjpegtools, yuv4mpeg(5))."""
    header = start + stream.readline(256)
    fields = {part[:1]: part[1:] for part in header.decode("latin-1").split()[1:]}
    try:
        width, height = int(fields["W"]), int(fields["H"])
        rate, _, per = fields.get("F", "10:1").partition(":")
        step_s = int(per or 1) / int(rate)
        if width < 2 or height < 2 or width * height > MAX_FRAME_PIXELS or step_s <= 0:
            raise ValueError("size")
        across, down = _chroma(fields.get("C", "420"))
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise UnreadableImage(f"{shown(name)} is no Y4M that mien reads; use 8 bits") from error
    small = (-(-width // across), -(-height // down)) if across else (0, 0)
    size = width * height + 2 * small[0] * small[1]
    for number in range(MAX_FRAMES):
        if not stream.readline(256).startswith(b"FRAME"):
            return
        content = stream.read(size)
        if len(content) < size:
            return  # cut off: what came before was whole
        planes = np.frombuffer(content, np.uint8)
        luma = planes[: width * height].reshape(height, width)
        full = "jpeg" in fields.get("C", "")
        yield Frame(number * step_s, _rgb_of(luma, planes[width * height :], small, full=full))


def _chroma(kind: str) -> tuple[int, int]:
    """By how much chroma is smaller, across and down; (0, 0) for none."""
    for name, smaller in (("420", (2, 2)), ("422", (2, 1)), ("444", (1, 1)), ("mono", (0, 0))):
        if kind.startswith(name) and "p" not in kind.replace("jpeg", "").replace("paldv", ""):
            return smaller
        if kind.startswith(name) and kind == "420mpeg2":
            return smaller
    raise ValueError(kind)


def _rgb_of(luma: ByteArray, chroma: ByteArray, small: tuple[int, int], *, full: bool) -> ByteArray:
    """ITU-R BT.601, full range where the film says jpeg and studio range otherwise."""
    y = luma.astype(np.float32)
    if not full:
        y = (y - 16.0) * (255.0 / 219.0)
    if small == (0, 0):
        return np.repeat(np.clip(y, 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    height, width = luma.shape
    planes = chroma.reshape(2, small[1], small[0]).astype(np.float32) - 128.0
    if not full:
        planes *= 255.0 / 224.0
    rows = np.arange(height) * small[1] // height
    columns = np.arange(width) * small[0] // width
    u, v = planes[:, rows][:, :, columns]
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=2)
    whole: ByteArray = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return whole


def _video_frames(path: Path) -> Iterator[Frame]:
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not capture.isOpened() or not 0 < size <= MAX_FRAME_PIXELS:
            raise UnreadableImage(f"{shown(str(path))} is no film that can be read; give another")
        for _ in range(MAX_FRAMES):
            there, picture = capture.read()
            if not there:
                return
            yield Frame(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0, as_rgb(picture))
    finally:
        capture.release()
