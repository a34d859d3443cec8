"""A Verifier is one attempt: charged when it starts, settled and logged however it ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tests.app.parts import clock
from tests.vault.memory import open_memory_vault

from mien.app.enroll import enroll
from mien.app.pipeline import Pipeline
from mien.app.verify import Verifier
from mien.errors import Outcome, TooManyAttempts
from mien.faces.align import UncroppableFace
from mien.results import ByteArray, Crop, Face
from mien.vault.vault import Vault


@pytest.fixture
def vault(pipeline: Pipeline, shots: list[ByteArray]) -> Iterator[Vault]:
    with open_memory_vault() as vault:
        enroll("eileen", shots[:3], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        yield vault


def verifier_of(vault: Vault, pipeline: Pipeline, user: str = "eileen") -> Verifier:
    return Verifier(user, vault=vault, pipeline_of=lambda model: pipeline, tell_unknown=False)


def outcomes(vault: Vault) -> list[str]:
    return [entry.outcome for entry in vault.read_log() if entry.kind == "unlock"]


def test_several_frames_are_one_attempt(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], stranger: ByteArray
) -> None:
    with verifier_of(vault, pipeline) as verifier:
        assert not verifier(stranger)
        decision = verifier.conclude(verifier(shots[3]))
    assert decision
    assert outcomes(vault) == ["unlocked"]


def test_an_attempt_without_an_outcome_counts_as_a_failure(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    for _ in range(5):
        with verifier_of(vault, pipeline) as verifier:
            assert verifier(shots[3])  # seen, but not concluded
    with pytest.raises(TooManyAttempts), verifier_of(vault, pipeline):
        pass
    assert outcomes(vault) == ["not_the_owner"] * 5


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(KeyboardInterrupt(), "interrupted"), (RuntimeError("engine"), "internal_error")],
)
def test_an_interrupted_attempt_is_logged_and_counts_as_a_failure(
    vault: Vault, pipeline: Pipeline, error: BaseException, outcome: str
) -> None:
    for _ in range(5):
        with pytest.raises(type(error)), verifier_of(vault, pipeline):
            raise error
    with pytest.raises(TooManyAttempts), verifier_of(vault, pipeline):
        pass
    assert outcomes(vault) == [outcome] * 5


def test_a_face_that_cannot_be_cropped_is_not_counted_as_a_failure(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(image_rgb: ByteArray, face: Face, recipe: str) -> Crop:
        raise UncroppableFace("the points fall together")

    monkeypatch.setattr("mien.app.pipeline.crop_by_recipe", refuse)
    for _ in range(9):
        with verifier_of(vault, pipeline) as verifier:
            decision = verifier.conclude(verifier(shots[3]))
        assert decision.outcome is Outcome.NO_FACE
        assert decision.reason == "no usable face: the points fall together; face the camera"
    assert outcomes(vault) == ["no_face"] * 9


def test_a_name_that_is_not_enrolled_is_refused_whoever_the_face_is(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    with verifier_of(vault, pipeline, "nobody") as verifier:
        assert not verifier.conclude(verifier(shots[3]))
        assert not verifier(np.zeros((99, 99, 3), np.uint8))
    assert outcomes(vault) == ["not_the_owner"]
