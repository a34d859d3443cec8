"""Outcomes as HTTP: statuses, headers, and what is never told."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from mien import errors
from mien.errors import MienError, Outcome, TooManyAttempts
from mien.results import Decision, Face, Threshold
from mien.web.responses import (
    STATUS_OF_OUTCOME,
    OutcomeResponse,
    busy_response,
    decision_response,
    error_response,
    identification_response,
    message_response,
)

THRESHOLD = Threshold(0.4, "sface", "calibrated")
FACE = Face(
    np.array([1, 2, 31, 42], np.float32), np.arange(10, dtype=np.float32).reshape(5, 2), 0.9
)


def body_of(response: OutcomeResponse) -> dict[str, object]:
    data: dict[str, object] = json.loads(bytes(response.body))
    return data


@pytest.mark.parametrize(
    ("wait_s", "seconds"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (29.01, "30"), (30.0, "30")]
)
def test_retry_after_is_rounded_up_so_that_the_next_attempt_is_not_too_early(
    wait_s: float, seconds: str
) -> None:
    error = TooManyAttempts("too many failed attempts")
    error.wait_s = wait_s
    response = error_response(error)
    assert (response.status_code, response.headers["retry-after"]) == (429, seconds)


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (errors.UsageError, 400, "usage"),
        (errors.AlreadyEnrolled, 409, "usage"),
        (errors.NoFaceFound, 422, "no_face"),
        (errors.SeveralFacesFound, 422, "several_faces"),
        (errors.UnreadableImage, 422, "unreadable_image"),
        (errors.NotEnrolled, 404, "not_enrolled"),
        (errors.VaultDamaged, 500, "vault_damaged"),
        (errors.KeyUnavailable, 500, "key_unavailable"),
        (errors.ModelMissing, 500, "model_unavailable"),
    ],
)
def test_each_error_has_its_status_and_outcome(
    error: type[MienError], status: int, outcome: str
) -> None:
    response = error_response(error("a message"))
    data = body_of(response)
    assert (response.status_code, data["outcome"]) == (status, outcome)
    assert data["exit_code"] == int(error("").exit_code)


def test_photos_of_different_people_are_422() -> None:
    assert error_response(errors.EnrollmentRefused("two people")).status_code == 422


def test_a_busy_service_asks_to_come_back_in_a_second() -> None:
    response = busy_response()
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert body_of(response)["outcome"] == "busy"


def test_a_message_has_no_exit_code() -> None:
    response = message_response("too_slow", 408, "late", Connection="close")
    assert body_of(response) == {"outcome": "too_slow", "error": "late"}
    assert response.headers["connection"] == "close"


def decide(outcome: Outcome, similarity: float) -> Decision:
    return Decision(similarity, THRESHOLD, "a reason", outcome, FACE, "once in 1,000")


def test_a_decision_with_scores_has_all_fields() -> None:
    response = decision_response(decide(Outcome.UNLOCKED, 0.5), with_scores=True)
    data = body_of(response)
    assert response.status_code == 200
    assert (data["outcome"], data["similarity"], data["odds"]) == ("unlocked", 0.5, "once in 1,000")
    assert (data["threshold"], data["model"], data["exit_code"]) == (0.4, "sface", 0)
    assert set(data) == {
        "outcome", "exit_code", "reason", "similarity", "threshold", "model", "calibration", "odds",
        "faults", "face",
    }  # fmt: skip


def test_a_decision_without_scores_has_outcome_and_reason_only() -> None:
    response = decision_response(decide(Outcome.NOT_THE_OWNER, 0.3), with_scores=False)
    assert response.status_code == 403
    assert body_of(response) == {
        "outcome": "not_the_owner", "exit_code": 1, "reason": "a reason",
    }  # fmt: skip


def test_a_similarity_that_is_not_a_number_is_null() -> None:
    response = decision_response(decide(Outcome.NO_FACE, math.nan), with_scores=True)
    assert (response.status_code, body_of(response)["similarity"]) == (422, None)


def test_an_identification_has_a_user_even_without_scores() -> None:
    decision = decide(Outcome.UNLOCKED, 0.5)
    data = body_of(identification_response(decision, "ana", with_scores=False))
    assert data == {"outcome": "unlocked", "exit_code": 0, "reason": "a reason", "user": "ana"}


def test_only_an_accepted_face_is_200_and_only_a_refused_one_is_not_the_owner() -> None:
    statuses = {outcome: STATUS_OF_OUTCOME.get(outcome, 500) for outcome in Outcome}
    assert [outcome for outcome, status in statuses.items() if status == 200] == [Outcome.UNLOCKED]
    refusals = [outcome for outcome, status in statuses.items() if status == 403]
    assert refusals == [Outcome.NOT_THE_OWNER, Outcome.NOT_LIVE]
    for outcome in (Outcome.INTERNAL_ERROR, Outcome.INTERRUPTED, Outcome.VAULT_DAMAGED):
        assert statuses[outcome] == 500
