"""The commands `mien serve` and `mien token create|list|revoke`."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import datetime, timezone

from mien.cli.output import CommandResult
from mien.cli.user_vault import VAULT_PROMPT
from mien.errors import ExitCode, MienError, missing_extra
from mien.settings import Settings, load_settings
from mien.vault.crypto.passphrase import passphrase_prompt
from mien.vault.open import open_vault
from mien.web.auth import TokenStore, tokens_path
from mien.web.log import log_line, now_utc, write_line


def serve(args: Namespace) -> CommandResult:
    """Run the service until SIGTERM or ctrl-c.

    args: engine, calibration, host, port, tls_cert, tls_key, name, insecure, no_page, workers.
    """
    try:
        from mien.web import process_job, processes, server, usage
    except ModuleNotFoundError as error:
        raise missing_extra(f"the service needs {error.name}", "serve") from error
    settings = load_settings(engine=args.engine, calibration=args.calibration)
    processes.check_processes(args.workers, settings)
    options = server.ListenOptions(
        host=args.host,
        port=args.port,
        certificate=args.tls_cert,
        key=args.tls_key,
        names=tuple(args.name or ()),
        insecure=args.insecure,
    )
    ask = RememberedPassphrase(settings)
    vault = open_vault(settings, create=True, surface="web", ask_passphrase=ask)
    try:
        vault.is_empty()  # a missing key stops the start, not the first unlock
    except MienError:
        vault.close()
        raise
    usage.remove_damaged(usage.usage_path(settings))
    if args.workers == 1:
        on_listening = _log_address if args.no_page else _print_address
        with_page = not args.no_page
        server.run_service(settings, vault, options, on_listening=on_listening, with_page=with_page)
    else:
        vault.close()  # each process opens it for itself
        job = process_job.ProcessJob.of(args, options, passphrase=ask.given)
        processes.run_processes(job, settings, on_listening=_log_address)
    data: dict[str, object] = {"outcome": "stopped", "exit_code": 0}
    return CommandResult(ExitCode.OK, ("stopped; accepted calls were finished",), data)


class RememberedPassphrase:
    """Asks for the passphrase of the vault once. given: None while nobody was asked."""

    def __init__(self, settings: Settings) -> None:
        self._ask = passphrase_prompt(settings.passphrase_file, VAULT_PROMPT)
        self.given: str | None = None

    def __call__(self) -> str:
        if self.given is None:
            self.given = self._ask()
        return self.given


def _print_address(address: str) -> None:
    """On standard error: standard output has the command's result only."""
    print(f"open {address}", file=sys.stderr, flush=True)
    print(
        "keep this address secret: it gives full access, once. To stop: ctrl-c",
        file=sys.stderr,
        flush=True,
    )


def _log_address(address: str) -> None:
    """As a line of the log, so that every line on standard error is JSON."""
    write_line(log_line(now_utc, listening=address))


def token_create(args: Namespace) -> CommandResult:
    """Create a token and print its secret once.

    args: token (its name), scope, per_minute, per_day.
    """
    created_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    secret = _token_store().create(
        args.token,
        args.scope,
        created_at=created_at,
        per_minute=args.per_minute,
        per_day=args.per_day,
    )
    lines = (secret, f"  for {args.token}, scope {args.scope}; this is shown only once")
    data: dict[str, object] = {
        "outcome": "created",
        "exit_code": 0,
        "name": args.token,
        "scope": args.scope,
        "token": secret,
    }
    return CommandResult(ExitCode.OK, lines, data)


def token_list(args: Namespace) -> CommandResult:
    """List the stored tokens: names, scopes and dates, never secrets."""
    tokens = _token_store().stored()
    lines = [
        f"{one.name}  scope {one.scope}  created {one.created_at}"
        + f"  {one.per_minute} a minute" * (one.per_minute > 0)
        + f"  {one.per_day} a day" * (one.per_day > 0)
        for one in tokens
    ]
    data: dict[str, object] = {
        "outcome": "listed",
        "exit_code": 0,
        "tokens": [
            {
                "name": one.name,
                "scope": one.scope,
                "created": one.created_at,
                "per_minute": one.per_minute,
                "per_day": one.per_day,
            }
            for one in tokens
        ],
    }
    return CommandResult(ExitCode.OK, tuple(lines) or ("no tokens",), data)


def token_revoke(args: Namespace) -> CommandResult:
    """Revoke a token. args: token (its name)."""
    _token_store().revoke(args.token)
    data: dict[str, object] = {"outcome": "revoked", "exit_code": 0, "name": args.token}
    return CommandResult(ExitCode.OK, (f"revoked {args.token}",), data)


def _token_store() -> TokenStore:
    return TokenStore(tokens_path(load_settings()))
