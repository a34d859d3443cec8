"""`mien list`, `mien rename` and `mien forget`."""

from __future__ import annotations

from argparse import Namespace

from mien.app.verify import forget as forget_person
from mien.cli.output import CommandResult
from mien.cli.questions import ask_yes
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode, UsageError
from mien.settings import load_settings
from mien.vault import check_user_name


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


def rename(args: Namespace) -> CommandResult:
    """Give a person another name. args: name, new_name."""
    with open_user_vault(load_settings(), create=False) as vault:
        new = vault.rename(args.name, args.new_name)
    data: dict[str, object] = {
        "outcome": "renamed",
        "exit_code": 0,
        "user": new,
        "earlier": check_user_name(args.name),
    }
    return CommandResult(ExitCode.OK, (f"renamed {args.name} to {new}",), data)


def forget(args: Namespace) -> CommandResult:
    """Delete a template; at a terminal only after a yes. args: name, yes."""
    with open_user_vault(load_settings(), create=False) as vault:
        if not args.yes and not _is_confirmed(args.name, enrolled=vault.holds(args.name)):
            raise UsageError(f"{args.name} was not forgotten; to forget without asking: --yes")
        user = forget_person(args.name, vault)
    data: dict[str, object] = {"outcome": "forgotten", "exit_code": 0, "user": user}
    return CommandResult(ExitCode.OK, (f"forgot {user}",), data)


def _is_confirmed(name: str, *, enrolled: bool) -> bool:
    """Ask at the terminal. A script is not asked, and neither is who names nobody enrolled."""
    return not enrolled or ask_yes(f"Forget {name}? The template cannot be restored.", default=True)
