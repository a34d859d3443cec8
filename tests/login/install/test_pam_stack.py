"""Where mien's line goes in files of Debian, Fedora and Arch, and where it must not go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.login.install.trees import ARCH, DEBIAN, FEDORA, make_tree

from mien.errors import UsageError
from mien.login.install.layout import Layout
from mien.login.install.pam_stack import find_service, place_of_block


def next_line(layout: Layout, service: str) -> str:
    """The line before which the block goes, with single spaces."""
    file = find_service(service, layout)
    assert file is not None
    line = file.content.decode().splitlines()[place_of_block(file, layout)]
    return " ".join(line.split())


@pytest.mark.parametrize(
    ("tree", "service", "line"),
    [
        (DEBIAN, "sudo", "@include common-auth"),
        (DEBIAN, "su", "@include common-auth"),  # root needs no face: after pam_rootok
        (DEBIAN, "login", "@include common-auth"),  # after pam_nologin, which still counts
        (DEBIAN, "gdm-password", "@include common-auth"),
        (DEBIAN, "swaylock", "auth include login"),
        (DEBIAN, "polkit-1", "@include common-auth"),
        (FEDORA, "sudo", "auth include system-auth"),
        (FEDORA, "gdm-password", "auth substack system-auth"),
        (FEDORA, "kde-fingerprint", "auth sufficient pam_fprintd.so"),
        (
            FEDORA,
            "system-auth",
            "auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular",
        ),
        (ARCH, "login", "auth include system-local-login"),
        (ARCH, "sddm", "auth include system-login"),
        (ARCH, "hyprlock", "auth include login"),
    ],
)
def test_the_block_goes_before_the_password(
    tree: Mapping[str, str], service: str, line: str, tmp_path: Path
) -> None:
    assert next_line(make_tree(tmp_path, tree), service) == line


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("auth required pam_google_authenticator.so", "pam_google_authenticator"),
        ("auth requisite pam_u2f.so cue", "pam_u2f"),
        ("auth [success=ok default=bad] pam_oath.so", "pam_oath"),
        ("auth required pam_access.so", "pam_access"),
        ("auth requisite pam_succeed_if.so user ingroup wheel", "pam_succeed_if"),
        ("auth [success=1 default=ignore] pam_unknown.so", "pam_unknown"),
    ],
)
@pytest.mark.parametrize("place", ["sudo", "common-auth"])
def test_a_face_never_skips_another_factor_or_rule(
    line: str, name: str, place: str, tmp_path: Path
) -> None:
    layout = make_tree(tmp_path, DEBIAN)
    file = layout.pam_folder / place
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(UsageError, match=f"also asks {name}, which a face would skip"):
        next_line(layout, "sudo")


def test_a_rule_before_the_password_still_counts_and_is_no_obstacle(tmp_path: Path) -> None:
    text = "auth required pam_access.so\nauth required pam_wheel.so\n@include common-auth\n"
    layout = make_tree(tmp_path, DEBIAN, {"/etc/pam.d/su": text})
    assert next_line(layout, "su") == "@include common-auth"


def test_an_optional_module_after_the_password_is_no_obstacle(tmp_path: Path) -> None:
    text = "@include common-auth\nauth optional pam_anything.so\n"
    assert next_line(make_tree(tmp_path, DEBIAN, {"/etc/pam.d/sudo": text}), "sudo")


def test_an_old_rule_of_fedora_for_directory_services_is_no_obstacle(tmp_path: Path) -> None:
    text = (
        "auth sufficient pam_unix.so\n"
        "auth requisite pam_succeed_if.so uid >= 1000 quiet_success\n"
        "auth sufficient pam_sss.so\nauth required pam_deny.so\n"
    )
    layout = make_tree(tmp_path, FEDORA, {"/etc/pam.d/system-auth": text})
    assert next_line(layout, "sudo") == "auth include system-auth"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("session required pam_limits.so\n", "no auth line that asks for a password"),
        ("auth required pam_env.so\n", "no auth line that asks for a password"),
        (
            "auth [success=1 default=ignore] pam_succeed_if.so user ingroup nopasswdlogin\n"
            "@include common-auth\n",
            "pam_succeed_if jumps over others",
        ),
        ("auth requisite pam_deny.so\n", "it refuses everybody"),
        ("auth required pam_deny.so\n@include common-auth\n", "it refuses everybody"),
        ("auth required pam_permit.so\n", "no password that is known"),
        ("auth include nothing\n", "includes nothing, which is not there"),
        ("auth include sudo\n", "include one another"),
    ],
)
def test_a_file_without_a_safe_place_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    layout = make_tree(tmp_path, DEBIAN, {"/etc/pam.d/sudo": text})
    with pytest.raises(UsageError, match=reason):
        next_line(layout, "sudo")


def test_a_file_of_the_distribution_counts_where_etc_has_none(tmp_path: Path) -> None:
    layout = make_tree(tmp_path, DEBIAN)
    found = find_service("polkit-1", layout)
    assert found is not None
    assert found.is_vendor
    make_tree(tmp_path, {"/etc/pam.d/polkit-1": "@include common-auth\n"})
    found = find_service("polkit-1", layout)
    assert found is not None
    assert not found.is_vendor
    assert find_service("gtklock", layout) is None
