"""The device of the fprintd facade: who may claim it, and what a look becomes. No bus."""

from __future__ import annotations

import pwd
import select
from collections.abc import Callable

import pytest

from mien.login.accounts import Account
from mien.login.authorization import Asker
from mien.login.fprint import Caller, FprintDevice, FprintError
from mien.login.protocol import AuthReply, ReplyCode

USER = next(one for one in pwd.getpwall() if one.pw_uid != 0)
OWN = Caller(":1.7", Asker(uid=USER.pw_uid, pid=10))
ROOT = Caller(":1.8", Asker(uid=0, pid=11))
STRANGER = Caller(":1.9", Asker(uid=USER.pw_uid + 1, pid=12))


class Recorded:
    """A device whose looks give `reply`, run when `run_next` is called, and its signals."""

    def __init__(
        self,
        reply: ReplyCode = ReplyCode.SUCCESS,
        *,
        enrolled: bool = True,
        at_screen: bool = True,
    ) -> None:
        self.signals: list[tuple[str, tuple[object, ...]]] = []
        self.waiting: list[Callable[[], None]] = []
        self.gone = False
        self._reply = reply
        self.device = FprintDevice(
            self._look,
            lambda account, asker: at_screen,
            lambda account: enrolled,
            self._emit,
            self.waiting.append,
        )

    def run_next(self) -> None:
        self.waiting.pop(0)()

    def _look(self, account: Account, asker: Asker, gone: int) -> AuthReply:
        self.gone = bool(select.select([gone], [], [], 0.0)[0])
        return AuthReply(self._reply)

    def _emit(self, name: str, signature: str, values: tuple[object, ...]) -> None:
        self.signals.append((name, values))


def refused(error: str, call: Callable[[], object]) -> None:
    with pytest.raises(FprintError) as raised:
        call()
    assert raised.value.name == f"net.reactivated.Fprint.Error.{error}"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ReplyCode.SUCCESS, "verify-match"),
        (ReplyCode.AUTH_ERR, "verify-no-match"),
        (ReplyCode.AUTHINFO_UNAVAIL, "verify-unknown-error"),
        (ReplyCode.IGNORE, "verify-unknown-error"),
    ],
)
def test_a_look_ends_in_one_status(code: ReplyCode, status: str) -> None:
    recorded = Recorded(code)
    recorded.device.claim(OWN, "")
    recorded.device.verify_start(OWN, "any")
    assert recorded.signals == [("VerifyFingerSelected", ("right-index-finger",))]
    recorded.run_next()
    assert recorded.signals[1:] == [("VerifyStatus", (status, True))]


def test_a_look_that_was_stopped_is_told_to_nobody_and_its_camera_is_closed() -> None:
    recorded = Recorded()
    recorded.device.claim(OWN, "")
    recorded.device.verify_start(OWN, "any")
    recorded.device.verify_stop(OWN)
    recorded.run_next()
    assert recorded.gone
    assert [name for name, _ in recorded.signals] == ["VerifyFingerSelected"]


def test_a_second_look_waits_for_the_first_to_end() -> None:
    recorded = Recorded()
    recorded.device.claim(OWN, "")
    recorded.device.verify_start(OWN, "any")
    refused("AlreadyInUse", lambda: recorded.device.verify_start(OWN, "any"))
    recorded.run_next()
    recorded.device.verify_start(OWN, "any")
    recorded.run_next()
    assert len(recorded.signals) == 4


def test_a_caller_that_left_the_bus_frees_the_device_and_ends_its_look() -> None:
    recorded = Recorded()
    recorded.device.claim(OWN, "")
    recorded.device.verify_start(OWN, "any")
    recorded.device.forget(OWN.sender)
    recorded.run_next()
    assert recorded.gone
    recorded.device.claim(ROOT, USER.pw_name)


def test_only_one_program_has_the_device() -> None:
    device = Recorded().device
    device.claim(OWN, "")
    refused("AlreadyInUse", lambda: device.claim(ROOT, USER.pw_name))
    refused("ClaimDevice", lambda: device.verify_start(ROOT, "any"))
    refused("ClaimDevice", lambda: device.release(ROOT))
    device.release(OWN)
    device.claim(ROOT, USER.pw_name)


def test_a_user_asks_only_about_itself() -> None:
    device = Recorded().device
    refused("PermissionDenied", lambda: device.claim(STRANGER, USER.pw_name))
    refused("PermissionDenied", lambda: device.list_enrolled_fingers(STRANGER, USER.pw_name))


@pytest.mark.parametrize("user", ["root", "no-such-user"])
def test_root_and_unknown_names_have_no_finger(user: str) -> None:
    refused("NoEnrolledPrints", lambda: Recorded().device.claim(ROOT, user))


def test_an_account_without_a_face_has_no_finger_and_is_not_looked_for() -> None:
    recorded = Recorded(enrolled=False)
    refused("NoEnrolledPrints", lambda: recorded.device.list_enrolled_fingers(OWN, ""))
    recorded.device.claim(OWN, "")
    refused("NoEnrolledPrints", lambda: recorded.device.verify_start(OWN, "any"))
    assert recorded.waiting == []


def test_a_finger_that_does_not_exist_is_refused() -> None:
    recorded = Recorded()
    recorded.device.claim(OWN, "")
    refused("InvalidFingername", lambda: recorded.device.verify_start(OWN, "left-toe"))
    recorded.device.verify_start(OWN, "left-thumb")
    assert recorded.signals == [("VerifyFingerSelected", ("left-thumb",))]


def test_who_gets_no_look_cannot_claim_the_device_and_keep_others_from_it() -> None:
    far = Recorded(at_screen=False)
    refused("PermissionDenied", lambda: far.device.claim(OWN, ""))
    refused("ClaimDevice", lambda: far.device.verify_start(OWN, "any"))
