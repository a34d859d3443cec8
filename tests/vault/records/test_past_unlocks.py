"""The unlocks that a record remembers, and the picture of a face that its person wanted."""

from __future__ import annotations

import json
import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import record_of_user

from mien.errors import Outcome, VaultDamaged
from mien.results import ModelId
from mien.vault.records.record import MAX_PAST_UNLOCKS, MAX_THUMBNAIL_BYTES, PastUnlock, Record
from mien.vault.records.sealed_record import pack_record, unpack_record
from mien.vault.vault import Vault

MODEL = ModelId("sface", "ab" * 32)
AT = "2026-01-31T12:00:00+00:00"
PLAIN = Record("ana", MODEL, AT, b"payload")
FULL = Record("ana", MODEL, AT, b"payload", None, (PastUnlock(AT, 0.812),), b"\xff\xd8 a JPEG")


def with_head(**fields: object) -> bytes:
    """The full record, packed, with other fields in its head."""
    packed = pack_record(FULL)
    (length,) = struct.unpack_from("<I", packed)
    text = json.dumps(json.loads(packed[4 : 4 + length]) | fields, sort_keys=True).encode()
    return struct.pack("<I", len(text)) + text + packed[4 + length :]


@pytest.mark.parametrize("record", [PLAIN, FULL])
def test_a_record_is_read_as_it_was_packed(record: Record) -> None:
    assert unpack_record(pack_record(record)) == record


def test_a_record_without_either_is_packed_as_before() -> None:
    packed = pack_record(PLAIN)
    assert b"unlocks" not in packed
    assert b"thumbnail" not in packed


@pytest.mark.parametrize(
    "fields",
    [
        *({"thumbnail": size} for size in (-1, 1.5, "3", None, True, [], 10_000)),
        *({"unlocks": value} for value in (None, 5, "ab", [5], [[AT]], [[AT, "x"]], [[AT, 2.0]])),
        {"unlocks": [["yesterday", 0.5]]},
        {"unlocks": [[AT, 0.5]] * (MAX_PAST_UNLOCKS + 1)},
    ],
)
def test_what_mien_never_wrote_is_damage(fields: dict[str, object]) -> None:
    with pytest.raises(VaultDamaged):
        unpack_record(with_head(**fields))


def test_the_oldest_unlock_is_dropped_after_thirty() -> None:
    record = PLAIN
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for day in range(MAX_PAST_UNLOCKS + 2):
        record = record.with_unlock(start + timedelta(days=day), 0.5 + day / 1000)
    assert len(record.unlocks) == MAX_PAST_UNLOCKS
    assert record.unlocks[0] == PastUnlock("2026-01-03T00:00:00+00:00", 0.502)
    assert record.unlocks[-1].similarity == pytest.approx(0.531)


def test_a_thumbnail_is_small() -> None:
    with pytest.raises(ValueError, match="thumbnail"):
        Record("ana", MODEL, AT, b"", None, (), bytes(MAX_THUMBNAIL_BYTES + 1))


def test_only_an_unlock_of_a_known_similarity_is_remembered(vault: Vault, model: ModelId) -> None:
    vault.update("ana", lambda stored, space_of: Record("ana", model, AT, b"template"))
    for outcome, similarity, is_laxer in (
        (Outcome.NOT_THE_OWNER, 0.2, False),
        (Outcome.NO_FACE, float("nan"), False),
        (Outcome.UNLOCKED, 0.4, True),  # accepted by a laxer threshold only
        (Outcome.UNLOCKED, 0.7, False),
        (Outcome.UNLOCKED, float("nan"), False),
    ):
        with vault.attempt("ana") as attempt:
            attempt.outcome, attempt.similarity = outcome, similarity
            attempt.is_laxer = is_laxer
    record = record_of_user(vault, "ana")
    assert record is not None
    assert [one.similarity for one in record.unlocks] == [0.7]
    assert record.payload == b"template"


def test_a_picture_goes_with_its_person_and_can_be_removed_alone(tmp_path: Path) -> None:
    with open_memory_vault() as vault:
        vault.update("ana", lambda stored, space_of: FULL)
        vault.rename("ana", "zoe")
        renamed = record_of_user(vault, "zoe")
        assert renamed is not None
        assert renamed.thumbnail == FULL.thumbnail
        assert vault.remove_thumbnail("zoe")
        assert not vault.remove_thumbnail("zoe")
        left = record_of_user(vault, "zoe")
        assert left is not None
        assert (left.thumbnail, left.payload, left.unlocks) == (b"", b"payload", FULL.unlocks)
        assert not vault.remove_thumbnail("nobody")


def test_the_vault_s_file_holds_neither_picture_nor_similarity_in_the_clear(
    vault: Vault, model: ModelId
) -> None:
    picture = b"a picture that can be told from random bytes"
    record = Record("ana", model, AT, b"template", None, (PastUnlock(AT, 0.812),), picture)
    vault.update("ana", lambda stored, space_of: record)
    files = Path(vault.place)
    if not files.exists():
        pytest.skip("only SQLite has files here")
    content = b"".join(file.read_bytes() for file in files.parent.iterdir() if file.is_file())
    assert picture not in content
    assert b"0.812" not in content
