"""The arguments of `mien vault` and `mien log`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mien.cli.arguments import CommandParser, Commands, add_command, add_group
from mien.cli.output import CommandResult
from mien.settings import KEY_KINDS

SEE_STATUS = "; mien vault status and mien log show what was done"


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    group = add_group(commands, "vault", "Manage the vault: keys, status, export, import.")
    _add_key_commands(group)
    _add_check_commands(group)
    _add_transfer_commands(group)
    log = add_command(commands, "log", _run, "Show the log of attempts and changes.")
    log.add_argument(
        "--verify", action="store_true", help="Also confirm that no entry was edited or removed."
    )
    log.add_argument("--last", type=int, metavar="N", help="Show only the newest N entries.")
    log.add_argument("--user", metavar="NAME", help="Show only the entries of this name.")
    log.add_argument(
        "--since",
        metavar="TIME",
        help="Show only entries from this time on: 2026-01-31, 2026-01-31T12:00, 36h or 7d.",
    )
    log.add_argument("--until", metavar="TIME", help="Show only entries before this time.")
    log.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="Write the entries to a new file, a JSON object a line, for another system to keep.",
    )


def _add_key_commands(group: Commands) -> None:
    init = _add(group, "init", "Create the vault, or seal an older one.")
    rotate = _add(group, "rotate", "Seal everything under a new key.")
    for parser in (init, rotate):
        parser.add_argument("--key", choices=KEY_KINDS, help="Where to keep the key.")
    rotate.add_argument(
        "--new-passphrase-file",
        type=Path,
        metavar="PATH",
        help="Read the new passphrase from this file of mode 600; default: ask for it.",
    )
    rotate.add_argument(
        "--accept-log", action="store_true", help="Continue although the log was tampered with."
    )


def _add_check_commands(group: Commands) -> None:
    _add(group, "status", "Show where the vault and its key are.")
    verify = _add(group, "verify", "Check every byte of the vault.")
    verify.add_argument(
        "--accept",
        action="store_true",
        help="Accept an older copy of the vault that was restored on purpose.",
    )
    centroids = _add(
        group,
        "centroids",
        "Turn stored centroids on or off; they make mien identify faster with many people.",
    )
    centroids.add_argument(
        "state",
        choices=("on", "off", "pgvector"),
        help="With pgvector the database compares them, and can recognise people by them.",
    )
    centroids.add_argument(
        "--accept-readable-templates",
        action="store_true",
        help="With pgvector: accept that whoever reads the database can recognise most people.",
    )


def _add_transfer_commands(group: Commands) -> None:
    export = _add(group, "export", "Export all people to one file.")
    import_ = _add(
        group,
        "import",
        "Import people from an export file.",
    )
    for parser in (export, import_):
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--passphrase-file",
            type=Path,
            metavar="PATH",
            help="Read the passphrase from this file of mode 600; default: ask for it.",
        )
    existing = import_.add_mutually_exclusive_group()
    existing.add_argument(
        "--replace", action="store_true", help="For a name in both, take the file's template."
    )
    existing.add_argument(
        "--keep", action="store_true", help="For a name in both, keep the vault's template."
    )


def _add(group: Commands, name: str, summary: str) -> CommandParser:
    return add_command(group, name, _run, summary, interrupted=SEE_STATUS)


def _run(args: Namespace) -> CommandResult:
    from mien.cli.commands import log, vault

    functions = {
        "init": vault.init,
        "rotate": vault.rotate,
        "status": vault.status,
        "verify": vault.verify,
        "centroids": vault.centroids,
        "export": vault.export,
        "import": vault.import_people,
        "log": log.log,
    }
    return functions[args.command](args)
