"""The numbers and structures of V4L2 are those of the kernel's header."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.media.nodes import ENUM_FMT, QUERYCAP, REQBUFS

from mien.media import v4l2
from mien.media.v4l2 import Capability, format_name, read_capability, read_formats, request_number

HEADER = Path("/usr/include/linux/videodev2.h")
C_PROGRAM = r"""
#include <linux/videodev2.h>
#include <stddef.h>
#include <stdio.h>
#define SAY(name, value) printf("%s %llu\n", name, (unsigned long long)(value))
#define AT(structure, field) SAY(#structure "." #field, offsetof(struct structure, field))
int main(void) {
    SAY("QUERYCAP", VIDIOC_QUERYCAP);
    SAY("ENUM_FMT", VIDIOC_ENUM_FMT);
    SAY("REQBUFS", VIDIOC_REQBUFS);
    SAY("CAPTURE", V4L2_CAP_VIDEO_CAPTURE);
    SAY("CAPTURE_PLANES", V4L2_CAP_VIDEO_CAPTURE_MPLANE);
    SAY("OUTPUT", V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE);
    SAY("MEMORY_TO_MEMORY", V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE);
    SAY("METADATA", V4L2_CAP_META_CAPTURE | V4L2_CAP_META_OUTPUT);
    SAY("TOUCH", V4L2_CAP_TOUCH);
    SAY("HAS_OWN_CAPABILITIES", V4L2_CAP_DEVICE_CAPS);
    SAY("TYPE_CAPTURE", V4L2_BUF_TYPE_VIDEO_CAPTURE);
    SAY("TYPE_CAPTURE_PLANES", V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE);
    SAY("MEMORY_MAPPED", V4L2_MEMORY_MMAP);
    SAY("capability size", sizeof(struct v4l2_capability));
    SAY("format size", sizeof(struct v4l2_fmtdesc));
    SAY("buffers size", sizeof(struct v4l2_requestbuffers));
    AT(v4l2_capability, card);
    AT(v4l2_capability, bus_info);
    AT(v4l2_capability, capabilities);
    AT(v4l2_capability, device_caps);
    AT(v4l2_fmtdesc, type);
    AT(v4l2_fmtdesc, pixelformat);
    AT(v4l2_requestbuffers, type);
    AT(v4l2_requestbuffers, memory);
    return 0;
}
"""


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Every number of the header that mien uses, from a compiled program."""
    compiler = shutil.which("cc")
    if compiler is None or not HEADER.exists():
        pytest.skip("no C compiler or kernel header; install gcc and linux-libc-dev")
    folder = tmp_path_factory.mktemp("header")
    (folder / "say.c").write_text(C_PROGRAM)
    subprocess.run([compiler, "-o", folder / "say", folder / "say.c"], check=True, timeout=120)
    said = subprocess.run([folder / "say"], check=True, capture_output=True, timeout=60, text=True)
    return {name: int(value) for name, _, value in (
        line.rpartition(" ") for line in said.stdout.splitlines()
    )}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *("QUERYCAP", "ENUM_FMT", "REQBUFS", "CAPTURE", "CAPTURE_PLANES", "OUTPUT", "TOUCH"),
        *("MEMORY_TO_MEMORY", "METADATA", "HAS_OWN_CAPABILITIES", "TYPE_CAPTURE"),
        *("TYPE_CAPTURE_PLANES", "MEMORY_MAPPED"),
    ],
)
def test_each_number_is_that_of_the_header(header: dict[str, int], name: str) -> None:
    assert getattr(v4l2, name) == header[name]


def test_the_structures_have_the_sizes_and_places_of_the_header(header: dict[str, int]) -> None:
    assert v4l2.CAPABILITY.size == header["capability size"] == 104
    assert v4l2.FORMAT_DESCRIPTION.size == header["format size"] == 64
    assert v4l2.BUFFER_REQUEST.size == header["buffers size"] == 20
    found = v4l2.CAPABILITY.pack(b"d", b"c", b"b", 0, 0xAAAA, 0xBBBB)
    for field, byte in (("card", b"c"), ("bus_info", b"b")):
        assert found[header[f"v4l2_capability.{field}"]] == byte[0]
    for field, value in (("capabilities", 0xAAAA), ("device_caps", 0xBBBB)):
        at = header[f"v4l2_capability.{field}"]
        assert int.from_bytes(found[at : at + 4], sys.byteorder) == value
    found = v4l2.FORMAT_DESCRIPTION.pack(0, 9, 0, b"", 0xCCCC)
    at = header["v4l2_fmtdesc.pixelformat"]
    assert int.from_bytes(found[at : at + 4], sys.byteorder) == 0xCCCC
    assert found[header["v4l2_fmtdesc.type"]] == 9 or sys.byteorder == "big"
    at = header["v4l2_requestbuffers.memory"]
    found = v4l2.BUFFER_REQUEST.pack(0, 9, 7)
    assert int.from_bytes(found[at : at + 4], sys.byteorder) == 7


