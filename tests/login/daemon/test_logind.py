"""What is made of the replies of logind and systemd. No bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mien.login.logind import LogindUnavailable, Sessions

jeepney = pytest.importorskip("jeepney", reason="needs jeepney; run: pip install '.[login]'")


@dataclass
class Bus:
    """Gives one reply: signature and value, or the name of an error."""

    reply: str | tuple[str, str]

    def send_and_get_reply(self, message: Any, *, timeout: float) -> Any:
        message.header.serial, message.header.fields[jeepney.HeaderFields.sender] = 1, ":1.1"
        if isinstance(self.reply, str):
            return jeepney.new_error(message, self.reply)
        signature, value = self.reply
        return jeepney.new_method_return(message, signature, (value,))


@pytest.mark.parametrize(
    ("reply", "unit"),
    [
        (("o", "/org/freedesktop/systemd1/unit/gdm_2eservice"), "gdm.service"),
        (("o", "/org/freedesktop/systemd1/unit/user_401000_2eservice"), "user@1000.service"),
        ("org.freedesktop.systemd1.NoUnitForPID", ""),
    ],
)
def test_systemd_says_which_unit_started_a_process(reply: str | tuple[str, str], unit: str) -> None:
    assert Sessions(Bus(reply)).unit_of_process(10) == unit


def test_where_systemd_is_not_there_nobody_is_answered() -> None:
    with pytest.raises(LogindUnavailable, match="ServiceUnknown"):
        Sessions(Bus("org.freedesktop.DBus.Error.ServiceUnknown")).unit_of_process(10)
