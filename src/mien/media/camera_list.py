"""The cameras of this machine, and the other nodes of /dev/video*, without opening a stream."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mien.errors import CameraBusy, CameraUnavailable, UsageError, quote, quote_path
from mien.media.camera_device import DEV, SYS, is_software, stable_links, sysfs_node, usb_id
from mien.media.v4l2 import (
    METADATA,
    NATIVE_IOCTL,
    Capability,
    Ioctl,
    check_not_streaming,
    read_capability,
    read_formats,
)
from mien.system.open_flags import CLOSE_ON_EXEC, NO_TERMINAL, NO_WAIT

MONO = frozenset({
    "GREY", "Y04", "Y06", "Y8", "Y10", "Y12", "Y14", "Y16", "Y16-BE",
    "Y10B", "Y10P", "Y12P", "Y14P", "Y8I", "Y12I", "Y16I", "ip3y",
})  # fmt: skip
"""Pixel formats of one brightness a pixel. "Y8" is what some drivers call GREY."""

BAYER = re.compile(
    r"BA81|GBRG|GRBG|RGGB|BYR2|GB16|GR16|RG16"  # 8 bits; 16 bits
    r"|(BG|GB|BA|RG)1[02]|(BG|GB|GR|RG)14"  # 10, 12 and 14 bits in 16
    r"|p[BGgR](AA|CC|EE)|a[BGgR]A8|b[BGR]A8|BD10"  # packed; A-law and DPCM
    r"|ip3[bgGr]"
)
"""Pixel formats of a bare sensor, one colour a pixel, without white balance and exposure."""

READABLE = frozenset({
    "BGR3", "RGB3", "YV12", "YU12", "411P", "YUYV", "UYVY", "NV12", "NV21", "S910",
    "MJPG", "JPEG", "Y16", "Y12", "Y10", "GREY",
})  # fmt: skip
"""Pixel formats that OpenCV takes from a camera."""

MAX_NODES = 256  # the kernel has no more of /dev/video*
ANOTHER = "choose one of: mien camera list"


class CameraKind(Enum):
    """What light a camera sees. The value is the word in messages and JSON.

    A face looks different in infrared light, so templates of the two kinds must be kept apart:
    what was enrolled with one kind is compared with frames of that kind only.
    """

    COLOUR = "colour"
    INFRARED = "infrared"


@dataclass(frozen=True, slots=True)
class Camera:
    """path: /dev/videoN. name: the device's own word for itself, which proves nothing.

    by_path, by_id: links to it that stay the same after a restart; "" where udev made none.
    usb_id: maker and product, "046d:0825"; "" if it is not on USB. formats: such as ("YUYV",).
    is_virtual: a program writes what it shows, or sysfs does not say that none does.
    """

    path: str
    name: str
    kind: CameraKind
    formats: tuple[str, ...]
    by_path: str = ""
    by_id: str = ""
    usb_id: str = ""
    is_virtual: bool = False

    @property
    def stable_path(self) -> str:
        """The name to store: that of the port, else of the device, else the node."""
        return self.by_path or self.by_id or self.path

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        words = {name: getattr(self, name) for name in self.__slots__}
        return {**words, "kind": self.kind.value, "formats": list(self.formats)}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A node that is no camera to use. reason: why; remedy: what to do.

    is_busy: another program has its stream, or its only descriptor.
    """

    path: str
    reason: str
    remedy: str = ANOTHER
    is_busy: bool = False

    def error(self) -> CameraUnavailable:
        """The error for whoever named this node."""
        kind = CameraBusy if self.is_busy else CameraUnavailable
        return kind(f"{self.reason}; {self.remedy}")

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"path": self.path, "reason": self.reason, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Nodes:
    """Where nodes are, and what answers for them: the kernel, in tests a stand-in."""

    dev: Path = DEV
    sys: Path = SYS
    ioctl: Ioctl = NATIVE_IOCTL


KERNEL = Nodes()


@dataclass(frozen=True, slots=True)
class CameraList:
    """cameras: in the order of their ports, which no restart changes."""

    cameras: tuple[Camera, ...]
    left_out: tuple[LeftOut, ...]


def list_cameras(nodes: Nodes = KERNEL) -> CameraList:
    """All nodes of /dev/video*. A virtual camera is among those left out."""
    cameras, left_out = [], []
    for path in _video_nodes(nodes.dev):
        found = inspect_node(path, nodes)
        if isinstance(found, Camera) and found.is_virtual:
            left_out.append(virtual(found))
        elif isinstance(found, Camera):
            cameras.append(found)
        else:
            left_out.append(found)
    cameras.sort(key=lambda one: (not one.by_path, one.by_path, _number(one.path)))
    return CameraList(tuple(cameras), tuple(left_out))


