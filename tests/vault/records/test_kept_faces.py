"""The embeddings of unlocks that a record keeps: bounded, sealed, turned with the key."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import Clock, protected, record_of, record_of_user, store_record

from mien.errors import Outcome, UsageError, VaultDamaged
from mien.results import FloatArray, ModelId
from mien.vault.records.kept_faces import (
    kept_of,
    learns_on,
    mark_unlock,
    numbered_face,
    vectors_of,
    with_face,
)
from mien.vault.records.record import MAX_KEPT, FaceKind, KeptFace, Record
from mien.vault.records.sealed_record import pack_record, unpack_record
from mien.vault.vault import Vault

MODEL = ModelId("sface", "ab" * 32)
AT = "2026-01-31T12:00:00+00:00"
DAY_S = 24 * 3600.0


def unit(seed: int, dims: int = 8) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=dims).astype(np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def face(kind: FaceKind = "unlock", at: str = AT, seed: int = 1) -> KeptFace:
    return KeptFace(kind, at, unit(seed).astype("<f4").tobytes())


FULL = Record(
    "ana", MODEL, AT, b"payload", None, (), b"a JPEG", True,
    (face("learned", seed=1), face("unlock", seed=2), face("not_me", seed=3)),
)  # fmt: skip


def with_head(**fields: object) -> bytes:
    packed = pack_record(FULL)
    (length,) = struct.unpack_from("<I", packed)
    text = json.dumps(json.loads(packed[4 : 4 + length]) | fields, sort_keys=True).encode()
    return struct.pack("<I", len(text)) + text + packed[4 + length :]


def test_a_record_with_faces_is_read_as_it_was_packed() -> None:
    assert unpack_record(pack_record(FULL)) == FULL
    assert b"kept" not in pack_record(Record("ana", MODEL, AT, b"payload"))


@pytest.mark.parametrize(
    "fields",
    [
        *({"kept_bytes": size} for size in (-4, 3, 0, 1.5, "8", None, True, 10**9)),
        *({"kept": value} for value in (5, "ab", [5], [["unlock"]], [["friend", AT]])),
        {"kept": [["unlock", "yesterday"]]},
        {"kept": [["unlock", AT]] * 4},
    ],
)
def test_what_mien_never_wrote_is_damage(fields: dict[str, object]) -> None:
    with pytest.raises(VaultDamaged):
        unpack_record(with_head(**fields))


@pytest.mark.parametrize(
    "numbers", [[2.0] + [0.0] * 7, [float("nan")] * 8, [3e38] * 8, [0.0] * 8, [1.0, 0.0]]
)
def test_a_vector_that_is_none_of_the_template_is_damage(numbers: list[float]) -> None:
    packed = np.array(numbers, "<f4").tobytes()
    record = Record("ana", MODEL, AT, b"", kept=(KeptFace("not_me", AT, packed),))
    with pytest.raises(VaultDamaged, match="damaged"):
        vectors_of(record, "not_me", 8)


def test_the_oldest_of_too_many_leaves_and_other_kinds_stay() -> None:
    record = FULL
    for seed in range(10, 15):
        record = with_face(record, face("unlock", seed=seed), most=3)
    assert kept_of(record, "unlock") == [face("unlock", seed=seed) for seed in (12, 13, 14)]
    assert len(kept_of(record, "learned")) == len(kept_of(record, "not_me")) == 1
    assert kept_of(with_face(record, face("learned", seed=9), most=0), "learned") == []


def test_faces_are_numbered_from_the_newest() -> None:
    record = with_face(FULL, face("unlock", seed=7), most=3)
    assert numbered_face(record, "unlock", 1) == face("unlock", seed=7)
    assert numbered_face(record, "unlock", 2) == face("unlock", seed=2)
    for number in (0, 3, -1):
        with pytest.raises(UsageError, match="2 unlocks kept"):
            numbered_face(record, "unlock", number)


def test_no_mark_is_dropped_for_a_newer_one() -> None:
    record = Record("ana", MODEL, AT, b"", kept=(face("unlock"),))
    marked = mark_unlock(record, record.kept[0])
    assert [one.kind for one in marked.kept] == ["not_me"]
    for seed in range(MAX_KEPT["not_me"] - 1):
        marked = with_face(marked, face("not_me", seed=20 + seed), most=MAX_KEPT["not_me"])
    full = with_face(marked, face("unlock"), most=3)
    with pytest.raises(UsageError, match="no more are kept"):
        mark_unlock(full, full.kept[-1])


@pytest.mark.parametrize(
    ("day", "may"),
    [(date(2026, 1, 31), False), (date(2026, 2, 1), True), (date(2026, 1, 30), False)],
)
def test_one_face_is_learned_a_day_and_none_after_a_clock_was_set_back(
    day: date, may: bool
) -> None:
    assert learns_on(FULL, day) is may
    assert not learns_on(Record("ana", MODEL, AT, b"", kept=FULL.kept), date(2027, 1, 1))


# in the vault --------------------------------------------------------------------------------


def unlock(vault: Vault, *, seed: int, learned: bool = False, payload: bytes | None = None) -> None:
    stored = record_of_user(vault, "ana")
    assert stored is not None
    packed = protected(vault, unit(seed)[np.newaxis], stored.model)[0].astype("<f4").tobytes()
    with vault.attempt("ana") as attempt:
        attempt.outcome, attempt.similarity = Outcome.UNLOCKED, 0.7
        attempt.payload = stored.payload if payload is None else payload
        attempt.face = packed
        if learned:
            attempt.learned, attempt.most_learned = packed, 2


def counts(vault: Vault) -> tuple[int, int]:
    record = record_of_user(vault, "ana")
    assert record is not None
    return len(kept_of(record, "unlock")), len(kept_of(record, "learned"))


@pytest.fixture
def set_vault(clock: Clock) -> Iterator[Vault]:
    """A vault in memory: a database has a clock of its own."""
    with open_memory_vault(clock=clock) as vault:
        yield vault


def test_an_unlock_is_kept_and_learned_once_a_day(
    set_vault: Vault, clock: Clock, model: ModelId
) -> None:
    vault = set_vault
    store_record(vault, record_of("ana", model))
    unlock(vault, seed=1, learned=True)
    assert counts(vault) == (1, 0), "not of a person who is not followed"
    stored = record_of_user(vault, "ana")
    assert stored is not None
    store_record(vault, Record(stored.user, model, AT, stored.payload, follows=True))
    unlock(vault, seed=2, learned=True)
    unlock(vault, seed=3, learned=True)
    assert counts(vault) == (2, 1)
    for seed in (4, 5):
        clock.wait(DAY_S)
        unlock(vault, seed=seed, learned=True)
    assert counts(vault) == (3, 2)
    found = vault.look_up("ana")
    assert found is not None
    assert found.record is not None
    learned = found.space_of(model).reveal(vectors_of(found.record, "learned", 8))
    np.testing.assert_allclose(learned, [unit(4), unit(5)], atol=1e-5)
    outcomes = [entry.outcome for entry in vault.read_log() if entry.kind == "enroll"]
    assert outcomes.count("learned") == 3


def test_nothing_is_kept_where_the_template_was_changed_meanwhile(
    vault: Vault, model: ModelId
) -> None:
    store_record(vault, record_of("ana", model))
    unlock(vault, seed=1, payload=b"another template")
    assert counts(vault) == (0, 0)


def test_the_time_of_a_kept_unlock_is_that_of_its_entry_in_the_log(
    vault: Vault, model: ModelId
) -> None:
    store_record(vault, record_of("ana", model))
    unlock(vault, seed=1)
    record = record_of_user(vault, "ana")
    assert record is not None
    assert [one.at for one in record.kept] == [vault.read_log()[-1].at]


def test_kept_faces_are_turned_with_the_key_and_move_without_the_last_unlocks(
    model: ModelId, tmp_path: Path
) -> None:
    with open_memory_vault() as vault, open_memory_vault() as other:
        plain = record_of("ana", model)
        kept = tuple(face(kind, seed=row) for row, kind in enumerate(MAX_KEPT, 1))
        store_record(vault, Record("ana", model, AT, plain.payload, follows=True, kept=kept))
        found = vault.look_up("ana")
        assert found is not None
        assert found.record is not None
        before = found.space_of(model).reveal(vectors_of(found.record, "not_me", 8))
        vault.rotate()
        vault.export_people(tmp_path / "people.mien", "a long passphrase")
        other.import_people(tmp_path / "people.mien", "a long passphrase")
        for place, kinds in ((vault, set(MAX_KEPT)), (other, {"learned", "not_me"})):
            found = place.look_up("ana")
            assert found is not None
            assert found.record is not None
            assert {one.kind for one in found.record.kept} == kinds
            assert found.record.follows
            after = found.space_of(model).reveal(vectors_of(found.record, "not_me", 8))
            np.testing.assert_allclose(after, before, atol=1e-5)
