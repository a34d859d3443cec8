"""What a code of PAM means for an enrollment. The real PAM is asked in daemon/test_enroll.py."""

from __future__ import annotations

import pytest

from mien.errors import Outcome
from mien.login.password import PamFailed, WrongPassword, _raise_for

AUTH_ERR, ACCT_EXPIRED = 7, 13
SYSTEM_ERR, AUTHINFO_UNAVAIL, CONV_ERR, MODULE_UNKNOWN = 4, 9, 19, 28


@pytest.mark.parametrize("code", [AUTH_ERR, ACCT_EXPIRED])
def test_a_refused_password_or_account_is_said_to_be_so(code: int) -> None:
    with pytest.raises(WrongPassword, match="refused"):
        _raise_for(code)


@pytest.mark.parametrize("code", [SYSTEM_ERR, AUTHINFO_UNAVAIL, CONV_ERR, MODULE_UNKNOWN])
def test_a_fault_of_pam_never_reads_as_a_wrong_password(code: int) -> None:
    with pytest.raises(PamFailed, match="could not check") as raised:
        _raise_for(code)
    assert raised.value.outcome is not Outcome.NOT_THE_OWNER


def test_a_yes_raises_nothing() -> None:
    _raise_for(0)
