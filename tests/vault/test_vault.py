"""The sealed vault: what is kept comes back, after a rotation and from an export too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import (
    Clock,
    fail,
    opened,
    protected,
    record_of,
    record_of_user,
    store_record,
)

from mien.errors import (
    AlreadyEnrolled,
    KeyUnavailable,
    NotEnrolled,
    TooManyAttempts,
    UnreadableImage,
)
from mien.results import ModelId, Template
from mien.settings import Settings
from mien.vault import Record, pack_template, people, unpack_template
from mien.vault.crypto.key_sources import KeySource
from mien.vault.crypto.key_wrap import Kdf
from mien.vault.rotated_space import SpaceOf
from mien.vault.transaction import Keys
from mien.vault.vault import Vault


def test_a_stored_record_is_read_as_it_was_written(vault: Vault, model: ModelId) -> None:
    ana = record_of("ana", model)
    store_record(vault, ana)
    assert record_of_user(vault, "ana") == ana
    assert record_of_user(vault, "zoe") is None
    assert list(vault.list_people()) == [ana.head]
    assert list(vault.people_page(after="", limit=9)[0].values()) == [ana]


def test_a_forgotten_user_is_gone(vault: Vault, model: ModelId) -> None:
    store_record(vault, record_of("ana", model))
    assert vault.remove("ana")
    assert not vault.remove("ana")
    assert record_of_user(vault, "ana") is None


def test_a_renamed_person_keeps_template_and_time_and_leaves_no_old_name(
    vault: Vault, model: ModelId
) -> None:
    ana = record_of("ana", model)
    store_record(vault, ana)
    store_record(vault, record_of("ben", model, seed=2))
    vault.enable_centroids()
    assert vault.rename("ana", "Zoe\u0308") == "Zo\u00eb"
    assert record_of_user(vault, "Zo\u00eb") == replace(ana, user="Zo\u00eb")
    assert not vault.holds("ana")
    assert vault.verify() is not None
    assert [(entry.kind, entry.user) for entry in vault.read_log()][-2:] == [
        ("rename", "ana"),
        ("new_name", "Zo\u00eb"),
    ]


def test_a_rename_to_a_taken_name_or_of_nobody_is_refused_and_changes_nothing(
    vault: Vault, model: ModelId
) -> None:
    with pytest.raises(NotEnrolled, match="there is no vault"):
        vault.rename("ana", "ann")
    for user in ("ana", "ben"):
        store_record(vault, record_of(user, model))
    for old, new, error in (("ana", "ben", AlreadyEnrolled), ("cleo", "ann", NotEnrolled)):
        with pytest.raises(error):
            vault.rename(old, new)
    assert [head.user for head in vault.list_people()] == ["ana", "ben"]
    assert [entry.kind for entry in vault.read_log()] == ["enroll", "enroll"]


def test_an_update_that_fails_changes_nothing(vault: Vault, model: ModelId) -> None:
    store_record(vault, record_of("ana", model))

    def refuse(stored: Record | None, space_of: SpaceOf) -> Record:
        raise UnreadableImage("no")

    with pytest.raises(UnreadableImage):
        vault.update("ana", refuse)
    assert record_of_user(vault, "ana") == record_of("ana", model)


def test_the_log_lists_the_changes_in_order(vault: Vault, model: ModelId) -> None:
    store_record(vault, record_of("ana", model))
    fail(vault, "ana")
    vault.remove("ana")
    events = [(entry.kind, entry.user, entry.outcome) for entry in vault.read_log()]
    assert events == [
        ("enroll", "ana", "done"),
        ("unlock", "ana", "not_the_owner"),
        ("forget", "ana", "done"),
    ]


def test_stored_vectors_keep_their_cosines_and_differ_from_the_plain_ones(
    vault: Vault, model: ModelId
) -> None:
    plain = unpack_template(record_of("ana", model).payload, expected_model=model).vectors
    rotated = protected(vault, plain, model)
    assert np.abs(rotated - plain).max() > 0.1
    np.testing.assert_allclose(rotated @ rotated.T, plain @ plain.T, atol=1e-6)


def test_a_rotation_keeps_all_people_and_rotates_their_templates(
    vault: Vault, model: ModelId
) -> None:
    plain = unpack_template(record_of("ana", model).payload, expected_model=model)
    before = Template(protected(vault, plain.vectors, model), model)
    store_record(vault, replace(record_of("ana", model), payload=pack_template(before)))
    fail(vault, "ana", 5)
    assert vault.rotate() == 1
    stored = record_of_user(vault, "ana")
    assert stored is not None
    after = unpack_template(stored.payload, expected_model=model)
    assert np.abs(after.vectors - before.vectors).max() > 0.1
    np.testing.assert_allclose(after.vectors, protected(vault, plain.vectors, model), atol=1e-5)
    with pytest.raises(TooManyAttempts):
        fail(vault, "ana")
    status = vault.verify()
    assert status is not None
    assert status.people == 1


def test_an_export_is_imported_into_another_vault(
    vault: Vault, model: ModelId, tmp_path: Path
) -> None:
    plain = unpack_template(record_of("ana", model).payload, expected_model=model)
    rotated = Template(protected(vault, plain.vectors, model), model)
    store_record(vault, replace(record_of("ana", model), payload=pack_template(rotated)))
    file = tmp_path / "people.mien"
    assert vault.export_people(file, "four random plain words") == 1
    assert file.stat().st_mode & 0o777 == 0o600
    with open_memory_vault() as other:
        with pytest.raises(KeyUnavailable, match="passphrase does not open"):
            other.import_people(file, "another passphrase", existing="refuse")
        people = other.import_people(file, "four random plain words", existing="refuse")
        assert people.added == ("ana",)
        stored = record_of_user(other, "ana")
        assert stored is not None
        vectors = unpack_template(stored.payload, expected_model=model).vectors
        np.testing.assert_allclose(vectors, protected(other, plain.vectors, model), atol=1e-5)


class _SlowKeys:
    """The same keys, which somebody else's rotation overtakes."""

    def __init__(self, keys: Keys, overtake: Callable[[], object]) -> None:
        self._keys = keys
        self._overtake = overtake
        self.default_kind = keys.default_kind
        self.writable_kinds = keys.writable_kinds

    def source(self, kind: str, vault_id: bytes, kdf: Kdf | None) -> KeySource:
        self._overtake()
        return self._keys.source(kind, vault_id, kdf)

    def with_passphrase(self, passphrase: str) -> Keys:
        return self


def test_a_reader_during_a_rotation_continues_with_the_new_key(
    settings: Settings, clock: Clock, model: ModelId, postgres_url: str
) -> None:
    shared = replace(settings, vault_url=postgres_url)
    with opened(shared, clock) as owner, opened(shared, clock) as reader:
        store_record(owner, record_of("ana", model))
        rotations = iter([True])
        keys = reader._transactions.keys
        reader._transactions.keys = _SlowKeys(keys, lambda: next(rotations, 0) and owner.rotate())
        assert [head.user for head in reader.list_people()] == ["ana"]
        owner.rotate()
        settings.key_path.unlink()
        with pytest.raises(KeyUnavailable, match="is not in"):
            reader.list_people()


def test_records_are_opened_after_the_transaction_so_that_others_do_not_wait(
    vault: Vault, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_record(vault, record_of("ana", model))
    opened = people.open_record

    def open_and_use(*given: Any) -> Record:
        assert vault.holds("ana")  # inside a transaction of this thread it would be an error
        return opened(*given)

    monkeypatch.setattr(people, "open_record", open_and_use)
    assert [head.user for head in vault.list_people()] == ["ana"]