def inspect_node(
    path: Path, nodes: Nodes = KERNEL, *, must_be_free: bool = False
) -> Camera | LeftOut:
    """What a node is. must_be_free: a camera that another program uses is left out.

    May block for as long as the driver does. Raises UsageError for a path that is no device.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | NO_WAIT | CLOSE_ON_EXEC | NO_TERMINAL)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        return _not_opened(path, error)
    try:
        number = _number_of_device(path, descriptor)
        capability = read_capability(descriptor, nodes.ioctl)
        if not capability.captures:
            return _no_pictures(path, capability)
        formats = read_formats(descriptor, capability.buffer_type, nodes.ioctl)
        if must_be_free:
            check_not_streaming(descriptor, capability.buffer_type, nodes.ioctl)
    except OSError as error:
        return _not_opened(path, error)
    finally:
        os.close(descriptor)
    return _unusable_formats(path, formats) or _described(
        path, capability, formats, number=number, nodes=nodes
    )


def kind_of(formats: tuple[str, ...]) -> CameraKind:
    """Infrared if the camera gives no colour in any of its formats."""
    return CameraKind.INFRARED if MONO.issuperset(formats) else CameraKind.COLOUR


def virtual(camera: Camera) -> LeftOut:
    """Why a virtual camera is not used."""
    return LeftOut(
        camera.path,
        f"{quote_path(camera.path)} is a virtual camera ({quote(camera.name)}), or unknown to /sys:"
        " it may show what a program writes to it, which proves no life",
        "use a real camera, or set MIEN_LIVENESS=off",
    )


def _described(
    path: Path, capability: Capability, formats: tuple[str, ...], *, number: int, nodes: Nodes
) -> Camera:
    node = sysfs_node(number, nodes.sys)
    return Camera(
        str(path),
        capability.card,
        kind_of(formats),
        formats,
        stable_links("by-path", nodes.dev).get(path, ""),
        stable_links("by-id", nodes.dev).get(path, ""),
        "" if node is None else usb_id(node),
        node is None or is_software(node, capability.driver),
    )


def _video_nodes(dev: Path) -> list[Path]:
    try:
        names = [name for name in os.listdir(dev) if re.fullmatch(r"video[0-9]{1,4}", name)]
    except OSError:
        return []
    return sorted((dev / name for name in names), key=lambda one: _number(str(one)))[:MAX_NODES]


def _number(path: str) -> int:
    return int(re.sub(r"\D", "", os.path.basename(path)) or 0)


def _number_of_device(path: Path, descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISCHR(status.st_mode):
        raise UsageError(f"{quote_path(path)} is not a device; for a video use --frames")
    return status.st_rdev


def _no_pictures(path: Path, capability: Capability) -> LeftOut:
    gives = "gives metadata and no pictures" if capability.flags & METADATA else "takes no pictures"
    return LeftOut(str(path), f"{quote_path(path)} {gives}")


def _unusable_formats(path: Path, formats: tuple[str, ...]) -> LeftOut | None:
    readable = READABLE.intersection(formats)
    if readable:
        return None
    names = ", ".join(formats) or "none"
    if any(BAYER.fullmatch(one) for one in formats):
        why = f"gives only the raw data of its sensor ({names})"
    else:
        why = f"gives no pixel format that is read here, but: {names}"
    return LeftOut(str(path), f"{quote_path(path)} {why}")


def _not_opened(path: Path, error: OSError | ValueError) -> LeftOut:
    """Absent, not permitted, busy and broken are told apart by the kernel's own answer."""
    quoted, code = quote_path(path), getattr(error, "errno", errno.ENOENT)
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR, errno.ELOOP):
        return LeftOut(str(path), f"there is no camera {quoted}", f"plug it in, or {ANOTHER}")
    if code in (errno.EACCES, errno.EPERM):
        return LeftOut(
            str(path),
            f"no permission to use the camera {quoted}",
            "join the group video: sudo usermod -aG video $USER, and log in again",
        )
    if code == errno.EBUSY:
        return LeftOut(
            str(path),
            f"the camera {quoted} is in use by another program",
            f"close that program, or {ANOTHER}",
            is_busy=True,
        )
    if code in (errno.ENOTTY, errno.EINVAL):
        return LeftOut(str(path), f"{quoted} is not a camera")
    if code == errno.EISDIR:
        raise UsageError(f"{quoted} is not a device; for a video use --frames")
    reason = getattr(error, "strerror", None) or "it failed"
    return LeftOut(
        str(path),
        f"the camera {quoted} does not open ({reason})",
        f"unplug it and plug it in again, or {ANOTHER}",
    )
