"""Attempts are counted and logged, and an unknown name gets the same answers as a known one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import numpy as np
import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import store_record

from mien.app.enroll import enroll
from mien.app.identify import identify
from mien.app.pipeline import Pipeline
from mien.app.verify import Verifier, verify
from mien.app.voting import vote
from mien.errors import (
    ModelMismatch,
    NoFaceFound,
    NotEnrolled,
    Outcome,
    TooManyAttempts,
    UnreadableImage,
)
from mien.matching.calibration import TARGET_FMR
from mien.matching.matcher import Matcher
from mien.media.frame import Frame
from mien.results import ByteArray, Decision, ModelId
from mien.vault.limits.attempts import Moment
from mien.vault.vault import Vault

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.boot_s = 1000.0

    def __call__(self) -> Moment:
        return Moment(NOON.timestamp() + self.boot_s, "boot one", self.boot_s)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(clock: Clock, pipeline: Pipeline, shots: list[ByteArray]) -> Iterator[Vault]:
    with open_memory_vault(clock=clock) as vault:
        enroll("eileen", shots[:3], pipeline=pipeline, vault=vault, mode="new", clock=lambda: NOON)
        yield vault


def try_unlock(
    user: str,
    image: ByteArray,
    vault: Vault,
    pipeline: Pipeline,
    *,
    tell_unknown: bool = False,
) -> Decision:
    return verify(
        user, image, vault=vault, pipeline_of=lambda model: pipeline, tell_unknown=tell_unknown
    )


def test_the_owner_is_accepted_and_the_attempt_is_logged(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    assert try_unlock("eileen", shots[3], vault, pipeline)
    last = vault.read_log()[-1]
    assert (last.kind, last.user, last.outcome) == ("unlock", "eileen", "unlocked")


def test_five_failures_block_the_name_even_for_the_owner(
    vault: Vault,
    pipeline: Pipeline,
    shots: list[ByteArray],
    stranger: ByteArray,
    clock: Clock,
) -> None:
    for _ in range(5):
        assert try_unlock("eileen", stranger, vault, pipeline).outcome is Outcome.NOT_THE_OWNER
    with pytest.raises(TooManyAttempts, match="try again in 30 seconds"):
        try_unlock("eileen", shots[3], vault, pipeline)
    clock.boot_s += 30
    assert try_unlock("eileen", shots[3], vault, pipeline)
    clock.boot_s += 1  # and her failures are forgotten
    assert try_unlock("eileen", stranger, vault, pipeline).outcome is Outcome.NOT_THE_OWNER


def test_a_picture_without_a_face_is_not_counted_as_a_failure(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    for _ in range(9):
        blank = np.zeros((200, 200, 3), np.uint8)
        assert try_unlock("eileen", blank, vault, pipeline).outcome is Outcome.NO_FACE
    assert try_unlock("eileen", shots[3], vault, pipeline)


def face_independent_part(decision: Decision) -> tuple[str, Outcome, bool, bool]:
    """The parts of a decision that do not depend on the face."""
    return decision.reason, decision.outcome, bool(decision.odds), decision.face is not None


def test_an_unknown_name_gets_the_same_answer_as_an_enrolled_one(
    vault: Vault, pipeline: Pipeline, stranger: ByteArray, shots: list[ByteArray]
) -> None:
    known = [try_unlock("eileen", stranger, vault, pipeline) for _ in range(5)]
    unknown = [try_unlock("nobody", stranger, vault, pipeline) for _ in range(5)]
    assert {face_independent_part(one) for one in known} == {
        face_independent_part(one) for one in unknown
    }
    assert len({one.similarity for one in unknown}) == 1  # it is the same stranger each time
    assert abs(unknown[0].similarity) < 0.5
    refusals = []
    for user in ("eileen", "nobody"):
        with pytest.raises(TooManyAttempts) as refusal:
            try_unlock(user, stranger, vault, pipeline)
        refusals.append(str(refusal.value))
    assert refusals[0] == refusals[1]
    shapes = {(one.kind, one.outcome) for one in vault.read_log() if one.kind == "unlock"}
    assert shapes == {("unlock", "not_the_owner")}


def test_a_face_that_matches_the_decoy_is_refused(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.results import Template

    herself = Template(pipeline.embed_probe(shots[3]).vector[np.newaxis], pipeline.model)
    monkeypatch.setattr(Matcher, "decoy", lambda self, seed: herself)
    decision = try_unlock("nobody", shots[3], vault, pipeline)
    assert decision.outcome is Outcome.NOT_THE_OWNER
    assert decision.reason == "not similar enough"
    assert decision.similarity == pytest.approx(decision.threshold.value - 1e-3)


def test_decoys_of_two_names_and_of_two_vaults_differ(
    vault: Vault, pipeline: Pipeline, clock: Clock
) -> None:
    def seed(of: Vault, user: str) -> bytes:
        found = of.look_up(user)
        assert found is not None
        return found.decoy_seed

    with open_memory_vault(clock=clock) as other, other.attempt("nobody"):
        seeds = {seed(vault, "nobody"), seed(vault, "noone"), seed(other, "nobody")}
    assert len(seeds) == 3
    assert seed(vault, "nobody") == seed(vault, "nobody")


def test_an_allowed_caller_learns_that_the_name_is_not_enrolled(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with pytest.raises(NotEnrolled, match="nobody is not enrolled; run: mien enroll nobody"):
        try_unlock("nobody", shots[3], vault, pipeline, tell_unknown=True)
    last = vault.read_log()[-1]
    assert (last.kind, last.user, last.outcome) == ("unlock", "nobody", "not_enrolled")


def test_in_an_absent_vault_an_unknown_name_is_not_enrolled_and_creates_nothing(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with open_memory_vault() as absent:
        with pytest.raises(NotEnrolled):
            try_unlock("nobody", shots[3], absent, pipeline, tell_unknown=True)
        assert absent.status() is None


def test_a_template_of_another_model_never_unlocks(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    from mien.results import Template
    from mien.vault import Record, pack_template

    other = ModelId("vggface2", "cd" * 32)
    vector = np.eye(1, 128, dtype=np.float32)
    payload = pack_template(Template(vector, other))
    store_record(vault, Record("ben", other, "2026-01-31T12:00:00+00:00", payload))
    with pytest.raises(ModelMismatch):
        try_unlock("ben", shots[3], vault, pipeline)


def test_identification_has_its_own_attempt_counter(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], stranger: ByteArray
) -> None:
    for _ in range(5):
        assert identify(stranger, vault=vault, pipeline=pipeline).user is None
    with pytest.raises(TooManyAttempts, match="30 seconds"):
        identify(shots[3], vault=vault, pipeline=pipeline)
    assert try_unlock("eileen", shots[3], vault, pipeline)
    kinds = [(one.kind, one.user, one.outcome) for one in vault.read_log()]
    assert kinds.count(("identify", "", "not_the_owner")) == 5


def test_an_internal_error_counts_as_a_failed_attempt(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    def broken(model: ModelId | None) -> Pipeline:
        raise RuntimeError("the engine fell over")

    for _ in range(5):
        with pytest.raises(RuntimeError):
            verify("eileen", shots[3], vault=vault, pipeline_of=broken, tell_unknown=False)
    with pytest.raises(TooManyAttempts):
        try_unlock("eileen", shots[3], vault, pipeline)


def test_an_unlock_at_a_laxer_target_clears_no_failures_and_is_named_in_the_log(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], stranger: ByteArray
) -> None:
    for _ in range(4):
        assert not try_unlock("eileen", stranger, vault, pipeline)
    for _ in range(2):  # the charge of an accepted attempt is taken back
        assert verify_at(0.1, shots[3], vault, pipeline)
    assert vault.read_log()[-1].outcome == "unlocked_laxer"
    assert not try_unlock("eileen", stranger, vault, pipeline)  # the fifth failure
    with pytest.raises(TooManyAttempts):
        try_unlock("eileen", shots[3], vault, pipeline)


def test_an_unlock_at_the_usual_or_a_stricter_target_is_an_unlock_like_others(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    for target_fmr in (TARGET_FMR, 1e-5):
        assert verify_at(target_fmr, shots[3], vault, pipeline)
        assert vault.read_log()[-1].outcome == "unlocked"


def test_an_error_after_a_face_was_compared_stays_a_failure(
    vault: Vault, pipeline: Pipeline, stranger: ByteArray, shots: list[ByteArray]
) -> None:
    for _ in range(5):
        with pytest.raises(UnreadableImage):
            see_a_film_that_is_cut_short(stranger, verifier_of(vault, pipeline))
    with pytest.raises(TooManyAttempts):
        try_unlock("eileen", shots[3], vault, pipeline)


def test_frames_of_several_people_without_a_decision_are_charged_and_named(
    vault: Vault, pipeline: Pipeline, stranger: ByteArray, shots: list[ByteArray]
) -> None:
    film = [Frame(0.0, stranger), Frame(0.1, stranger), Frame(0.2, shots[3])]
    for _ in range(5):
        with pytest.raises(NoFaceFound, match="3 must agree"):
            watch(film, verifier_of(vault, pipeline))
    assert vault.read_log()[-1].outcome == "undecided"
    with pytest.raises(TooManyAttempts):
        try_unlock("eileen", shots[3], vault, pipeline)


def test_a_template_is_verified_by_the_pipeline_of_its_model(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    asked: list[ModelId | None] = []

    def pipeline_of(model: ModelId | None) -> Pipeline:
        asked.append(model)
        return pipeline

    for name in ("eileen", "nobody"):
        verify(name, shots[3], vault=vault, pipeline_of=pipeline_of, tell_unknown=False)
    assert asked == [pipeline.model, None]


def test_a_name_that_vanishes_with_its_vault_is_not_enrolled(
    vault: Vault, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "look_up", lambda user: None)
    with pytest.raises(NotEnrolled, match="eileen is not enrolled"), verifier_of(vault, pipeline):
        pass


def test_a_refusal_under_an_unknown_name_is_the_refusal_by_the_decoy(
    vault: Vault, pipeline: Pipeline, stranger: ByteArray
) -> None:
    """Its similarity is that to the decoy, and not one just under the threshold."""
    decision = verify(
        "nobody", stranger, vault=vault, pipeline_of=lambda model: pipeline, tell_unknown=False
    )
    assert not decision
    assert decision.similarity < decision.threshold.value - 0.01


def watch(film: list[Frame], attempt: Verifier) -> Decision:
    with attempt as verifier:
        return verifier.conclude(vote(film, verifier.decide_frame))


def see_a_film_that_is_cut_short(image: ByteArray, attempt: Verifier) -> None:
    with attempt as verifier:
        verifier(image)
        raise UnreadableImage("the film is cut short")


def verifier_of(vault: Vault, pipeline: Pipeline, target_fmr: float | None = None) -> Verifier:
    return Verifier(
        "eileen",
        vault=vault,
        pipeline_of=lambda model: pipeline,
        target_fmr=target_fmr,
        tell_unknown=True,
    )


def verify_at(target_fmr: float, image: ByteArray, vault: Vault, pipeline: Pipeline) -> Decision:
    with verifier_of(vault, pipeline, target_fmr) as verifier:
        return verifier.conclude(verifier(image))
