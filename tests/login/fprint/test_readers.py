"""Whether the machine has a fingerprint reader, asked of a fprintd on a private bus."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from tests.login.system import GUARD_S, SYSTEM_PYTHON, Machine

FIND = "from mien.login.install.fprintd import find_fingerprint_readers as find; print(find())"
NAME = "net.reactivated.Fprint"
MANAGER, DEVICE = "/net/reactivated/Fprint/Manager", "/net/reactivated/Fprint/Device/0"


def found(machine: Machine) -> str:
    ran = machine.private.run(sys.executable, "-c", FIND)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.fixture
def reader(machine: Machine) -> Iterator[None]:
    """A fprintd with one reader, as python-dbusmock serves it."""
    words = ["-m", "dbusmock", "--system", NAME, MANAGER, f"{NAME}.Manager"]
    fprintd = machine.start(SYSTEM_PYTHON, *words)
    send = ("dbus-send", "--system", "--print-reply", f"--dest={NAME}", MANAGER)
    mock = "org.freedesktop.DBus.Mock"
    method = [f"string:{NAME}.Manager", "string:GetDevices", "string:", "string:ao"]
    add_method = [*send, f"{mock}.AddMethod", *method, f"string:ret = ['{DEVICE}']"]
    while machine.private.run(*add_method).returncode != 0:
        assert fprintd.poll() is None
    script = (
        "import dbus; bus = dbus.SystemBus();"
        f" mock = dbus.Interface(bus.get_object('{NAME}', '{MANAGER}'), '{mock}');"
        f" mock.AddObject('{DEVICE}', '{NAME}.Device', {{'name': 'Synaptics'}}, [])"
    )
    assert machine.private.run(SYSTEM_PYTHON, "-c", script).returncode == 0
    yield
    fprintd.kill()
    fprintd.communicate(timeout=GUARD_S)


def test_a_reader_is_named(machine: Machine, reader: None) -> None:
    assert found(machine) == "['Synaptics']"


def test_without_fprintd_there_is_none(machine: Machine) -> None:
    assert found(machine) == "[]"


def test_the_facade_of_mien_is_not_taken_for_a_reader(machine: Machine) -> None:
    with machine.daemon("anna", "--fprintd"):
        assert found(machine) == "[]"
