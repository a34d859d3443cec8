"""Every error that mien raises on purpose, and the outcomes and exit codes of all surfaces.

    MienError                   70, see `MienError.outcome`
    |-- UsageError                2   the request itself is wrong
    |   |-- AlreadyEnrolled       2   the name is taken
    |   |-- EnrollmentRefused     2   the photos do not show one person
    |   |   `-- AnotherFace       2   the photos do not show the person whom they would replace
    |   |-- MissingExtra          2   an optional package is not installed
    |   |-- TrainingRefused       2   a trained net is not good enough to be kept
    |   `-- NotEnoughEvidence     2   the data cannot support the figure asked for
    |-- NoFaceFound               3
    |-- SeveralFacesFound         4
    |-- UnreadableImage           5
    |-- NotEnrolled               6
    |-- TooManyAttempts           7   too many failed attempts: wait
    |-- VaultDamaged              8   the stored data is damaged or was altered
    |-- KeyUnavailable           11   the vault's key is not available
    |-- CameraUnavailable        12   absent, not permitted, or without frames
    |   |-- CameraBusy           12   another program has its stream
    |   `-- LookCancelled        12   the caller ended the look before there was an answer
    |-- WorkerDied               70   a worker process ended before it gave its result
    `-- ModelUnavailable         10
        |-- ModelMissing         10   a weights file was not found
        |-- ModelAltered         10   a file was found and its hash is wrong
        |-- EngineUnavailable    10   the engine's graphics card is not there
        `-- ModelMismatch        10   a template or threshold belongs to another model

Outcome 9 (not a live person) is a decision, and never an error. A message is one line:
what happened, then what to do next.
"""

from __future__ import annotations

import os
from enum import Enum, IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit code of a mien process. The words are in `Outcome`."""

    OK = 0
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
    INTERNAL_ERROR = 70
    INTERRUPTED = 130


class Outcome(Enum):
    """The result of a request, the same on every surface. The value is the word in JSON.

    UNLOCKED means that a face was accepted, and nothing else does. OK means that the work was
    done: listed, enrolled, exported. Both exit with 0.
    """

    UNLOCKED = "unlocked"
    OK = "ok"
    NOT_THE_OWNER = "not_the_owner"
    USAGE = "usage"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    UNREADABLE_IMAGE = "unreadable_image"
    NOT_ENROLLED = "not_enrolled"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    VAULT_DAMAGED = "vault_damaged"
    NOT_LIVE = "not_live"
    MODEL_UNAVAILABLE = "model_unavailable"
    KEY_UNAVAILABLE = "key_unavailable"
    CAMERA_UNAVAILABLE = "camera_unavailable"
    INTERNAL_ERROR = "internal_error"
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a process with this outcome."""
        return ExitCode.OK if self is Outcome.UNLOCKED else ExitCode[self.name]


class MienError(Exception):
    """Base of all errors that mien raises on purpose. Any error means locked.

    outcome: what every surface reports; a subclass has to set its own.
    """

    outcome: ClassVar[Outcome] = Outcome.INTERNAL_ERROR

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a process that ends with this error."""
        return self.outcome.exit_code


class UsageError(MienError):
    """The request itself is wrong: an unknown option, an empty folder, a bad name."""

    outcome = Outcome.USAGE


class AlreadyEnrolled(UsageError):
    """The name is enrolled already, and the caller did not ask to replace or to add."""


class EnrollmentRefused(UsageError):
    """The photos given do not show one person, so nothing was enrolled."""


class AnotherFace(EnrollmentRefused):
    """The photos that are to replace a person's show another face, so nothing was replaced."""


class MissingExtra(UsageError):
    """An optional package is not installed; `missing_extra` makes the message."""


class TrainingRefused(UsageError):
    """A training was stopped, or what it made was not kept; the message says why."""


class NotEnoughEvidence(UsageError):
    """The data cannot support the figure that was asked for; the message says what could."""


class NoFaceFound(MienError):
    """No face in the picture, or none that is large enough and has a high enough score."""

    outcome = Outcome.NO_FACE


class SeveralFacesFound(MienError):
    """More than one face where exactly one is needed."""

    outcome = Outcome.SEVERAL_FACES


class UnreadableImage(MienError):
    """The file is missing, not a picture, damaged, or larger than allowed."""

    outcome = Outcome.UNREADABLE_IMAGE


