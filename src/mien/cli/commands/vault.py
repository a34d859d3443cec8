"""`mien vault init|status|rotate|export|import|verify` and `mien log`."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from typing import TYPE_CHECKING

from mien.cli.output import CommandResult
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode, UsageError
from mien.settings import Settings, load_settings
from mien.vault.crypto.passphrase import new_passphrase, passphrase_prompt

if TYPE_CHECKING:
    from mien.vault.admin.status import VaultStatus

WHAT = "passphrase of the vault"
OF_EXPORT = "passphrase of the export"
OPTION = "name it with --passphrase-file"
NO_VAULT = "there is no vault yet; the first mien enroll makes one, or: mien vault init"


def init(args: Namespace) -> CommandResult:
    """args.key: a kind of key, or None."""
    from mien.vault.open import make_vault

    settings = load_settings()
    kind = args.key or settings.vault_key
    facts = make_vault(settings, kind=kind, surface="command", ask=lambda: _new(settings, WHAT))
    with open_user_vault(settings, create=False) as vault:
        place = vault.safe.store.place
    lines = [f"made the vault {place}", f"  key: {facts.key_where}"]
    if facts.people:
        lines.append(f"  {_people(facts.people)} of the older vault: sealed in it now")
    data: dict[str, object] = {
        "outcome": "made", "exit_code": 0, "place": place, "key": facts.key_kind,
        "sealed": facts.people,
    }  # fmt: skip
    return CommandResult(ExitCode.UNLOCKED, tuple(lines), data)


def status(args: Namespace) -> CommandResult:
    from mien.vault.admin.status import vault_status

    with open_user_vault(load_settings(), create=False) as vault:
        facts = vault_status(vault.safe)
        return _facts_answer(facts, vault.safe.store.place, "shown")


def verify(args: Namespace) -> CommandResult:
    """args.accept: an older copy, put back on purpose, is taken for the vault."""
    from mien.vault.admin.status import verify_all

    with open_user_vault(load_settings(), create=False) as vault:
        accept = vault.noted("accept_copy") if args.accept else None
        facts = verify_all(vault.safe, accept=accept)
        return _facts_answer(facts, vault.safe.store.place, "verified")


def rotate(args: Namespace) -> CommandResult:
    """args.key: where the new key goes; None stays with the present kind. args.accept_log: a log
    that was tampered with is no hindrance. args.new_passphrase_file: or None, for the file of
    the present one, or to be asked.
    """
    from mien.vault.admin.rotation import rotate as rotate_keys
    from mien.vault.admin.status import vault_status
    from mien.vault.open import keys_of

    settings = load_settings()
    with open_user_vault(settings, create=False) as vault:
        before = vault_status(vault.safe)
        if before is not None and (args.key or before.key_kind) == "passphrase":
            chosen = new_passphrase(args.new_passphrase_file or settings.passphrase_file, WHAT)
            vault.safe.keys = keys_of(settings, lambda: chosen)
        elif args.new_passphrase_file is not None:
            raise UsageError("--new-passphrase-file goes with --key passphrase")
        count = rotate_keys(
            vault.safe,
            kind=args.key,
            accept_log=vault.noted("accept_log") if args.accept_log else None,
            last=vault.noted("rotate"),
        )
        after = vault_status(vault.safe)
    assert after is not None  # rotate refuses where there is no vault
    lines = [f"sealed {_people(count)} under a new key", f"  key: {after.key_where}"]
    if args.new_passphrase_file is not None:
        lines.append("  from now on MIEN_VAULT_PASSPHRASE_FILE is to name the new passphrase")
    data: dict[str, object] = {
        "outcome": "rotated", "exit_code": 0, "people": count, "key": after.key_kind,
    }  # fmt: skip
    return CommandResult(ExitCode.UNLOCKED, tuple(lines), data)


def gallery(args: Namespace) -> CommandResult:
    """args.state: on or off."""
    with open_user_vault(load_settings(), create=False) as vault:
        vault.set_gallery(args.state == "on")
    words = (
        "the gallery is on: the centre of every template lies beside the records, sealed, for mien"
        " identify"
        if args.state == "on"
        else "the gallery is off: mien identify opens every record"
    )
    data: dict[str, object] = {"outcome": "set", "exit_code": 0, "gallery": args.state}
    return CommandResult(ExitCode.UNLOCKED, (words,), data)


def export(args: Namespace) -> CommandResult:
    """args.file: a new file. args.passphrase_file: or None, to be asked."""
    from mien.vault.admin.transfer import export_people

    passphrase = new_passphrase(args.passphrase_file, OF_EXPORT, name_it=OPTION)
    with open_user_vault(load_settings(), create=False) as vault:
        count = export_people(vault.safe, args.file, passphrase, last=vault.noted("export"))
    data: dict[str, object] = {
        "outcome": "exported", "exit_code": 0, "people": count, "file": str(args.file),
    }  # fmt: skip
    lines = (
        f"exported {_people(count)} to {args.file}",
        "  whoever has file and passphrase has them",
    )
    return CommandResult(ExitCode.UNLOCKED, lines, data)


def bring_in(args: Namespace) -> CommandResult:
    """args.file: of an export. args.replace, args.keep: what happens to names that are taken."""
    from mien.vault.admin.transfer import import_people

    passphrase = passphrase_prompt(args.passphrase_file, OF_EXPORT, name_it=OPTION)()
    taken = "replace" if args.replace else "keep" if args.keep else "refuse"
    with open_user_vault(load_settings(), create=True) as vault:
        found = import_people(
            vault.safe, args.file, passphrase, taken=taken, last=vault.noted("import")
        )
    lines = [f"imported {_people(len(found.added))}: {', '.join(found.added) or 'nobody'}"]
    if found.kept:
        lines.append(f"  kept as they were: {', '.join(found.kept)}")
    data: dict[str, object] = {
        "outcome": "imported", "exit_code": 0,
        "added": list(found.added), "kept": list(found.kept),
    }  # fmt: skip
    return CommandResult(ExitCode.UNLOCKED, tuple(lines), data)


def log(args: Namespace) -> CommandResult:
    """args.verify: say that the chain checks out. It is checked in either case."""
    from mien.vault.integrity.audit_log import describe_entries

    with open_user_vault(load_settings(), create=False) as vault:
        entries = vault.log_entries()
    here = datetime.now().astimezone().tzinfo
    assert here is not None  # astimezone gives one always
    lines = describe_entries(entries, zone=here)
    if args.verify:
        lines.append(f"the chain of {len(entries)} entries checks out: none edited, none removed")
    data: dict[str, object] = {
        "outcome": "verified" if args.verify else "shown",
        "exit_code": 0,
        "entries": [
            {"at": e.at, "kind": e.kind, "user": e.user, "outcome": e.outcome, "where": e.where}
            for e in entries
        ],
    }
    return CommandResult(ExitCode.UNLOCKED, tuple(lines) or ("nothing happened yet",), data)


def _facts_answer(facts: VaultStatus | None, place: str, outcome: str) -> CommandResult:
    if facts is None:
        return CommandResult(
            ExitCode.UNLOCKED,
            (NO_VAULT,),
            {"outcome": outcome, "exit_code": 0, "place": place, "people": 0, "key": None},
        )
    lines = (
        f"{place}",
        f"  {_people(facts.people)}, sealed with AES-256-GCM",
        f"  key: {facts.key_where}",
        f"  change {facts.counter}, log of {facts.log_entries} entries,"
        f" gallery {'on' if facts.gallery else 'off'}",
        *_more_keys(facts.more_keys),
        *(("  every record, count and log entry checks out",) if outcome == "verified" else ()),
    )
    data: dict[str, object] = {
        "outcome": outcome,
        "exit_code": 0,
        "place": place,
        "people": facts.people,
        "key": facts.key_kind,
        "key_where": facts.key_where,
        "change": facts.counter,
        "log_entries": facts.log_entries,
        "gallery": facts.gallery,
        "more_keys": facts.more_keys,
    }
    return CommandResult(ExitCode.UNLOCKED, lines, data)


def _more_keys(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    keys, them = ("1 more key", "it") if count == 1 else (f"{count} more keys", "them")
    return (f"  {keys} kept from a rotation that did not end: mien vault rotate takes {them} away",)


def _new(settings: Settings, what: str) -> str:
    return new_passphrase(settings.passphrase_file, what)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
