"""What sysfs and the links in /dev say about a device: virtual or not, its USB id, its names."""

from __future__ import annotations

import os
from pathlib import Path

SYS = Path("/sys")
DEV = Path("/dev")

SOFTWARE_DRIVERS = frozenset({"v4l2 loopback", "akvcam", "vivid", "vimc"})
"""Drivers whose pictures a program writes or makes."""

SOFTWARE_BUSES = ("virtual", "vhci_hcd", "dummy_hcd", "dummy_udc", "vivid", "vimc")
"""Starts of the names that sysfs gives to devices without hardware: V4L2 loopbacks, USB devices
of another machine (usbip), gadgets of this one, and the kernel's test drivers."""


def sysfs_node(number: int, sys: Path = SYS) -> Path | None:
    """Where sysfs has a V4L2 device; None for others. number: st_rdev of the device."""
    link = sys / "dev" / "char" / f"{os.major(number)}:{os.minor(number)}"
    node = Path(os.path.realpath(link))
    return node if "video4linux" in node.parts else None


def is_software(node: Path, driver: str = "") -> bool:
    """Whether a device of sysfs shows what a program writes to it, and not what a lens sees."""
    return driver in SOFTWARE_DRIVERS or any(part.startswith(SOFTWARE_BUSES) for part in node.parts)


def usb_id(node: Path) -> str:
    """Maker and product of a device of sysfs, such as "046d:0825"; "" if it is not on USB."""
    for folder in node.parents:
        maker, product = (_read_word(folder / name) for name in ("idVendor", "idProduct"))
        if maker and product:
            return f"{maker}:{product}"
    return ""


def device_path(device: str, dev: Path = DEV) -> Path:
    """The node of "0", "/dev/video0", or a link of /dev/v4l to it."""
    path = dev / f"video{device}" if device.isdigit() else Path(device)
    try:
        target = Path(os.path.normpath(path.parent / os.readlink(path)))
    except (OSError, ValueError):  # not a link; a zero byte in the name
        return path
    is_node = target.parent == dev and target.name.startswith("video")
    return target if is_node else path


def stable_links(kind: str, dev: Path = DEV) -> dict[Path, str]:
    """The links that udev keeps in /dev/v4l, by the node each leads to. kind: by-path, by-id."""
    folder = dev / "v4l" / kind
    try:
        names = sorted(os.listdir(folder), reverse=True)  # of two, the first is kept
    except OSError:
        return {}
    links = (str(folder / name) for name in names)
    return {device_path(link, dev): link for link in links}


def _read_word(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(64).decode("utf-8", "replace").strip()
    except OSError:
        return ""
