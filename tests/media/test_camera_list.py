"""Which nodes of /dev/video* are cameras, of what kind, and what is said of the others."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest
from tests.media.nodes import CAPTURE, ENUM_FMT, M2M, METADATA, OUTPUT, QUERYCAP, Machine, Node

from mien.errors import CameraBusy, CameraUnavailable, UsageError
from mien.media.camera_list import (
    BAYER,
    KERNEL,
    MONO,
    Camera,
    CameraKind,
    LeftOut,
    inspect_node,
    kind_of,
    list_cameras,
)

HEADER = Path("/usr/include/linux/videodev2.h")


def reasons(machine: Machine) -> list[str]:
    return [one.reason for one in list_cameras(machine.nodes).left_out]


def test_a_camera_is_described_by_its_node_its_links_and_its_usb_id(tmp_path: Path) -> None:
    by_path = "pci-0000:00:14.0-usb-0:6:1.0-video-index0"
    machine = Machine(tmp_path, [Node(by_path=by_path, by_id="usb-Chicony-video-index0")])
    found = list_cameras(machine.nodes)
    dev = machine.dev
    assert found.cameras == (
        Camera(
            path=f"{dev}/video0",
            name="Integrated Camera",
            kind=CameraKind.COLOUR,
            formats=("YUYV", "MJPG"),
            by_path=f"{dev}/v4l/by-path/{by_path}",
            by_id=f"{dev}/v4l/by-id/usb-Chicony-video-index0",
            usb_id="04f2:b6d0",
        ),
    )
    assert found.left_out == ()
    assert found.cameras[0].stable_path == f"{dev}/v4l/by-path/{by_path}"
    assert found.cameras[0].to_dict()["kind"] == "colour"


def test_listing_never_asks_for_buffers_or_a_stream(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(), Node(flags=METADATA)])
    list_cameras(machine.nodes)
    assert {request for _, request in machine.asked} == {QUERYCAP, ENUM_FMT}


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (Node(flags=METADATA, formats=("UVCH",)), "gives metadata and no pictures"),
        (Node(flags=OUTPUT), "takes no pictures"),
        (Node(flags=CAPTURE | M2M), "takes no pictures"),
        (Node(formats=("RGGB", "BG10")), r"only the raw data of its sensor \(RGGB, BG10\)"),
        (Node(formats=("H264",)), "gives no pixel format that is read here, but: H264"),
        (Node(formats=()), "gives no pixel format that is read here, but: none"),
        (Node(place="virtual"), "is a virtual camera"),
        (Node(place="platform/vhci_hcd.0/usb3/3-1"), "is a virtual camera"),
        (Node(place="platform/dummy_hcd.0/usb4/4-1"), "is a virtual camera"),
        (Node(driver="v4l2 loopback"), "is a virtual camera"),
        (Node(errors={QUERYCAP: errno.ENOTTY}), "is not a camera"),
        (Node(errors={QUERYCAP: errno.ENODEV}), "there is no camera"),
        (Node(errors={ENUM_FMT: errno.EIO}), r"does not open \(Input/output error\)"),
    ],
)
def test_other_nodes_are_left_out_with_the_reason(tmp_path: Path, node: Node, reason: str) -> None:
    machine = Machine(tmp_path, [node, Node()])
    found = list_cameras(machine.nodes)
    assert [one.path for one in found.cameras] == [f"{machine.dev}/video1"]
    assert [one.path for one in found.left_out] == [f"{machine.dev}/video0"]
    assert re.search(reason, found.left_out[0].reason)
    assert str(found.left_out[0].error()).count(";") == 1


def test_a_device_that_sysfs_does_not_list_counts_as_virtual(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node()])
    for link in (machine.sys / "dev" / "char").iterdir():
        link.unlink()
    assert "virtual camera" in reasons(machine)[0]


def test_a_camera_with_an_isp_gives_raw_data_too_and_is_used(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(formats=("RG10", "NV12"))])
    assert len(list_cameras(machine.nodes).cameras) == 1


@pytest.mark.parametrize(
    ("formats", "kind"),
    [
        (("GREY",), CameraKind.INFRARED),
        (("Y8", "Y10", "Y12", "Y16"), CameraKind.INFRARED),
        (("GREY", "Y8I"), CameraKind.INFRARED),
        (("GREY", "YUYV"), CameraKind.COLOUR),
        (("MJPG",), CameraKind.COLOUR),
    ],
)
def test_a_camera_is_infrared_if_no_format_has_colour(
    formats: tuple[str, ...], kind: CameraKind
) -> None:
    assert kind_of(formats) is kind


def test_a_camera_off_usb_has_no_usb_id(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(usb_id="", place="platform/soc/csi")])
    assert list_cameras(machine.nodes).cameras[0].usb_id == ""


def test_the_order_is_that_of_the_ports_whatever_the_numbers(tmp_path: Path) -> None:
    machine = Machine(
        tmp_path,
        [Node(card="no link"), Node(card="b", by_path="pci-2"), Node(card="a", by_path="pci-1")],
    )
    assert [one.name for one in list_cameras(machine.nodes).cameras] == ["a", "b", "no link"]


def test_other_files_of_dev_are_not_opened_and_no_dev_is_no_camera(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node()])
    for name in ("videodisc", "video", "video0x", "xvideo1", "video12345"):
        (machine.dev / name).touch()
    assert len(list_cameras(machine.nodes).cameras) == 1
    assert reasons(machine) == []
    (tmp_path / "empty").mkdir()
    empty = Machine(tmp_path / "empty", [])
    empty.dev.rmdir()
    assert list_cameras(empty.nodes).cameras == ()


def test_a_file_in_place_of_a_node_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a device; for a video use --frames"):
        inspect_node(tmp_path / "file", KERNEL)
    with pytest.raises(UsageError, match="is not a device"):
        inspect_node(tmp_path, KERNEL)


def test_a_node_that_the_user_may_not_open_names_the_group(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(errors={QUERYCAP: errno.EACCES})])
    found = inspect_node(machine.dev / "video0", machine.nodes)
    assert isinstance(found, LeftOut)
    assert "no permission" in str(found.error())
    assert "sudo usermod -aG video $USER" in str(found.error())


def test_a_busy_camera_is_told_from_an_absent_one_by_its_type(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(errors={QUERYCAP: errno.EBUSY})])
    busy = inspect_node(machine.dev / "video0", machine.nodes)
    absent = inspect_node(machine.dev / "video7", machine.nodes)
    assert isinstance(busy, LeftOut)
    assert isinstance(absent, LeftOut)
    assert type(busy.error()) is CameraBusy
    assert "is in use by another program; close that program" in str(busy.error())
    assert type(absent.error()) is CameraUnavailable
    assert "there is no camera" in str(absent.error())


def header_formats() -> dict[str, str]:
    """Name and four letters of each pixel format of the kernel's header."""
    if not HEADER.exists():
        pytest.skip("no kernel header; install linux-libc-dev")
    rows = re.findall(
        r"define V4L2_PIX_FMT_(\w+)\s+v4l2_fourcc\('(.)', '(.)', '(.)', '(.)'\)",
        HEADER.read_text(encoding="utf-8"),
    )
    assert len(rows) > 100
    return {name: "".join(letters).rstrip() for name, *letters in rows}


def test_every_bayer_format_of_the_kernel_is_raw_and_no_other_is() -> None:
    for name, letters in header_formats().items():
        is_bayer = re.match(r"(IPU3_)?S(BGGR|GBRG|GRBG|RGGB)\d", name) is not None
        assert (BAYER.fullmatch(letters) is not None) == is_bayer, name


def test_every_grey_format_of_the_kernel_is_mono() -> None:
    for name, letters in header_formats().items():
        if re.fullmatch(r"GREY|Y(?!41)\d+(P|BPACK|I)?|IPU3_Y10", name):
            assert letters in MONO, name
        else:
            assert letters not in MONO, name
