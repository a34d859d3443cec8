"""Which user names are allowed, and what a record must be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import UsageError, quote
from mien.results import ModelId
from mien.vault import Record, check_user_name, utc_stamp
from mien.vault.records.record import MAX_PAYLOAD_BYTES

MakeRecord = Callable[..., Record]


@pytest.mark.parametrize(
    "name", ["a", "ana", "Ana Díaz", "ana@example.org", "a.b", "...", "a-b", "x" * 64, "李", "😀"]
)
def test_a_name_of_printable_characters_is_kept_as_it_is(name: str) -> None:
    assert check_user_name(name) == name


def test_a_name_is_normalised_to_nfc() -> None:
    assert check_user_name("e\u0301va") == "\u00e9va"


def test_the_length_is_counted_after_composing() -> None:
    assert check_user_name("e\u0301" * 64) == "\u00e9" * 64


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("x" * 65, "is longer than 64 characters"),
        ("x" * 1_000_000, "is longer than 64 characters"),
        (" ", "starts or ends with a space"),
        (" ana", "starts or ends with a space"),
        ("ana ", "starts or ends with a space"),
        ("a/b", "has a slash"),
        (".", "is the name of a folder"),
        ("..", "is the name of a folder"),
        ("-rf", "looks like an option"),
        ("a\nb", "cannot be printed"),
        ("a\tb", "cannot be printed"),
        ("a\x00b", "cannot be printed"),
        ("a\x1b[2Jb", "cannot be printed"),
        ("a\u200bb", "cannot be printed"),
        ("a\u202eb", "cannot be printed"),
        ("a\u00a0b", "cannot be printed"),
        ("a\u2028b", "cannot be printed"),
        ("a\ud800b", "cannot be printed"),
    ],
)
def test_a_name_that_could_mislead_is_refused(name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        check_user_name(name)


@given(st.text(st.characters()))
def test_any_name_is_accepted_or_refused_in_one_printable_line(name: str) -> None:
    try:
        kept: str | None = check_user_name(name)
    except UsageError as error:
        kept, refusal = None, str(error)
    if kept is None:
        assert refusal.isprintable()
        assert len(refusal) < 500
    else:
        assert check_user_name(kept) == kept
        assert kept.isprintable()
        assert 1 <= len(kept) <= 64


def test_a_record_does_not_show_its_payload(make_record: MakeRecord) -> None:
    assert "secret" not in repr(make_record("ana", b"secret"))


def test_a_head_is_a_record_without_its_payload(make_record: MakeRecord, model: ModelId) -> None:
    head = make_record("ana").head
    assert (head.user, head.model, head.created_at) == ("ana", model, "2026-01-31T12:00:00+00:00")
    assert not hasattr(head, "payload")


def test_a_record_refuses_a_name_that_was_not_composed(make_record: MakeRecord) -> None:
    with pytest.raises(ValueError, match="check_user_name"):
        make_record("e\u0301va")
    with pytest.raises(UsageError):
        make_record("a/b")


@pytest.mark.parametrize(
    "created_at",
    [
        "",
        "today",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00Z",
        "2026-01-31 12:00:00+00:00",
        "2026-01-31T12:00:00+01:00",
        "2026-01-31T12:00:00.5+00:00",
        "2026-02-30T12:00:00+00:00",
    ],
)
def test_a_record_refuses_a_time_in_another_form(make_record: MakeRecord, created_at: str) -> None:
    with pytest.raises(ValueError, match="created_at"):
        make_record("ana", created_at=created_at)


@pytest.mark.parametrize("bad", [ModelId("", "ab"), ModelId("a\nb", "ab"), ModelId("a", "f" * 129)])
def test_a_record_refuses_a_model_that_cannot_be_shown(
    make_record: MakeRecord, bad: ModelId
) -> None:
    with pytest.raises(ValueError, match="model"):
        make_record("ana", model=bad)


def test_a_record_refuses_a_payload_over_the_limit(make_record: MakeRecord) -> None:
    with pytest.raises(ValueError, match="payload"):
        make_record("ana", bytes(MAX_PAYLOAD_BYTES + 1))
    with pytest.raises(ValueError, match="payload"):
        make_record("ana", "text")


def test_a_stamp_is_in_utc_and_whole_seconds() -> None:
    one_hour_east = timezone(timedelta(hours=1))
    moment = datetime(2026, 1, 31, 13, 0, 0, 999_999, tzinfo=one_hour_east)
    assert utc_stamp(moment) == "2026-01-31T12:00:00+00:00"


def test_a_time_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        utc_stamp(datetime(2026, 1, 31))


def test_a_stamp_is_what_a_record_takes(make_record: MakeRecord) -> None:
    stamp = utc_stamp(datetime.now(timezone.utc))
    assert make_record("ana", created_at=stamp).created_at == stamp


@given(st.text(st.characters()))
def test_quoted_text_is_one_short_printable_line(text: str) -> None:
    assert quote(text).isprintable()
    assert len(quote(text)) <= 10 * 80 + 5
