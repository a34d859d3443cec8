"""How alive a person looked: what a record keeps of it, and what it refuses."""

from __future__ import annotations

import json
import math
import struct
from datetime import date

import pytest

from mien.errors import VaultDamaged
from mien.results import ModelId
from mien.vault.records.record import LivenessHistory, Record
from mien.vault.records.sealed_record import pack_record, unpack_record

MODEL = ModelId("sface", "ab" * 32)
DAYS = tuple(date(2026, 1, day) for day in (1, 2, 3, 4))


def record(history: LivenessHistory | None) -> Record:
    return Record("ana", MODEL, "2026-01-31T12:00:00+00:00", b"payload", history)


def with_head(liveness: object) -> bytes:
    """A packed record whose head has this under `liveness`."""
    packed = pack_record(record(None))
    (length,) = struct.unpack_from("<I", packed)
    head = json.loads(packed[4 : 4 + length]) | {"liveness": liveness}
    text = json.dumps(head, sort_keys=True).encode()
    return struct.pack("<I", len(text)) + text + packed[4 + length :]


@pytest.mark.parametrize(
    "history",
    [None, LivenessHistory(5.25), LivenessHistory(-1.5, DAYS[:1]), LivenessHistory(7.0, DAYS[:3])],
)
def test_a_record_is_read_with_its_history(history: LivenessHistory | None) -> None:
    assert unpack_record(pack_record(record(history))) == record(history)


def test_a_record_without_a_history_is_packed_as_mien_0_1_did() -> None:
    assert b"liveness" not in pack_record(record(None))


@pytest.mark.parametrize(
    "liveness",
    [
        *("text", [], {}, None, 5, [None], ["a"], [math.nan], [math.inf]),
        *([1.0, "yesterday"], [1.0, 5], [1.0, *["2026-01-01"] * 2]),
        [1.0, *(day.isoformat() for day in DAYS)],
    ],
)
def test_a_history_that_mien_never_wrote_is_damage(liveness: object) -> None:
    with pytest.raises(VaultDamaged):
        unpack_record(with_head(liveness))


def test_a_day_counts_once_and_three_are_enough() -> None:
    history = LivenessHistory(5.0)
    for day in (DAYS[0], DAYS[0], DAYS[1]):
        history = history.with_success(day)
    assert history.success_days == DAYS[:2]
    full = history.with_success(DAYS[2])
    assert full.with_success(DAYS[3]) is full
    assert full.with_success(DAYS[0]) is full


def test_added_photos_keep_the_lower_score_and_the_days() -> None:
    earlier = LivenessHistory(5.0, DAYS[:2])
    assert LivenessHistory(7.0).merged_with(earlier) == earlier
    assert LivenessHistory(3.0).merged_with(earlier) == LivenessHistory(3.0, DAYS[:2])
    assert LivenessHistory(3.0).merged_with(None) == LivenessHistory(3.0)


@pytest.mark.parametrize(
    ("score", "days"), [(math.nan, ()), (math.inf, ()), (1.0, DAYS), (1.0, DAYS[:1] * 2)]
)
def test_a_history_without_a_number_or_with_too_many_days_is_refused(
    score: float, days: tuple[date, ...]
) -> None:
    with pytest.raises(ValueError, match=r"must be a number|each once"):
        LivenessHistory(score, days)
