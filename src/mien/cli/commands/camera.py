"""`mien camera list`, `test` and `snapshot`."""

from __future__ import annotations

import contextlib
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mien.app.camera_check import CameraCheck, check_camera
from mien.app.pipeline import open_pipeline
from mien.cli.output import CommandResult
from mien.cli.picture import show_picture
from mien.cli.progress import print_progress
from mien.errors import ExitCode, UsageError, one_line, quote_path
from mien.files import write_whole
from mien.media.camera import CameraReader, open_v4l2
from mien.media.camera_choice import BEST, choose_camera, find_camera
from mien.media.camera_list import KERNEL, Camera, CameraKind, CameraList, list_cameras
from mien.media.frame import Frame, FrameLimit
from mien.media.opencv_frame import png_bytes, silence_opencv
from mien.media.steady_light import when_steady
from mien.settings import load_settings

TIMEOUT_S = 5.0


def list_all(args: Namespace) -> CommandResult:
    """List cameras and other nodes. args: nothing."""
    found = list_cameras(KERNEL)
    best = choose_camera(found).path if found.cameras else ""
    lines = [line for one in found.cameras for line in _describe(one, is_best=one.path == best)]
    lines += [f"left out: {one.reason}" for one in found.left_out]
    data: dict[str, object] = {
        "outcome": "listed",
        "exit_code": 0,
        "best": best or None,
        "cameras": [one.to_dict() for one in found.cameras],
        "left_out": [one.to_dict() for one in found.left_out],
    }
    if not found.cameras:
        lines.append(_what_to_do(found))
    return CommandResult(ExitCode.OK, tuple(lines), data)


def test(args: Namespace) -> CommandResult:
    """Measure a camera. args.device: None for the best. args.infrared, args.engine."""
    settings = load_settings(engine=args.engine)
    started_s = time.monotonic()
    with _opened(args) as (reader, frames):
        check = check_camera(
            frames,
            camera=lambda: _camera_of(reader),
            started_s=started_s,
            opened_s=lambda: reader.opened_s or started_s,
            find_face=lambda: open_pipeline(settings).door_face,
        )
    camera = _camera_of(reader)
    data: dict[str, object] = {
        "outcome": "tested",
        "exit_code": 0,
        "camera": camera.to_dict(),
        **check.to_dict(),
    }
    return CommandResult(ExitCode.OK, _test_lines(camera, check), data)


def snapshot(args: Namespace) -> CommandResult:
    """Take a frame in steady light. args.device, args.infrared; args.out: Path or None."""
    if args.out is not None and args.out.exists():
        raise UsageError(f"{quote_path(args.out)} exists already; give another --out")
    with _opened(args) as (reader, frames):
        frame = next(when_steady(frames, lambda: reader.kind is CameraKind.INFRARED), None)
        if frame is None:
            raise reader.no_frame_error()
    height, width = frame.image_rgb.shape[:2]
    shown = show_picture(frame.image_rgb) if not args.json else False
    said = f"{_camera_of(reader).path}: {width}x{height}"
    if args.out is not None:
        _write_png(frame, args.out)
        said += f", written to {args.out}, readable by you alone"
    elif not shown:
        said += "; kept in memory alone: give --out FILE to keep it, or run it at a terminal"
    data: dict[str, object] = {
        "outcome": "taken",
        "exit_code": 0,
        "camera": _camera_of(reader).to_dict(),
        "size_wh": [width, height],
        "out": None if args.out is None else str(args.out),
    }
    return CommandResult(ExitCode.OK, (said,), data)


@contextmanager
def _opened(args: Namespace) -> Iterator[tuple[CameraReader, Iterator[Frame]]]:
    prefer = CameraKind.INFRARED if args.infrared else CameraKind.COLOUR
    find = partial(
        find_camera,
        args.device or BEST,
        prefer=prefer,
        allow_virtual=True,
        tell=print_progress,
        nodes=KERNEL,
    )
    with silence_opencv():
        limit = FrameLimit(time.monotonic, TIMEOUT_S)
        reader = CameraReader(find, time.monotonic, open_capture=open_v4l2)
        with contextlib.closing(reader):
            yield reader, limit.apply(reader.frames(limit.left_s))


def _camera_of(reader: CameraReader) -> Camera:
    assert reader.camera is not None  # it gave a frame
    return reader.camera


def _describe(camera: Camera, *, is_best: bool) -> Iterator[str]:
    usb = f", USB id {camera.usb_id}" if camera.usb_id else ""
    best = "; --camera without DEVICE takes it" if is_best else ""
    formats = ", ".join(camera.formats)
    yield f"{camera.path}  {camera.name}: {camera.kind.value}, {formats}{usb}{best}"
    yield from (f"  {link}" for link in (camera.by_path, camera.by_id) if link)


def _what_to_do(found: CameraList) -> str:
    if not found.left_out:
        return "this machine has no camera; plug one in"
    return f"no camera can be used; {found.left_out[0].remedy}"


def _test_lines(camera: Camera, check: CameraCheck) -> tuple[str, ...]:
    width, height = check.size_wh
    usable = "not steady" if check.usable_s != check.usable_s else f"{check.usable_s:.2f} s"
    fps = "unknown" if check.fps != check.fps else f"{check.fps:.1f}"
    return (
        f"{camera.path}  {camera.name}: {camera.kind.value}, {width}x{height}",
        f"open after {check.opened_s:.2f} s, first frame after {check.first_frame_s:.2f} s, first"
        f" usable frame after {usable}",
        f"{fps} frames a second, brightness {check.brightness:.0f} of 255, {check.dark_frames} of"
        f" {check.frames} frames dark",
        "one face found" if check.face else "no single face found",
        *(f"wrong: {one}" for one in check.wrong),
    )


def _write_png(frame: Frame, path: Path) -> None:
    try:
        write_whole(path, png_bytes(frame.image_rgb))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot write {quote_path(path)} ({one_line(error)}); give another --out"
        ) from error
