"""The expendable process of the login daemon that holds the models and the camera.

    python -I -m mien.login.worker DESCRIPTOR STATE CONFIG [FILM]

It gets one job at a time over a socket, a JSON datagram each, and may be killed at any time. It
ends when it was not asked for `IDLE_S` seconds, or when the daemon is gone.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mien.errors import MienError, Outcome, TooManyAttempts
from mien.login.camera import find_login_camera
from mien.login.config import LoginConfig, read_config
from mien.login.film import paced, repeated
from mien.login.look import IsCancelled, Looker, OpenFrames
from mien.login.look_job import LookJob
from mien.login.system_vault import system_settings
from mien.media.camera import read_camera
from mien.media.frame import Frame
from mien.media.video import read_video
from mien.vault.limits.attempts import describe_wait

IDLE_S = 60.0
MAX_MESSAGE_BYTES = 4096


def main(arguments: list[str]) -> int:
    """Serve jobs until there are none. Returns the exit code."""
    descriptor, state, config_path, *film = arguments
    daemon = socket.socket(fileno=int(descriptor))
    config = read_config(Path(config_path))
    open_frames = _film_opener(film[0]) if film else _camera_opener(config)
    looker = Looker(system_settings(Path(state)), open_frames, is_camera=not film)
    while _is_readable(daemon, IDLE_S):
        message = daemon.recv(MAX_MESSAGE_BYTES)
        if not message:
            break
        asked = json.loads(message)
        if "holds" in asked:
            _send(daemon, {"outcome": "ok" if looker.holds(asked["holds"]) else "not_enrolled"})
        if "look" in asked:  # a late "cancel" is for a look that has ended
            _answer(looker, LookJob(**asked["look"]), float(asked["seconds"]), daemon)
    return 0


def _answer(looker: Looker, job: LookJob, seconds: float, daemon: socket.socket) -> None:
    def tell(words: str) -> None:
        _send(daemon, {"tell": words})

    words = ""
    try:
        decision = looker.look(
            job,
            seconds=seconds,
            tell=tell,
            is_cancelled=lambda: _is_readable(daemon, 0.0),
        )
        outcome = decision.outcome
    except TooManyAttempts as error:
        outcome = error.outcome
        words = f"too many attempts; use your password, or {describe_wait(error.wait_s)}"
    except MienError as error:  # any other error ends this process, and the daemon notices
        outcome = error.outcome
        print(f"mien login: {outcome.value}: {error}", file=sys.stderr, flush=True)
    _send(daemon, {"outcome": outcome.value, "words": words})
    _log(outcome)


def _log(outcome: Outcome) -> None:
    """One line without a name, a similarity or a picture."""
    print(f"mien login: a look ended: {outcome.value}", file=sys.stderr, flush=True)


def _send(daemon: socket.socket, message: dict[str, str]) -> None:
    daemon.send(json.dumps(message).encode())


def _is_readable(daemon: socket.socket, timeout_s: float) -> bool:
    return bool(select.select([daemon], [], [], timeout_s)[0])


def _camera_opener(config: LoginConfig) -> OpenFrames:
    def open_camera(seconds: float, is_cancelled: IsCancelled) -> Iterator[Frame]:
        return read_camera(
            find_login_camera(config),
            clock=time.monotonic,
            timeout_s=seconds,
            expected_usb_id=config.camera_id,
            cancelled=is_cancelled,
        )

    return open_camera


def _film_opener(film: str) -> OpenFrames:
    def read(seconds: float) -> Iterator[Frame]:
        return read_video(film, clock=time.monotonic, timeout_s=seconds)

    def open_film(seconds: float, is_cancelled: IsCancelled) -> Iterator[Frame]:
        if not Path(film).is_file():  # a pipe, whose writer sets the pace
            return read(seconds)
        frames = repeated(read, clock=time.monotonic, seconds=seconds)
        return paced(frames, clock=time.monotonic, wait=time.sleep)

    return open_film


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
