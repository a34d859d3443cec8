"""Which entries `mien log` shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mien.cli.commands.log import parse_since, select_entries
from mien.errors import UsageError
from mien.vault.integrity.audit_log import Entry

NOW = datetime(2026, 2, 1, 12, tzinfo=timezone(timedelta(hours=1)))
ENTRIES = [
    Entry(f"2026-01-{day}T12:00:00+00:00", "unlock", user, "unlocked", "command")
    for day, user in ((10, "ana"), (20, "ben"), (30, "ana"))
]


def days(**wanted: Any) -> list[int]:
    asked = {"user": None, "since": None, "last": None} | wanted
    return [int(entry.at[8:10]) for entry in select_entries(ENTRIES, **asked)]


def test_without_a_choice_all_entries_are_shown() -> None:
    assert days() == [10, 20, 30]


def test_name_time_and_number_each_leave_entries_out() -> None:
    assert days(user="ana") == [10, 30]
    assert days(since=datetime(2026, 1, 20, 12, tzinfo=timezone.utc)) == [20, 30]
    assert days(since=datetime(2026, 1, 20, 12, 1, tzinfo=timezone.utc)) == [30]
    assert days(last=2) == [20, 30]
    assert days(last=9) == [10, 20, 30]
    assert days(user="ana", last=1) == [30]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("90m", "2026-02-01T10:30:00+01:00"),
        ("36h", "2026-01-31T00:00:00+01:00"),
        ("7d", "2026-01-25T12:00:00+01:00"),
        ("2w", "2026-01-18T12:00:00+01:00"),
        ("2026-01-31", "2026-01-31T00:00:00+01:00"),
        ("2026-01-31T12:00", "2026-01-31T12:00:00+01:00"),
        ("2026-01-31T12:00:00+09:00", "2026-01-31T12:00:00+09:00"),
    ],
)
def test_a_time_is_a_day_a_time_or_an_age(given: str, expected: str) -> None:
    assert parse_since(given, now=NOW).isoformat() == expected


@pytest.mark.parametrize("given", ["", "yesterday", "7", "d", "-7d", "2026-13-01", "999999w"])
def test_anything_else_is_refused_with_examples(given: str) -> None:
    with pytest.raises(UsageError, match="give a day as 2026-01-31"):
        parse_since(given, now=NOW)


def test_the_command_shows_what_was_asked_for(
    mien: Callable[..., Any], album: Path, vault: Path
) -> None:
    mien("unlock", "ana", album / "probe.png")
    everything = mien("log", "--json").json["entries"]
    of_ana = mien("log", "--user", "ana", "--json").json["entries"]
    assert of_ana == [entry for entry in everything if entry["user"] == "ana"]
    assert mien("log", "--last", "1").out.endswith("ana unlocked\n")
    assert mien("log", "--since", "1h", "--json").json["entries"] == everything
    assert mien("log", "--user", "nobody").out == "no such entry in the log\n"
    assert mien("log", "--last", "0").code == 2
    assert mien("log", "--since", "soon").code == 2
    verified = mien("log", "--last", "1", "--verify").out
    assert f"verified the chain of {len(everything)} entries" in verified


def test_the_log_is_exported_as_lines_of_json(
    mien: Callable[..., Any], album: Path, vault: Path, tmp_path: Path
) -> None:
    mien("unlock", "ana", album / "probe.png")
    file = tmp_path / "log.jsonl"
    done = mien("log", "--export", file, "--json").json
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert (done["outcome"], done["exported"]) == ("exported", len(lines))
    assert [one["number"] for one in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["outcome"] == "unlocked"
    assert file.stat().st_mode & 0o777 == 0o600
    assert mien("log", "--export", file).code == 2  # it exists, and stays
    later = tmp_path / "later.jsonl"
    assert "exported 0 entries" in mien("log", "--export", later, "--until", "1d").out
    assert mien("log", "--export", tmp_path / "x", "--until", "soon").code == 2
    assert not (tmp_path / "x").exists()
