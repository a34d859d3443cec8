"""Which check the setting `liveness` asks for: a vote, a challenge, or one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from mien.cli.commands import live_decision
from mien.errors import Outcome
from mien.results import Decision, Threshold
from mien.settings import Settings

THRESHOLD = Threshold(0.4, "sface", "by hand")


@dataclass
class Attempt:
    """In the place of a verifier, which only tells how many attempts failed before."""

    earlier_failures: int = 0
    decide_frame: None = None


@pytest.mark.parametrize(
    ("liveness", "asked", "failures", "vote", "checks"),
    [
        ("passive", False, 3, Outcome.NOT_LIVE, ["vote"]),
        ("passive", True, 0, Outcome.UNLOCKED, ["challenge"]),
        (None, False, 0, Outcome.UNLOCKED, ["vote"]),
        ("off", False, 0, Outcome.UNLOCKED, ["vote"]),
        ("active", False, 0, Outcome.UNLOCKED, ["challenge"]),
        ("auto", False, 0, Outcome.UNLOCKED, ["vote"]),
        ("auto", False, 0, Outcome.NOT_THE_OWNER, ["vote"]),
        ("auto", False, 0, Outcome.NOT_LIVE, ["vote", "challenge"]),
        ("auto", False, 1, Outcome.UNLOCKED, ["challenge"]),
    ],
)
def test_the_policy_chooses_the_checks(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    liveness: str | None,
    asked: bool,
    failures: int,
    vote: Outcome,
    checks: list[str],
) -> None:
    made: list[str] = []

    def vote_live(*_: Any, is_camera: bool) -> Decision:
        assert is_camera
        made.append("vote")
        return Decision(0.5, THRESHOLD, "of the vote", vote)

    def by_challenge(*_: Any) -> Decision:
        made.append("challenge")
        return Decision(0.5, THRESHOLD, "of the challenge", Outcome.UNLOCKED)

    monkeypatch.setattr(live_decision, "vote_live", vote_live)
    monkeypatch.setattr(live_decision, "_by_challenge", by_challenge)
    monkeypatch.setattr(live_decision, "choose_scorer", lambda settings, is_camera: None)
    decision = live_decision.decide_live(
        Attempt(failures),  # type: ignore[arg-type]
        iter(()),
        replace(settings, liveness=liveness),
        is_camera=True,
        with_challenge=asked,
    )
    assert made == checks
    assert decision.reason == f"of the {checks[-1]}"
