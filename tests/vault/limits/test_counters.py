"""Attempts at a vault: what each costs, and how long a name must wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from tests.vault.sealed_parts import (
    NOON,
    Clock,
    fail,
    opened,
    record_of,
    rows_of,
    store_record,
)

from mien.errors import Outcome, TooManyAttempts
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.limits.attempts import Moment
from mien.vault.vault import Vault


def test_after_five_failures_the_wait_is_thirty_seconds_and_doubles(
    vault: Vault, clock: Clock
) -> None:
    fail(vault, "ana", 5)
    with pytest.raises(TooManyAttempts, match="try again in 30 seconds"):
        fail(vault, "ana")
    clock.wait(29.5)
    with pytest.raises(TooManyAttempts):
        fail(vault, "ana")
    clock.wait(0.5)
    fail(vault, "ana")
    with pytest.raises(TooManyAttempts, match="try again in 60 seconds"):
        fail(vault, "ana")


def test_a_clock_set_back_after_a_reboot_does_not_shorten_the_wait(
    vault: Vault, clock: Clock
) -> None:
    fail(vault, "ana", 5)
    clock.now = Moment(NOON.wall_s - 86_400, "boot two", 5.0)
    with pytest.raises(TooManyAttempts, match="30 seconds"):
        fail(vault, "ana")
    clock.wait(30)
    fail(vault, "ana")


def test_a_success_clears_the_failures_of_its_own_name_only(vault: Vault) -> None:
    fail(vault, "ana", 4)
    fail(vault, "bob", 5)
    with vault.attempt("ana") as attempt:
        attempt.outcome = Outcome.UNLOCKED
    fail(vault, "ana", 5)
    with pytest.raises(TooManyAttempts):
        fail(vault, "bob")


@pytest.mark.parametrize("outcome", [Outcome.NO_FACE, Outcome.SEVERAL_FACES])
def test_a_picture_without_one_face_costs_nothing(vault: Vault, outcome: Outcome) -> None:
    for _ in range(20):
        with vault.attempt("ana") as attempt:
            attempt.outcome = outcome
    fail(vault, "ana", 5)


def test_an_attempt_without_an_outcome_is_a_failure(vault: Vault) -> None:
    for _ in range(5):
        with vault.attempt("ana"):
            pass
    with pytest.raises(TooManyAttempts):
        fail(vault, "ana")


def test_an_interrupted_attempt_stays_charged(vault: Vault) -> None:
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt), vault.attempt("ana"):
            raise KeyboardInterrupt
    with pytest.raises(TooManyAttempts):
        fail(vault, "ana")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "internal_error"),
        (RuntimeError("the engine"), "internal_error"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_attempt_that_breaks_off_is_logged(
    vault: Vault, error: BaseException, outcome: str
) -> None:
    with pytest.raises(type(error)), vault.attempt("ana"):
        raise error
    last = vault.read_log()[-1]
    assert (last.kind, last.user, last.outcome) == ("unlock", "ana", outcome)


def test_fifty_failures_over_all_names_make_every_name_wait(vault: Vault) -> None:
    for number in range(50):
        fail(vault, f"name {number}")
    with pytest.raises(TooManyAttempts):
        fail(vault, "somebody else")


def test_a_picture_without_a_face_clears_no_failures(vault: Vault) -> None:
    fail(vault, "ana", 4)
    with vault.attempt("ana") as attempt:
        attempt.outcome = Outcome.NO_FACE
    fail(vault, "ana")
    with pytest.raises(TooManyAttempts, match="try again in 30 seconds"):
        fail(vault, "ana")


def test_a_day_without_failures_clears_the_common_count_and_no_name(
    vault: Vault, clock: Clock
) -> None:
    fail(vault, "ana", 4)
    for number in range(45):
        fail(vault, f"name {number}")
    clock.wait(86_400)
    fail(vault, "ana")  # the 50th of all names and the fifth of this one
    fail(vault, "ben", 4)
    with pytest.raises(TooManyAttempts, match="try again in 30 seconds"):
        fail(vault, "ana")


def test_removing_a_person_removes_their_count_of_failures(vault: Vault, model: ModelId) -> None:
    store_record(vault, record_of("ana", model))
    fail(vault, "ana", 4)
    vault.remove("ana")
    fail(vault, "ana", 4)
    with vault.attempt("ana") as attempt:  # the fifth would be the ninth, and would have to wait
        attempt.outcome = Outcome.UNLOCKED


def test_renaming_a_person_keeps_their_count_of_failures(vault: Vault, model: ModelId) -> None:
    store_record(vault, record_of("ana", model))
    fail(vault, "ana", 5)
    fail(vault, "ann", 4)  # the name did not exist: these do not count for whoever gets it
    vault.rename("ana", "ann")
    with pytest.raises(TooManyAttempts, match="try again in 30 seconds"):
        fail(vault, "ann")
    fail(vault, "ana", 4)


def test_after_a_reboot_a_clock_set_a_day_ahead_does_not_end_the_wait(
    vault: Vault, clock: Clock
) -> None:
    fail(vault, "ana", 5)
    clock.now = Moment(NOON.wall_s + 86_400, "boot two", 5.0)
    with pytest.raises(TooManyAttempts):
        fail(vault, "ana")


def test_two_machines_with_one_database_use_its_clock(
    postgres_url: str, settings: Settings
) -> None:
    """The clock of B is 40 seconds ahead, and they make attempts in turn."""
    clocks = [Clock(), Clock()]
    clocks[1].now = Moment(NOON.wall_s + 40, "boot of B", 1e6)
    shared = replace(settings, vault_url=postgres_url)
    with opened(shared, clocks[0]) as a, opened(shared, clocks[1]) as b:
        fail(a, "ana", 5)
        for machine in (b, a, b, a, b, a):
            with pytest.raises(TooManyAttempts):
                fail(machine, "ana")
        noon = datetime.fromtimestamp(NOON.wall_s, timezone.utc)
        times = [datetime.fromisoformat(entry.at) for entry in a.read_log()]
        assert all(abs(at - noon) > timedelta(minutes=5) for at in times)  # so does the log


def test_the_failures_of_a_name_leave_the_common_count_when_it_unlocks(vault: Vault) -> None:
    """So 49 failures of others are as far from the common wait as they were."""
    for number in range(10):
        fail(vault, f"guessed {number}", 4)
    for _ in range(30):
        fail(vault, "ana", 4)
        with vault.attempt("ana") as attempt:
            attempt.outcome = Outcome.UNLOCKED
    for number in range(9):
        fail(vault, f"later {number}")
    fail(vault, "the fiftieth")
    with pytest.raises(TooManyAttempts):
        fail(vault, "somebody else")


def test_failures_that_cost_a_wait_stay_in_the_common_count(vault: Vault, clock: Clock) -> None:
    """A guesser at one name had tried it when its owner came: four failures leave, three stay."""
    fail(vault, "ana", 5)
    clock.wait(30)
    fail(vault, "ana")
    clock.wait(60)
    fail(vault, "ana")
    clock.wait(120)
    with vault.attempt("ana") as attempt:
        attempt.outcome = Outcome.UNLOCKED
    for number in range(47):
        fail(vault, f"other {number}")
    with pytest.raises(TooManyAttempts):
        fail(vault, "somebody else")


def test_attempts_that_are_none_and_successes_leave_no_cell(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        store_record(vault, record_of("ana", model))
        for number in range(20):
            with vault.attempt(f"blank {number}") as attempt:
                attempt.outcome = Outcome.NO_FACE
        with vault.attempt("ana") as attempt:
            attempt.outcome = Outcome.UNLOCKED
        assert len(rows_of(settings.vault_path, "attempt")) == 1  # of all names together
        fail(vault, "ana")
        assert len(rows_of(settings.vault_path, "attempt")) == 2