def test_the_requests_of_other_machines_have_other_bits_for_the_direction() -> None:
    assert request_number("read", 0, 104, "x86_64") == QUERYCAP == 0x80685600
    assert request_number("both", 2, 64, "aarch64") == ENUM_FMT == 0xC0405602
    assert request_number("both", 8, 20, "riscv64") == REQBUFS == 0xC0145608
    assert request_number("read", 0, 104, "ppc64le") == 0x40685600
    assert request_number("both", 2, 64, "mips64") == 0xC0405602


# 104 bytes of a laptop's camera: version 6.1.7, all its nodes 0x84a00001, this one 0x04200001
ANSWER = (
    b"uvcvideo\0\0\0\0\0\0\0\0"
    b"Integrated Camera: Integrated C\0"
    b"usb-0000:00:14.0-6\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    b"\x07\x01\x06\x00"
    b"\x01\x00\xa0\x84"
    b"\x01\x00\x20\x04"
    b"\0\0\0\0\0\0\0\0\0\0\0\0"
)


@pytest.mark.skipif(sys.byteorder == "big", reason="the bytes are those of a little-endian machine")
def test_the_answer_of_a_camera_is_read_byte_for_byte() -> None:
    def kernel(descriptor: int, request: int, answer: bytearray) -> None:
        answer[:] = ANSWER

    assert read_capability(0, kernel) == Capability(
        "uvcvideo", "Integrated Camera: Integrated C", "usb-0000:00:14.0-6", 0x0420_0001
    )


@pytest.mark.parametrize(
    ("flags", "captures"),
    [
        (0x0420_0001, True),  # a camera
        (0x0420_1000, True),  # one that gives planes
        (0x04A0_0000, False),  # the metadata of a camera
        (0x0420_0002, False),  # an output
        (0x0420_8001, False),  # converts memory to memory, and also says that it captures
        (0x0420_4000, False),
        (0x1420_0001, False),  # a touch screen
    ],
)
def test_only_nodes_that_capture_pictures_do_so(flags: int, captures: bool) -> None:
    assert Capability("", "", "", flags).captures is captures


def test_a_node_of_planes_has_a_buffer_type_of_its_own() -> None:
    assert Capability("", "", "", 0x0420_0001).buffer_type == 1
    assert Capability("", "", "", 0x0420_1000).buffer_type == 9


def test_hostile_words_are_made_printable_and_an_endless_list_of_formats_ends() -> None:
    def kernel(descriptor: int, request: int, answer: bytearray) -> None:
        if request == v4l2.QUERYCAP:
            answer[16:48] = b"\x1b[2Jcam\nera\xff".ljust(32, b"!")
        else:
            answer[44:48] = bytes([33 + answer[0]]) + b"abc"  # a new name each time

    assert read_capability(0, kernel).card == "?[2Jcam?era\N{REPLACEMENT CHARACTER}" + "!" * 20
    assert len(read_formats(0, 1, kernel)) == 64


def test_the_list_of_formats_ends_with_einval_and_other_errors_are_raised() -> None:
    def kernel(descriptor: int, request: int, answer: bytearray) -> None:
        if answer[0] == 2:
            raise OSError(errno.EINVAL, "")
        answer[44:48] = b"YUYV"

    assert read_formats(0, 1, kernel) == ("YUYV",)

    def unplugged(descriptor: int, request: int, answer: bytearray) -> None:
        raise OSError(errno.ENODEV, "unplugged")

    with pytest.raises(OSError, match="unplugged"):
        read_formats(0, 1, unplugged)


def test_a_format_is_named_by_its_letters() -> None:
    assert format_name(0x56595559) == "YUYV"
    assert format_name(0x20363159) == "Y16"
    assert format_name(0x20363159 | 1 << 31) == "Y16-BE"


def test_a_device_that_is_not_v4l2_says_so() -> None:
    with open("/dev/null", "rb") as device, pytest.raises(OSError, match=f"Errno {errno.ENOTTY}"):
        read_capability(device.fileno())
