"""Let the daemon answer programs that ask fprintd: it takes the name of fprintd on the bus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mien.errors import UsageError
from mien.login.fprint import BUS_NAME, DEVICE, MANAGER, MANAGER_PATH, PROPERTIES
from mien.login.install.layout import Layout
from mien.login.install.steps import RunProgram, Step, own_file_step
from mien.login.install.units import SERVICE_UNIT, SHIPPED_PYTHON
from mien.login.listener import USER
from mien.login.system_bus import NoSystemBus, call_method, open_system_bus

PROPERTIES_OF = "org.freedesktop.DBus.Properties"
POLICY = f"""<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="{USER}"><allow own="{BUS_NAME}"/></policy>
  <policy context="default"><allow send_destination="{BUS_NAME}"/></policy>
</busconfig>
"""
# found before the file of the same name in /usr/share, which would start fprintd
ACTIVATION = f"""[D-BUS Service]
Name={BUS_NAME}
Exec=/bin/false
User=root
SystemdService={SERVICE_UNIT}
"""
DROP_IN = f"""[Service]
ExecStart=
ExecStart={SHIPPED_PYTHON} -I -m mien.cli login serve --fprintd
"""
HINT = f"see: systemctl status {SERVICE_UNIT}"
TIMEOUT_S = 5.0

FindReaders = Callable[[], list[str]]
"""The names of the fingerprint readers of this machine."""


def fprintd_files(layout: Layout) -> dict[Path, str]:
    """The files of the facade, and the content of each before the interpreter is put in."""
    return {
        layout.at("/etc/dbus-1/system.d/mien-fprintd.conf"): POLICY,
        layout.at(f"/usr/local/share/dbus-1/system-services/{BUS_NAME}.service"): ACTIVATION,
        layout.units / f"{SERVICE_UNIT}.d" / "fprintd.conf": DROP_IN,
    }


def fprintd_steps(
    layout: Layout, python: str, find_readers: FindReaders | None = None
) -> list[Step]:
    """The steps that put the facade in place of fprintd. python: the interpreter of the daemon.

    find_readers: asks fprintd by default. Raises UsageError where there is a real fingerprint
    reader, which the facade would hide.
    """
    readers = (find_readers or find_fingerprint_readers)()
    if readers:
        raise UsageError(
            f"this machine has a fingerprint reader ({readers[0]}), which --fprintd would hide;"
            " leave --fprintd out"
        )
    steps: list[Step] = []
    for path, text in fprintd_files(layout).items():
        content = text.replace(SHIPPED_PYTHON, python).encode()
        step = own_file_step(path, content, layout)
        if step is not None:
            steps.append(step)
    if not steps:
        return []
    steps.append(RunProgram(("systemctl", "add-wants", "multi-user.target", SERVICE_UNIT), HINT))
    if layout.has_systemd:
        reload_bus = ("systemctl", "try-reload-or-restart", "dbus.service")
        steps.append(RunProgram(("systemctl", "daemon-reload"), HINT))
        steps.append(RunProgram(reload_bus, "restart the machine", may_fail=True))
        steps.append(RunProgram(("systemctl", "stop", "fprintd.service"), HINT, may_fail=True))
        steps.append(RunProgram(("systemctl", "restart", SERVICE_UNIT), HINT))
    return steps


def find_fingerprint_readers() -> list[str]:
    """Ask fprintd which readers there are; none where there is no bus or no fprintd."""
    try:
        bus = open_system_bus(TIMEOUT_S)
    except NoSystemBus:
        return []
    from jeepney import DBusAddress, DBusErrorResponse

    def ask(path: str, interface: str, method: str, signature: str, *arguments: object) -> Any:
        address = DBusAddress(path, BUS_NAME, interface)
        return call_method(bus, address, method, signature, arguments, timeout_s=TIMEOUT_S)

    try:
        with bus:
            devices = ask(MANAGER_PATH, MANAGER, "GetDevices", "")
            names = [
                str(ask(one, PROPERTIES_OF, "Get", "ss", DEVICE, "name")[1]) for one in devices
            ]
    except (OSError, ValueError, RuntimeError, DBusErrorResponse):
        return []
    return [name for name in names if name != PROPERTIES["name"][1]]
