"""What an enrollment and a decision say, as text and as JSON, on hand-made records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.app.enrollment import EnrolledPhoto, Enrollment
from mien.app.identify import Identification
from mien.app.messages import describe_decision, describe_scores, enrollment_lines, left_out_lines
from mien.errors import Outcome
from mien.faces.quality.advice import Quality
from mien.results import Decision, Face, ModelId, Template, Threshold

MODEL = ModelId("sface", "ab" * 32)
FACE = Face(np.array([0, 0, 90, 90], np.float32), np.ones((5, 2), np.float32), 0.99)
GOOD = Quality(60.0, 120.0, 50.0, 500.0, 0.0, 0.0)
DARK = replace(GOOD, brightness=10.0)
ONE = Template(np.eye(1, 2, dtype=np.float32), MODEL)
TWO = Template(np.eye(2, dtype=np.float32), MODEL)
PLAIN = Enrollment(
    TWO,
    (
        EnrolledPhoto("a.jpg", FACE, GOOD, 0.75, agrees="good"),
        EnrolledPhoto("b.jpg", FACE, GOOD, 0.5, agrees="poor"),
    ),
    (),
)
FULL = Enrollment(
    ONE,
    (EnrolledPhoto("a.jpg", FACE, DARK, None, turned_degrees=90),),
    (("b.jpg", "a.jpg"),),
    expectation="expect to be refused about once in 50",
    look_alikes=(("ben", 0.71234567),),
    closest_stranger=0.41234567,
    margin=-0.01234567,
    not_compared="the record of zoe was altered",
    strangers=1_400,
    left_out=("'c.jpg': no face found",),
)
ADVICE = (
    "a.jpg: the photo lies on its side; it was turned by 90 degrees",
    f"a.jpg: {DARK.advice[0]}",
    "one photo only; add two to four more in different light",
    "looks like ben (0.712), so each may be accepted as the other",
    "one of 400 strangers scores 0.412 and would be accepted; add photos in different light",
    "not compared with the other enrolled people: the record of zoe was altered",
)


def test_advice_names_every_weakness_and_a_good_enrollment_needs_none() -> None:
    assert FULL.advice == ADVICE
    assert PLAIN.advice == ()


@pytest.mark.parametrize(("margin", "warned"), [(None, 0), (0.01, 0), (0.0, 1), (-0.01, 1)])
def test_a_stranger_at_the_threshold_or_above_is_a_warning(
    margin: float | None, warned: int
) -> None:
    assert len(replace(PLAIN, closest_stranger=0.4, margin=margin).advice) == warned


@pytest.mark.parametrize(
    ("degrees", "words"),
    [
        (0, ()),
        (90, ("the photo lies on its side; it was turned by 90 degrees",)),
        (180, ("the photo is upside down; it was turned by 180 degrees",)),
        (270, ("the photo lies on its side; it was turned by 270 degrees",)),
    ],
)
def test_a_photo_that_was_turned_says_by_how_much(degrees: int, words: tuple[str, ...]) -> None:
    assert EnrolledPhoto("a.jpg", FACE, GOOD, None, turned_degrees=degrees).advice == words


def test_the_json_of_an_enrollment_has_every_figure_and_no_picture() -> None:
    assert FULL.to_dict("ana") == {
        "outcome": "enrolled",
        "exit_code": 0,
        "user": "ana",
        "photos_in_template": 1,
        "quality": "poor",
        "photos": [
            {
                "photo": "a.jpg",
                "leave_one_out": None,
                "agrees": None,
                "advice": [*FULL.photos[0].advice],
            }
        ],
        "skipped": [{"photo": "b.jpg", "same_as": "a.jpg"}],
        "left_out": ["'c.jpg': no face found"],
        "advice": list(ADVICE),
        "expectation": "expect to be refused about once in 50",
        "closest_stranger": 0.412346,
        "margin": -0.012346,
        "look_alikes": [{"user": "ben", "similarity": 0.712346}],
    }


def test_the_json_has_null_for_what_an_enrollment_does_not_know() -> None:
    found = PLAIN.to_dict("ana")
    assert [found[name] for name in ("expectation", "closest_stranger", "margin")] == [None] * 3


def test_the_lines_of_an_enrollment_have_words_and_figures_only_if_asked_for() -> None:
    good = replace(PLAIN, closest_stranger=0.25, margin=0.125, strangers=1_400)
    assert enrollment_lines("ana", good) == (
        "enrolled ana from 2 photos",
        "  quality: fair",
        "  a.jpg: good",
        "  b.jpg: poor",
    )
    assert enrollment_lines("ana", good, verbose=True) == (
        "enrolled ana from 2 photos",
        "  quality: fair",
        "  a.jpg: good, similarity to the others 0.750",
        "  b.jpg: poor, similarity to the others 0.500",
        "  nearest of 1,400 strangers: similarity 0.250, threshold 0.375",
    )


def test_the_lines_of_a_poor_enrollment_have_the_advice() -> None:
    assert enrollment_lines("ana", FULL) == (
        "enrolled ana from 1 photo",
        "  quality: poor",
        "  skipped b.jpg: nearly the same as a.jpg",
        "  left out 'c.jpg': no face found",
        *(f"  advice: {words}" for words in ADVICE),
        "  expect to be refused about once in 50",
    )


def test_the_nearest_stranger_is_left_out_where_it_is_not_known() -> None:
    for known in ({}, {"margin": 0.25}, {"closest_stranger": 0.25}):
        lines = enrollment_lines("ana", replace(PLAIN, **known), verbose=True)
        assert not any("strangers" in line for line in lines)


HALF = Threshold(0.5, "sface", "by hand")
REFUSED = Decision(0.25, HALF, "not similar enough", Outcome.NOT_THE_OWNER)


def test_a_decision_is_described_by_reason_faults_scores_and_odds() -> None:
    assert (describe_scores(REFUSED), describe_decision(REFUSED)) == ("", "not similar enough")
    full = replace(REFUSED, odds="once in 9", faults=("too dark", "blurred"))
    assert describe_scores(full) == "once in 9"
    assert describe_decision(full) == "not similar enough (too dark; blurred); once in 9"
    assert describe_scores(full, verbose=True) == "similarity 0.250, threshold 0.500; once in 9"
    assert describe_decision(full, verbose=True) == (
        "not similar enough (too dark; blurred), similarity 0.250, threshold 0.500; once in 9"
    )


def test_a_match_is_described_by_a_word_and_a_calibration_is_named() -> None:
    accepted = replace(
        REFUSED, similarity=0.625, reason="the same person", outcome=Outcome.UNLOCKED
    )
    assert describe_scores(accepted) == "a fair match"
    assert describe_decision(accepted) == "the same person, a fair match"
    own = replace(accepted, threshold=replace(HALF, calibration="family"), odds="once in 9")
    assert describe_decision(own) == (
        "the same person, a fair match, calibration family; once in 9"
    )
    figures = "similarity 0.625, threshold 0.500"
    assert describe_scores(accepted, verbose=True) == f"a fair match, {figures}"


def test_a_decision_without_a_face_is_described_by_its_reason_only() -> None:
    nobody = Decision(float("nan"), HALF, "no face found", Outcome.NO_FACE)
    assert describe_decision(nobody) == "no face found"


def test_the_json_of_an_identification_has_the_user_and_the_decision() -> None:
    found = Identification("ana", REFUSED, ("ben",)).to_dict()
    assert found == {"user": "ana", "also": ["ben"], **REFUSED.to_dict()}


def test_photos_with_the_same_fault_share_a_line() -> None:
    reasons = [f"'{n}.jpg': no face found; come closer" for n in range(12)]
    assert left_out_lines([*reasons, "'x.jp2' is JPEG 2000; convert it", "'y.jpg': too dark"]) == [
        "  left out 12 photos '0.jpg', '1.jpg', '2.jpg' and 9 more: no face found; come closer",
        "  left out 'x.jp2' is JPEG 2000; convert it",
        "  left out 'y.jpg': too dark",
    ]
