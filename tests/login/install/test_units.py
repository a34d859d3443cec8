"""The units of systemd: their hardening, and what systemd itself says of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.login.install.program import Program
from mien.login.install.units import SERVICE_UNIT, SOCKET_UNIT, unit_text

WORST_EXPOSURE = 1.2  # of 10; what is left of it: cameras, AF_UNIX, and a look at /proc


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units with an interpreter that exists, which systemd-analyze looks for."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    for name in (SERVICE_UNIT, SOCKET_UNIT):
        text = unit_text(name, Program(Path(sys.executable).resolve(), ()))
        (tmp_path / name).write_bytes(text)
    return tmp_path


def analyze(*words: str) -> str:
    ran = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


def test_systemd_finds_no_fault(folder: Path) -> None:
    said = analyze("verify", str(folder / SOCKET_UNIT), str(folder / SERVICE_UNIT))
    assert "mien-login" not in said


def test_the_exposure_stays_small(folder: Path) -> None:
    said = analyze("security", "--offline=true", str(folder / SERVICE_UNIT))
    score = re.search(r"exposure level for mien-login.service: ([0-9.]+)", said)
    assert score is not None, said
    assert float(score[1]) <= WORST_EXPOSURE


def settings_of(name: str) -> list[str]:
    text = unit_text(name, Program(Path("/usr/bin/python3"), ())).decode()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize(
    "setting",
    [
        "User=mien",
        "SupplementaryGroups=video",
        "StateDirectory=mien",
        "StateDirectoryMode=0700",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "RestrictAddressFamilies=AF_UNIX",
        "LimitCORE=0",
        "MemoryDenyWriteExecute=yes",
        "SystemCallFilter=@system-service",
        "ExecStart=/usr/bin/python3 -I -m mien.cli login serve",
    ],
)
def test_the_service_is_confined(setting: str) -> None:
    assert setting in settings_of(SERVICE_UNIT)


@pytest.mark.parametrize("name", ["DynamicUser", "DeviceAllow", "PrivateDevices", "ProtectClock"])
def test_cameras_stay_and_the_user_is_the_same_after_a_restart(name: str) -> None:
    assert not any(line.startswith(f"{name}=") for line in settings_of(SERVICE_UNIT))


@pytest.mark.parametrize(
    "setting",
    [
        "ListenSequentialPacket=/run/mien/auth.sock",
        "SocketMode=0666",
        "SocketUser=root",
        "SocketGroup=root",
        "DirectoryMode=0755",
    ],
)
def test_root_makes_the_socket(setting: str) -> None:
    assert setting in settings_of(SOCKET_UNIT)
