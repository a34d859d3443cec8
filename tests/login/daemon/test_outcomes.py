"""What an asker is told for each outcome."""

from __future__ import annotations

import pytest

from mien.errors import Outcome
from mien.login.outcomes import reply_for
from mien.login.protocol import ReplyCode

EXPECTED = {
    Outcome.UNLOCKED: ReplyCode.SUCCESS,
    Outcome.NOT_THE_OWNER: ReplyCode.AUTH_ERR,
    Outcome.NOT_LIVE: ReplyCode.AUTH_ERR,
    Outcome.TOO_MANY_ATTEMPTS: ReplyCode.AUTH_ERR,
    Outcome.NOT_ENROLLED: ReplyCode.IGNORE,
}


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_code_and_all_others_mean_that_no_face_was_judged(
    outcome: Outcome,
) -> None:
    expected = EXPECTED.get(outcome, ReplyCode.AUTHINFO_UNAVAIL)
    assert reply_for(outcome).code is expected


@pytest.mark.parametrize("outcome", Outcome)
def test_no_words_name_an_option_or_the_owner(outcome: Outcome) -> None:
    words = reply_for(outcome).words
    assert "--" not in words
    assert "owner" not in words
    assert len(words.encode()) < 160


def test_the_wait_after_too_many_attempts_is_told() -> None:
    reply = reply_for(Outcome.TOO_MANY_ATTEMPTS, "try again in 30 seconds")
    assert (reply.code, reply.words) == (ReplyCode.AUTH_ERR, "try again in 30 seconds")
