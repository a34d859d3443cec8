"""The days on which an attempt passed the passive check are kept in the sealed record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path

import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import NOON, Clock, opened, record_of, record_of_user, store_record

from mien.errors import Outcome
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.records.record import LivenessHistory
from mien.vault.vault import Vault

DAY_S = 86_400.0
FIRST = datetime.fromtimestamp(NOON.wall_s, timezone.utc).date()


@pytest.fixture
def vault(settings: Settings, clock: Clock) -> Iterator[Vault]:
    """In a file: PostgreSQL's days are those of its own clock."""
    with opened(settings, clock) as made:
        yield made


@pytest.fixture
def ana(vault: Vault, model: ModelId) -> Vault:
    """A vault with a person who was enrolled from a camera that was checked."""
    store_record(vault, replace(record_of("ana", model), liveness=LivenessHistory(6.0)))
    return vault


def history_of(vault: Vault, user: str = "ana") -> LivenessHistory | None:
    record = record_of_user(vault, user)
    assert record is not None
    return record.liveness


def days_of(vault: Vault) -> tuple[date, ...]:
    history = history_of(vault)
    assert history is not None
    return history.success_days


def attempt(vault: Vault, outcome: Outcome, *, is_live: bool, is_laxer: bool = False) -> None:
    with vault.attempt("ana") as running:
        running.outcome, running.is_live, running.is_laxer = outcome, is_live, is_laxer


def test_a_living_owner_s_unlocking_notes_the_day_once(ana: Vault) -> None:
    for _ in range(2):
        attempt(ana, Outcome.UNLOCKED, is_live=True)
    assert days_of(ana) == (FIRST,)


@pytest.mark.parametrize("outcome", [Outcome.NOT_THE_OWNER, Outcome.NOT_LIVE, Outcome.NO_FACE])
def test_a_refusal_notes_nothing(ana: Vault, outcome: Outcome) -> None:
    attempt(ana, outcome, is_live=True)
    assert days_of(ana) == ()


def test_an_unlocking_that_was_not_checked_notes_nothing(ana: Vault) -> None:
    attempt(ana, Outcome.UNLOCKED, is_live=False)
    assert days_of(ana) == ()


def test_a_person_enrolled_from_photos_gets_no_history(vault: Vault, model: ModelId) -> None:
    store_record(vault, record_of("ana", model))
    attempt(vault, Outcome.UNLOCKED, is_live=True)
    assert history_of(vault) is None


def test_the_log_names_the_check_that_refused(ana: Vault) -> None:
    with ana.attempt("ana") as running:
        running.outcome, running.refused_by = Outcome.NOT_LIVE, "frozen"
    assert ana.read_log()[-1].outcome == "not_live_frozen"


def test_three_days_are_kept_and_the_template_stays(
    ana: Vault, clock: Clock, model: ModelId
) -> None:
    for _ in range(5):
        attempt(ana, Outcome.UNLOCKED, is_live=True)
        clock.wait(DAY_S)
    assert [(day - FIRST).days for day in days_of(ana)] == [0, 1, 2]
    stored = record_of_user(ana, "ana")
    assert stored is not None
    assert stored.payload == record_of("ana", model).payload
    assert ana.verify() is not None


def test_the_history_survives_a_rename_a_rotation_and_an_export(ana: Vault, tmp_path: Path) -> None:
    attempt(ana, Outcome.UNLOCKED, is_live=True)
    expected = LivenessHistory(6.0, (FIRST,))
    ana.rename("ana", "zoe")
    assert history_of(ana, "zoe") == expected
    ana.rotate()
    assert history_of(ana, "zoe") == expected
    file = tmp_path / "people.mien"
    ana.export_people(file, "four random plain words")
    with open_memory_vault() as other:
        other.import_people(file, "four random plain words", existing="refuse")
        assert history_of(other, "zoe") == expected