class CameraUnavailable(MienError):
    """The camera is absent, busy, not permitted, or gives no picture."""

    outcome = Outcome.CAMERA_UNAVAILABLE


class CameraBusy(CameraUnavailable):
    """The camera is there, and another program has its stream."""


class LookCancelled(CameraUnavailable):
    """The caller ended the look, so nothing was decided and nobody is to be charged."""


class NotEnrolled(MienError):
    """There is no template under that name."""

    outcome = Outcome.NOT_ENROLLED


class TooManyAttempts(MienError):
    """No attempt is accepted for a while, because too many failed; the message says for how long.

    wait_s: the same in seconds.
    """

    wait_s: float = 30.0

    outcome = Outcome.TOO_MANY_ATTEMPTS


class KeyUnavailable(MienError):
    """The key of the vault is missing or refused, or its passphrase cannot be asked for here."""

    outcome = Outcome.KEY_UNAVAILABLE


class VaultDamaged(MienError):
    """The store cannot be opened, or its content does not pass verification."""

    outcome = Outcome.VAULT_DAMAGED


class WorkerDied(MienError):
    """A worker process ended before it gave its result."""


class ModelUnavailable(MienError):
    """A model cannot be used."""

    outcome = Outcome.MODEL_UNAVAILABLE


class ModelMissing(ModelUnavailable):
    """No source of the model table has the file."""


class ModelAltered(ModelUnavailable):
    """A file was found, and its SHA-256 is not the one in the model table."""


class EngineUnavailable(ModelUnavailable):
    """The engine computes on a graphics card, and there is none that it can use."""


class ModelMismatch(ModelUnavailable):
    """A template or a threshold was made with another model than the one in use."""


def quote(text: object, *, at_most: int = 80) -> str:
    """Text for a message: quoted, escaped so that it stays on its line, and cut."""
    whole = text if isinstance(text, str) else str(text)
    return repr(whole) if len(whole) <= at_most else repr(whole[:at_most]) + "..."


def quote_path(path: str | os.PathLike[str]) -> str:
    """A path for a message: quoted, on one line, and printable whatever its bytes."""
    return repr(os.fsdecode(path))


def one_line(error: BaseException) -> str:
    """The message of another library's error: short, on one line and printable."""
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(message.split()) or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text[:120])


def install_command(package: str) -> str:
    """The command that installs a package where this Python finds it, from any folder."""
    import shlex  # no other run pays for these
    import shutil
    import sys
    from importlib.util import find_spec

    if find_spec("pip") is None:  # as in an environment that uv made
        return f"uv pip install --python {shlex.quote(sys.executable)} {package}"
    beside = os.path.join(os.path.dirname(sys.executable), "pip")
    pip = "pip" if shutil.which("pip") == beside else f"{shlex.quote(sys.executable)} -m pip"
    return f"{pip} install {package}"


def install_hint(extra: str) -> str:
    """ "run: " and the command that installs an extra of mien, which is on no package index.

    pip notes where it installed mien from (PEP 610). Where that is gone, the source folder has to
    be found by the reader.
    """
    import shlex

    source = _source_of(_direct_url())
    if source is None:
        return f"run in mien's source folder: pip install '.[{extra}]'"
    return f"run: {install_command(shlex.quote(source.format(extra=f'[{extra}]')))}"


def missing_extra(reason: str, extra: str) -> MissingExtra:
    """The error for a package that is not installed. reason: what needs it, with no full stop."""
    return MissingExtra(f"{reason}; {install_hint(extra)}")


def _direct_url() -> str:
    """What pip or uv wrote on the source of the installed mien: JSON, or empty."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return distribution("mien").read_text("direct_url.json") or ""
    except (PackageNotFoundError, OSError):
        return ""


def _source_of(direct_url: str) -> str | None:
    """What pip takes to install mien with extras at "{extra}"; None if that is not known."""
    import json
    from urllib.parse import unquote, urlsplit

    try:
        found = json.loads(direct_url)
        url, vcs = found["url"], found.get("vcs_info")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(url, str) or not set("{}'\\").isdisjoint(url):
        return None
    if vcs:
        return f"mien{{extra}} @ git+{url}"
    folder = unquote(urlsplit(url).path)
    if not url.startswith("file://") or not os.path.isfile(os.path.join(folder, "pyproject.toml")):
        return None
    return folder + "{extra}"
