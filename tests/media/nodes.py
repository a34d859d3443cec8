"""A stand-in for the kernel's V4L2 at the boundary of its ioctl, because no machine here has a
camera. The nodes are links to character devices that every Linux has, so they are really opened.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mien.media.camera_list import Nodes

DEVICES = ("null", "zero", "full", "random", "urandom")

CAPTURE, OUTPUT, METADATA, M2M, STREAMING = 0x1, 0x2, 0x0080_0000, 0x8000, 0x0400_0000
OF_NODE = 0x8000_0000

# from linux/videodev2.h, by a program compiled against it on x86-64: see test_v4l2.py
QUERYCAP, ENUM_FMT, REQBUFS = 0x80685600, 0xC0405602, 0xC0145608


def capability(card: str, flags: int, driver: str = "uvcvideo", device_flags: int = 0) -> bytes:
    """struct v4l2_capability as the kernel fills it: 104 bytes."""
    return (
        driver.encode().ljust(16, b"\0")
        + card.encode().ljust(32, b"\0")
        + b"usb-0000:00:14.0-6".ljust(32, b"\0")
        + struct.pack("=III", 0x060107, device_flags or flags | OF_NODE, flags)
        + bytes(12)
    )


@dataclass
class Node:
    """What the kernel answers for one node. errors: by request, the errno to fail with."""

    card: str = "Integrated Camera"
    flags: int = CAPTURE | STREAMING
    formats: Sequence[str] = ("YUYV", "MJPG")
    driver: str = "uvcvideo"
    place: str = "pci0000:00/0000:00:14.0/usb1/1-6"
    usb_id: str = "04f2:b6d0"
    by_path: str = ""
    by_id: str = ""
    errors: dict[int, int] = field(default_factory=dict)


class Machine:
    """A /dev and a /sys with these nodes, /dev/video0 first, and the answers of their drivers."""

    def __init__(self, folder: Path, nodes: Sequence[Node]) -> None:
        self.dev, self.sys = folder / "dev", folder / "sys"
        self.asked: list[tuple[str, int]] = []
        self._of_number: dict[int, tuple[str, Node]] = {}
        self.dev.mkdir()
        (self.sys / "dev" / "char").mkdir(parents=True)
        for number, node in enumerate(nodes):
            self._add(number, node)

    @property
    def nodes(self) -> Nodes:
        return Nodes(self.dev, self.sys, self.ioctl)

    def ioctl(self, descriptor: int, request: int, answer: bytearray) -> int:
        name, node = self._of_number[os.fstat(descriptor).st_rdev]
        self.asked.append((name, request))
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_NONBLOCK
        assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        if request in node.errors:
            raise OSError(node.errors[request], os.strerror(node.errors[request]))
        if request == QUERYCAP:
            assert len(answer) == 104
            answer[:] = capability(node.card, node.flags, node.driver)
        elif request == ENUM_FMT:
            assert len(answer) == 64
            index = int.from_bytes(answer[:4], "little")
            if index >= len(node.formats):
                raise OSError(errno.EINVAL, "Invalid argument")
            answer[44:48] = node.formats[index].ljust(4).encode()
        elif request == REQBUFS:
            assert answer == bytes(4) + b"\1\0\0\0" + b"\1\0\0\0" + bytes(8)
        else:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        return 0

    def _add(self, number: int, node: Node) -> None:
        name, device = f"video{number}", Path("/dev", DEVICES[number])
        (self.dev / name).symlink_to(device)
        rdev = os.stat(device).st_rdev
        self._of_number[rdev] = (name, node)
        usb = self.sys / "devices" / node.place
        place = usb / f"{number}.0" / "video4linux" / name
        place.mkdir(parents=True)
        if node.usb_id:
            for file, word in zip(("idVendor", "idProduct"), node.usb_id.split(":"), strict=True):
                (usb / file).write_text(word + "\n")
        (self.sys / "dev" / "char" / f"{os.major(rdev)}:{os.minor(rdev)}").symlink_to(place)
        for kind, link in (("by-path", node.by_path), ("by-id", node.by_id)):
            if link:
                (self.dev / "v4l" / kind).mkdir(parents=True, exist_ok=True)
                (self.dev / "v4l" / kind / link).symlink_to(f"../../{name}")
