"""Who may ask for whose face: one rule a row, before any camera is opened."""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mien.login.accounts import Account, find_account, is_locked
from mien.login.authorization import Asker, NotAsked, authorize
from mien.login.config import LoginConfig
from mien.login.logind import LogindUnavailable, Session
from mien.login.policy import ServiceClass
from mien.login.protocol import AuthRequest

USER = next(one for one in pwd.getpwall() if one.pw_uid != 0)
ANNA = Account(USER.pw_name, USER.pw_uid)
ALL_ON = LoginConfig(unlock=True, login=True, elevate=True)
AT_SEAT = Session(ANNA.uid, "user", "seat0", is_remote=False, is_active=True, is_closing=False)
GREETER = AT_SEAT._replace(uid=ANNA.uid + 1, kind="greeter")
ROOT, OWN = Asker(uid=0, pid=10), Asker(uid=ANNA.uid, pid=10)


@dataclass
class HandMade:
    """Sessions as logind would list them. own: of the asker's process."""

    own: Session | None = None
    display: Session | None = None
    listed: list[Session] = field(default_factory=list)
    unit: str = ""

    def of_process(self, pid: int) -> Session | None:
        return self.own

    def display_of_process(self, pid: int) -> Session | None:
        return self.display

    def unit_of_process(self, pid: int) -> str:
        return self.unit

    def all(self) -> list[Session]:
        return self.listed


@pytest.fixture
def shadow(tmp_path: Path) -> Path:
    path = tmp_path / "shadow"
    path.write_text(f"{ANNA.name}:$y$hash:19000:0:99999:7:::\n")
    return path


def asked(
    service: str,
    asker: Asker,
    sessions: HandMade,
    shadow: Path,
    *,
    user: str = ANNA.name,
    tty: str = "",
    config: LoginConfig = ALL_ON,
) -> ServiceClass:
    @contextmanager
    def opened() -> Iterator[HandMade]:
        yield sessions

    request = AuthRequest(service, user, tty, 5.0, bytes(16))
    return authorize(request, asker, config, opened, shadow=shadow).service_class


LOCAL = HandMade(own=AT_SEAT, listed=[AT_SEAT])


@pytest.mark.parametrize(
    ("service", "asker", "sessions", "expected"),
    [
        pytest.param("swaylock", OWN, LOCAL, ServiceClass.UNLOCK, id="own locker"),
        pytest.param(
            "hyprlock",
            OWN,
            HandMade(display=AT_SEAT, listed=[AT_SEAT]),
            ServiceClass.UNLOCK,
            id="own locker that the user's systemd started",
        ),
        pytest.param("sudo", ROOT, LOCAL, ServiceClass.ELEVATE, id="sudo at the machine"),
        pytest.param(
            "gdm-password",
            ROOT,
            HandMade(listed=[GREETER]),
            ServiceClass.LOGIN,
            id="GDM without a session of the user",
        ),
        pytest.param(
            "gdm-password",
            ROOT,
            HandMade(listed=[AT_SEAT]),
            ServiceClass.UNLOCK,
            id="GDM with an open session of the user",
        ),
        pytest.param("sddm", ROOT, HandMade(own=GREETER), ServiceClass.LOGIN, id="a greeter"),
        pytest.param("fprintd", OWN, LOCAL, ServiceClass.UNLOCK, id="pam_fprintd of a locker"),
        pytest.param(
            "fprintd",
            ROOT,
            HandMade(listed=[AT_SEAT], unit="gdm.service"),
            ServiceClass.UNLOCK,
            id="pam_fprintd of GDM over an open session",
        ),
    ],
)
def test_a_question_from_the_machine_itself_is_answered(
    service: str, asker: Asker, sessions: HandMade, expected: ServiceClass, shadow: Path
) -> None:
    assert asked(service, asker, sessions, shadow) is expected


REMOTE = AT_SEAT._replace(is_remote=True, seat="")


