"""Which PAM service is of which class."""

from __future__ import annotations

import pytest

from mien.login.policy import ServiceClass, class_of


@pytest.mark.parametrize(
    ("service", "has_open_session", "expected"),
    [
        ("kde", True, ServiceClass.UNLOCK),
        ("swaylock", True, ServiceClass.UNLOCK),
        ("hyprlock", False, ServiceClass.NEVER),
        ("fprintd", True, ServiceClass.UNLOCK),
        ("fprintd", False, ServiceClass.NEVER),
        ("gdm-password", True, ServiceClass.UNLOCK),
        ("gdm-password", False, ServiceClass.LOGIN),
        ("sddm", True, ServiceClass.LOGIN),
        ("login", False, ServiceClass.LOGIN),
        ("sudo", True, ServiceClass.ELEVATE),
        ("su", False, ServiceClass.ELEVATE),
        ("polkit-1", True, ServiceClass.ELEVATE),
        ("sshd", True, ServiceClass.NEVER),
        ("cron", True, ServiceClass.NEVER),
        ("something-new", True, ServiceClass.NEVER),
        ("", True, ServiceClass.NEVER),
    ],
)
def test_the_class_of_a_service(
    service: str, has_open_session: bool, expected: ServiceClass
) -> None:
    assert class_of(service, has_open_session=has_open_session) is expected


def test_a_passive_look_is_enough_for_an_open_session_only() -> None:
    strong = [one for one in ServiceClass if one.needs_strong_check]
    assert strong == [ServiceClass.LOGIN, ServiceClass.ELEVATE]
