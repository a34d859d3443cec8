"""The sealed vault: what is kept comes back, after a rotation and from an export too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.vault.sealed_parts import Clock, fail, opened, protected, record_of

from mien.errors import AlreadyEnrolled, KeyUnavailable, TooManyAttempts, UnreadableImage
from mien.results import ModelId, Template
from mien.settings import Settings
from mien.vault import Record, pack_template, unpack_template
from mien.vault.admin.rotation import rotate
from mien.vault.admin.status import verify_all
from mien.vault.admin.transfer import export_people, import_people
from mien.vault.crypto.key_sources import KeySource
from mien.vault.crypto.key_wrap import Kdf
from mien.vault.open import open_memory_vault
from mien.vault.transaction import Keys
from mien.vault.vault import SpaceOf, Vault


def test_what_was_put_is_what_is_got(vault: Vault, model: ModelId) -> None:
    ana = record_of("ana", model)
    vault.put(ana, replace=False)
    assert vault.get("ana") == ana
    assert vault.get("zoe") is None
    assert vault.heads() == [ana.head]
    assert vault.everybody(model)[0] == [ana]


def test_a_taken_name_is_refused_and_the_first_record_stays(vault: Vault, model: ModelId) -> None:
    vault.put(record_of("ana", model), replace=False)
    with pytest.raises(AlreadyEnrolled):
        vault.put(record_of("ana", model, seed=2), replace=False)
    assert vault.get("ana") == record_of("ana", model)


def test_a_forgotten_user_is_gone(vault: Vault, model: ModelId) -> None:
    vault.put(record_of("ana", model), replace=False)
    assert vault.remove("ana")
    assert not vault.remove("ana")
    assert vault.get("ana") is None


def test_an_update_that_fails_changes_nothing(vault: Vault, model: ModelId) -> None:
    vault.put(record_of("ana", model), replace=False)

    def refuse(stored: Record | None, space_of: SpaceOf) -> Record:
        raise UnreadableImage("no")

    with pytest.raises(UnreadableImage):
        vault.update("ana", refuse)
    assert vault.get("ana") == record_of("ana", model)


def test_the_log_says_what_happened_in_order(vault: Vault, model: ModelId) -> None:
    vault.put(record_of("ana", model), replace=False)
    fail(vault, "ana")
    vault.remove("ana")
    told = [(entry.kind, entry.user, entry.outcome) for entry in vault.log_entries()]
    assert told == [
        ("enroll", "ana", "done"),
        ("unlock", "ana", "not_the_owner"),
        ("forget", "ana", "done"),
    ]


def test_stored_vectors_keep_their_cosines_and_are_not_the_plain_ones(
    vault: Vault, model: ModelId
) -> None:
    plain = unpack_template(record_of("ana", model).payload, expected_model=model).vectors
    turned = protected(vault, plain, model)
    assert np.abs(turned - plain).max() > 0.1
    np.testing.assert_allclose(turned @ turned.T, plain @ plain.T, atol=1e-6)


def test_a_rotation_keeps_everybody_and_turns_their_templates(vault: Vault, model: ModelId) -> None:
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
    vault: Vault, model: ModelId, tmp_path: Path
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


def test_who_reads_while_the_key_is_renewed_reads_on_with_the_new_one(
    settings: Settings, clock: Clock, model: ModelId, postgres_url: str
) -> None:
    shared = replace(settings, vault_url=postgres_url)
    with opened(shared, clock) as owner, opened(shared, clock) as reader:
        owner.put(record_of("ana", model), replace=False)
        rotations = iter([True])
        keys = reader.safe.keys
        reader.safe.keys = _SlowKeys(keys, lambda: next(rotations, 0) and rotate(owner.safe))
        assert [head.user for head in reader.heads()] == ["ana"]
        rotate(owner.safe)
        settings.key_path.unlink()
        with pytest.raises(KeyUnavailable, match="is not in"):
            reader.heads()