@pytest.mark.parametrize(
    ("service", "asker", "sessions"),
    [
        pytest.param("sudo", ROOT, HandMade(own=REMOTE, listed=[AT_SEAT]), id="sudo over ssh"),
        pytest.param("sudo", ROOT, HandMade(listed=[AT_SEAT]), id="sudo without a session"),
        pytest.param(
            "sudo",
            ROOT,
            HandMade(display=AT_SEAT, listed=[AT_SEAT]),
            id="sudo that the user's systemd started, perhaps from afar",
        ),
        pytest.param(
            "sudo",
            ROOT,
            HandMade(own=AT_SEAT._replace(is_active=False)),
            id="not at the screen",
        ),
        pytest.param(
            "sudo", ROOT, HandMade(own=AT_SEAT._replace(is_closing=True)), id="a closing session"
        ),
        pytest.param("swaylock", OWN, HandMade(own=AT_SEAT), id="a locker of no listed session"),
        pytest.param(
            "swaylock",
            OWN,
            HandMade(own=AT_SEAT._replace(uid=ANNA.uid + 1), listed=[AT_SEAT]),
            id="a locker in another user's session",
        ),
        pytest.param(
            "swaylock",
            OWN,
            HandMade(display=REMOTE, listed=[AT_SEAT]),
            id="a locker whose graphical session is remote",
        ),
        pytest.param(
            "gdm-password", ROOT, HandMade(listed=[REMOTE]), id="GDM with nobody at the screen"
        ),
        pytest.param("fprintd", ROOT, LOCAL, id="pam_fprintd in a sudo of the session"),
        pytest.param(
            "fprintd",
            ROOT,
            HandMade(display=AT_SEAT, listed=[AT_SEAT]),
            id="pam_fprintd in a sudo that the user's systemd started",
        ),
        pytest.param(
            "fprintd",
            ROOT,
            HandMade(listed=[AT_SEAT], unit="cron.service"),
            id="pam_fprintd in a sudo of a job of cron",
        ),
        pytest.param(
            "fprintd", ROOT, HandMade(listed=[AT_SEAT]), id="pam_fprintd of root without a unit"
        ),
        pytest.param(
            "fprintd",
            ROOT,
            HandMade(listed=[GREETER], unit="gdm.service"),
            id="pam_fprintd at a login",
        ),
        pytest.param("sshd", ROOT, LOCAL, id="sshd"),
        pytest.param("cron", ROOT, LOCAL, id="a service that is not known"),
        pytest.param("mien-test", OWN, LOCAL, id="the test, not asked by root"),
        pytest.param("sudo", Asker(ANNA.uid + 1, 10), LOCAL, id="another user asks"),
    ],
)
def test_any_other_question_is_not_asked(
    service: str, asker: Asker, sessions: HandMade, shadow: Path
) -> None:
    with pytest.raises(NotAsked):
        asked(service, asker, sessions, shadow)


@pytest.mark.parametrize("user", ["root", "no such account", "", "../../etc", "a\nb"])
def test_root_and_names_of_no_account_are_not_asked(user: str, shadow: Path) -> None:
    with pytest.raises(NotAsked):
        asked("sudo", ROOT, LOCAL, shadow, user=user)


@pytest.mark.parametrize("tty", ["ssh", "ssh:notty"])
def test_a_remote_terminal_is_not_asked(tty: str, shadow: Path) -> None:
    with pytest.raises(NotAsked, match="remote"):
        asked("sudo", ROOT, LOCAL, shadow, tty=tty)


@pytest.mark.parametrize(
    ("service", "key"), [("sudo", "elevate"), ("sddm", "login"), ("swaylock", "unlock")]
)
def test_a_class_that_is_off_is_not_asked(service: str, key: str, shadow: Path) -> None:
    config = LoginConfig(**({"unlock": True, "login": True, "elevate": True} | {key: False}))
    asker = OWN if key == "unlock" else ROOT
    with pytest.raises(NotAsked, match=key):
        asked(service, asker, LOCAL, shadow, config=config)


@pytest.mark.parametrize("mark", ["!", "*", "!$y$hash", "!!"])
def test_a_locked_account_is_not_asked(mark: str, shadow: Path) -> None:
    shadow.write_text(f"{ANNA.name}:{mark}:19000::::::\n")
    with pytest.raises(NotAsked, match="locked"):
        asked("sudo", ROOT, LOCAL, shadow)


def test_where_the_lock_cannot_be_read_only_root_is_answered(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert is_locked(ANNA.name, missing) is None
    assert asked("sudo", ROOT, LOCAL, missing) is ServiceClass.ELEVATE
    with pytest.raises(NotAsked, match="cannot be read"):
        asked("swaylock", OWN, LOCAL, missing)


def test_an_account_without_a_line_of_its_own_is_not_locked(shadow: Path) -> None:
    shadow.write_text(f"{ANNA.name}x:!:19000::::::\n")
    assert is_locked(ANNA.name, shadow) is False


def test_without_logind_nobody_is_answered(shadow: Path) -> None:
    @contextmanager
    def opened() -> Iterator[HandMade]:
        raise LogindUnavailable("there is no system bus")
        yield LOCAL

    request = AuthRequest("sudo", ANNA.name, "", 5.0, bytes(16))
    with pytest.raises(LogindUnavailable):
        authorize(request, ROOT, ALL_ON, opened, shadow=shadow)


def test_root_may_test_without_a_session_and_nothing_is_opened(shadow: Path) -> None:
    @contextmanager
    def opened() -> Iterator[HandMade]:
        yield HandMade()

    request = AuthRequest("mien-test", ANNA.name, "", 5.0, bytes(16))
    assert authorize(request, ROOT, ALL_ON, opened, shadow=shadow).is_test


def test_a_template_belongs_to_name_and_user_id_and_kind_of_camera() -> None:
    names = {
        Account("anna", 1000).record_name(is_infrared=False),
        Account("anna", 1001).record_name(is_infrared=False),
        Account("anna", 1000).record_name(is_infrared=True),
    }
    assert names == {"anna:1000", "anna:1001", "anna:1000:infrared"}


def test_a_name_that_differs_in_case_is_another_account() -> None:
    assert find_account(ANNA.name) == ANNA
    assert find_account(ANNA.name.upper()) is None
    assert find_account("a\0b") is None
