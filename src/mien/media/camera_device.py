"""What kind of device a camera is: a virtual one shows what a program writes to it."""

from __future__ import annotations

import os
from pathlib import Path

from mien.errors import CameraUnavailable, quote_path

SYS = Path("/sys")


def virtual_camera_name(device: str, sys: Path = SYS) -> str | None:
    """The name of a virtual V4L2 device ("0" or "/dev/video0"), such as one of v4l2loopback.

    None for a device of hardware, and for a path that is no device. sys: where sysfs is.
    """
    try:
        number = os.stat(f"/dev/video{device}" if device.isdigit() else device).st_rdev
    except (OSError, ValueError):
        return None
    link = sys / "dev" / "char" / f"{os.major(number)}:{os.minor(number)}"
    node = Path(os.path.realpath(link))
    if not {"virtual", "video4linux"} <= set(node.parts):
        return None
    try:
        return (node / "name").read_text(encoding="utf-8", errors="replace").strip()[:64]
    except OSError:
        return ""


def refuse_virtual_camera(device: str, sys: Path = SYS) -> None:
    """Raise CameraUnavailable for a virtual camera."""
    name = virtual_camera_name(device, sys)
    if name is not None:
        raise CameraUnavailable(
            f"{quote_path(device)} is a virtual camera ({name!r}): it shows what a program writes"
            " to it, which proves no life; use a real camera, or set MIEN_LIVENESS=off"
        )
