"""Frames that accept different people: three of five name one person, or nobody is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.app.parts import opened

from mien.app.identify import Identifier
from mien.app.live_vote import PassiveCheck, vote_live
from mien.app.pipeline import Pipeline
from mien.app.voting import vote
from mien.errors import Outcome
from mien.media.frame import Frame
from mien.results import ByteArray, Decision, Face, Threshold

HALF = Threshold(0.5, "sface", "by hand")
FACE = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.9)


def decision_for(user: str) -> Decision:
    if user == "-":
        return Decision(0.1, HALF, "not similar enough", Outcome.NOT_THE_OWNER, FACE)
    return Decision(0.9, HALF, "the same person", Outcome.UNLOCKED, FACE, user=user)


class Script:
    """Names somebody on each frame, "-" for no match. asked: whether to search it whole."""

    def __init__(self, words: str) -> None:
        self.words, self.asked = words, list[bool]()

    def frames(self) -> list[Frame]:
        return [Frame(n / 10, np.full((8, 8, 3), 99, np.uint8)) for n in range(len(self.words))]

    def decide(self, frame: Frame, *, whole: bool) -> Decision:
        self.asked.append(whole)
        return decision_for(self.words[len(self.asked) - 1])


@pytest.mark.parametrize(
    ("words", "user", "looked"),
    [
        ("aaab", "a", 3),
        ("abaab", "a", 4),
        ("ababa", "a", 5),
        ("a-b-a", "", 5),
        ("aabb-a", "", 5),  # the sixth is not read
        ("abcde", "", 5),
        ("---aa", "", 3),
        ("a-a-a", "a", 5),
    ],
)
def test_three_of_five_must_name_the_same_person(words: str, user: str, looked: int) -> None:
    script = Script(words)
    decision = vote(script.frames(), script.decide)
    assert (decision.user, bool(decision)) == (user, user != "")
    assert decision.outcome is (Outcome.UNLOCKED if user else Outcome.NOT_THE_OWNER)
    assert len(script.asked) == looked


def test_frames_that_do_not_agree_say_so() -> None:
    script = Script("aabb-")
    assert vote(script.frames(), script.decide).reason.startswith("the frames do not agree on who")


def test_a_frame_on_which_a_third_vote_for_anybody_may_fall_is_searched_whole() -> None:
    script = Script("abab-")
    vote(script.frames(), script.decide)
    assert script.asked == [False, False, False, True, True]


def test_a_decision_that_accepts_nobody_names_nobody() -> None:
    with pytest.raises(ValueError, match="names nobody"):
        replace(decision_for("-"), user="a")


@pytest.mark.parametrize(("words", "is_live"), [("bbb", True), ("aaa", False)])
def test_the_liveness_threshold_is_that_of_the_person_who_is_named(
    words: str, is_live: bool
) -> None:
    """a looked very alive before, so 2.0 is too little for a."""
    script = Script(words)
    check = PassiveCheck(
        lambda image, face: 2.0,
        lambda image: FACE,
        lambda decision: {"a": 3.0, "b": 1.0}[decision.user],
    )
    decision = vote_live(script.frames(), script.decide, check)
    assert bool(decision) is is_live
    assert decision.user == ("b" if is_live else "")


# a real vault -------------------------------------------------------------------------------


def film(*images: ByteArray) -> list[Frame]:
    return [Frame(n / 10, image) for n, image in enumerate(images)]


def test_frames_of_her_name_her_once_and_count_as_one_attempt(
    home: Path, pipeline: Pipeline, shots: list[ByteArray], stranger: ByteArray
) -> None:
    with opened(home) as vault:
        with Identifier(vault=vault, pipeline=pipeline) as identifier:
            found = identifier.conclude(vote(film(*shots[:4]), identifier.decide_frame))
        assert found.user == "eileen"
        assert identifier.liveness_history_of(found.decision) is None
        with Identifier(vault=vault, pipeline=pipeline) as identifier:
            none = identifier.conclude(vote(film(*[stranger] * 3), identifier.decide_frame))
        assert (none.user, none.decision.outcome) == (None, Outcome.NOT_THE_OWNER)
        with Identifier(vault=vault, pipeline=pipeline) as identifier:
            assert identifier.earlier_failures == 1
        kinds = [one.kind for one in vault.read_log() if one.kind == "identify"]
    assert kinds == ["identify"] * 3


def test_an_identification_of_frames_that_ends_without_a_decision_is_a_failure(
    home: Path, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with opened(home) as vault:
        with Identifier(vault=vault, pipeline=pipeline) as identifier:
            assert identifier.decide_frame(film(shots[0])[0], whole=True)
        with Identifier(vault=vault, pipeline=pipeline) as identifier:
            assert identifier.earlier_failures == 1
