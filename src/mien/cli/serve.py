"""`mien serve` and `mien token create|list|revoke`."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from mien.cli.door import CommandResult, open_vault_of
from mien.errors import ExitCode, MissingExtra
from mien.settings import Settings, load_settings

if TYPE_CHECKING:
    from mien.web.tokens import Tokens


def serve(args: Namespace) -> CommandResult:
    """Runs until it is told to stop.

    args: host, port, tls_cert, tls_key, name, insecure, no_page.
    """
    try:
        from mien.web.server import ListenOptions, run_service
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the service needs {error.name}; run: pip install 'mien[serve]'"
        ) from error
    settings = load_settings(engine=args.engine)
    where = ListenOptions(
        host=args.host,
        port=args.port,
        cert=args.tls_cert,
        key=args.tls_key,
        names=tuple(args.name or ()),
        open_anyway=args.insecure,
    )
    vault = open_vault_of(settings, create=True, surface="web")
    vault.holds_anybody()  # a key that is missing is said now, and not at the door
    ready = _log_address if args.no_page else _say
    run_service(settings, vault, where, ready=ready, page=not args.no_page)
    data: dict[str, object] = {"outcome": "stopped", "exit_code": 0}
    return CommandResult(ExitCode.UNLOCKED, ("stopped; what was accepted is finished",), data)


def _say(address: str) -> None:
    """On standard error, so that the answer stays the only thing on standard output."""
    print(f"open {address}", file=sys.stderr, flush=True)
    print("whoever has this address may do everything; ctrl-c stops", file=sys.stderr, flush=True)


def _log_address(address: str) -> None:
    """As a line of the log, which then has no other kind."""
    from mien.web.log import line_of, now_utc, write_line

    write_line(line_of(now_utc, listening=address))


def token_create(args: Namespace) -> CommandResult:
    """args.token, args.scope."""
    made_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    secret = _tokens(load_settings()).create(args.token, args.scope, created_at=made_at)
    lines = (secret, f"  for {args.token}, scope {args.scope}; it is shown this once")
    data: dict[str, object] = {
        "outcome": "made", "exit_code": 0, "name": args.token, "scope": args.scope,
        "token": secret,
    }  # fmt: skip
    return CommandResult(ExitCode.UNLOCKED, lines, data)


def token_list(args: Namespace) -> CommandResult:
    tokens = _tokens(load_settings()).all()
    lines = [f"{one.name}  scope {one.scope}  made {one.created_at}" for one in tokens]
    data: dict[str, object] = {
        "outcome": "listed",
        "exit_code": 0,
        "tokens": [
            {"name": one.name, "scope": one.scope, "created": one.created_at} for one in tokens
        ],
    }
    return CommandResult(ExitCode.UNLOCKED, tuple(lines) or ("no tokens",), data)


def token_revoke(args: Namespace) -> CommandResult:
    """args.token."""
    _tokens(load_settings()).revoke(args.token)
    data: dict[str, object] = {"outcome": "revoked", "exit_code": 0, "name": args.token}
    return CommandResult(ExitCode.UNLOCKED, (f"revoked {args.token}",), data)


def _tokens(settings: Settings) -> Tokens:
    from mien.web.tokens import Tokens

    return Tokens(settings.data_dir / "tokens.json")
