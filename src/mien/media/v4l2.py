"""What a V4L2 node says about itself, asked without starting its stream.

Structures and numbers are those of the kernel's `linux/videodev2.h`; a test compiles a program
against that header and compares.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Ioctl = Callable[[int, int, bytearray], Any]
"""Sends a request with a structure, which is changed in place. Raises OSError."""


def kernel_ioctl(descriptor: int, request: int, structure: bytearray) -> Any:
    """The kernel's own. Raises OSError, also where there is none: cameras are read on Linux."""
    try:
        import fcntl
    except ImportError as error:
        raise OSError(errno.ENOTTY, "cameras are read on Linux only") from error
    return fcntl.ioctl(descriptor, request, structure)


NATIVE_IOCTL: Ioctl = kernel_ioctl

CAPABILITY = struct.Struct("=16s32s32sIII12x")  # driver, card, bus, version, all caps, caps
FORMAT_DESCRIPTION = struct.Struct("=III32sI16x")  # index, type, flags, words, pixel format
BUFFER_REQUEST = struct.Struct("=III8x")  # count, type, memory

CAPTURE, CAPTURE_PLANES = 0x0000_0001, 0x0000_1000
OUTPUT = 0x0000_0002 | 0x0000_2000
MEMORY_TO_MEMORY = 0x0000_4000 | 0x0000_8000
METADATA = 0x0080_0000 | 0x0800_0000
TOUCH = 0x1000_0000
HAS_OWN_CAPABILITIES = 0x8000_0000
TYPE_CAPTURE, TYPE_CAPTURE_PLANES = 1, 9
MEMORY_MAPPED = 1
BIG_ENDIAN_FORMAT = 1 << 31

MAX_FORMATS = 64  # a driver that never ends its list must not hold mien

_WRITE_FIRST = ("alpha", "mips", "ppc", "powerpc", "sparc")  # other bits for the direction


@dataclass(frozen=True, slots=True)
class Capability:
    """driver, card, bus: the kernel's words. flags: what this node, not its device, can do."""

    driver: str
    card: str
    bus: str
    flags: int

    @property
    def captures(self) -> bool:
        """Whether the node gives pictures, and does not convert or show those of a program."""
        barred = OUTPUT | MEMORY_TO_MEMORY | TOUCH
        return bool(self.flags & (CAPTURE | CAPTURE_PLANES)) and not self.flags & barred

    @property
    def buffer_type(self) -> int:
        """The type of its buffers, which the other requests name."""
        return TYPE_CAPTURE if self.flags & CAPTURE else TYPE_CAPTURE_PLANES


def request_number(direction: str, number: int, size: int, machine: str) -> int:
    """The number of a request of V4L2. direction: "read", or "both". machine: as in uname."""
    if machine.startswith(_WRITE_FIRST):
        bits = {"read": 2, "both": 2 | 4}[direction] << 29
    else:
        bits = {"read": 2, "both": 2 | 1}[direction] << 30
    return bits | size << 16 | ord("V") << 8 | number


_MACHINE = platform.machine()
QUERYCAP = request_number("read", 0, CAPABILITY.size, _MACHINE)
ENUM_FMT = request_number("both", 2, FORMAT_DESCRIPTION.size, _MACHINE)
REQBUFS = request_number("both", 8, BUFFER_REQUEST.size, _MACHINE)


def read_capability(descriptor: int, ioctl: Ioctl = NATIVE_IOCTL) -> Capability:
    """What the node can do. Raises OSError, with ENOTTY for a node that is not V4L2."""
    answer = bytearray(CAPABILITY.size)
    ioctl(descriptor, QUERYCAP, answer)
    driver, card, bus, _, of_device, of_node = CAPABILITY.unpack(answer)
    flags = of_node if of_device & HAS_OWN_CAPABILITIES else of_device
    return Capability(_text(driver), _text(card), _text(bus), flags)


def read_formats(descriptor: int, buffer_type: int, ioctl: Ioctl = NATIVE_IOCTL) -> tuple[str, ...]:
    """The pixel formats of the node, such as ("YUYV", "MJPG"), each once. Raises OSError."""
    found: dict[str, None] = {}
    for index in range(MAX_FORMATS):
        answer = bytearray(FORMAT_DESCRIPTION.pack(index, buffer_type, 0, b"", 0))
        try:
            ioctl(descriptor, ENUM_FMT, answer)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):  # the end of the list; no list
                break
            raise
        found[format_name(FORMAT_DESCRIPTION.unpack(answer)[4])] = None
    return tuple(found)


def check_not_streaming(descriptor: int, buffer_type: int, ioctl: Ioctl = NATIVE_IOCTL) -> None:
    """Raise OSError with EBUSY if another program has the stream of the node.

    A node that streams can be opened by others, and refuses them only buffers. So none are asked
    for: the request of zero buffers is refused alike, and otherwise changes nothing.
    """
    request = bytearray(BUFFER_REQUEST.pack(0, buffer_type, MEMORY_MAPPED))
    try:
        ioctl(descriptor, REQBUFS, request)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTTY):  # it has no such buffers: not busy
            raise


def format_name(pixel_format: int) -> str:
    """The four letters of a pixel format, without spaces at the end; "-BE" if big-endian."""
    letters = (pixel_format & ~BIG_ENDIAN_FORMAT).to_bytes(4, "little")
    suffix = "-BE" if pixel_format & BIG_ENDIAN_FORMAT else ""
    return _text(letters).rstrip() + suffix


def _text(raw: bytes) -> str:
    """Up to the first zero byte, printable: the words come from a device that anybody can plug."""
    text = raw.split(b"\0", 1)[0].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
