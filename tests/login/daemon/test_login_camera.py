"""The camera of login: of the kind that the configuration says, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.media.nodes import Machine, Node

from mien.errors import CameraUnavailable
from mien.login.camera import find_login_camera
from mien.login.config import LoginConfig

INFRARED = Node(card="IR Camera", formats=("GREY",), by_path="pci-1")
COLOUR = Node(card="HD Camera", by_path="pci-2", usb_id="046d:0825")


def test_the_best_camera_of_the_kind_is_taken(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [INFRARED, COLOUR])
    found = {
        kind: find_login_camera(LoginConfig(infrared=kind), machine.nodes) for kind in (False, True)
    }
    assert found == {False: f"{machine.dev}/video1", True: f"{machine.dev}/video0"}


@pytest.mark.parametrize(("node", "infrared"), [(COLOUR, True), (INFRARED, False)])
def test_a_camera_of_the_other_kind_is_refused(node: Node, infrared: bool, tmp_path: Path) -> None:
    machine = Machine(tmp_path, [node])
    for camera in ("", f"{machine.dev}/video0"):
        with pytest.raises(CameraUnavailable, match="is expected"):
            find_login_camera(LoginConfig(infrared=infrared, camera=camera), machine.nodes)


def test_another_camera_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [COLOUR])
    config = LoginConfig(camera=f"{machine.dev}/video0", camera_id="1234:5678")
    with pytest.raises(CameraUnavailable, match="1234:5678"):
        find_login_camera(config, machine.nodes)
