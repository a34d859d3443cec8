"""The camera that the configuration of login names, of the kind that it says."""

from __future__ import annotations

from mien.errors import CameraUnavailable, quote_path
from mien.login.config import CONFIG_PATH, LoginConfig
from mien.media.camera_choice import find_camera
from mien.media.camera_list import KERNEL, CameraKind, Nodes


def find_login_camera(config: LoginConfig, nodes: Nodes = KERNEL) -> str:
    """The path of the camera. A colour camera is never taken for an infrared one, whose frames are
    judged by other rules, nor the other way round.

    Raises CameraUnavailable, and what `find_camera` raises.
    """
    expected = CameraKind.INFRARED if config.infrared else CameraKind.COLOUR
    camera = find_camera(
        config.camera,
        prefer=expected,
        expected_usb_id=config.camera_id,
        must_be_free=False,
        nodes=nodes,
    )
    if camera.kind is not expected:
        raise CameraUnavailable(
            f"the camera {quote_path(camera.path)} is of the kind {camera.kind.value}, and"
            f" {expected.value} is expected; change camera or infrared in {CONFIG_PATH}"
        )
    return camera.path
