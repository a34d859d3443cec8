"""Long work pauses often, and longer while somebody is at a door."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from tests.vault.sealed_parts import record_of, store_record

from mien.errors import TooManyAttempts
from mien.results import ModelId
from mien.vault import cached_reads, people
from mien.vault.pauses import (
    STAND_BACK_S,
    TURN_S,
    YIELD_S,
    AttemptsInProgress,
    Pauses,
    attempts_in_progress,
)
from mien.vault.vault import Vault


class Work:
    """Steps of long work, on a clock that only the steps and the pauses move."""

    def __init__(self, attempts: AttemptsInProgress) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []
        self._pauses = Pauses(attempts=attempts, clock=lambda: self.now_s, sleep=self._sleep)

    def step(self, seconds: float) -> None:
        self.now_s += seconds
        self._pauses.let_others_run()

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def test_a_pause_follows_each_turn_and_no_shorter_step() -> None:
    work = Work(AttemptsInProgress())
    for _ in range(6):
        work.step(0.4 * TURN_S)
    assert work.slept == [YIELD_S, YIELD_S]


def test_a_long_step_is_one_turn() -> None:
    work = Work(AttemptsInProgress())
    work.step(50 * TURN_S)
    work.step(0.4 * TURN_S)
    assert work.slept == [YIELD_S]


def test_work_stands_back_while_any_attempt_is_in_progress() -> None:
    attempts = AttemptsInProgress()
    work = Work(attempts)
    with attempts.another():
        with attempts.another():
            work.step(TURN_S)
        work.step(TURN_S)
    work.step(TURN_S)
    assert work.slept == [STAND_BACK_S, STAND_BACK_S, YIELD_S]


@pytest.mark.parametrize("user", ["ana", None], ids=["unlock", "identify"])
def test_an_attempt_is_in_progress_from_its_charge_to_its_end(
    vault: Vault, model: ModelId, user: str | None
) -> None:
    store_record(vault, record_of("ana", model))
    assert not attempts_in_progress
    with vault.attempt(user):
        assert attempts_in_progress
    assert not attempts_in_progress


def test_no_attempt_is_in_progress_after_an_error_or_a_refusal(
    vault: Vault, model: ModelId
) -> None:
    store_record(vault, record_of("ana", model))
    with pytest.raises(KeyboardInterrupt), vault.attempt("ana"):
        raise KeyboardInterrupt
    assert not attempts_in_progress
    for _ in range(100):
        with suppress(TooManyAttempts), vault.attempt("ana"):
            pass
    with pytest.raises(TooManyAttempts), vault.attempt("ana"):
        pass
    assert not attempts_in_progress


def test_everybody_is_listed_with_a_chance_to_pause_after_each_person(
    vault: Vault, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    chances: list[Pauses] = []

    class Counted(Pauses):
        def let_others_run(self) -> None:
            chances.append(self)
            super().let_others_run()

    vault._transactions.random = random.Random(1).randbytes
    for seed, name in enumerate(("ana", "ben", "cleo")):
        store_record(vault, record_of(name, model, seed=seed))
    for module in (people, cached_reads):
        monkeypatch.setattr(module, "Pauses", Counted)
    assert len(vault.list_people()) == 3
    groups = len(chances) - 2 * 3  # each person is read, then opened
    assert 1 <= groups <= cached_reads.GROUPS + 1
