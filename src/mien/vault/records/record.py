"""What the vault keeps of one person, and which names a person may have."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from mien.errors import AlreadyEnrolled, UsageError, quote

if TYPE_CHECKING:  # results brings numpy, and a record has no array
    from mien.results import ModelId

MAX_NAME_CHARACTERS = 64
MAX_MODEL_CHARACTERS = 128  # of a model's name, and of its hash in hexadecimal
MAX_PAYLOAD_BYTES = 32 * 1024 * 1024  # the largest packed template is half of it


@dataclass(frozen=True, slots=True)
class RecordHead:
    """What may be listed of a record: everything but the template."""

    user: str
    model: ModelId
    created_at: str


@dataclass(frozen=True, slots=True)
class Record:
    """One person's template as bytes. The vault does not look into the payload.

    user: as `check_user_name` returns it. created_at: as `utc_stamp` writes it,
    for example 2026-01-31T12:00:00+00:00. payload: at most `MAX_PAYLOAD_BYTES`.

    Raises UsageError for a bad user name and ValueError for the rest.
    """

    user: str
    model: ModelId
    created_at: str
    payload: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if check_user_name(self.user) != self.user:
            raise ValueError(f"user {quote(self.user)} is not what check_user_name returns")
        for name, text in (("name", self.model.name), ("sha256", self.model.sha256)):
            if not (1 <= len(text) <= MAX_MODEL_CHARACTERS and text.isprintable()):
                raise ValueError(
                    f"model {name} {quote(text)} must be 1 to 128 printable characters"
                )
        _expect_utc_stamp(self.created_at)
        if not isinstance(self.payload, bytes) or len(self.payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"payload must be bytes, at most {MAX_PAYLOAD_BYTES} of them")

    @property
    def head(self) -> RecordHead:
        return RecordHead(self.user, self.model, self.created_at)


def check_user_name(name: str) -> str:
    """The name in Unicode's composed form (NFC), so that one spelling is one person.

    Allowed are 1 to 64 printable characters of any script and inner spaces. Refused
    is what could pass for a path or an option, or cannot be seen on a screen.
    Raises UsageError.
    """
    # composing takes time with the length, and four marks on every letter is beyond any script
    short_enough = len(name) <= 4 * MAX_NAME_CHARACTERS
    normal = unicodedata.normalize("NFC", name) if short_enough else name
    fault = _name_fault(normal)
    if fault:
        raise UsageError(f"the user name {quote(name)} {fault}; choose a name such as 'ana'")
    return normal


def utc_stamp(moment: datetime) -> str:
    """A moment as text, in UTC and whole seconds. ValueError if it has no time zone."""
    if moment.tzinfo is None:
        raise ValueError("the moment has no time zone; use datetime.now(timezone.utc)")
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds")


def already_enrolled(
    user: str, way_out: str = "pass --replace to start over, or --add to add these photos"
) -> AlreadyEnrolled:
    """The error for a taken name, in the same words everywhere."""
    return AlreadyEnrolled(f"{quote(user)} is enrolled already; {way_out}")


def _name_fault(name: str) -> str | None:
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"is longer than {MAX_NAME_CHARACTERS} characters"
    if not name.isprintable():
        return "has a character that cannot be printed"
    if "/" in name:
        return "has a slash"
    if name in (".", ".."):
        return "stands for a folder"
    if name.startswith("-"):
        return "looks like an option"
    if name != name.strip():
        # ' ana' and 'ana' look alike in every list, and would be two people
        return "starts or ends with a space"
    return None


def _expect_utc_stamp(text: str) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"created_at {quote(text)} is not a time") from error
    if moment.utcoffset() != timedelta(0) or utc_stamp(moment) != text:
        raise ValueError(f"created_at {quote(text)} is not as utc_stamp writes it")
