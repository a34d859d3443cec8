"""Every way in which mien says no, and the exit code of each.

    MienError                    1..12, see `exit_code`
    |-- UsageError                2   the caller asked for something that cannot be
    |   |-- AlreadyEnrolled       2   the name is taken
    |   |-- MissingExtra          2   an optional package is not installed
    |   `-- NotEnoughEvidence     2   the data cannot support the figure asked for
    |-- EnrollmentRefused          1   these photos do not make a template
    |-- NoFaceFound               3
    |-- SeveralFacesFound         4
    |-- UnreadableImage           5
    |-- NotEnrolled               6
    |-- TooManyAttempts           7   failed too often: wait
    |-- VaultDamaged              8   what is stored cannot be trusted or read
    |-- KeyUnavailable           11   the vault's key is not to be had
    |-- CameraUnavailable        12   absent, busy, not ours, or silent
    |-- WorkerDied                1   a worker process ended before it gave its result
    `-- ModelUnavailable         10
        |-- ModelMissing         10   a weights file is nowhere to be found
        |-- ModelAltered         10   a file is there and its hash is wrong
        `-- ModelMismatch        10   a template or threshold belongs to another model

Exit code 9 (not a live person) is taken and not raised yet. A message is one line:
what happened, then what to do next.
"""

from __future__ import annotations

import os
from enum import IntEnum


class ExitCode(IntEnum):
    """What a mien process, and every other surface, answers with."""

    UNLOCKED = 0
    NOT_THE_OWNER = 1
    USAGE = 2
    NO_FACE = 3
    SEVERAL_FACES = 4
    UNREADABLE_IMAGE = 5
    NOT_ENROLLED = 6
    TOO_MANY_ATTEMPTS = 7
    VAULT_DAMAGED = 8
    NOT_LIVE = 9
    MODEL_UNAVAILABLE = 10
    KEY_UNAVAILABLE = 11
    CAMERA_UNAVAILABLE = 12


class MienError(Exception):
    """Base of all errors that mien raises on purpose; the door stays locked."""

    exit_code: ExitCode = ExitCode.NOT_THE_OWNER


class UsageError(MienError):
    """The request itself is at fault: a wrong option, an empty folder, a bad name."""

    exit_code = ExitCode.USAGE


class EnrollmentRefused(MienError):
    """The photos given do not show one person, so they make no template."""

    exit_code = ExitCode.NOT_THE_OWNER


class AlreadyEnrolled(UsageError):
    """The name has a template already, and the caller did not say what to do with it."""


class MissingExtra(UsageError):
    """An optional package is not installed; `missing_extra` makes the message."""


class NotEnoughEvidence(UsageError):
    """The data cannot support the figure that was asked for; the message says what could."""


class NoFaceFound(MienError):
    """No face in the picture, or none large and sure enough."""

    exit_code = ExitCode.NO_FACE


class SeveralFacesFound(MienError):
    """More than one face where exactly one is needed."""

    exit_code = ExitCode.SEVERAL_FACES


class UnreadableImage(MienError):
    """The file is missing, not a picture, damaged, or larger than allowed."""

    exit_code = ExitCode.UNREADABLE_IMAGE


class CameraUnavailable(MienError):
    """The camera is absent, busy, not ours to use, or gives no picture."""

    exit_code = ExitCode.CAMERA_UNAVAILABLE


class NotEnrolled(MienError):
    """There is no template under that name."""

    exit_code = ExitCode.NOT_ENROLLED


class TooManyAttempts(MienError):
    """The door answers nobody for a while; the message says for how long.

    wait_s: the same in seconds.
    """

    wait_s: float = 30.0

    exit_code = ExitCode.TOO_MANY_ATTEMPTS


class KeyUnavailable(MienError):
    """The key that opens the vault is missing, refused, or not to be asked for here."""

    exit_code = ExitCode.KEY_UNAVAILABLE


class VaultDamaged(MienError):
    """The store cannot be opened, or what it holds does not check out."""

    exit_code = ExitCode.VAULT_DAMAGED


class WorkerDied(MienError):
    """A worker process ended before it gave its result."""


class ModelUnavailable(MienError):
    """A model cannot be used."""

    exit_code = ExitCode.MODEL_UNAVAILABLE


class ModelMissing(ModelUnavailable):
    """No source of the model table has the file."""


class ModelAltered(ModelUnavailable):
    """A file is where the model table says, and its SHA-256 is not what the table says."""


class ModelMismatch(ModelUnavailable):
    """A template or a threshold was made with another model than the one in use."""


def quote(text: object, *, at_most: int = 80) -> str:
    """Text for a message: quoted, escaped so that it stays on its line, and cut."""
    whole = text if isinstance(text, str) else str(text)
    return repr(whole) if len(whole) <= at_most else repr(whole[:at_most]) + "..."


def quote_path(path: str | os.PathLike[str]) -> str:
    """A path as it may stand in a message: quoted, on one line, printable whatever its bytes."""
    return repr(os.fsdecode(path))


def one_line(error: BaseException) -> str:
    """What an error of another library says, short, on one line and printable."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(said.split()) or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text[:120])


def install_command(extra: str) -> str:
    """Installs an extra of mien in mien's source folder; no package index has mien yet."""
    return f"pip install '.[{extra}]'"


def missing_extra(reason: str, extra: str) -> MissingExtra:
    """The error for a package that is not installed. reason: what needs it, with no full stop."""
    return MissingExtra(f"{reason}; run in mien's source folder: {install_command(extra)}")
