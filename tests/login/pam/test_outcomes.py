"""The code that pam_mien.so gives to PAM, for what the daemon answers and for who asks."""

from __future__ import annotations

import pytest
from tests.login.pam.fake_daemon import NO, YES, replies
from tests.login.pam.machine import Machine

from mien.login.protocol import AuthReply, ReplyCode


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        pytest.param(YES, "SUCCESS", id="yes"),
        pytest.param(NO, "AUTH_ERR", id="no"),
        pytest.param(
            AuthReply(ReplyCode.AUTHINFO_UNAVAIL, "too dark"), "AUTHINFO_UNAVAIL", id="dark"
        ),
        pytest.param(AuthReply(ReplyCode.IGNORE), "IGNORE", id="not a question for a face"),
    ],
)
def test_the_answer_of_the_daemon_is_the_answer_to_pam(
    machine: Machine, reply: AuthReply, code: str
) -> None:
    with machine.daemon(replies(reply)) as daemon:
        assert machine.code() == code
    (request,) = daemon.requests
    assert (request.service, request.user, request.timeout_s) == ("mien-test", "anna", 5.0)
