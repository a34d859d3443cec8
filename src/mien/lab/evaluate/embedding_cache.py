"""Embeddings of photos kept between runs, in one SQLite file that its owner alone can read.

An entry is found by the SHA-256 of the photo's bytes and by the recipe: all that makes the
vectors (models, crop, choice of face, version). Each entry has a checksum, because SQLite
has none: a flipped bit would move a score.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from mien.errors import UsageError, one_line, quote_path
from mien.files import exclusive_lock
from mien.lab.evaluate.quality_bands import BANDS, GOOD
from mien.results import UNIT_NORM_TOLERANCE, FloatArray
from mien.system.open_flags import CLOSE_ON_EXEC

Result = TypeVar("Result")

FILE_NAME, LOCK_NAME = "embeddings.sqlite", "lock"
FORMAT = 1  # PRAGMA user_version; a file of another format is damaged for this program
MAX_ENTRIES = 500_000  # 0.6 GB with 128 numbers an embedding; the oldest entries go first
HASHES_PER_QUERY = 500  # SQLite allows 999 parameters in its oldest builds
LOCK_WAIT_S = 60.0
CHECKSUM_BYTES = 16

SCHEMA = """
CREATE TABLE embeddings (
    number INTEGER PRIMARY KEY,
    recipe BLOB NOT NULL,
    photo BLOB NOT NULL,
    vectors BLOB NOT NULL,
    checksum BLOB NOT NULL,
    UNIQUE (recipe, photo)
)
"""


@dataclass(frozen=True, slots=True, eq=False)
class CachedEmbedding:
    """vectors: (2, d) float32 unit rows, of the crop and its mirror image; None for no face.

    band: of the photo's quality, an index of `BANDS`.
    """

    vectors: FloatArray | None = field(repr=False)
    band: int = GOOD


class EmbeddingCache:
    """The entries of one recipe. was_damaged: the file could not be read and was created again."""

    def __init__(
        self, folder: Path, recipe: str, dims: int, *, max_entries: int = MAX_ENTRIES
    ) -> None:
        self.path = folder / FILE_NAME
        self.was_damaged = False
        self._recipe = hashlib.sha256(recipe.encode()).digest()
        self._dims, self._max_entries = dims, max_entries

    def read(self, photos: Iterable[bytes]) -> dict[bytes, CachedEmbedding]:
        """The entries of these photos (SHA-256 each) that are kept and pass their checksum.

        Empty where the cache cannot be read: what it does not give is computed again.
        """
        wanted = list(dict.fromkeys(photos))
        if not os.path.exists(self.path):
            return {}
        try:
            return self._run(lambda connection: self._find(connection, wanted))
        except (OSError, UsageError, sqlite3.Error):
            return {}

    def holds_any(self) -> bool:
        """Whether there is an entry of this recipe; false where the cache cannot be read."""
        if not os.path.exists(self.path):
            return False
        try:
            return self._run(self._has_any)
        except (OSError, UsageError, sqlite3.Error):
            return False

    def add(self, entries: Iterable[tuple[bytes, CachedEmbedding]]) -> None:
        """Store the entries, all or none. UsageError where the cache cannot be written."""
        rows = [self._row(photo, entry) for photo, entry in entries]
        if not rows:
            return
        try:
            self._run(lambda connection: self._store(connection, rows))
        except (OSError, sqlite3.Error) as error:
            raise self._cannot_write(one_line(error)) from error

    def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        """The action's result on the opened file; a damaged file is removed first."""
        with self._locked():
            try:
                with self._opened() as connection:
                    return action(connection)
            # the class itself: its subclasses stand for a full disk, a lock and the like
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:
                    raise
            self.was_damaged = True
            for suffix in ("", "-journal"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            with self._opened() as connection:
                return action(connection)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time: SQLite's own locks do not cover removing a damaged file."""
        folder = self.path.parent
        with exclusive_lock(folder / LOCK_NAME, self._cannot_write, wait_s=LOCK_WAIT_S):
            os.chmod(folder, 0o700)  # the folder may be older than this rule
            yield

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # made with its mode first: SQLite would go by the umask
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | CLOSE_ON_EXEC, 0o600))
        os.chmod(self.path, 0o600)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            [found] = connection.execute("PRAGMA user_version").fetchone()
            [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if found != FORMAT and (found or tables):
                raise sqlite3.DatabaseError(f"format {found}, expected {FORMAT}")
            if not tables:
                connection.execute(f"PRAGMA user_version = {FORMAT}")  # first, in case of a crash
                connection.execute(SCHEMA)
            yield connection

    def _has_any(self, connection: sqlite3.Connection) -> bool:
        query = "SELECT EXISTS (SELECT 1 FROM embeddings WHERE recipe = ?)"
        [found] = connection.execute(query, (self._recipe,)).fetchone()
        return bool(found)

    def _find(
        self, connection: sqlite3.Connection, photos: Sequence[bytes]
    ) -> dict[bytes, CachedEmbedding]:
        found = {}
        for start in range(0, len(photos), HASHES_PER_QUERY):
            part = photos[start : start + HASHES_PER_QUERY]
            marks = ", ".join("?" * len(part))
            query = (
                "SELECT photo, vectors, checksum FROM embeddings "
                f"WHERE recipe = ? AND photo IN ({marks})"
            )
            for photo, vectors, checksum in connection.execute(query, (self._recipe, *part)):
                entry = self._checked(photo, vectors, checksum)
                if entry is not None:
                    found[photo] = entry
        return found

    def _store(self, connection: sqlite3.Connection, rows: Sequence[tuple[bytes, ...]]) -> None:
        connection.executemany(
            "INSERT OR REPLACE INTO embeddings (recipe, photo, vectors, checksum) "
            "VALUES (?, ?, ?, ?)",
            rows,
        )
        connection.execute(
            "DELETE FROM embeddings WHERE number <= (SELECT max(number) FROM embeddings) - ?",
            (self._max_entries,),
        )

    def _row(self, photo: bytes, entry: CachedEmbedding) -> tuple[bytes, bytes, bytes, bytes]:
        vectors = b""
        if entry.vectors is not None:
            if entry.vectors.shape != (2, self._dims):
                raise ValueError(f"expected (2, {self._dims}), got {entry.vectors.shape}")
            vectors = entry.vectors.astype("<f4").tobytes() + bytes([entry.band])
        return self._recipe, photo, vectors, self._checksum(photo, vectors)

    def _checked(self, photo: bytes, vectors: object, checksum: object) -> CachedEmbedding | None:
        """The entry, or None if it is not what was stored."""
        if not isinstance(vectors, bytes) or checksum != self._checksum(photo, vectors):
            return None
        if not vectors:
            return CachedEmbedding(None)
        if len(vectors) != 2 * self._dims * 4 + 1 or vectors[-1] >= len(BANDS):
            return None
        rows = np.frombuffer(vectors[:-1], "<f4").reshape(2, self._dims).astype(np.float32)
        is_unit = np.abs(np.linalg.norm(rows, axis=1) - 1.0) <= UNIT_NORM_TOLERANCE
        return CachedEmbedding(rows, vectors[-1]) if is_unit.all() else None

    def _checksum(self, photo: bytes, vectors: bytes) -> bytes:
        content = photo + vectors
        return hashlib.blake2b(content, digest_size=CHECKSUM_BYTES, key=self._recipe).digest()

    def _cannot_write(self, reason: str) -> UsageError:
        return UsageError(
            f"cannot write the cache {quote_path(self.path.parent)}: {reason}; "
            "free disk space or run with --no-cache"
        )
