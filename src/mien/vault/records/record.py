"""What the vault stores of one person, and which user names are allowed."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Literal

from mien.errors import AlreadyEnrolled, UsageError, quote
from mien.records import dataclass, field, replace

if TYPE_CHECKING:
    from mien.results import ModelId

MAX_NAME_CHARACTERS = 64
MAX_MODEL_CHARACTERS = 128  # of a model's name, and of its hash in hexadecimal
MAX_PAYLOAD_BYTES = 32 * 1024 * 1024  # the largest packed template is half of it
MAX_SUCCESS_DAYS = 3  # more change nothing
MAX_PAST_UNLOCKS = 30
MAX_THUMBNAIL_BYTES = 16 * 1024

FaceKind = Literal["learned", "unlock", "not_me"]
"""Why the embedding of an unlock is kept: the template learned it; it is one of the last unlocks,
which can still be marked as wrong; it was marked."""
MAX_KEPT: Mapping[FaceKind, int] = {"learned": 3, "unlock": 3, "not_me": 8}
MAX_VECTOR_BYTES = 4 * 4096


@dataclass(frozen=True, slots=True)
class RecordHead:
    """The parts of a record that may be listed: everything but the template."""

    user: str
    model: ModelId
    created_at: str


@dataclass(frozen=True, slots=True)
class LivenessHistory:
    """How alive a person looked to the passive check, for a threshold of their own.

    enrolled_score: mean over the frames of the enrollment. success_days: on which an attempt was
    let pass, in UTC, no day twice, at most `MAX_SUCCESS_DAYS`. Raises ValueError.
    """

    enrolled_score: float
    success_days: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.enrolled_score):
            raise ValueError("the passive score of an enrollment must be a number")
        days = self.success_days
        if len(days) > MAX_SUCCESS_DAYS or len(set(days)) < len(days):
            raise ValueError(f"at most {MAX_SUCCESS_DAYS} days of success, each once")

    def with_success(self, day: date) -> LivenessHistory:
        """With a success on this day; itself if that changes nothing."""
        if day in self.success_days or len(self.success_days) == MAX_SUCCESS_DAYS:
            return self
        return replace(self, success_days=(*self.success_days, day))

    def merged_with(self, earlier: LivenessHistory | None) -> LivenessHistory:
        """Of photos that were added to earlier ones: the lower score, and the earlier days."""
        if earlier is None:
            return self
        lower = min(self.enrolled_score, earlier.enrolled_score)
        return replace(earlier, enrolled_score=lower)


@dataclass(frozen=True, slots=True)
class PastUnlock:
    """An attempt that unlocked. at: as `utc_stamp` writes it. similarity: -1..1, three digits."""

    at: str
    similarity: float

    def __post_init__(self) -> None:
        _expect_utc_stamp("at", self.at)
        if not -1.0 <= self.similarity <= 1.0:  # also refuses NaN
            raise ValueError(f"a similarity is a number from -1 to 1, got {self.similarity}")


@dataclass(frozen=True, slots=True)
class KeptFace:
    """The embedding of an unlock. at: of the unlock, as `utc_stamp` writes it.

    vector: d float32, little-endian, in the space of the template, and of length one.
    """

    kind: FaceKind
    at: str
    vector: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _expect_utc_stamp("at", self.at)
        if self.kind not in MAX_KEPT:
            raise ValueError(f"a face is kept as one of {', '.join(MAX_KEPT)}, not {self.kind!r}")
        size = len(self.vector)
        if size % 4 or not 4 <= size <= MAX_VECTOR_BYTES:
            raise ValueError(f"{size} bytes are no vector of float32")


@dataclass(frozen=True, slots=True)
class Record:
    """One person's template as bytes. The vault does not read the payload.

    user: as `check_user_name` returns it. created_at: as `utc_stamp` writes it,
    for example 2026-01-31T12:00:00+00:00. payload: at most `MAX_PAYLOAD_BYTES`. liveness: None
    for a person who was not enrolled from a camera that was checked. unlocks: the last ones, oldest
    first, at most `MAX_PAST_UNLOCKS`. thumbnail: a JPEG of the face, at most `MAX_THUMBNAIL_BYTES`,
    where the person wanted one; else empty. follows: the template may learn from unlocks. kept: the
    embeddings of unlocks, oldest first, of each kind at most `MAX_KEPT`, all of one length.

    Raises UsageError for a bad user name and ValueError for the rest.
    """

    user: str
    model: ModelId
    created_at: str
    payload: bytes = field(repr=False)
    liveness: LivenessHistory | None = field(default=None, repr=False)
    unlocks: tuple[PastUnlock, ...] = field(default=(), repr=False)
    thumbnail: bytes = field(default=b"", repr=False)
    follows: bool = False
    kept: tuple[KeptFace, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if check_user_name(self.user) != self.user:
            raise ValueError(f"user {quote(self.user)} is not what check_user_name returns")
        for name, text in (("name", self.model.name), ("sha256", self.model.sha256)):
            if not (1 <= len(text) <= MAX_MODEL_CHARACTERS and text.isprintable()):
                raise ValueError(
                    f"model {name} {quote(text)} must be 1 to 128 printable characters"
                )
        _expect_utc_stamp("created_at", self.created_at)
        if len(self.unlocks) > MAX_PAST_UNLOCKS or len(self.thumbnail) > MAX_THUMBNAIL_BYTES:
            raise ValueError("too many unlocks, or too large a thumbnail")
        counts = Counter(one.kind for one in self.kept)
        if any(count > MAX_KEPT[kind] for kind, count in counts.items()):
            raise ValueError("too many faces are kept")
        if len({len(one.vector) for one in self.kept}) > 1:
            raise ValueError("the kept faces are of several lengths")
        if not isinstance(self.payload, bytes) or len(self.payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"payload must be bytes, at most {MAX_PAYLOAD_BYTES} of them")

    @property
    def head(self) -> RecordHead:
        return RecordHead(self.user, self.model, self.created_at)

    def with_unlock(self, at: datetime, similarity: float) -> Record:
        """With one more unlock; the oldest of too many is dropped."""
        past = PastUnlock(utc_stamp(at), round(max(-1.0, min(1.0, similarity)), 3))
        return replace(self, unlocks=(*self.unlocks, past)[-MAX_PAST_UNLOCKS:])


def check_user_name(name: str) -> str:
    """Return the name in Unicode's composed form (NFC), so that one spelling is one person.

    Allowed are 1 to 64 printable characters of any script, and spaces inside. Refused is
    what could be taken for a path or an option, or cannot be seen on a screen.
    Raises UsageError.
    """
    # composing a long name takes long, and no script has four marks on every letter
    short_enough = len(name) <= 4 * MAX_NAME_CHARACTERS
    normal = unicodedata.normalize("NFC", name) if short_enough else name
    fault = _fault_of_name(normal)
    if fault:
        raise UsageError(f"the user name {quote(name)} {fault}; choose a name such as 'ana'")
    return normal


def utc_stamp(moment: datetime) -> str:
    """The time as text, in UTC and whole seconds. ValueError if it has no time zone."""
    if moment.tzinfo is None:
        raise ValueError("the moment has no time zone; use datetime.now(timezone.utc)")
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds")


def already_enrolled(
    user: str, what_to_do: str = "pass --replace to start over, or --add to add these photos"
) -> AlreadyEnrolled:
    """The error for a name that is enrolled already."""
    return AlreadyEnrolled(f"{quote(user)} is enrolled already; {what_to_do}")


def _fault_of_name(name: str) -> str | None:
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"is longer than {MAX_NAME_CHARACTERS} characters"
    if not name.isprintable():
        return "has a character that cannot be printed"
    if "/" in name:
        return "has a slash"
    if name in (".", ".."):
        return "is the name of a folder"
    if name.startswith("-"):
        return "looks like an option"
    if name != name.strip():
        # ' ana' and 'ana' look the same in a list, and would be two people
        return "starts or ends with a space"
    return None


def _expect_utc_stamp(name: str, text: str) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name} {quote(text)} is not a time") from error
    if moment.utcoffset() != timedelta(0) or moment.isoformat(timespec="seconds") != text:
        raise ValueError(f"{name} {quote(text)} is not as utc_stamp writes it")
