"""`mien log`: the attempts and changes, all or some of them."""

from __future__ import annotations

import json
import os
import re
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path

from mien.cli.output import CommandResult
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode, UsageError, quote_path
from mien.settings import load_settings
from mien.vault import check_user_name
from mien.vault.integrity.audit_log import Entry, describe_entries
from mien.vault.vault import Vault

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def log(args: Namespace) -> CommandResult:
    """args.verify: say that the chain passed verification. It is verified in either case.

    args.user, args.since, args.until, args.last: show only entries of this name, from this time on,
    before that time, and so many of the newest. args.export: a new file for all of them but the
    last choice.
    """
    now = datetime.now().astimezone()
    assert now.tzinfo is not None  # astimezone always sets one
    user = None if args.user is None else check_user_name(args.user)
    since = None if args.since is None else parse_since(args.since, now=now)
    until = None if args.until is None else parse_since(args.until, now=now, option="--until")
    if args.last is not None and (args.last < 1 or args.export is not None):
        raise UsageError("--last must be 1 or more, and without --export")
    with open_user_vault(load_settings(), create=False) as vault:
        if args.export is not None:
            chosen = partial(is_chosen, user=user, since=since, until=until)
            return _export(vault, args.export, chosen)
        entries = vault.read_log()
    shown = select_entries(entries, user=user, since=since, until=until, last=args.last)
    return _result(shown, len(entries), now.tzinfo, verified=args.verify)


def _export(vault: Vault, path: Path, chosen: Callable[[Entry], bool]) -> CommandResult:
    count = 0
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(
            f"cannot write {quote_path(path)}: {error.strerror}; give the name of a new file"
        ) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for one in vault.export_log():
                if chosen(one.entry):
                    file.write(json.dumps(one.to_dict()) + "\n")
                    count += 1
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:  # a part of the log must not be taken for all of it
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"cannot write {quote_path(path)}: {error.strerror}") from error
        raise
    data: dict[str, object] = {
        "outcome": "exported",
        "exit_code": 0,
        "file": str(path),
        "exported": count,
    }
    line = f"exported {count} entries to {quote_path(path)}; their chain was verified"
    return CommandResult(ExitCode.OK, (line,), data)


def parse_since(given: str, *, now: datetime, option: str = "--since") -> datetime:
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
            f"{option} {given[:40]!r} is no time; give a day as 2026-01-31, a time as "
            "2026-01-31T12:00, or an age as 90m, 36h, 7d or 2w"
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


def select_entries(
    entries: Sequence[Entry],
    *,
    user: str | None,
    since: datetime | None,
    until: datetime | None = None,
    last: int | None,
) -> list[Entry]:
    """The entries that are chosen, and of those the newest; None for all."""
    found = [entry for entry in entries if is_chosen(entry, user=user, since=since, until=until)]
    return found if last is None else found[-last:]


def is_chosen(
    entry: Entry, *, user: str | None, since: datetime | None, until: datetime | None
) -> bool:
    """Whether the entry is of this name, from the one time on, and before the other."""
    at = datetime.fromisoformat(entry.at)
    return (
        (user is None or entry.user == user)
        and (since is None or at >= since)
        and (until is None or at < until)
    )


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
