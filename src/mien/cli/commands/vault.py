"""The commands `mien vault init|status|verify|rotate|centroids|export|import` and `mien log`."""

from __future__ import annotations

from argparse import Namespace

from mien.cli.output import CommandResult
from mien.cli.user_vault import VAULT_PROMPT, open_user_vault
from mien.errors import ExitCode, UsageError
from mien.settings import load_settings
from mien.system.ownership import DESCRIPTION
from mien.vault.admin.status import VaultStatus
from mien.vault.crypto.passphrase import new_passphrase, passphrase_prompt
from mien.vault.open import make_vault

EXPORT_PROMPT = "passphrase of the export"
EXPORT_FILE_HINT = "name it with --passphrase-file"
NO_VAULT = "there is no vault yet; to create it, run: mien vault init"


def init(args: Namespace) -> CommandResult:
    """args.key: a kind of key, or None."""
    settings = load_settings()
    made = make_vault(
        settings,
        key_kind=args.key,
        surface="command",
        ask_passphrase=lambda: new_passphrase(settings.passphrase_file, VAULT_PROMPT),
    )
    with open_user_vault(settings, create=False) as vault:
        place = vault.place
    lines = [f"created the vault {place}", f"  key: {made.key_location}"]
    if made.people:
        lines.append(f"  sealed {_count_people(made.people)} of the older vault")
    data: dict[str, object] = {
        "outcome": "made", "exit_code": 0, "place": place, "key": made.key_kind,
        "sealed": made.people,
    }  # fmt: skip
    return CommandResult(ExitCode.OK, tuple(lines), data)


def status(args: Namespace) -> CommandResult:
    with open_user_vault(load_settings(), create=False) as vault:
        return _status_result(vault.status(), vault.place, "shown")


def verify(args: Namespace) -> CommandResult:
    """args.accept: accept an older copy that was put back on purpose."""
    with open_user_vault(load_settings(), create=False) as vault:
        return _status_result(vault.verify(accept=args.accept), vault.place, "verified")


def rotate(args: Namespace) -> CommandResult:
    """args.key: where the new key goes; None keeps the present kind. args.accept_log: accept what
    is left of a log that was tampered with. args.new_passphrase_file: None for the file of the
    present passphrase, or to be asked.
    """
    settings = load_settings()
    passphrase = None
    with open_user_vault(settings, create=False) as vault:
        before = vault.status()
        if before is not None and (args.key or before.key_kind) == "passphrase":
            file = args.new_passphrase_file or settings.passphrase_file
            passphrase = new_passphrase(file, VAULT_PROMPT)
        elif args.new_passphrase_file is not None:
            raise UsageError("--new-passphrase-file needs --key passphrase")
        count = vault.rotate(
            key_kind=args.key, new_passphrase=passphrase, accept_log=args.accept_log
        )
        after = vault.status()
    assert after is not None  # rotate raises where there is no vault
    lines = [f"sealed {_count_people(count)} under a new key", f"  key: {after.key_location}"]
    if args.new_passphrase_file is not None:
        lines.append(
            "  from now on set MIEN_VAULT_PASSPHRASE_FILE to the file of the new passphrase"
        )
    data: dict[str, object] = {
        "outcome": "rotated", "exit_code": 0, "people": count, "key": after.key_kind,
    }  # fmt: skip
    return CommandResult(ExitCode.OK, tuple(lines), data)


CENTROID_LINES = {
    "on": "centroids on: mien identify reads them instead of every record",
    "off": "centroids off: mien identify reads every record",
    "pgvector": "centroids pgvector: the database compares them; who reads it can recognise people",
}


def centroids(args: Namespace) -> CommandResult:
    """args.state: on, off or pgvector. args.accept_readable_templates: for pgvector alone."""
    in_database = args.state == "pgvector"
    if in_database and not args.accept_readable_templates:
        raise UsageError(
            "with pgvector whoever reads the database can recognise people: in a trial, who knew"
            " 200 of them recognised 90 % of the others; to accept that, add"
            " --accept-readable-templates"
        )
    if args.accept_readable_templates and not in_database:
        raise UsageError("--accept-readable-templates needs pgvector")
    with open_user_vault(load_settings(), create=False) as vault:
        if args.state == "off":
            vault.disable_centroids()
        else:
            vault.enable_centroids(readable_in_database=in_database)
    data: dict[str, object] = {"outcome": "set", "exit_code": 0, "centroids": args.state}
    return CommandResult(ExitCode.OK, (CENTROID_LINES[args.state],), data)


def export(args: Namespace) -> CommandResult:
    """args.file: a new file. args.passphrase_file: or None, to be asked."""
    passphrase = new_passphrase(args.passphrase_file, EXPORT_PROMPT, file_hint=EXPORT_FILE_HINT)
    with open_user_vault(load_settings(), create=False) as vault:
        count = vault.export_people(args.file, passphrase)
    data: dict[str, object] = {
        "outcome": "exported", "exit_code": 0, "people": count, "file": str(args.file),
    }  # fmt: skip
    lines = (
        f"exported {_count_people(count)} to {args.file}",
        "  anyone with the file and its passphrase can read their templates",
    )
    return CommandResult(ExitCode.OK, lines, data)


def import_people(args: Namespace) -> CommandResult:
    """args.file: of an export. args.replace, args.keep: what to do with names that are enrolled."""
    passphrase = passphrase_prompt(
        args.passphrase_file, EXPORT_PROMPT, file_hint=EXPORT_FILE_HINT
    )()
    with open_user_vault(load_settings(), create=True) as vault:
        found = vault.import_people(
            args.file,
            passphrase,
            existing="replace" if args.replace else "keep" if args.keep else "refuse",
        )
    lines = [f"imported {_count_people(len(found.added))}: {', '.join(found.added) or 'nobody'}"]
    if found.kept:
        lines.append(f"  already enrolled and kept: {', '.join(found.kept)}")
    data: dict[str, object] = {
        "outcome": "imported", "exit_code": 0,
        "added": list(found.added), "kept": list(found.kept),
    }  # fmt: skip
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _status_result(found: VaultStatus | None, place: str, outcome: str) -> CommandResult:
    if found is None:
        return CommandResult(
            ExitCode.OK,
            (NO_VAULT,),
            {"outcome": outcome, "exit_code": 0, "place": place, "people": 0, "key": None},
        )
    verified = ("  verified every record, count and log entry",) if outcome == "verified" else ()
    lines = (
        f"{place}",
        f"  {_count_people(found.people)}, sealed with AES-256-GCM",
        f"  key: {found.key_location}",
        f"  files: {DESCRIPTION}",
        f"  {found.changes} changes, {found.log_entries} log entries,"
        f" centroids {_centroid_word(found)}",
        *_unused_keys(found.unused_keys),
        *verified,
    )
    data: dict[str, object] = {
        "outcome": outcome,
        "exit_code": 0,
        "place": place,
        "people": found.people,
        "key": found.key_kind,
        "key_where": found.key_location,
        "files": DESCRIPTION,
        "change": found.changes,
        "log_entries": found.log_entries,
        "centroids": found.centroids,
        "readable_in_database": found.readable_in_database,
        "unused_keys": found.unused_keys,
    }
    return CommandResult(ExitCode.OK, lines, data)


def _centroid_word(found: VaultStatus) -> str:
    if found.readable_in_database:
        return "pgvector (the database can read them)"
    return "on" if found.centroids else "off"


def _unused_keys(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    keys, them = ("1 unused key", "it") if count == 1 else (f"{count} unused keys", "them")
    return (f"  {keys} left by an interrupted rotation; to remove {them}, run: mien vault rotate",)


def _count_people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
