"""Embeddings of pictures kept between runs: a file of records of one length, only added to.

    32 bytes   SHA-256 of the picture file
     1 byte    1: vectors follow; 0: there is no face in the picture
     2 d * 4   the unit vector, and that of the mirrored crop, little-endian float32
    16 bytes   BLAKE2b of all before, keyed by what made the vectors

The file's name says what made them: model, detector, recipe, which face, version. A
record that does not check out is as good as none. A record cut short by a crash can only
be the last one; the next writer cuts it off.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.errors import UsageError, one_line, quote_path
from mien.results import UNIT_NORM_TOLERANCE, FloatArray

HASH_BYTES, SUM_BYTES = 32, 16
READ_BYTES = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """vectors: (2, d) float32 unit rows, of the crop and its mirror image; None: no face."""

    vectors: FloatArray | None = field(repr=False)


class EmbeddingCache:
    """The records of one way to make embeddings. key: text that says which way."""

    def __init__(self, folder: Path, key: str, dims: int) -> None:
        digest = hashlib.sha256(key.encode()).digest()
        self.path = folder / f"{digest[:16].hex()}.records"
        self._key, self._dims = digest, dims
        self._length = HASH_BYTES + 1 + 2 * dims * 4 + SUM_BYTES

    def read(self) -> dict[bytes, Cached]:
        """All records that check out, by the picture's SHA-256. An unreadable file has none."""
        found: dict[bytes, Cached] = {}
        try:
            if not os.path.isfile(self.path):
                return found
            with open(self.path, "rb") as file:
                step = max(1, READ_BYTES // self._length) * self._length
                while block := file.read(step):
                    for start in range(0, len(block) - self._length + 1, self._length):
                        self._take(block[start : start + self._length], found)
        except OSError:
            return found  # what cannot be read is computed again
        return found

    def add(self, records: Iterable[tuple[bytes, Cached]]) -> None:
        """Append records in one write. UsageError where the cache cannot be written."""
        data = b"".join(self._record(picture, cached) for picture, cached in records)
        if not data:
            return
        try:
            with self._opened() as file:
                whole = os.fstat(file).st_size // self._length * self._length
                os.ftruncate(file, whole)
                os.lseek(file, whole, os.SEEK_SET)
                while data:  # a full disk may take a part
                    data = data[os.write(file, data) :]
        except OSError as error:
            raise UsageError(
                f"cannot write the cache {quote_path(self.path.parent)}: {one_line(error)}; "
                "make room or run with --no-cache"
            ) from error

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """The file, ours alone until it is closed."""
        import fcntl

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(self.path.parent, 0o700)  # it may be older than this rule
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(file, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    def _record(self, picture: bytes, cached: Cached) -> bytes:
        if cached.vectors is None:
            body = b"\0" + bytes(2 * self._dims * 4)
        else:
            if cached.vectors.shape != (2, self._dims):
                raise ValueError(f"expected (2, {self._dims}), got {cached.vectors.shape}")
            body = b"\1" + cached.vectors.astype("<f4").tobytes()
        return picture + body + self._sum(picture + body)

    def _take(self, record: bytes, found: dict[bytes, Cached]) -> None:
        content, checksum = record[:-SUM_BYTES], record[-SUM_BYTES:]
        if self._sum(content) != checksum:
            return
        picture, state = content[:HASH_BYTES], content[HASH_BYTES]
        if not state:
            found[picture] = Cached(None)
            return
        vectors = np.frombuffer(content, "<f4", offset=HASH_BYTES + 1).reshape(2, self._dims)
        if np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1.0) <= UNIT_NORM_TOLERANCE):
            found[picture] = Cached(vectors.astype(np.float32))

    def _sum(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, digest_size=SUM_BYTES, key=self._key).digest()
