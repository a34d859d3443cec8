"""Convert a template to bytes and back.

    magic     8 bytes   b"mienTPL" and a zero
    version   2 bytes   little-endian, 1
    length    4 bytes   little-endian, of the header
    header    JSON      {"d":4,"k":2,"model":"sface","sha256":"..."}, ASCII, keys sorted
    vectors   k*d*4     float32, little-endian, row after row
    checksum  32 bytes  SHA-256 of everything before it

There is one way to write a template, and other bytes are refused. The checksum finds
accidents; whoever can write the bytes can write the checksum too.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING

from mien.errors import ModelMismatch, UsageError, VaultDamaged, quote
from mien.vault.records.record import MAX_MODEL_CHARACTERS

if TYPE_CHECKING:
    from mien.results import ModelId, Template

MAX_VECTORS = 1024
MAX_DIMS = 4096

_MAGIC = b"mienTPL\x00"
_VERSION = 1
_PREFIX = struct.Struct("<8sHI")
_CHECKSUM_BYTES = 32
# twelve ASCII characters are the longest escape of one character outside the first plane
_MAX_HEADER_BYTES = 100 + 2 * 12 * MAX_MODEL_CHARACTERS
_MAX_BYTES = _PREFIX.size + _MAX_HEADER_BYTES + MAX_VECTORS * MAX_DIMS * 4 + _CHECKSUM_BYTES


def pack_template(template: Template) -> bytes:
    """Convert a template to bytes. UsageError if it has more than `MAX_VECTORS` vectors."""
    import numpy as np

    k, d = template.vectors.shape
    if k > MAX_VECTORS:
        raise UsageError(f"a template has at most {MAX_VECTORS} photos, got {k}; give fewer")
    if d > MAX_DIMS:
        raise ValueError(f"a vector has at most {MAX_DIMS} numbers, got {d}")
    header = _header(template.model, k, d)
    if len(header) > _MAX_HEADER_BYTES:
        raise ValueError(f"the model's name and hash must be within {MAX_MODEL_CHARACTERS} each")
    vectors = np.ascontiguousarray(template.vectors, dtype="<f4").tobytes()
    body = _PREFIX.pack(_MAGIC, _VERSION, len(header)) + header + vectors
    return body + hashlib.sha256(body).digest()


def unpack_template(packed: bytes, *, expected_model: ModelId) -> Template:
    """Read what `pack_template` wrote.

    Raises VaultDamaged for anything else, and ModelMismatch for an intact template
    of another model.
    """
    body = _verified_body(packed)
    _, version, header_length = _PREFIX.unpack_from(body)
    if version != _VERSION:
        raise VaultDamaged(
            f"the template has format {version} and this mien reads {_VERSION}; upgrade mien"
        )
    header_end = _PREFIX.size + header_length
    if header_length > _MAX_HEADER_BYTES or header_end > len(body):
        raise _damaged("its header does not fit")
    model, k, d = _read_header(body[_PREFIX.size : header_end])
    template = _read_vectors(body[header_end:], model, k, d)
    _check_model(model, expected_model)
    return template


def _verified_body(packed: bytes) -> bytes:
    if not _PREFIX.size + _CHECKSUM_BYTES <= len(packed) <= _MAX_BYTES:
        raise _damaged(f"{len(packed)} bytes cannot be a template")
    if not packed.startswith(_MAGIC):
        raise _damaged("it does not start as a template does")
    body, checksum = packed[:-_CHECKSUM_BYTES], packed[-_CHECKSUM_BYTES:]
    if hashlib.sha256(body).digest() != checksum:
        raise _damaged("its checksum is wrong")
    return body


def _read_header(header: bytes) -> tuple[ModelId, int, int]:
    from mien.results import ModelId

    try:
        table = json.loads(header.decode("ascii"))
        model = ModelId(table["model"], table["sha256"])
        k, d = table["k"], table["d"]
        as_written = _header(model, k, d)
    # a header nested a thousand deep is RecursionError, a list for a dict is TypeError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged("its header cannot be read") from error
    if not isinstance(model.name, str) or not isinstance(model.sha256, str):
        raise _damaged("its header names no model")
    # type() rather than isinstance, because true is an int to isinstance
    if type(k) is not int or type(d) is not int:
        raise _damaged("its header has no shape")
    if not (1 <= k <= MAX_VECTORS and 1 <= d <= MAX_DIMS) or as_written != header:
        raise _damaged("its header is out of range")
    return model, k, d


def _read_vectors(raw: bytes, model: ModelId, k: int, d: int) -> Template:
    import numpy as np

    from mien.results import Template

    if len(raw) != 4 * k * d:
        raise _damaged(f"{len(raw)} bytes are not {k} x {d} numbers")
    vectors = np.frombuffer(raw, dtype="<f4").reshape(k, d).astype(np.float32)
    # large numbers would overflow in the norm; this refuses NaN too
    if not np.all(np.abs(vectors) < 2.0):
        raise _damaged("a vector does not have length one")
    try:
        return Template(vectors, model)
    except ValueError as error:
        raise _damaged("a vector does not have length one") from error


def _check_model(found: ModelId, expected: ModelId) -> None:
    if found == expected:
        return
    if found.name == expected.name:
        made_with = f"another file of the model {quote(found.name)} (SHA-256 {quote(found.sha256)})"
    else:
        made_with = f"the model {quote(found.name)}, and {quote(expected.name)} is in use"
    raise ModelMismatch(f"the template was made with {made_with}; enroll again with --replace")


def _header(model: ModelId, k: int, d: int) -> bytes:
    table = {"d": d, "k": k, "model": model.name, "sha256": model.sha256}
    return json.dumps(table, sort_keys=True, separators=(",", ":")).encode("ascii")


def _damaged(what: str) -> VaultDamaged:
    return VaultDamaged(
        f"the template is damaged: {what}; restore the vault from a backup, or enroll again"
        " with --replace"
    )
