"""The sealed vault: what it keeps, what it notices, and how long it makes one wait."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.errors import (
    AlreadyEnrolled,
    ExitCode,
    KeyUnavailable,
    TooManyAttempts,
    UnreadableImage,
    VaultDamaged,
)
from mien.results import FloatArray, ModelId, Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template, unpack_template
from mien.vault.attempts import Moment
from mien.vault.bundle import export_people, import_people
from mien.vault.facts import verify_all
from mien.vault.opening import open_memory_vault, open_vault
from mien.vault.rekey import rotate
from mien.vault.sealed import SealedVault, SpaceOf, VaultSpace
from mien.vault.store import Space

NOON = Moment(wall_s=1_800_000_000.0, boot_id="boot one", boot_s=1000.0)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Moment:
        return self.now

    def wait(self, seconds: float) -> None:
        wall_s, boot_s = self.now.wall_s + seconds, self.now.boot_s + seconds
        self.now = Moment(wall_s, self.now.boot_id, boot_s)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


def opened(settings: Settings, clock: Clock) -> SealedVault:
    return open_vault(settings, create=True, surface="library", clock=clock, environ={})


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def vault(
    request: pytest.FixtureRequest, settings: Settings, clock: Clock
) -> Iterator[SealedVault]:
    if request.param == "postgres":
        settings = replace(settings, vault_url=request.getfixturevalue("postgres_url"))
    memory = request.param == "memory"
    with open_memory_vault(clock=clock) if memory else opened(settings, clock) as vault:
        yield vault


def record_of(user: str, model: ModelId, *, seed: int = 1) -> Record:
    vectors = np.random.default_rng(seed).normal(size=(2, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Record(user, model, "2026-01-31T12:00:00+00:00", pack_template(Template(vectors, model)))


def protected(vault: SealedVault, vectors: FloatArray, model: ModelId) -> FloatArray:
    """The vectors as this vault stores them."""
    with vault.safe.writing() as opened:  # makes a vault where there is none
        return VaultSpace(opened.seals, model).protect(vectors)


def fail(vault: SealedVault, user: str, times: int = 1) -> None:
    for _ in range(times):
        with vault.attempt(user) as attempt:
            attempt.outcome = ExitCode.NOT_THE_OWNER


def test_what_was_put_is_what_is_got(vault: SealedVault, model: ModelId) -> None:
    ana = record_of("ana", model)
    vault.put(ana, replace=False)
    assert vault.get("ana") == ana
    assert vault.get("zoe") is None
    assert vault.heads() == [ana.head]
    assert vault.everybody(model)[0] == [ana]


def test_a_taken_name_is_refused_and_the_first_record_stays(
    vault: SealedVault, model: ModelId
) -> None:
    vault.put(record_of("ana", model), replace=False)
    with pytest.raises(AlreadyEnrolled):
        vault.put(record_of("ana", model, seed=2), replace=False)
    assert vault.get("ana") == record_of("ana", model)


def test_a_forgotten_user_is_gone(vault: SealedVault, model: ModelId) -> None:
    vault.put(record_of("ana", model), replace=False)
    assert vault.remove("ana")
    assert not vault.remove("ana")
    assert vault.get("ana") is None


def test_an_update_that_fails_changes_nothing(vault: SealedVault, model: ModelId) -> None:
    vault.put(record_of("ana", model), replace=False)

    def refuse(stored: Record | None, space_of: SpaceOf) -> Record:
        raise UnreadableImage("no")

    with pytest.raises(UnreadableImage):
        vault.update("ana", refuse)
    assert vault.get("ana") == record_of("ana", model)


def test_five_failures_are_free_then_it_is_thirty_seconds_and_doubles(
    vault: SealedVault, clock: Clock
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
    vault: SealedVault, clock: Clock
) -> None:
    fail(vault, "ana", 5)
    clock.now = Moment(NOON.wall_s - 86_400, "boot two", 5.0)
    with pytest.raises(TooManyAttempts, match="30 seconds"):
        fail(vault, "ana")
    clock.wait(30)
    fail(vault, "ana")


def test_a_success_clears_its_own_failures_and_nobody_elses(vault: SealedVault) -> None:
    fail(vault, "ana", 4)
    fail(vault, "bob", 5)
    with vault.attempt("ana") as attempt:
        attempt.outcome = ExitCode.UNLOCKED
    fail(vault, "ana", 5)
    with pytest.raises(TooManyAttempts):
        fail(vault, "bob")


@pytest.mark.parametrize("outcome", [ExitCode.NO_FACE, ExitCode.SEVERAL_FACES])
def test_a_picture_without_one_face_costs_nothing(vault: SealedVault, outcome: ExitCode) -> None:
    for _ in range(20):
        with vault.attempt("ana") as attempt:
            attempt.outcome = outcome
    fail(vault, "ana", 5)


def test_an_attempt_that_never_says_how_it_ended_was_a_failure(vault: SealedVault) -> None:
    for _ in range(5):
        with vault.attempt("ana"):
            pass
    with pytest.raises(TooManyAttempts):
        fail(vault, "ana")


def test_an_interrupted_attempt_stays_charged(vault: SealedVault) -> None:
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt), vault.attempt("ana"):
            raise KeyboardInterrupt
    with pytest.raises(TooManyAttempts):
        fail(vault, "ana")


def test_fifty_failures_over_all_names_shut_every_door(vault: SealedVault) -> None:
    for number in range(50):
        fail(vault, f"name {number}")
    with pytest.raises(TooManyAttempts):
        fail(vault, "somebody else")


def test_the_log_says_what_happened_in_order(vault: SealedVault, model: ModelId) -> None:
    vault.put(record_of("ana", model), replace=False)
    fail(vault, "ana")
    vault.remove("ana")
    told = [(entry.kind, entry.user, entry.outcome) for entry in vault.log_entries()]
    assert told == [
        ("enrol", "ana", "done"),
        ("unlock", "ana", "not_the_owner"),
        ("forget", "ana", "done"),
    ]


def test_stored_vectors_keep_their_cosines_and_are_not_the_plain_ones(
    vault: SealedVault, model: ModelId
) -> None:
    plain = unpack_template(record_of("ana", model).payload, expected_model=model).vectors
    turned = protected(vault, plain, model)
    assert np.abs(turned - plain).max() > 0.1
    np.testing.assert_allclose(turned @ turned.T, plain @ plain.T, atol=1e-6)


def test_a_rotation_keeps_everybody_and_turns_their_templates(
    vault: SealedVault, model: ModelId
) -> None:
    plain = unpack_template(record_of("ana", model).payload, expected_model=model)
    before = Template(protected(vault, plain.vectors, model), model)
    vault.put(replace(record_of("ana", model), payload=pack_template(before)), replace=False)
    fail(vault, "ana", 5)
    assert rotate(vault.safe) == 1
    stored = vault.get("ana")
    assert stored is not None
    after = unpack_template(stored.payload, expected_model=model)
    assert np.abs(after.vectors - before.vectors).max() > 0.1
    np.testing.assert_allclose(after.vectors, protected(vault, plain.vectors, model), atol=1e-5)
    with pytest.raises(TooManyAttempts):
        fail(vault, "ana")
    facts = verify_all(vault.safe)
    assert facts is not None
    assert facts.people == 1


def test_an_export_comes_back_in_another_vault(
    vault: SealedVault, model: ModelId, tmp_path: Path
) -> None:
    plain = unpack_template(record_of("ana", model).payload, expected_model=model)
    turned = Template(protected(vault, plain.vectors, model), model)
    vault.put(replace(record_of("ana", model), payload=pack_template(turned)), replace=False)
    file = tmp_path / "people.mien"
    assert export_people(vault.safe, file, "four random plain words") == 1
    assert file.stat().st_mode & 0o777 == 0o600
    with open_memory_vault() as other:
        with pytest.raises(KeyUnavailable, match="passphrase does not open"):
            import_people(other.safe, file, "another passphrase", taken="refuse")
        people = import_people(other.safe, file, "four random plain words", taken="refuse")
        assert people.added == ("ana",)
        stored = other.get("ana")
        assert stored is not None
        vectors = unpack_template(stored.payload, expected_model=model).vectors
        np.testing.assert_allclose(vectors, protected(other, plain.vectors, model), atol=1e-5)


def test_an_old_copy_of_the_file_put_back_is_noticed_and_can_be_accepted(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
    old = settings.vault_path.read_bytes()
    with opened(settings, clock) as vault:
        vault.remove("ana")
    settings.vault_path.write_bytes(old)
    with opened(settings, clock) as vault:
        with pytest.raises(VaultDamaged, match="is an old copy"):
            vault.get("ana")
        verify_all(vault.safe, accept=True)
        assert vault.get("ana") is not None


@pytest.mark.parametrize("table", ["meta", "bucket", "record", "attempt", "log"])
def test_a_cell_put_back_from_earlier_is_noticed(
    settings: Settings, clock: Clock, model: ModelId, table: str
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        fail(vault, "ana")
    old = rows_of(settings.vault_path, table)
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model, seed=2), replace=True)
        fail(vault, "ana")
    with sqlite3.connect(settings.vault_path) as db:
        db.execute(f"DELETE FROM cell_{table}")
        db.executemany(f"INSERT INTO cell_{table} VALUES (?, ?)", old)
    db.close()
    with opened(settings, clock) as vault, pytest.raises(VaultDamaged):
        verify_all(vault.safe)


@pytest.mark.parametrize("table", ["meta", "bucket", "record", "attempt", "log"])
def test_removed_cells_are_noticed(
    settings: Settings, clock: Clock, model: ModelId, table: str
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        fail(vault, "ana")
    with sqlite3.connect(settings.vault_path) as db:
        db.execute(f"DELETE FROM cell_{table}")
    db.close()
    with opened(settings, clock) as vault, pytest.raises(VaultDamaged):
        verify_all(vault.safe)


def test_a_record_moved_to_another_name_does_not_open(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        vault.put(record_of("bob", model, seed=2), replace=False)
    (one, first), (two, second) = rows_of(settings.vault_path, "record")
    with sqlite3.connect(settings.vault_path) as db:
        db.execute("UPDATE cell_record SET value = ? WHERE key = ?", (second, one))
        db.execute("UPDATE cell_record SET value = ? WHERE key = ?", (first, two))
    db.close()
    with opened(settings, clock) as vault:
        for user in ("ana", "bob"):
            with pytest.raises(VaultDamaged):
                vault.get(user)


def test_without_its_key_the_vault_stays_shut(
    settings: Settings, clock: Clock, model: ModelId
) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("ana", model), replace=False)
    settings.key_path.unlink()
    with opened(settings, clock) as vault, pytest.raises(KeyUnavailable, match="is not in"):
        vault.get("ana")


def test_no_name_lies_in_the_file(settings: Settings, clock: Clock, model: ModelId) -> None:
    with opened(settings, clock) as vault:
        vault.put(record_of("annabelle", model), replace=False)
        fail(vault, "annabelle")
    assert b"annabelle" not in settings.vault_path.read_bytes()


def rows_of(path: Path, table: str) -> list[tuple[bytes, bytes]]:
    db = sqlite3.connect(path)
    rows = db.execute(f"SELECT key, value FROM cell_{table} ORDER BY key").fetchall()
    db.close()
    return rows


def test_a_vault_in_memory_whose_header_was_altered_stays_shut(
    clock: Clock, model: ModelId
) -> None:
    """Found by fuzz_vault.py: a key id that is not known was a KeyError."""
    with open_memory_vault(clock=clock) as vault:
        vault.put(record_of("ana", model), replace=False)
        with vault.safe.writing() as opened:
            other = replace(opened.header, key_id=bytes(16))
            opened.cells.put(Space.META, b"header", other.to_bytes())
        with pytest.raises(KeyUnavailable, match="not in memory"):
            vault.get("ana")
