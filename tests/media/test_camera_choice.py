"""Which camera is taken without a device, what a device may be named by, and the pinned one."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from tests.media.nodes import METADATA, REQBUFS, Machine, Node

from mien.errors import CameraBusy, CameraUnavailable
from mien.media.camera_choice import check_pinned, find_camera
from mien.media.camera_list import CameraKind

INFRARED = Node(card="IR Camera", formats=("GREY",), by_path="pci-1")
COLOUR = Node(card="HD Camera", by_path="pci-2", by_id="usb-Maker_HD-video-index0")
SECOND = Node(card="USB Camera", by_path="pci-3", usb_id="046d:0825", place="pci/usb2/2-1")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """video0 gives metadata, video1 is infrared, video2 and video3 give colour."""
    return Machine(tmp_path, [Node(flags=METADATA), INFRARED, COLOUR, SECOND])


def test_without_a_device_the_first_colour_camera_is_taken(machine: Machine) -> None:
    assert find_camera(nodes=machine.nodes).name == "HD Camera"
    infrared = find_camera(prefer=CameraKind.INFRARED, nodes=machine.nodes)
    assert infrared.name == "IR Camera"


def test_without_one_of_the_preferred_kind_the_other_is_taken(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [INFRARED])
    assert find_camera(nodes=machine.nodes).kind is CameraKind.INFRARED


def test_a_tie_is_explained_and_a_choice_without_one_is_not(machine: Machine) -> None:
    told: list[str] = []
    find_camera(prefer=CameraKind.INFRARED, tell=told.append, nodes=machine.nodes)
    find_camera("2", tell=told.append, nodes=machine.nodes)
    assert told == []
    find_camera(tell=told.append, nodes=machine.nodes)
    assert told == [
        f"using {machine.dev}/video2 (HD Camera), of 2 colour cameras the first by port; for"
        " another: --camera DEVICE, see mien camera list"
    ]


def test_a_camera_that_cannot_be_used_is_not_said_to_be(tmp_path: Path) -> None:
    busy = Node(errors={REQBUFS: errno.EBUSY}, by_path="pci-1")
    machine = Machine(tmp_path, [busy, COLOUR])
    told: list[str] = []
    with pytest.raises(CameraBusy):  # and no other is taken, whose picture nobody expects
        find_camera(tell=told.append, nodes=machine.nodes)
    assert told == []


def test_a_device_is_a_number_a_node_or_a_link_of_udev(machine: Machine) -> None:
    for device in (
        "2",
        f"{machine.dev}/video2",
        f"{machine.dev}/v4l/by-path/pci-2",
        f"{machine.dev}/v4l/by-id/usb-Maker_HD-video-index0",
    ):
        camera = find_camera(device, nodes=machine.nodes)
        assert (camera.path, camera.name) == (f"{machine.dev}/video2", "HD Camera")


def test_a_named_node_that_is_no_camera_says_why(machine: Machine) -> None:
    with pytest.raises(CameraUnavailable, match="gives metadata and no pictures; choose one of"):
        find_camera("0", nodes=machine.nodes)
    for device in ("97", "/dev/v4l/by-path/absent", "a\0b", "/dev/null/video0"):
        with pytest.raises(CameraUnavailable, match="there is no camera"):
            find_camera(device, nodes=machine.nodes)


def test_a_machine_without_a_camera_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(CameraUnavailable, match="this machine has no camera; plug one in"):
        find_camera(nodes=Machine(tmp_path / "none", []).nodes)
    machine = Machine(tmp_path, [Node(place="virtual"), Node(flags=METADATA)])
    with pytest.raises(CameraUnavailable, match=r"no camera can be used: .*virtual.*and 1 more"):
        find_camera(nodes=machine.nodes)


def test_a_virtual_camera_is_refused_at_the_door_unless_it_is_allowed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(card="Dummy", place="virtual")])
    with pytest.raises(CameraUnavailable, match=r"virtual camera \('Dummy'\).*MIEN_LIVENESS=off"):
        find_camera("0", nodes=machine.nodes)
    assert find_camera("0", allow_virtual=True, nodes=machine.nodes).is_virtual


def test_a_camera_that_streams_for_another_program_is_busy(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(errors={REQBUFS: errno.EBUSY})])
    with pytest.raises(CameraBusy, match="is in use by another program"):
        find_camera(nodes=machine.nodes)
    assert find_camera(must_be_free=False, nodes=machine.nodes).path == f"{machine.dev}/video0"


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTTY])
def test_a_camera_without_such_buffers_is_not_busy(tmp_path: Path, code: int) -> None:
    machine = Machine(tmp_path, [Node(errors={REQBUFS: code})])
    find_camera(nodes=machine.nodes)


def test_a_camera_unplugged_while_it_is_asked_is_absent(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(errors={REQBUFS: errno.ENODEV})])
    with pytest.raises(CameraUnavailable, match="there is no camera"):
        find_camera(nodes=machine.nodes)


def test_another_camera_in_the_place_of_the_pinned_one_is_refused(machine: Machine) -> None:
    camera = find_camera("3", nodes=machine.nodes)
    check_pinned(camera, "046D:0825")
    check_pinned(camera, "")
    with pytest.raises(
        CameraUnavailable, match="has USB id 046d:0825, and '04f2:b6d0' is expected"
    ):
        find_camera("3", expected_usb_id="04f2:b6d0", nodes=machine.nodes)


def test_a_camera_without_a_usb_id_is_not_the_pinned_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Node(usb_id="", place="platform/soc")])
    with pytest.raises(CameraUnavailable, match="has no USB id"):
        find_camera(expected_usb_id="04f2:b6d0", nodes=machine.nodes)
