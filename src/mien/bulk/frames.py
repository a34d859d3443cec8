"""What a worker process answers: plain data in frames, so that reading it runs no code.

A worker decodes photos that nobody trusts. Its answers are therefore not pickled: they are JSON,
and after it the bytes and arrays that the JSON refers to.

    frame    kind (1 byte), length of the rest (8 bytes, big endian), then the rest
    answer   length of the JSON (8 bytes), the JSON, and the parts one after the other
"""

from __future__ import annotations

import json
import math
from typing import IO, Any

import numpy as np

KIND_BYTES, LENGTH_BYTES = 1, 8
MAX_ANSWER_BYTES = 1 << 28  # a hostile answer takes no more memory
MAX_JSON_BYTES = 1 << 24
DTYPES = ("<f4", "<f8", "<i8", "|b1", "|i1", "|u1")
_PART = "$part"


class BadFrame(Exception):
    """The bytes are not a frame, or not an answer: whoever wrote them is not to be trusted."""


def write_frame(file: IO[bytes], kind: bytes, content: bytes) -> None:
    """Write one frame and flush it. Raises OSError, as where nobody reads any more."""
    file.write(kind + len(content).to_bytes(LENGTH_BYTES, "big"))
    file.write(content)
    file.flush()


def read_frame(file: IO[bytes], *, at_most: int = MAX_ANSWER_BYTES) -> tuple[bytes, bytes] | None:
    """The kind and the content of the next frame; None at the end.

    Raises BadFrame for more bytes than at_most, and for a frame that is cut short.
    """
    head = file.read(KIND_BYTES + LENGTH_BYTES)
    if not head:
        return None
    length = int.from_bytes(head[KIND_BYTES:], "big")
    if len(head) < KIND_BYTES + LENGTH_BYTES or length > at_most:
        raise BadFrame(f"a frame of {length} bytes")
    content = file.read(length)
    if len(content) < length:
        raise BadFrame("a frame that is cut short")
    return head[:KIND_BYTES], content


def pack(value: object) -> bytes:
    """Bytes of None, numbers, text, bytes, arrays of `DTYPES`, lists, tuples and dicts of these.

    Tuples become lists. TypeError for anything else.
    """
    parts: list[bytes] = []

    def part_of(one: object) -> dict[str, object]:
        if isinstance(one, (np.floating, np.integer, np.bool_)):
            one = np.asarray(one)
        if isinstance(one, bytes):
            parts.append(one)
            return {_PART: [len(one)]}
        if not isinstance(one, np.ndarray) or one.dtype.str not in DTYPES:
            raise TypeError(f"a worker cannot answer with {type(one).__name__}")
        parts.append(np.ascontiguousarray(one).tobytes())
        return {_PART: [len(parts[-1]), one.dtype.str, *one.shape]}

    text = json.dumps(value, default=part_of).encode()
    return b"".join([len(text).to_bytes(LENGTH_BYTES, "big"), text, *parts])


def unpack(content: bytes) -> Any:
    """The value that was packed. Raises BadFrame for bytes that `pack` does not make."""
    length = int.from_bytes(content[:LENGTH_BYTES], "big")
    start = LENGTH_BYTES + length
    if length > MAX_JSON_BYTES or start > len(content):
        raise BadFrame("an answer without its JSON")
    at = start

    def take(found: dict[str, Any]) -> Any:
        nonlocal at
        if set(found) != {_PART}:
            return found
        part, at = _part(content, at, found[_PART])
        return part

    try:
        value = json.loads(content[LENGTH_BYTES:start], object_hook=take)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadFrame("an answer that is not JSON") from error
    if at != len(content):
        raise BadFrame("an answer with bytes that nothing refers to")
    return value


def _part(content: bytes, at: int, what: list[Any]) -> tuple[Any, int]:
    """The bytes or the array at this place, and where the next part starts."""
    length = what[0] if isinstance(what, list) and what else None
    if type(length) is not int or not 0 <= length <= len(content) - at:
        raise BadFrame("a part outside the answer")
    part = content[at : at + length]
    if len(what) == 1:
        return part, at + length
    dtype, shape = what[1], what[2:]
    if dtype not in DTYPES or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise BadFrame("an array of another kind")
    if math.prod(shape) * np.dtype(dtype).itemsize != length:
        raise BadFrame("an array of another size")
    return np.frombuffer(part, dtype).reshape(shape), at + length
