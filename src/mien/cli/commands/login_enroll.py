"""`mien login enroll` and `mien login forget`: as root, after the password of the account."""

from __future__ import annotations

import getpass
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from mien.app import enroll as use_cases
from mien.app.enroll import Mode
from mien.app.enrollment import Enrollment
from mien.app.live_challenge import NOT_PASSED
from mien.app.messages import enrollment_lines
from mien.app.pipeline import open_pipeline
from mien.app.verify import forget as forget_record
from mien.app.voting import choose_frames
from mien.cli.commands.frames import CHALLENGE_TIMEOUT_S
from mien.cli.commands.live_decision import living_frames
from mien.cli.output import CommandResult
from mien.cli.progress import photo_bar, print_progress
from mien.errors import ExitCode, UsageError, quote
from mien.login.accounts import Account, find_account
from mien.login.camera import find_login_camera
from mien.login.config import LoginConfig, read_config
from mien.login.listener import drop_rights, prepare_state
from mien.login.password import check_password
from mien.login.state import STATE_DIR
from mien.login.system_vault import open_system_vault, system_settings
from mien.media.camera import read_camera
from mien.media.frame import Frame
from mien.media.video import read_video


def enroll(args: Namespace) -> CommandResult:
    """Enroll from the camera, of whoever passes a challenge. args: user, state, camera, frames,
    add, replace."""
    config, account = read_config(), _account_of(args)
    settings = system_settings(_become_owner_of(args))
    pipeline = open_pipeline(settings)
    living = living_frames(_frames(args, config), pipeline, settings)
    if living is None:
        words = f"not enrolled: {account.name}, {NOT_PASSED}"
        return CommandResult(ExitCode.NOT_LIVE, (words,), {"outcome": "not_live"})
    photos = choose_frames(iter(living.frames), pipeline)
    mode: Mode = "add" if args.add else "replace_person" if args.replace else "new"
    record_name = account.record_name(is_infrared=config.infrared)
    with open_system_vault(settings, create=True) as vault:
        enrollment: Enrollment = use_cases.enroll(
            record_name,
            photos,
            pipeline=pipeline,
            vault=vault,
            mode=mode,
            clock=lambda: datetime.now(timezone.utc),
            progress=photo_bar,
            may_skip=lambda photo: True,  # frames, of which some may be poor
            liveness=living.history,
        )
    lines = enrollment_lines(account.name, enrollment, verbose=False)
    return CommandResult(ExitCode.OK, lines, enrollment.to_dict(account.name))


def forget(args: Namespace) -> CommandResult:
    """Delete the templates of an account. args: user, state."""
    account = _account_of(args)
    settings = system_settings(_become_owner_of(args))
    with open_system_vault(settings, create=False) as vault:
        names = [account.record_name(is_infrared=one) for one in (False, True)]
        held = [one for one in names if vault.holds(one)]
        for name in held or names[:1]:
            forget_record(name, vault)
    line = f"the face of {account.name} is deleted"
    return CommandResult(ExitCode.OK, (line,), {"outcome": "ok", "user": account.name})


def _account_of(args: Namespace) -> Account:
    """The account that is named, once its password was given."""
    if os.geteuid() != 0:
        raise UsageError(f"only root may do this; run: sudo mien login {args.command} {args.user}")
    account = find_account(args.user)
    if account is None:
        raise UsageError(f"this machine has no account {quote(args.user)}; check the name")
    if account.uid == 0:
        raise UsageError("root has no face; name an account that you log in with")
    check_password(account.name, getpass.getpass)
    return account


def _become_owner_of(args: Namespace) -> Path:
    """The folder of the daemon, of whose user this process is from here on."""
    state: Path = args.state or STATE_DIR
    prepare_state(state)
    drop_rights()
    return state


def _frames(args: Namespace, config: LoginConfig) -> Iterator[Frame]:
    if args.frames is not None:
        return read_video(args.frames, clock=time.monotonic, timeout_s=CHALLENGE_TIMEOUT_S)
    chosen = replace(config, camera=args.camera, camera_id="") if args.camera else config
    return read_camera(
        find_login_camera(chosen),
        clock=time.monotonic,
        timeout_s=CHALLENGE_TIMEOUT_S,
        tell=print_progress,
    )
