"""The frames that `--camera` or `--frames` names, for `mien enroll`, `unlock` and `identify`."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mien.cli.progress import print_progress
from mien.errors import UsageError, quote
from mien.media.frame import Frame, turn_frames
from mien.vault import check_user_name

if TYPE_CHECKING:
    from mien.app.identify import Identifier
    from mien.app.verify import Verifier
    from mien.media.halved_photo import DoorPhoto
    from mien.results import Decision
    from mien.settings import Settings

TIMEOUT_S = 10.0
CHALLENGE_TIMEOUT_S = 20.0  # twelve for the session, and some to sit down


def name_of(args: Namespace) -> str:
    """NAME, or the login name of whoever runs this. Raises UsageError for a user id without one."""
    if args.name is not None:
        if _is_photo(args.name):
            raise UsageError(
                f"{quote(args.name)} is on the disk; the name comes first: {args.prog} NAME PHOTO"
            )
        return check_user_name(args.name)
    try:
        import pwd
    except ImportError as error:
        raise UsageError("this system has no login names for mien to take; give NAME") from error
    try:
        # not from the environment: `su` and `sudo` leave another user's name there
        return check_user_name(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError as error:
        raise UsageError(f"user id {os.getuid()} has no name here; give NAME") from error


def _is_photo(name: str) -> bool:
    """Whether whoever left NAME out gave a photo or a folder in its place."""
    if os.path.sep in name:
        return os.path.exists(name)
    return "." in name and os.path.isfile(name)


def frames_to_decide_on(args: Namespace, settings: Settings) -> Iterator[Frame] | None:
    """The frames to unlock or identify by, as `frames_of`; a challenge needs a real camera."""
    if args.challenge and args.photo is not None:
        raise UsageError("--challenge needs --camera; a photo cannot do what is asked")
    real_camera = settings.asks_for_life or args.challenge
    return frames_of(args, args.photo is not None, real_camera=real_camera)


def frames_of(args: Namespace, photo: bool, *, real_camera: bool = False) -> Iterator[Frame] | None:
    """The frames of --camera or --frames; None where a photo was given. UsageError for two.

    real_camera: a virtual one is refused with CameraUnavailable, when the first frame is taken.
    """
    given = [photo, args.camera is not None, args.frames is not None]
    if sum(given) != 1:
        raise UsageError(
            f"give exactly one of a photo, --camera and --frames; see: {args.prog} --help"
        )
    if photo:
        return None
    from time import monotonic

    from mien.media.camera import read_camera
    from mien.media.video import read_video

    timeout_s = args.timeout
    if timeout_s is None:
        timeout_s = CHALLENGE_TIMEOUT_S if getattr(args, "challenge", False) else TIMEOUT_S
    if not 0 < timeout_s <= 600:
        raise UsageError("--timeout must be more than 0 and at most 600 seconds")
    if args.frames is not None:
        frames = read_video(args.frames, clock=monotonic, timeout_s=timeout_s)
    else:
        frames = read_camera(
            args.camera,
            clock=monotonic,
            timeout_s=timeout_s,
            allow_virtual=not real_camera,
            tell=print_progress,
        )
    return frames if args.rotate in ("auto", "0") else turn_frames(frames, int(args.rotate))


def decide_on(
    attempt: Verifier | Identifier,
    shown: DoorPhoto | Iterator[Frame],
    settings: Settings,
    args: Namespace,
) -> Decision:
    """On the photo, or by a vote of the frames, which are checked for a living person."""
    if not isinstance(shown, Iterator):
        return attempt(shown)
    from mien.cli.commands.live_decision import decide_live  # a photo does not need it

    is_camera = args.camera is not None
    return decide_live(attempt, shown, settings, is_camera=is_camera, with_challenge=args.challenge)


def liveness_lines(
    decision: Decision, args: Namespace, settings: Settings, *, a_photo_may: str
) -> tuple[str, ...]:
    """What is to be said of an acceptance that was not checked for a living person."""
    if not decision or decision.liveness is not None:
        return ()
    if args.photo is not None:
        note = "  note: a photo file cannot be checked for life"
        return (note,) if settings.asks_for_life else ()
    if args.camera is None:
        return ()
    if settings.liveness == "off":
        why = "the setting liveness is off"
    else:
        why = "run: mien models add liveness"
    return (f"  warning: not checked for a living person, a photo may {a_photo_may}; {why}",)
