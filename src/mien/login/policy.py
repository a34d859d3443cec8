"""What a face may open: the class of a PAM service, and how sure the look must be for it."""

from __future__ import annotations

from enum import Enum

LOCKERS = frozenset({"kde", "kde-fingerprint", "swaylock", "hyprlock", "gtklock"})
GDM = frozenset({"gdm-password", "gdm-fingerprint", "gdm-mien"})
GREETERS = frozenset({"sddm", "lightdm", "greetd", "login"})
ELEVATING = frozenset({"sudo", "sudo-i", "su", "su-l", "polkit-1"})
DISPLAY_MANAGERS = frozenset(
    f"{one}.service" for one in ("gdm", "gdm3", "sddm", "lightdm", "greetd", "display-manager")
)
"""The units of systemd whose processes ask for a user who is at the screen."""

FPRINTD = "fprintd"
"""The service that the facade asks for: its caller does not say which program wants a finger."""

TEST_SERVICE = "mien-test"
"""The service of `mien login test`: it asks for a look of which nothing is opened."""


class ServiceClass(Enum):
    """The value is the word in the configuration and in messages."""

    UNLOCK = "unlock"  # a session that is open already
    LOGIN = "login"
    ELEVATE = "elevate"  # more rights, such as sudo
    NEVER = "never"

    @property
    def needs_strong_check(self) -> bool:
        """Whether a passive look of a colour camera is too weak: challenge or infrared."""
        return self in (ServiceClass.LOGIN, ServiceClass.ELEVATE)


def class_of(service: str, *, has_open_session: bool) -> ServiceClass:
    """The class of a PAM service; NEVER for one that is not known.

    has_open_session: whether the user has a local session, which GDM then unlocks.
    """
    if service in LOCKERS or service == FPRINTD:
        return ServiceClass.UNLOCK if has_open_session else ServiceClass.NEVER
    if service in GDM:
        return ServiceClass.UNLOCK if has_open_session else ServiceClass.LOGIN
    if service in GREETERS:
        return ServiceClass.LOGIN
    if service in ELEVATING:
        return ServiceClass.ELEVATE
    return ServiceClass.NEVER
