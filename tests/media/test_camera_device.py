"""A virtual camera is told from hardware by where sysfs has its device."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.media.camera_device import (
    device_path,
    is_software,
    stable_links,
    sysfs_node,
    usb_id,
)


def test_a_device_is_found_in_sysfs_by_its_number_if_it_is_of_v4l2(tmp_path: Path) -> None:
    links = tmp_path / "dev" / "char"
    links.mkdir(parents=True)
    for number, place in (("81:0", "usb1/1-1/video4linux/video0"), ("1:3", "virtual/mem/null")):
        node = tmp_path / "devices" / place
        node.mkdir(parents=True)
        (links / number).symlink_to(node)
    assert (
        sysfs_node(os.makedev(81, 0), tmp_path) == tmp_path / "devices/usb1/1-1/video4linux/video0"
    )
    assert sysfs_node(os.makedev(1, 3), tmp_path) is None
    assert sysfs_node(os.makedev(81, 7), tmp_path) is None


@pytest.mark.parametrize(
    ("place", "driver", "is_virtual"),
    [
        ("pci0000:00/usb1/1-1/1-1:1.0/video4linux/video0", "uvcvideo", False),
        ("pci0000:00/usb1/1-1/1-1:1.0/video4linux/video0", "v4l2 loopback", True),
        ("virtual/video4linux/video9", "uvcvideo", True),
        ("platform/vhci_hcd.0/usb3/3-1/3-1:1.0/video4linux/video0", "uvcvideo", True),
        ("platform/dummy_hcd.0/usb4/4-1/4-1:1.0/video4linux/video0", "uvcvideo", True),
        ("platform/vivid.0/video4linux/video0", "vivid", True),
        ("platform/soc/fe801000.csi/video4linux/video0", "unicam", False),
    ],
)
def test_software_is_known_by_its_driver_or_its_bus(
    place: str, driver: str, is_virtual: bool
) -> None:
    assert is_software(Path("/sys/devices", place), driver) is is_virtual


def test_the_usb_id_is_that_of_the_nearest_device_above(tmp_path: Path) -> None:
    node = tmp_path / "devices" / "usb1" / "1-1" / "1-1:1.0" / "video4linux" / "video0"
    node.mkdir(parents=True)
    assert usb_id(node) == ""
    for folder, maker, product in (("usb1", "1d6b", "0002"), ("usb1/1-1", "046d", "0825")):
        (tmp_path / "devices" / folder / "idVendor").write_text(maker + "\n")
        (tmp_path / "devices" / folder / "idProduct").write_text(product + "\n")
    assert usb_id(node) == "046d:0825"


def test_links_lead_to_the_nodes_of_dev_and_no_further(tmp_path: Path) -> None:
    folder = tmp_path / "v4l" / "by-id"
    folder.mkdir(parents=True)
    (folder / "usb-b").symlink_to("../../video0")
    (folder / "usb-a").symlink_to("../../video0")
    (folder / "usb-c").symlink_to("../../../etc/video0")
    links = stable_links("by-id", tmp_path)
    assert links[tmp_path / "video0"] == str(folder / "usb-a")
    assert device_path(str(folder / "usb-c"), tmp_path) == folder / "usb-c"
    assert device_path("3", tmp_path) == tmp_path / "video3"
    assert stable_links("by-path", tmp_path) == {}
