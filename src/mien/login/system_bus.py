"""The system bus of D-Bus: connect to it, and call a method of a service on it."""

from __future__ import annotations

from typing import Any

from mien.errors import UsageError, missing_extra, one_line


class NoSystemBus(UsageError):
    """There is no system bus, or it takes no connection."""


def open_system_bus(timeout_s: float) -> Any:
    """A blocking connection of jeepney. Raises NoSystemBus and MissingExtra."""
    try:
        from jeepney.io.blocking import open_dbus_connection
    except ImportError as error:
        raise missing_extra("the system bus is reached with jeepney", "login") from error
    try:
        return open_dbus_connection(bus="SYSTEM", auth_timeout=timeout_s)
    except (OSError, ValueError, RuntimeError) as error:
        raise NoSystemBus(f"there is no system bus ({one_line(error)}); start dbus") from error


def call_method(
    connection: Any,
    address: Any,
    method: str,
    signature: str,
    arguments: tuple[object, ...],
    *,
    timeout_s: float,
) -> Any:
    """The first value of the reply, None for a reply without one.

    address: a DBusAddress. Raises jeepney's DBusErrorResponse, and OSError or ValueError where no
    reply of the right form came in time.
    """
    from jeepney import new_method_call
    from jeepney.wrappers import unwrap_msg

    message = new_method_call(address, method, signature or None, arguments)
    reply = unwrap_msg(connection.send_and_get_reply(message, timeout=timeout_s))
    return reply[0] if reply else None
