"""The embeddings of unlocks that a record keeps beside its template: note, mark and remove them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING

from mien.errors import UsageError, VaultDamaged, quote
from mien.records import replace
from mien.vault.records.record import MAX_KEPT, FaceKind, KeptFace, Record

if TYPE_CHECKING:
    from mien.results import FloatArray

UNIT_TOLERANCE = 1e-3


class NotKept(UsageError):
    """There is no such face among those that are kept."""


class TooManyMarked(UsageError):
    """As many faces are marked as may be kept."""


def kept_of(record: Record, kind: FaceKind) -> list[KeptFace]:
    """The faces of this kind, oldest first."""
    return [one for one in record.kept if one.kind == kind]


def vectors_of(record: Record, kind: FaceKind, dims: int) -> FloatArray:
    """The embeddings of this kind: (n, dims) float32 unit rows in the space of the template.

    VaultDamaged for vectors of another length, or that do not have length one.
    """
    import numpy as np

    packed = [one.vector for one in kept_of(record, kind)]
    if any(len(one) != 4 * dims for one in packed):
        raise _damaged()
    rows = np.frombuffer(b"".join(packed), "<f4").reshape(len(packed), dims).astype(np.float32)
    # large numbers would overflow in the norm; this refuses NaN too
    if not np.all(np.abs(rows) < 2.0):
        raise _damaged()
    if np.any(np.abs(np.linalg.norm(rows, axis=1) - 1.0) > UNIT_TOLERANCE):
        raise _damaged()
    return rows


def marks_of(record: Record) -> bytes:
    """All marked faces in one, to see whether any was marked or unmarked meanwhile."""
    return b"".join(one.vector for one in kept_of(record, "not_me"))


def with_face(record: Record, face: KeptFace, *, most: int) -> Record:
    """With one more face of its kind; the oldest of more than `most` leave, and 0 keeps none."""
    same = [*kept_of(record, face.kind), face]
    rest = [one for one in record.kept if one.kind != face.kind]
    return replace(record, kept=(*rest, *(same[-most:] if most > 0 else ())))


def learns_on(record: Record, day: date) -> bool:
    """Whether the template may learn a face on this day, in UTC: one a day, of whom it follows.

    Not on a day before the last one either: then a clock was set back.
    """
    last = [datetime.fromisoformat(one.at).date() for one in kept_of(record, "learned")]
    return record.follows and all(day > one for one in last)


def without_kept(record: Record, kind: FaceKind) -> Record:
    """Without the faces of a kind, if there are any."""
    return replace(record, kept=tuple(one for one in record.kept if one.kind != kind))


def numbered_face(record: Record, kind: FaceKind, number: int) -> KeptFace:
    """The face of this number, from 1, the newest first. NotKept where there is none."""
    found = kept_of(record, kind)[::-1]
    if not 1 <= number <= len(found):
        words = {"learned": "learned face", "unlock": "unlock", "not_me": "marked face"}[kind]
        count = f"{len(found)} {words}{'s' * (len(found) != 1)}" if found else f"no {words}"
        raise NotKept(f"{quote(record.user)} has {count} kept; to see all: mien photos NAME")
    return found[number - 1]


def without_face(record: Record, face: KeptFace) -> Record:
    """Without one of the faces that it keeps."""
    return replace(record, kept=tuple(one for one in record.kept if one is not face))


def mark_unlock(record: Record, face: KeptFace) -> Record:
    """With one of the last unlocks as an example of somebody else. TooManyMarked if there are as
    many as may be kept: the oldest are no less needed than the newest."""
    if len(kept_of(record, "not_me")) >= MAX_KEPT["not_me"]:
        raise TooManyMarked(
            f"{MAX_KEPT['not_me']} unlocks of {quote(record.user)} are marked already, and no more"
            " are kept; enroll again with better photos: mien enroll NAME PHOTO... --replace"
        )
    marked = replace(face, kind="not_me")
    return with_face(without_face(record, face), marked, most=MAX_KEPT["not_me"])


def converted(record: Record, convert: Callable[[FloatArray], FloatArray]) -> Record:
    """With the vectors of the kept faces in another space. convert: (n, d) unit rows."""
    import numpy as np

    kept = []
    for one in record.kept:
        vector = convert(np.frombuffer(one.vector, "<f4").astype(np.float32)[np.newaxis])[0]
        kept.append(replace(one, vector=vector.astype("<f4").tobytes()))
    return replace(record, kept=tuple(kept))


def _damaged() -> VaultDamaged:
    return VaultDamaged(
        "the face of an unlock that is kept is damaged; restore the vault from a backup, or enroll"
        " again with --replace"
    )
