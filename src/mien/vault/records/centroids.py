"""The opt-in gallery: the centres of all templates, ready for one matrix product.

Without it, to recognise somebody opens every record. With it, the turned centres of one
model lie in sealed blocks, one for each first byte of the tags, changed together with the
records and known to the index like them. A gallery only points: whoever it names is
decided on by the record itself, so that no fault in it can open a door.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import VaultDamaged
from mien.results import FloatArray, ModelId
from mien.vault.backends.base import Section
from mien.vault.integrity.manifest import BUCKETS, Cell
from mien.vault.records.record import Record
from mien.vault.records.sealed_record import model_hash_of, open_record, user_tag
from mien.vault.records.template_codec import unpack_template
from mien.vault.transaction import Opened
from mien.vectors import centre_of

if TYPE_CHECKING:
    import numpy.typing as npt

_PURPOSE = "gallery"
_MARKER = "which models"
_HEAD = struct.Struct("<8sII")
_MAGIC = b"mienGAL1"
_TAG_BYTES = 32


@dataclass(frozen=True, slots=True, eq=False)
class Centres:
    """Whom to look among. tags: n of 32 bytes, the records'. rows: (n, d) float32 unit, turned."""

    tags: tuple[bytes, ...] = field(repr=False)
    rows: FloatArray = field(repr=False)

    @classmethod
    def joined(cls, parts: list[Centres]) -> Centres:
        """All of them, in this order; parts without anybody may be of any length."""
        some = [part for part in parts if part.tags]
        if not some:
            return NOBODY
        tags = tuple(tag for part in some for tag in part.tags)
        return cls(tags, np.concatenate([part.rows for part in some]))


NOBODY = Centres((), np.zeros((0, 0), np.float32))


def is_on(opened: Opened) -> bool:
    """Whether this vault keeps a gallery. VaultDamaged where that cannot be told any more."""
    return _get(opened, _marker_tag(opened)) is not None


def turn_on(opened: Opened) -> None:
    """Make the gallery from all records, or make it anew."""
    turn_off(opened)
    parts: dict[tuple[str, int], list[tuple[bytes, FloatArray]]] = {}
    for tag, cell in opened.index.scan(Section.RECORD):
        record = open_record(tag, cell, opened.seals)
        parts.setdefault((record.model.sha256, tag[0]), []).append((tag, _centre(record)))
    for (sha256, number), found in parts.items():
        _write(opened, sha256, number, dict(found))
    _write_marker(opened, sorted({sha256 for sha256, _ in parts}))


def turn_off(opened: Opened) -> None:
    """Remove the gallery, also one that is damaged; the records stay."""
    opened.index.clear(Section.GALLERY)


def keep(opened: Opened, record: Record) -> None:
    """After a record was stored: its centre in the place of the one before. Nothing while off."""
    if not is_on(opened):
        return
    tag = user_tag(record.user, opened.seals)
    forget(opened, tag)  # it may have been another model's
    models = _models(opened)
    if record.model.sha256 not in models:
        _write_marker(opened, sorted([*models, record.model.sha256]))
    block = _block(opened, record.model.sha256, tag[0])
    _write(opened, record.model.sha256, tag[0], {**block, tag: _centre(record)})


def forget(opened: Opened, tag: bytes) -> None:
    """After a record was removed. Nothing while off."""
    if not is_on(opened):
        return
    for sha256 in _models(opened):
        block = _block(opened, sha256, tag[0])
        if block.pop(tag, None) is not None:
            _write(opened, sha256, tag[0], block)


def centres_in(opened: Opened, model: ModelId, number: int) -> Centres:
    """Those whose tag begins with this byte: from the gallery, or from the records without one."""
    if is_on(opened):
        block = _block(opened, model.sha256, number)
    else:
        cells = opened.index.cells_in(Section.RECORD, number)
        block = {
            tag: _centre(open_record(tag, cell, opened.seals))
            for tag, cell in cells
            if model_hash_of(cell) == model.sha256
        }
    if not block:
        return NOBODY
    return Centres(tuple(block), np.stack(list(block.values())))


