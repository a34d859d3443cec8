"""`mien not-me`, and what `mien photos` says and changes of faces that are kept."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, tzinfo

from mien.app.kept_faces import (
    KeptTimes,
    forget_learned,
    mark_as_wrong,
    set_following,
    unmark,
)
from mien.cli.output import CommandResult
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode, UsageError
from mien.matching.calibration import load_calibration
from mien.models import find_embedder, known_embedders
from mien.models.added import liveness_is_added
from mien.settings import Settings, load_settings
from mien.vault import check_user_name
from mien.vault.integrity.audit_log import local_time
from mien.vault.vault import Vault


def not_me(args: Namespace) -> CommandResult:
    """Mark one of the last unlocks as somebody else's, or remove such a mark.

    args: name, unlock (a number, 1 for the last one), undo (a number or None).
    """
    if args.undo is not None and args.unlock is not None:
        raise UsageError("give --unlock to mark, or --undo to remove a mark; not both")
    user = check_user_name(args.name)
    with open_user_vault(load_settings(), create=False) as vault:
        if args.undo is not None:
            at = unmark(user, vault, number=args.undo)
        else:
            at = mark_as_wrong(user, vault, number=args.unlock or 1)
    when = local_time(at, datetime.now().astimezone().tzinfo)
    if args.undo is not None:
        outcome, lines = "not_me_undone", [f"the unlock of {when} counts as {user} again"]
    else:
        outcome = "not_me"
        lines = [
            f"the unlock of {when} is marked as somebody else's: a face more like that than like"
            f" the photos stays locked for {user}",
            f"  if it was {user} after all: mien not-me {shlex.quote(user)} --undo",
        ]
    data: dict[str, object] = {"outcome": outcome, "exit_code": 0, "user": user, "at": at}
    return CommandResult(ExitCode.OK, tuple(lines), data)


def change_learning(args: Namespace, vault: Vault, settings: Settings) -> CommandResult:
    """Follow the face or not, or remove what was learned. args: as of `photos`."""
    user = check_user_name(args.name)
    if args.follow is not None:
        return _follow(user, vault, settings, on=args.follow == "on")
    gone = forget_learned(user, vault, args.undo_learned or None)
    data: dict[str, object] = {"outcome": "learned_removed", "exit_code": 0, "user": user}
    return CommandResult(ExitCode.OK, (f"removed {gone} of {user}",), data)


def _follow(user: str, vault: Vault, settings: Settings, *, on: bool) -> CommandResult:
    lines = [f"the template of {user} is the enrolled photos alone, what it learned is removed"]
    if on:
        _expect_calibration(user, vault, settings)
        lines = [
            f"the template of {user} follows the face: after an unlock at a camera, checked for a"
            " living person, it may learn the face of that day"
        ]
        if settings.liveness == "off":
            lines.append("  note: it learns nothing while the setting liveness is off")
        elif not liveness_is_added(settings.engine, settings.data_dir):
            lines.append("  note: it learns nothing before you run: mien models add liveness")
    set_following(user, vault, on=on)
    outcome = "follow_on" if on else "follow_off"
    data: dict[str, object] = {"outcome": outcome, "exit_code": 0, "user": user}
    return CommandResult(ExitCode.OK, tuple(lines), data)


def _expect_calibration(user: str, vault: Vault, settings: Settings) -> None:
    """UsageError for a template of a model without measured thresholds: it could learn nothing."""
    found = vault.look_up(user)
    if found is None or found.record is None:
        return  # said by what comes next
    name = found.record.model.name
    known = name in known_embedders(settings.data_dir)
    if not known or load_calibration(find_embedder(name, settings.data_dir)) is None:
        raise UsageError(
            f"the model {name} was never calibrated, so no threshold is known that is strict"
            f" enough to learn from; run: mien calibrate FOLDER --model {name}"
        )


def describe_kept(kept: KeptTimes, zone: tzinfo | None) -> tuple[str, ...]:
    """Whether the template follows the face, and a line for each face that is kept."""
    lines = ["it follows the face"] if kept.follows else []
    for what, times in (
        ("learned", kept.learned),
        ("last unlock", kept.unlocks),
        ("marked as somebody else's", kept.marked),
    ):
        lines += [f"{what} {row}: {local_time(at, zone)}" for row, at in enumerate(times, 1)]
    return tuple(lines)


def numbered(times: Sequence[str]) -> list[dict[str, object]]:
    """For JSON."""
    return [{"number": row, "at": at} for row, at in enumerate(times, 1)]
