"""Ask logind, over D-Bus, which sessions there are, and which of them sit at the machine.

The names are those of org.freedesktop.login1(5); elogind has the same interface.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mien.errors import MienError, one_line
from mien.login.system_bus import call_method, open_system_bus

SERVICE = "org.freedesktop.login1"
MANAGER = "/org/freedesktop/login1"
SYSTEMD = "org.freedesktop.systemd1"
NO_SUCH = (
    f"{SERVICE}.NoSessionForPID",
    f"{SERVICE}.NoUserForPID",
    f"{SYSTEMD}.NoUnitForPID",
)
TIMEOUT_S = 1.0
MAX_SESSIONS = 256


class LogindUnavailable(MienError):
    """There is no logind, or it does not answer."""


class Session(NamedTuple):
    """A session of logind. seat: "" for none. kind: "user", "greeter" or another class."""

    uid: int
    kind: str
    seat: str
    is_remote: bool
    is_active: bool
    is_closing: bool

    @property
    def is_local(self) -> bool:
        """Whether it is open at a screen and keyboard of the machine itself, if not on them now."""
        return self.seat != "" and not self.is_remote and not self.is_closing

    @property
    def is_at_seat(self) -> bool:
        """Whether somebody sits at the machine's own screen and keyboard with it, just now."""
        return self.is_active and self.is_local


class Sessions:
    """Reads sessions over one connection to the system bus. Every read may raise
    LogindUnavailable."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._end_s = time.monotonic() + TIMEOUT_S

    def of_process(self, pid: int) -> Session | None:
        """The session that the process was started in; None if it is in none."""
        path = self._call("GetSessionByPID", "u", pid)
        return None if path is None else self._read(path)

    def display_of_process(self, pid: int) -> Session | None:
        """The graphical session of the user of a process that the user's systemd started."""
        path = self._call("GetUserByPID", "u", pid)
        if path is None:
            return None
        display = self._properties(path, "User").get("Display", ("", "/"))
        return None if display[0] == "" else self._read(display[1])

    def unit_of_process(self, pid: int) -> str:
        """The unit of the system's systemd that started the process, such as "gdm.service"; "" for
        none. The kernel's control group says it, which no program of a user can leave."""
        manager = (f"/{SYSTEMD.replace('.', '/')}", f"{SYSTEMD}.Manager")
        path = self._send(*manager, "GetUnitByPID", "u", pid, service=SYSTEMD)
        # sd_bus_path_encode(3) writes a letter that a path may not have as _ and two digits
        name = str(path or "").rpartition("/")[2]
        return re.sub("_([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), name)

    def all(self) -> list[Session]:
        """Every session, at most `MAX_SESSIONS`."""
        listed = self._call("ListSessions", "") or []
        return [self._read(one[4]) for one in listed[:MAX_SESSIONS]]

    def _read(self, path: str) -> Session:
        values = self._properties(path, "Session")
        try:
            return Session(
                uid=int(values["User"][0]),
                kind=str(values["Class"]),
                seat=str(values["Seat"][0]),
                is_remote=bool(values["Remote"]),
                is_active=bool(values["Active"]),
                is_closing=values["State"] == "closing",
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise LogindUnavailable("logind described a session in another form") from error

    def _properties(self, path: str, interface: str) -> dict[str, Any]:
        found = self._send(
            path, "org.freedesktop.DBus.Properties", "GetAll", "s", f"{SERVICE}.{interface}"
        )
        return {key: value for key, (_, value) in found.items()}

    def _call(self, method: str, signature: str, *arguments: object) -> Any:
        return self._send(MANAGER, f"{SERVICE}.Manager", method, signature, *arguments)

    def _send(
        self,
        path: str,
        interface: str,
        method: str,
        signature: str,
        *arguments: object,
        service: str = SERVICE,
    ) -> Any:
        """The value of the reply; None where logind says that there is no such session."""
        from jeepney import DBusAddress, DBusErrorResponse

        address = DBusAddress(path, service, interface)
        left_s = max(0.01, self._end_s - time.monotonic())
        try:
            return call_method(
                self._connection, address, method, signature, arguments, timeout_s=left_s
            )
        except DBusErrorResponse as error:
            if error.name in NO_SUCH:
                return None
            raise LogindUnavailable(f"logind refused {method}: {error.name}") from error
        except (OSError, ValueError, TypeError) as error:  # TimeoutError is an OSError
            raise LogindUnavailable(f"logind does not answer ({one_line(error)})") from error


@contextmanager
def open_sessions() -> Iterator[Sessions]:
    """Connect to the system bus, for one question. Raises NoSystemBus, MissingExtra."""
    with open_system_bus(TIMEOUT_S) as connection:
        yield Sessions(connection)