def check(opened: Opened) -> None:
    """VaultDamaged where the gallery and the records do not say the same."""
    if not is_on(opened):
        return
    expected: dict[tuple[str, bytes], FloatArray] = {}
    for tag, cell in opened.index.scan(Section.RECORD):
        record = open_record(tag, cell, opened.seals)
        expected[record.model.sha256, tag] = _centre(record)
    found = {
        (sha256, tag): row
        for sha256 in _models(opened)
        for number in range(BUCKETS)
        for tag, row in _block(opened, sha256, number).items()
    }
    same = expected.keys() == found.keys()
    if not same or any(not np.array_equal(row, found[key]) for key, row in expected.items()):
        raise VaultDamaged(
            "the gallery does not agree with the records; run: mien vault gallery off, then on"
        )


def _centre(record: Record) -> FloatArray:
    return centre_of(unpack_template(record.payload, expected_model=record.model).vectors)


def _block(opened: Opened, sha256: str, number: int) -> dict[bytes, FloatArray]:
    tag = _block_tag(opened, sha256, number)
    cell = _get(opened, tag)
    return {} if cell is None else _unpacked(_open(opened, tag, cell))


def _write(opened: Opened, sha256: str, number: int, block: dict[bytes, FloatArray]) -> None:
    tag = _block_tag(opened, sha256, number)
    if not block:
        opened.index.drop(Section.GALLERY, tag)
        return
    rows = np.stack(list(block.values())).astype("<f4")
    packed = _HEAD.pack(_MAGIC, *rows.shape) + b"".join(block) + rows.tobytes()
    _seal(opened, tag, packed)


def _unpacked(packed: bytes) -> dict[bytes, FloatArray]:
    try:
        magic, n, dims = _HEAD.unpack_from(packed)
        end_of_tags = _HEAD.size + n * _TAG_BYTES
        if magic != _MAGIC or len(packed) != end_of_tags + n * dims * 4:
            raise ValueError(magic)
    except (struct.error, ValueError) as error:
        raise VaultDamaged(
            "a block of the gallery is not as mien writes it; run: mien vault gallery off"
        ) from error
    rows: npt.NDArray[np.float32] = np.frombuffer(packed, "<f4", offset=end_of_tags)
    starts = range(_HEAD.size, end_of_tags, _TAG_BYTES)
    tags = [packed[start : start + _TAG_BYTES] for start in starts]
    return dict(zip(tags, rows.reshape(n, dims), strict=True))


def _models(opened: Opened) -> list[str]:
    """Whose blocks there are, by the hashes of the models."""
    tag = _marker_tag(opened)
    cell = _get(opened, tag)
    return [] if cell is None else list(json.loads(_open(opened, tag, cell)))


def _get(opened: Opened, tag: bytes) -> Cell | None:
    try:
        return opened.index.get(Section.GALLERY, tag)
    except VaultDamaged as error:
        raise VaultDamaged(
            "a cell of the gallery was altered, removed or put back, the records were not; run:"
            " mien vault gallery off, then on"
        ) from error


def _write_marker(opened: Opened, models: list[str]) -> None:
    _seal(opened, _marker_tag(opened), json.dumps(models).encode())


def _marker_tag(opened: Opened) -> bytes:
    return opened.seals.tag(_PURPOSE, _MARKER)


def _block_tag(opened: Opened, sha256: str, number: int) -> bytes:
    return opened.seals.tag(_PURPOSE, f"{sha256} {number}")


def _seal(opened: Opened, tag: bytes, plain: bytes) -> None:
    bound_to = [tag, opened.index.next_version.to_bytes(8, "big")]
    sealed = opened.seals.seal(plain, purpose=_PURPOSE, bound_to=bound_to)
    opened.index.put(Section.GALLERY, tag, sealed)


def _open(opened: Opened, tag: bytes, cell: Cell) -> bytes:
    bound_to = [tag, cell.version.to_bytes(8, "big")]
    return opened.seals.open(cell.value, purpose=_PURPOSE, bound_to=bound_to)
