"""Which services get mien's line, and with which words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.login.install.trees import ARCH, DEBIAN, FEDORA, make_tree

from mien.errors import UsageError
from mien.login.install.pam_file import remove_block
from mien.login.install.services import Unwired, Wiring, choose_services, entry_of, wire


@pytest.mark.parametrize(
    ("tree", "unlocking", "logins", "elevating"),
    [
        (DEBIAN, ["gdm-password", "swaylock"], ["login"], ["polkit-1", "su", "su-l", "sudo"]),
        (FEDORA, ["gdm-password", "kde-fingerprint", "swaylock"], [], ["polkit-1", "sudo"]),
        (ARCH, ["hyprlock"], ["login", "sddm"], ["sudo"]),
    ],
)
def test_unlocking_is_on_and_the_other_classes_are_asked_for(
    tree: Mapping[str, str],
    unlocking: list[str],
    logins: list[str],
    elevating: list[str],
    tmp_path: Path,
) -> None:
    layout = make_tree(tmp_path, tree)
    assert choose_services(layout, login=False, elevate=False)[0] == unlocking
    assert choose_services(layout, login=True, elevate=False)[0] == sorted(unlocking + logins)
    assert choose_services(layout, login=False, elevate=True)[0] == sorted(unlocking + elevating)


def test_what_is_left_out_has_its_reason(tmp_path: Path) -> None:
    _, left = choose_services(make_tree(tmp_path, FEDORA), login=False, elevate=False)
    reasons = {one.service: one.reason for one in left}
    assert "add --sudo" in reasons["sudo"]
    assert "kde-fingerprint" in reasons["kde"]


def test_a_named_service_is_chosen_whatever_its_class(tmp_path: Path) -> None:
    layout = make_tree(tmp_path, FEDORA)
    chosen, left = choose_services(layout, login=False, elevate=False, named=["kde"])
    assert "kde" in chosen
    assert "kde" not in [one.service for one in left]


@pytest.mark.parametrize("name", ["sshd", "cron", "common-auth", "../sudo", ""])
def test_a_service_that_no_face_may_open_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no face may open"):
        choose_services(make_tree(tmp_path, DEBIAN), login=True, elevate=True, named=[name])


def test_a_named_service_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no PAM service 'gtklock'"):
        choose_services(make_tree(tmp_path, DEBIAN), login=False, elevate=False, named=["gtklock"])


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("sudo", "pam_mien.so ask"),
        ("su", "pam_mien.so ask"),
        ("polkit-1", "pam_mien.so ask"),
        ("gdm-password", "pam_mien.so timeout=15"),
        ("swaylock", "pam_mien.so"),
        ("login", "pam_mien.so timeout=15"),
    ],
)
def test_more_rights_ask_before_the_look_and_a_login_waits_for_the_challenge(
    service: str, words: str
) -> None:
    assert entry_of(service, "pam_mien.so") == f"auth\t[success=done default=ignore]\t{words}"


def test_a_wired_file_differs_by_the_block_alone(tmp_path: Path) -> None:
    layout = make_tree(tmp_path, DEBIAN)
    wired = wire("gdm-password", [], "pam_mien.so", layout)
    assert isinstance(wired, Wiring)
    assert remove_block(wired.after) == DEBIAN["/etc/pam.d/gdm-password"].encode()
    assert b"quiet_success\n# mien: begin" in wired.after


def test_wiring_again_changes_nothing_and_another_module_takes_the_place(tmp_path: Path) -> None:
    layout = make_tree(tmp_path, DEBIAN)
    first = wire("swaylock", [], "pam_exec.so /x", layout)
    assert isinstance(first, Wiring)
    first.file.path.write_bytes(first.after)
    again = wire("swaylock", [], "pam_exec.so /x", layout)
    assert isinstance(again, Wiring)
    assert again.after == first.after
    other = wire("swaylock", [], "pam_mien.so", layout)
    assert isinstance(other, Wiring)
    assert b"pam_exec" not in other.after
    assert remove_block(other.after) == DEBIAN["/etc/pam.d/swaylock"].encode()


def test_a_service_that_takes_the_lines_of_a_wired_one_gets_none(tmp_path: Path) -> None:
    """su-l includes su; a line before that would ask root, too."""
    layout = make_tree(tmp_path, DEBIAN)
    found = wire("su-l", ["su", "su-l"], "pam_mien.so", layout)
    assert found == Unwired("su-l", "it takes the lines of su, and so mien's")
    locker = wire("swaylock", ["login", "swaylock"], "pam_mien.so", layout)
    assert isinstance(locker, Wiring)  # login is of another class: it may be off


def test_an_edited_block_is_left_alone(tmp_path: Path) -> None:
    layout = make_tree(tmp_path, DEBIAN)
    wired = wire("sudo", [], "pam_mien.so", layout)
    assert isinstance(wired, Wiring)
    wired.file.path.write_bytes(wired.after.replace(b"so ask", b"so"))
    found = wire("sudo", [], "pam_mien.so", layout)
    assert isinstance(found, Unwired)
    assert "somebody edited" in found.reason


def test_a_second_factor_is_left_alone(tmp_path: Path) -> None:
    text = "@include common-auth\nauth required pam_google_authenticator.so\n"
    found = wire("sudo", [], "m.so", make_tree(tmp_path, DEBIAN, {"/etc/pam.d/sudo": text}))
    assert isinstance(found, Unwired)
    assert "pam_google_authenticator, which a face would skip" in found.reason
