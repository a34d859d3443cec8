"""A virtual camera is told from hardware by where sysfs has its device."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.errors import CameraUnavailable
from mien.media.camera_device import refuse_virtual_camera, virtual_camera_name

DEVICE = "/dev/null"  # any character device: its number is all that is read
NUMBER = os.stat(DEVICE).st_rdev


def made_sysfs(folder: Path, place: str, name: str | None) -> Path:
    node = folder / "devices" / place
    node.mkdir(parents=True)
    if name is not None:
        (node / "name").write_text(name + "\n")
    links = folder / "dev" / "char"
    links.mkdir(parents=True)
    (links / f"{os.major(NUMBER)}:{os.minor(NUMBER)}").symlink_to(node)
    return folder


def test_a_virtual_device_is_named_and_refused(tmp_path: Path) -> None:
    sys = made_sysfs(tmp_path, "virtual/video4linux/video9", "Dummy video device (0x0000)")
    assert virtual_camera_name(DEVICE, sys) == "Dummy video device (0x0000)"
    with pytest.raises(CameraUnavailable, match=r"virtual camera .*MIEN_LIVENESS=off"):
        refuse_virtual_camera(DEVICE, sys)


def test_a_virtual_device_without_a_name_is_virtual_too(tmp_path: Path) -> None:
    sys = made_sysfs(tmp_path, "virtual/video4linux/video9", None)
    assert virtual_camera_name(DEVICE, sys) == ""
    with pytest.raises(CameraUnavailable):
        refuse_virtual_camera(DEVICE, sys)


def test_a_device_of_hardware_and_what_is_no_device_are_left_to_the_reader(tmp_path: Path) -> None:
    sys = made_sysfs(tmp_path, "pci0000:00/usb1/1-1/video4linux/video0", "HD Webcam")
    refuse_virtual_camera(DEVICE, sys)
    assert virtual_camera_name(DEVICE, tmp_path / "absent") is None
    for path in ("99", str(tmp_path / "absent"), "zero\0byte"):
        assert virtual_camera_name(path, sys) is None
