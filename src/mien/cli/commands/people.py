"""`mien list` and `mien forget`."""

from __future__ import annotations

from argparse import Namespace

from mien.cli.output import CommandResult
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode
from mien.settings import load_settings


def list_people(args: Namespace) -> CommandResult:
    """List the enrolled people. args: nothing."""
    with open_user_vault(load_settings(), create=False) as vault:
        heads = vault.list_people()
    lines = [f"{head.user}  enrolled {head.created_at}  with {head.model.name}" for head in heads]
    data: dict[str, object] = {
        "outcome": "listed",
        "exit_code": 0,
        "people": [
            {"user": head.user, "enrolled": head.created_at, "model": head.model.name}
            for head in heads
        ],
    }
    nobody = ("nobody is enrolled; run: mien enroll NAME PHOTO...",)
    return CommandResult(ExitCode.OK, tuple(lines) or nobody, data)


def forget(args: Namespace) -> CommandResult:
    """Delete a template. args: name."""
    from mien.app.verify import forget as forget_person

    with open_user_vault(load_settings(), create=False) as vault:
        user = forget_person(args.name, vault)
    data: dict[str, object] = {"outcome": "forgotten", "exit_code": 0, "user": user}
    return CommandResult(ExitCode.OK, (f"forgot {user}",), data)
