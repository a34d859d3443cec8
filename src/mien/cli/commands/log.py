"""`mien log`: the attempts and changes, all or some of them."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from mien.cli.output import CommandResult
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode, UsageError
from mien.settings import load_settings
from mien.vault import check_user_name
from mien.vault.integrity.audit_log import Entry, describe_entries

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def log(args: Namespace) -> CommandResult:
    """args.verify: say that the chain passed verification. It is verified in either case.

    args.user, args.since, args.last: show only entries of this name, from this time on, and so many
    of the newest.
    """
    now = datetime.now().astimezone()
    assert now.tzinfo is not None  # astimezone always sets one
    user = None if args.user is None else check_user_name(args.user)
    since = None if args.since is None else parse_since(args.since, now=now)
    if args.last is not None and args.last < 1:
        raise UsageError("--last must be 1 or more")
    with open_user_vault(load_settings(), create=False) as vault:
        entries = vault.read_log()
    shown = select_entries(entries, user=user, since=since, last=args.last)
    return _result(shown, len(entries), now.tzinfo, verified=args.verify)


def parse_since(given: str, *, now: datetime) -> datetime:
    """A day or time of ISO 8601, in the zone of `now` where it names none; or an age, as 36h.

    Raises UsageError for anything else.
    """
    age = re.fullmatch("([0-9]{1,6})([mhdw])", given)
    try:
        if age:
            return now - timedelta(**{UNITS[age[2]]: int(age[1])})
        at = datetime.fromisoformat(given)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--since {given[:40]!r} is no time; give a day as 2026-01-31, a time as "
            "2026-01-31T12:00, or an age as 90m, 36h, 7d or 2w"
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


def select_entries(
    entries: Sequence[Entry], *, user: str | None, since: datetime | None, last: int | None
) -> list[Entry]:
    """The entries of this name, from this time on, and of those the newest; None for all."""
    found = [
        entry
        for entry in entries
        if (user is None or entry.user == user)
        and (since is None or datetime.fromisoformat(entry.at) >= since)
    ]
    return found if last is None else found[-last:]


def _result(shown: Sequence[Entry], n_all: int, zone: tzinfo, *, verified: bool) -> CommandResult:
    lines = describe_entries(shown, zone=zone)
    if verified:
        lines.append(f"verified the chain of {n_all} entries: none edited, none removed")
    data: dict[str, object] = {
        "outcome": "verified" if verified else "shown",
        "exit_code": 0,
        "entries": [
            {"at": e.at, "kind": e.kind, "user": e.user, "outcome": e.outcome, "where": e.where}
            for e in shown
        ],
    }
    nothing = "no such entry in the log" if n_all else "the log is empty"
    return CommandResult(ExitCode.OK, tuple(lines) or (nothing,), data)
