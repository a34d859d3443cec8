"""Many people in few transactions: who is stored, who is not, and how long the lock is held."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tests.vault.sealed_parts import record_of, store_record

from mien.errors import VaultDamaged
from mien.results import FloatArray, ModelId
from mien.vault import bulk_enrollment, unpack_template
from mien.vault.backends.base import VaultTable
from mien.vault.bulk_enrollment import EnrolledPerson
from mien.vault.vault import Vault


def face(number: int, photos: int = 2) -> FloatArray:
    vectors = np.random.default_rng(number).normal(size=(photos, 8)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def stored_face(vault: Vault, user: str, model: ModelId) -> FloatArray:
    found = vault.look_up(user)
    assert found is not None
    assert found.record is not None
    stored = unpack_template(found.record.payload, expected_model=model).vectors
    return found.space_of(model).reveal(stored)


def outcomes(found: list[EnrolledPerson]) -> list[str]:
    return [one.outcome for one in found]


def test_everybody_is_enrolled_with_their_own_face_and_a_line_in_the_log(
    vault: Vault, model: ModelId
) -> None:
    people = [(f"user {number}", face(number, 1 + number % 3)) for number in range(30)]
    found = vault.enroll_many(iter(people), model=model)
    assert found == [EnrolledPerson(user, "enrolled", len(rows)) for user, rows in people]
    for user, rows in people:
        np.testing.assert_allclose(stored_face(vault, user, model), rows, atol=1e-6)
    assert [(one.kind, one.user, one.outcome) for one in vault.read_log()] == [
        ("enroll", user, "done") for user, _ in people
    ]
    assert vault.verify() is not None


def test_centroids_are_kept_up_to_date_in_a_vault_that_has_them(
    vault: Vault, model: ModelId
) -> None:
    store_record(vault, record_of("ana", model))
    vault.enable_centroids()
    vault.enroll_many([("ben", face(1)), ("ana", face(2))], model=model, replace=True)
    assert vault.verify() is not None  # which compares the centroids with the records
    assert len(vault.centroids_of(model)[0]) == 2


def test_who_is_enrolled_stays_as_enrolled_unless_replaced(vault: Vault, model: ModelId) -> None:
    vault.enroll_many([("ana", face(1))], model=model)
    both = [("ana", face(2)), ("ben", face(3))]
    found = vault.enroll_many(both, model=model)
    assert outcomes(found) == ["already_enrolled", "enrolled"]
    assert "is enrolled already" in found[0].why
    np.testing.assert_allclose(stored_face(vault, "ana", model), face(1), atol=1e-6)
    np.testing.assert_allclose(stored_face(vault, "ben", model), face(3), atol=1e-6)
    found = vault.enroll_many([both[0], ("ben", face(4))], model=model, replace=True)
    assert outcomes(found) == ["replaced", "replaced"]
    np.testing.assert_allclose(stored_face(vault, "ben", model), face(4), atol=1e-6)
    assert [one.outcome for one in vault.read_log()][-2:] == ["replaced"] * 2


@pytest.mark.parametrize("between", [0, 120])  # the second one in the same transaction, or a later
@pytest.mark.parametrize("replace", [False, True])
def test_a_name_that_comes_twice_never_takes_the_place_of_the_first(
    vault: Vault, model: ModelId, replace: bool, between: int
) -> None:
    others = [(f"user {number}", face(number)) for number in range(between)]
    spelled = [("\u00fc", face(3)), *others, ("u\u0308", face(4))]  # one name, written in two ways
    found = vault.enroll_many(spelled, model=model, replace=replace)
    assert (found[0].outcome, found[-1].outcome) == ("enrolled", "refused")
    assert "came before" in found[-1].why
    np.testing.assert_allclose(stored_face(vault, "\u00fc", model), face(3), atol=1e-6)
    assert [one.user for one in vault.read_log()].count("\u00fc") == 1


def test_a_name_that_cannot_be_one_is_refused_alone(vault: Vault, model: ModelId) -> None:
    cyrillic = "\u0441\u043e\u0441\u043e"  # which looks like coco
    names = ["ana", "../etc", "a\u200bb", "", cyrillic, "coco", "ben"]
    found = vault.enroll_many([(name, face(1)) for name in names], model=model)
    assert outcomes(found) == [
        *("enrolled", "refused", "refused", "refused", "enrolled", "refused", "enrolled"),
    ]
    assert "looks like" in found[5].why
    assert [head.user for head in vault.list_people()] == ["ana", "ben", cyrillic]


def test_rows_that_are_no_embeddings_store_nobody(vault: Vault, model: ModelId) -> None:
    good = ("ana", face(1))
    for wrong in (np.zeros((2, 8), np.float32), np.zeros((0, 8), np.float32), face(2)[:, :4]):
        with pytest.raises(ValueError, match=r"vector|unit|dimensions"):
            vault.enroll_many([good, ("ben", wrong)], model=model)
    assert vault.is_empty()


def test_a_transaction_stores_fewer_people_where_the_lock_was_held_long(
    vault: Vault, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changes() -> int:
        status = vault.status()
        assert status is not None
        return status.changes

    vault.enroll_many([("first", face(0))], model=model)
    before = changes()
    monkeypatch.setattr(bulk_enrollment, "PAUSE_S", 0.0)
    monkeypatch.setattr(bulk_enrollment, "LOCK_GOAL_S", 0.0)
    monkeypatch.setattr(bulk_enrollment, "LEAST", 1)
    monkeypatch.setattr(bulk_enrollment, "FIRST", 8)
    vault.enroll_many([(f"a {number}", face(number)) for number in range(10)], model=model)
    assert changes() - before == 3  # 8, 1 and 1
    before = changes()
    monkeypatch.setattr(bulk_enrollment, "LOCK_GOAL_S", 1e9)
    monkeypatch.setattr(bulk_enrollment, "FIRST", 2)
    monkeypatch.setattr(bulk_enrollment, "MOST", 5)
    vault.enroll_many([(f"b {number}", face(number)) for number in range(12)], model=model)
    assert changes() - before == 4  # 2, 4, 5 and 1


def test_an_error_of_the_caller_leaves_earlier_transactions(
    vault: Vault, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_enrollment, "FIRST", 2)
    monkeypatch.setattr(bulk_enrollment, "LOCK_GOAL_S", 1e9)

    def people() -> Iterator[tuple[str, FloatArray]]:
        for number in range(3):
            yield f"user {number}", face(number)
        raise RuntimeError("the source ended")

    with pytest.raises(RuntimeError, match="the source ended"):
        vault.enroll_many(people(), model=model)
    assert [head.user for head in vault.list_people()] == ["user 0", "user 1"]
    assert vault.verify() is not None


def test_records_are_made_again_under_a_key_that_was_replaced_meanwhile(
    vault: Vault, model: ModelId, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.enroll_many([("ana", face(0))], model=model)
    make, made = bulk_enrollment.BulkEnrollment._records, []

    def rotates_first(self: object, batch: object, cipher: object) -> object:
        records = make(self, batch, cipher)  # type: ignore[arg-type]
        made.append(cipher)
        if len(made) == 1:
            vault.rotate()
        return records

    monkeypatch.setattr(bulk_enrollment.BulkEnrollment, "_records", rotates_first)
    vault.enroll_many([("ben", face(1))], model=model)
    assert len(made) == 2
    np.testing.assert_allclose(stored_face(vault, "ben", model), face(1), atol=1e-5)


def test_a_damaged_index_takes_nobody(vault: Vault, model: ModelId) -> None:
    vault.enroll_many([("ana", face(0))], model=model)
    with vault._transactions.store.writing() as cells:
        cells.clear(VaultTable.BUCKET)
    with pytest.raises(VaultDamaged):
        vault.enroll_many([("ben", face(1)), ("ana", face(2))], model=model, replace=True)
    with vault._transactions.store.reading() as cells:
        assert len(cells.scan(VaultTable.RECORD, after=b"", limit=9)) == 1
