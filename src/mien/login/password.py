"""Check an account's password with PAM, so that a face never authorizes a new face."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mien.errors import MienError, Outcome, UsageError

SERVICE = "mien-enroll"
SERVICE_FILE = Path("/etc/pam.d") / SERVICE
PAM_SUCCESS, PAM_CONV_ERR = 0, 19  # of Linux-PAM's _pam_types.h
REFUSALS = frozenset({6, 7, 10, 11, 12, 13, 27})
"""PERM_DENIED, AUTH_ERR, USER_UNKNOWN, MAXTRIES, NEW_AUTHTOK_REQD, ACCT_EXPIRED and
AUTHTOK_EXPIRED, of the same file."""
ECHO_OFF, ECHO_ON = 1, 2
MAX_MESSAGES = 32  # PAM_MAX_NUM_MSG


class WrongPassword(MienError):
    """PAM refused the password, or the account."""

    outcome = Outcome.NOT_THE_OWNER


class PamFailed(MienError):
    """PAM could not judge the password: a module is missing, or the accounts cannot be read."""


class _Message(ctypes.Structure):
    _fields_ = (("style", ctypes.c_int), ("text", ctypes.c_char_p))


class _Response(ctypes.Structure):
    _fields_ = (("text", ctypes.c_void_p), ("code", ctypes.c_int))


_Converse = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.POINTER(_Response)),
    ctypes.c_void_p,
)


class _Conversation(ctypes.Structure):
    _fields_ = (("converse", _Converse), ("data", ctypes.c_void_p))


def check_password(user: str, ask: Callable[[str], str]) -> None:
    """Return if the password that `ask` gives is that of the account. Call it as root.

    Only `pam_unix` must stand in the service `mien-enroll`. Raises WrongPassword, PamFailed, and
    UsageError where the service is not installed: PAM would take another in its place.
    """
    if not SERVICE_FILE.is_file():
        raise UsageError(f"there is no {SERVICE_FILE}; run: sudo mien login install --apply")
    pam, libc = _load("pam"), _load("c")
    libc.calloc.restype = libc.strdup.restype = ctypes.c_void_p
    libc.strdup.argtypes = [ctypes.c_char_p]
    conversation = _Conversation(_Converse(_conversation(ask, libc)), None)
    handle = ctypes.c_void_p()
    started = pam.pam_start(
        SERVICE.encode(), user.encode(), ctypes.byref(conversation), ctypes.byref(handle)
    )
    if started != PAM_SUCCESS:
        raise PamFailed("PAM cannot be started; check the log of the system")
    result = pam.pam_authenticate(handle, 0)
    if result == PAM_SUCCESS:
        result = pam.pam_acct_mgmt(handle, 0)
    pam.pam_end(handle, result)
    _raise_for(result)


def _raise_for(result: int) -> None:
    """Raise WrongPassword for a code of PAM that refuses, and PamFailed for one that is a fault."""
    if result in REFUSALS:
        raise WrongPassword("the password was refused, so nothing was changed; try again")
    if result != PAM_SUCCESS:
        raise PamFailed(
            f"PAM could not check the password (its code {result}), so nothing was changed; see:"
            " journalctl --boot"
        )


def _conversation(ask: Callable[[str], str], libc: Any) -> Callable[..., int]:
    def converse(count: int, messages: Any, responses: Any, data: object) -> int:
        if not 0 < count <= MAX_MESSAGES:
            return PAM_CONV_ERR
        # PAM frees the array and the texts
        array = ctypes.cast(libc.calloc(count, ctypes.sizeof(_Response)), ctypes.POINTER(_Response))
        for number in range(count):
            message = messages[number].contents
            if message.style in (ECHO_OFF, ECHO_ON):
                answer = ask((message.text or b"").decode(errors="replace"))
                array[number].text = libc.strdup(answer.encode())
        responses[0] = array
        return PAM_SUCCESS

    return converse


def _load(name: str) -> Any:
    path = ctypes.util.find_library(name)
    if path is None:
        raise UsageError(f"the system has no lib{name}; mien login needs Linux with PAM")
    return ctypes.CDLL(path)
