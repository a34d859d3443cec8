"""One face a day is learned at most, whatever happens to the name, the clock and the attempts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import (
    NOON,
    Clock,
    protected,
    record_of,
    record_of_user,
    store_record,
)

from mien.app.kept_faces import mark_as_wrong, unmark
from mien.errors import Outcome
from mien.records import replace
from mien.results import ModelId
from mien.vault.attempt import Attempt
from mien.vault.limits.attempts import Moment
from mien.vault.records.kept_faces import kept_of, marks_of
from mien.vault.vault import Vault

DAY_S = 24 * 3600.0
YEARS_S = 10 * 365 * DAY_S


@pytest.fixture
def vault(clock: Clock, model: ModelId) -> Iterator[Vault]:
    """With ana, whose template follows her."""
    with open_memory_vault(clock=clock) as vault:
        store_record(vault, replace(record_of("ana", model), follows=True))
        yield vault


def look(attempt: Attempt, vault: Vault, *, seed: int = 1, user: str = "ana") -> None:
    """As the verification of a face does that may be learned."""
    record = record_of_user(vault, user)
    assert record is not None
    vector = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    rows = (vector / np.linalg.norm(vector))[np.newaxis]
    packed = protected(vault, rows, record.model)[0].astype("<f4").tobytes()
    attempt.outcome, attempt.similarity = Outcome.UNLOCKED, 0.7
    attempt.payload, attempt.marks = record.payload, marks_of(record)
    attempt.face, attempt.learned, attempt.most_learned = packed, packed, 2


def unlock(vault: Vault, *, seed: int = 1, user: str = "ana") -> None:
    with vault.attempt(user) as attempt:
        look(attempt, vault, seed=seed, user=user)


def learned(vault: Vault, user: str = "ana") -> int:
    record = record_of_user(vault, user)
    assert record is not None
    return len(kept_of(record, "learned"))


def test_another_name_learns_no_second_face_on_the_day(vault: Vault) -> None:
    unlock(vault)
    vault.rename("ana", "zoe")
    unlock(vault, seed=2, user="zoe")
    assert learned(vault, "zoe") == 1


def test_a_record_that_was_exported_and_imported_learns_no_second_face_on_the_day(
    vault: Vault, clock: Clock, tmp_path: Path
) -> None:
    unlock(vault)
    vault.export_people(tmp_path / "people.mien", "a long passphrase")
    with open_memory_vault(clock=clock) as other:
        for existing in ("refuse", "replace"):
            other.import_people(tmp_path / "people.mien", "a long passphrase", existing=existing)
            unlock(other, seed=2)
            assert learned(other) == 1


def test_of_two_attempts_at_once_one_is_learned(vault: Vault) -> None:
    with vault.attempt("ana") as one, vault.attempt("ana") as other:
        look(one, vault, seed=1)
        look(other, vault, seed=2)
    assert learned(vault) == 1


@pytest.mark.parametrize("back_s", [DAY_S, YEARS_S])
def test_a_clock_that_was_set_back_teaches_nothing_and_unlocks_as_before(
    vault: Vault, clock: Clock, back_s: float
) -> None:
    unlock(vault)
    clock.now = Moment(NOON.wall_s - back_s, "boot two", 5.0)
    unlock(vault, seed=2)
    record = record_of_user(vault, "ana")
    assert record is not None
    assert (len(kept_of(record, "learned")), len(kept_of(record, "unlock"))) == (1, 2)


def test_a_clock_that_runs_years_ahead_never_adds_to_the_faces_that_are_kept(
    vault: Vault, clock: Clock
) -> None:
    for seed in range(6):
        clock.wait(YEARS_S / 10)
        unlock(vault, seed=seed)
    assert learned(vault) == 2


@pytest.mark.parametrize("change", [mark_as_wrong, unmark])
def test_an_attempt_that_began_before_a_mark_was_changed_teaches_nothing(
    vault: Vault, clock: Clock, change: object
) -> None:
    """A challenge takes up to half a minute, and its face was compared with the earlier marks."""
    unlock(vault)
    if change is unmark:
        mark_as_wrong("ana", vault)
    clock.wait(DAY_S)
    with vault.attempt("ana") as attempt:
        look(attempt, vault, seed=2)
        (unmark if change is unmark else mark_as_wrong)("ana", vault)
        before = learned(vault)
    assert learned(vault) == before == 0
    unlock(vault, seed=2)
    assert learned(vault) == 1
