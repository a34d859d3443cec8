"""The D-Bus interface of fprintd, served by a look of the camera: one device, one finger.

Programs that know `net.reactivated.Fprint`, such as pam_fprintd, fprintd-verify, GDM and hyprlock,
start a look by themselves. Names are those of fprintd's published D-Bus documentation.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mien.login.accounts import Account, account_of_uid, find_account
from mien.login.authorization import Asker
from mien.login.protocol import AuthReply, ReplyCode

BUS_NAME = "net.reactivated.Fprint"
MANAGER_PATH = "/net/reactivated/Fprint/Manager"
DEVICE_PATH = "/net/reactivated/Fprint/Device/0"
MANAGER, DEVICE = f"{BUS_NAME}.Manager", f"{BUS_NAME}.Device"
FINGER = "right-index-finger"  # the interface has no name for a face
FINGERS = frozenset(
    f"{side}-{finger}"
    for side in ("left", "right")
    for finger in ("thumb", "index-finger", "middle-finger", "ring-finger", "little-finger")
)
PROPERTIES: dict[str, tuple[str, object]] = {
    "name": ("s", "mien face camera"),
    "num-enroll-stages": ("i", 1),
    "scan-type": ("s", "press"),
    "finger-present": ("b", False),
    "finger-needed": ("b", False),
}
_STATUS = {ReplyCode.SUCCESS: "verify-match", ReplyCode.AUTH_ERR: "verify-no-match"}
_NOT_JUDGED = "verify-unknown-error"


class FprintError(Exception):
    """An error of the interface: `name` after `net.reactivated.Fprint.Error.`."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(words)
        self.name = f"{BUS_NAME}.Error.{name}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a message. sender: the unique name of the connection."""

    sender: str
    asker: Asker


class Verification:
    """A look that is under way, and can be stopped. gone: readable once it was stopped."""

    def __init__(self) -> None:
        self.gone, self._writer = os.pipe()
        self._lock = threading.Lock()
        self.is_over = False

    def stop(self) -> None:
        """End the look, whose result is then told to nobody."""
        with self._lock:
            if not self.is_over:
                self.is_over = True
                os.write(self._writer, b"\0")

    def end(self) -> bool:
        """The look has ended. Whether its result is to be told."""
        with self._lock:
            is_told = not self.is_over
            self.is_over = True
            os.close(self.gone)
            os.close(self._writer)
            return is_told


@dataclass(slots=True)
class Claim:
    """The device is one caller's."""

    caller: Caller
    account: Account
    verification: Verification | None = None

    def stop(self) -> None:
        """End the look, if one is under way."""
        if self.verification is not None:
            self.verification.stop()
            self.verification = None


Look = Callable[[Account, Asker, int], AuthReply]
"""Looks for an account, asked for by a process; until the descriptor is readable."""
MayLook = Callable[[Account, Asker], bool]
"""Whether that process would be given a look for the account."""
IsEnrolled = Callable[[Account], bool]
Emit = Callable[[str, str, tuple[object, ...]], None]
"""Emits a signal of the device: name, signature, values."""
StartThread = Callable[[Callable[[], None]], None]


@dataclass(slots=True)
class FprintDevice:
    """The methods of the one device. Called by one thread; each may raise FprintError."""

    look: Look
    may_look: MayLook
    is_enrolled: IsEnrolled
    emit: Emit
    start_thread: StartThread
    _claim: Claim | None = None

    def list_enrolled_fingers(self, caller: Caller, user: str) -> list[str]:
        account = _account_for(caller, user)
        if not self.is_enrolled(account):
            raise FprintError("NoEnrolledPrints", "no face is enrolled for this account")
        return [FINGER]

    def claim(self, caller: Caller, user: str) -> None:
        account = _account_for(caller, user)
        if self._claim is not None:
            raise FprintError("AlreadyInUse", "the camera is claimed by another program")
        if not self.may_look(account, caller.asker):  # or it could keep all others from a look
            raise FprintError("PermissionDenied", "only programs at the screen may claim it")
        self._claim = Claim(caller, account)

    def release(self, caller: Caller) -> None:
        self._claimed_by(caller)
        self.forget(caller.sender)

    def verify_start(self, caller: Caller, finger: str) -> None:
        """Start a look; its result is a signal `VerifyStatus`."""
        claim = self._claimed_by(caller)
        if finger not in FINGERS | {"any", ""}:
            raise FprintError("InvalidFingername", "this is not the name of a finger")
        if claim.verification is not None and not claim.verification.is_over:
            raise FprintError("AlreadyInUse", "a look is under way")
        if not self.is_enrolled(claim.account):
            raise FprintError("NoEnrolledPrints", "no face is enrolled for this account")
        claim.verification = Verification()
        self.emit("VerifyFingerSelected", "s", (FINGER if finger in ("any", "") else finger,))
        self.start_thread(partial(self._verify, claim, claim.verification))

    def verify_stop(self, caller: Caller) -> None:
        self._claimed_by(caller).stop()

    def forget(self, sender: str) -> None:
        """Release the device if that connection has claimed it: it has left the bus."""
        if self._claim is not None and self._claim.caller.sender == sender:
            self._claim.stop()
            self._claim = None

    def _verify(self, claim: Claim, verification: Verification) -> None:
        """Look, on a thread of its own, and tell the result unless the look was stopped."""
        status = _NOT_JUDGED
        try:
            reply = self.look(claim.account, claim.caller.asker, verification.gone)
            status = _STATUS.get(reply.code, _NOT_JUDGED)
        finally:
            if verification.end():
                self.emit("VerifyStatus", "sb", (status, True))

    def _claimed_by(self, caller: Caller) -> Claim:
        if self._claim is None or self._claim.caller.sender != caller.sender:
            raise FprintError("ClaimDevice", "claim the device first")
        return self._claim


def _account_for(caller: Caller, user: str) -> Account:
    """The account that a caller may ask about: its own; root may ask about any but root."""
    account = find_account(user) if user else account_of_uid(caller.asker.uid)
    if account is None or account.uid == 0:
        raise FprintError("NoEnrolledPrints", "no face is enrolled for this account")
    if caller.asker.uid not in (0, account.uid):
        raise FprintError("PermissionDenied", "only root may ask about another user")
    return account
