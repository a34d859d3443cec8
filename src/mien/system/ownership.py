"""Who owns a file and who else may use it, where the system says so by user ids and modes.

Windows has neither: there a file is as private as the folder of the user's profile, in which mien
keeps its files, and nothing is checked. `DESCRIPTION` says which of the two holds.
"""

from __future__ import annotations

import os
import stat

HAS_MODES = hasattr(os, "geteuid")
DESCRIPTION = (
    "owner and mode of every file are checked"
    if HAS_MODES
    else "this system has no modes of files: keep them in your own profile"
)


def own_user_id() -> int:
    """The user id of this process; 0 on a system without."""
    return os.geteuid() if HAS_MODES else 0


def is_of_another(status: os.stat_result) -> bool:
    """Whether the file belongs neither to this user nor to root."""
    return HAS_MODES and status.st_uid not in (own_user_id(), 0)


def others_may_write(status: os.stat_result) -> bool:
    """Whether the mode lets the group or anybody write."""
    return HAS_MODES and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def others_may_use(status: os.stat_result) -> bool:
    """Whether the mode lets the group or anybody read, write or enter."""
    return HAS_MODES and bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
