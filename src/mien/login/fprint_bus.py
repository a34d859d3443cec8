"""Serve the fprintd facade on the system bus: messages in, calls of `FprintDevice`, replies out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from mien.errors import UsageError
from mien.login.authorization import Asker
from mien.login.fprint import (
    BUS_NAME,
    DEVICE,
    DEVICE_PATH,
    MANAGER,
    MANAGER_PATH,
    PROPERTIES,
    Caller,
    FprintDevice,
    FprintError,
)
from mien.login.system_bus import call_method, open_system_bus

DBUS = "org.freedesktop.DBus"
TIMEOUT_S = 5.0
_INTROSPECTION = """<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd"><node></node>"""

MakeDevice = Callable[[Callable[[str, str, tuple[object, ...]], None]], FprintDevice]


class FprintBus:
    """Two connections to the system bus: one is called, one asks the bus who calls."""

    def __init__(self, make_device: MakeDevice) -> None:
        """make_device: gets the function that emits a signal. Raises UsageError, MissingExtra,
        NoSystemBus."""
        self._calls, self._questions = open_system_bus(TIMEOUT_S), open_system_bus(TIMEOUT_S)
        self._sending = threading.Lock()
        self._device = make_device(self._emit)
        self._methods = _methods_of(self._device)
        self._own_name()

    def serve(self) -> None:
        """Answer calls until the bus ends the connection, which raises OSError."""
        from jeepney import MessageType

        while True:
            message = self._calls.receive()
            kind, fields = message.header.message_type, message.header.fields
            if kind is MessageType.method_call:
                self._send(self._reply_to(message))
            elif kind is MessageType.signal and _is_of_owners(fields):
                name, _, owner = message.body
                if not owner:
                    self._device.forget(name)

    def _reply_to(self, message: Any) -> Any:
        from jeepney import HeaderFields, new_error, new_method_return

        fields = message.header.fields
        key = (
            fields.get(HeaderFields.path),
            fields.get(HeaderFields.interface),
            fields[HeaderFields.member],
        )
        found = self._methods.get(key)
        if found is None or fields.get(HeaderFields.signature, "") != found[0]:
            words = ("mien does not have this method; see its documentation",)
            return new_error(message, f"{DBUS}.Error.UnknownMethod", "s", words)
        _, signature, method = found
        try:
            caller = self._caller(fields[HeaderFields.sender])
            value = method(caller, *message.body)
        except FprintError as error:
            return new_error(message, error.name, "s", (str(error),))
        body = () if signature is None else (value,)
        return new_method_return(message, signature, body)

    def _caller(self, sender: str) -> Caller:
        uid = self._ask_bus("GetConnectionUnixUser", sender)
        pid = self._ask_bus("GetConnectionUnixProcessID", sender)
        return Caller(sender, Asker(uid=uid, pid=pid))

    def _ask_bus(self, method: str, name: str) -> int:
        from jeepney import DBusErrorResponse, message_bus

        try:
            return int(
                call_method(self._questions, message_bus, method, "s", (name,), timeout_s=TIMEOUT_S)
            )
        except DBusErrorResponse as error:
            raise FprintError("PermissionDenied", "the bus does not say who calls") from error

    def _own_name(self) -> None:
        from jeepney import message_bus, new_method_call

        rule = f"type='signal',sender='{DBUS}',member='NameOwnerChanged'"
        match = new_method_call(message_bus, "AddMatch", "s", (rule,))
        self._calls.send_and_get_reply(match, timeout=TIMEOUT_S)
        request = new_method_call(message_bus, "RequestName", "su", (BUS_NAME, 4))  # do not queue
        reply = self._calls.send_and_get_reply(request, timeout=TIMEOUT_S)
        if reply.body[0] != 1:  # not the primary owner, or refused in words
            raise UsageError(
                f"the bus does not give the name {BUS_NAME}: stop fprintd, and run:"
                " sudo mien login install --fprintd --apply"
            )

    def _emit(self, name: str, signature: str, values: tuple[object, ...]) -> None:
        from jeepney import DBusAddress, new_signal

        self._send(new_signal(DBusAddress(DEVICE_PATH, interface=DEVICE), name, signature, values))

    def _send(self, message: Any) -> None:
        with self._sending:  # a look ends on another thread
            self._calls.send(message)


Method = tuple[str, "str | None", Callable[..., object]]
"""The signature of its arguments and of its value, and what is called with the caller and them."""


def _methods_of(device: FprintDevice) -> dict[tuple[str | None, str | None, str], Method]:
    def properties(caller: Caller, interface: str) -> object:
        return dict(PROPERTIES) if interface == DEVICE else {}

    def one_property(caller: Caller, interface: str, name: str) -> object:
        if interface != DEVICE or name not in PROPERTIES:
            raise FprintError("Internal", "there is no such property")
        return PROPERTIES[name]

    def refuse(caller: Caller, *arguments: object) -> object:
        raise FprintError("PermissionDenied", "run: sudo mien login enroll USER")

    methods: dict[tuple[str | None, str | None, str], Method] = {
        (MANAGER_PATH, MANAGER, "GetDevices"): ("", "ao", lambda caller: [DEVICE_PATH]),
        (MANAGER_PATH, MANAGER, "GetDefaultDevice"): ("", "o", lambda caller: DEVICE_PATH),
        (DEVICE_PATH, DEVICE, "ListEnrolledFingers"): ("s", "as", device.list_enrolled_fingers),
        (DEVICE_PATH, DEVICE, "Claim"): ("s", None, device.claim),
        (DEVICE_PATH, DEVICE, "Release"): ("", None, device.release),
        (DEVICE_PATH, DEVICE, "VerifyStart"): ("s", None, device.verify_start),
        (DEVICE_PATH, DEVICE, "VerifyStop"): ("", None, device.verify_stop),
        (DEVICE_PATH, DEVICE, "EnrollStart"): ("s", None, refuse),
        (DEVICE_PATH, DEVICE, "EnrollStop"): ("", None, refuse),
        (DEVICE_PATH, DEVICE, "DeleteEnrolledFingers"): ("s", None, refuse),
        (DEVICE_PATH, DEVICE, "DeleteEnrolledFingers2"): ("", None, refuse),
        (DEVICE_PATH, DEVICE, "DeleteEnrolledFinger"): ("s", None, refuse),
    }
    for path in (MANAGER_PATH, DEVICE_PATH):
        methods[path, f"{DBUS}.Properties", "GetAll"] = ("s", "a{sv}", properties)
        methods[path, f"{DBUS}.Properties", "Get"] = ("ss", "v", one_property)
        methods[path, f"{DBUS}.Introspectable", "Introspect"] = ("", "s", lambda c: _INTROSPECTION)
        methods[path, f"{DBUS}.Peer", "Ping"] = ("", None, lambda caller: None)
    return methods


def _is_of_owners(fields: Any) -> bool:
    """Whether a signal says who left the bus. Any program can send one of that name to this
    connection; the bus writes the true sender."""
    from jeepney import HeaderFields

    signal = (fields.get(HeaderFields.sender), fields.get(HeaderFields.member))
    return signal == (DBUS, "NameOwnerChanged") and fields.get(HeaderFields.signature) == "sss"
