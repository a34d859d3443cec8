"""Which camera to use: the one that was named, or the best; and whether it is the pinned one."""

from __future__ import annotations

from collections.abc import Callable

from mien.errors import CameraUnavailable, quote, quote_path
from mien.media.camera_device import device_path
from mien.media.camera_list import (
    KERNEL,
    Camera,
    CameraKind,
    CameraList,
    LeftOut,
    Nodes,
    inspect_node,
    list_cameras,
    virtual,
)

BEST = ""
"""Stands for the best camera in place of a device."""


def find_camera(
    device: str = BEST,
    *,
    prefer: CameraKind = CameraKind.COLOUR,
    expected_usb_id: str = "",
    allow_virtual: bool = False,
    must_be_free: bool = True,
    tell: Callable[[str], None] = lambda words: None,
    nodes: Nodes = KERNEL,
) -> Camera:
    """The camera "0", "/dev/video0" or of a link in /dev/v4l; `BEST` for the best one.

    prefer: see `choose_camera`. expected_usb_id: "" for any. tell: takes the words on a tie. Raises
    CameraUnavailable for a device that is absent, not permitted, no camera, virtual, not the
    expected one or, with must_be_free, busy (CameraBusy); and UsageError for a path that is no
    device. May block for as long as a driver does.
    """
    listed = None
    if device == BEST:
        listed = list_cameras(nodes)
        device = choose_camera(listed, prefer=prefer).path
    found = inspect_node(device_path(device, nodes.dev), nodes, must_be_free=must_be_free)
    if isinstance(found, LeftOut):
        raise found.error()
    if found.is_virtual and not allow_virtual:
        raise virtual(found).error()
    check_pinned(found, expected_usb_id)
    if listed is not None:
        _explain_tie(listed, found, tell)
    return found


def choose_camera(found: CameraList, *, prefer: CameraKind = CameraKind.COLOUR) -> Camera:
    """The first camera of the preferred kind, else the first of the other.

    The order is that of the ports, so the choice is the same after a restart. Raises
    CameraUnavailable if there is none, which says what was found instead.
    """
    if not found.cameras:
        raise CameraUnavailable(_why_none(found.left_out))
    return min(found.cameras, key=lambda one: one.kind is not prefer)  # min keeps the first


def check_pinned(camera: Camera, expected_usb_id: str) -> None:
    """Raise CameraUnavailable if the camera is not of the maker and product that was pinned.

    It notices another camera in the same port. It is no proof: a device can claim any USB id.
    expected_usb_id: such as "046d:0825"; "" accepts every camera.
    """
    if expected_usb_id and camera.usb_id != expected_usb_id.lower():
        found = f"USB id {camera.usb_id}" if camera.usb_id else "no USB id"
        raise CameraUnavailable(
            f"the camera {quote_path(camera.path)} has {found}, and {quote(expected_usb_id)} is"
            " expected; plug that camera in again, or pin another one of: mien camera list"
        )


def _why_none(left_out: tuple[LeftOut, ...]) -> str:
    if not left_out:
        return "this machine has no camera; plug one in"
    others = f", and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    return f"no camera can be used: {left_out[0].reason}{others}; {left_out[0].remedy}"


def _explain_tie(found: CameraList, chosen: Camera, tell: Callable[[str], None]) -> None:
    alike = sum(one.kind is chosen.kind for one in found.cameras)
    if alike > 1:
        tell(
            f"using {chosen.path} ({chosen.name}), of {alike} {chosen.kind.value} cameras the first"
            " by port; for another: --camera DEVICE, see mien camera list"
        )
