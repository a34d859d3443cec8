"""The cache of embeddings: what it keeps, and what damage costs."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.lab.evaluate.embedding_cache import FILE_NAME, CachedEmbedding, EmbeddingCache

PHOTOS_PER_WRITER = 40


def _cache(folder: Path, recipe: str = "one recipe", *, max_entries: int = 1000) -> EmbeddingCache:
    return EmbeddingCache(folder / "embeddings", recipe, 4, max_entries=max_entries)


def _photo(number: int) -> bytes:
    return hashlib.sha256(bytes([number])).digest()


def _vectors(number: int) -> CachedEmbedding:
    drawn = np.random.default_rng(number).normal(size=(2, 4))
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return CachedEmbedding(unit.astype(np.float32))


ALL = [_photo(at) for at in range(200)]


def _filled(folder: Path, count: int = 3) -> EmbeddingCache:
    cache = _cache(folder)
    cache.add((_photo(at), _vectors(at)) for at in range(count))
    return cache


def _change(cache: EmbeddingCache, statement: str) -> None:
    connection = sqlite3.connect(cache.path)
    with connection:
        connection.execute(statement)
    connection.close()


def _write_many(folder: Path, first: int) -> None:
    for number in range(first, first + PHOTOS_PER_WRITER):
        _cache(folder).add([(_photo(number), _vectors(number))])


def test_an_added_entry_is_read_bit_for_bit(tmp_path: Path) -> None:
    _filled(tmp_path).add([(_photo(9), CachedEmbedding(None))])
    found = _cache(tmp_path).read(ALL)
    assert set(found) == {_photo(0), _photo(1), _photo(2), _photo(9)}
    assert found[_photo(9)].vectors is None
    for at in range(3):
        np.testing.assert_array_equal(found[_photo(at)].vectors, _vectors(at).vectors)


def test_only_requested_entries_are_read(tmp_path: Path) -> None:
    assert set(_filled(tmp_path).read([_photo(1), _photo(1), _photo(7)])) == {_photo(1)}


def test_it_says_whether_it_has_an_entry_of_this_recipe(tmp_path: Path) -> None:
    assert not _cache(tmp_path).holds_any()
    _filled(tmp_path)
    assert _cache(tmp_path).holds_any()
    assert not _cache(tmp_path, "another recipe").holds_any()
    (tmp_path / "embeddings" / FILE_NAME).write_bytes(b"junk" * 1000)
    damaged = _cache(tmp_path)
    assert (damaged.holds_any(), damaged.was_damaged) == (False, True)


def test_more_photos_than_fit_into_one_query_are_found(tmp_path: Path) -> None:
    many = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(1201)]
    cache = _cache(tmp_path, max_entries=2000)
    cache.add((photo, _vectors(1)) for photo in many)
    assert set(cache.read(many)) == set(many)


def test_an_entry_added_again_is_replaced(tmp_path: Path) -> None:
    cache = _filled(tmp_path)
    cache.add([(_photo(1), _vectors(50))])
    np.testing.assert_array_equal(cache.read(ALL)[_photo(1)].vectors, _vectors(50).vectors)


def test_the_oldest_entries_are_removed_when_the_cache_is_full(tmp_path: Path) -> None:
    cache = _cache(tmp_path, max_entries=3)
    for number in range(5):
        cache.add([(_photo(number), _vectors(number))])
    assert set(cache.read(ALL)) == {_photo(2), _photo(3), _photo(4)}


def test_it_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "embeddings").mkdir(mode=0o755)
    cache = _filled(tmp_path)
    assert cache.path.stat().st_mode & 0o777 == 0o600
    assert cache.path.parent.stat().st_mode & 0o777 == 0o700


def test_another_recipe_finds_nothing_even_under_a_forged_key(tmp_path: Path) -> None:
    cache, other = _filled(tmp_path), _cache(tmp_path, "another recipe")
    assert other.read(ALL) == {}
    other.add([(_photo(150), _vectors(150))])
    _change(
        cache,
        "UPDATE embeddings SET recipe = "
        f"(SELECT recipe FROM embeddings WHERE photo = x'{_photo(150).hex()}')",
    )
    assert set(other.read(ALL)) == {_photo(150)}


@pytest.mark.parametrize(
    "change",
    [
        "photo = zeroblob(32)",
        "vectors = zeroblob(32)",
        "vectors = x''",
        "vectors = 'text'",
        "checksum = zeroblob(16)",
        "checksum = 5",
    ],
)
def test_a_changed_entry_loses_that_entry_only(tmp_path: Path, change: str) -> None:
    cache = _filled(tmp_path)
    _change(cache, f"UPDATE embeddings SET {change} WHERE photo = x'{_photo(1).hex()}'")
    assert set(cache.read([*ALL, bytes(32)])) == {_photo(0), _photo(2)}
    assert not cache.was_damaged


def test_a_flipped_bit_anywhere_never_gives_other_numbers(tmp_path: Path) -> None:
    cache = _filled(tmp_path)
    data = cache.path.read_bytes()
    for at in range(0, len(data), 61):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        cache.path.write_bytes(flipped)
        for photo, entry in cache.read(ALL).items():
            np.testing.assert_array_equal(entry.vectors, _vectors(ALL.index(photo)).vectors)


def test_an_entry_that_is_not_a_unit_vector_is_ignored(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    for bad in (np.zeros((2, 4)), np.full((2, 4), np.nan), np.full((2, 4), 2.0)):
        cache.add([(_photo(1), CachedEmbedding(bad.astype(np.float32)))])
        assert cache.read(ALL) == {}


def test_vectors_of_another_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected \(2, 4\)"):
        _cache(tmp_path).add([(_photo(1), CachedEmbedding(np.ones((2, 5), np.float32)))])


@pytest.mark.parametrize("junk", [b"junk" * 1000, b"SQLite format 3\0" + bytes(4080)])
def test_a_file_that_is_not_a_database_is_replaced_and_reported(
    tmp_path: Path, junk: bytes
) -> None:
    cache = _cache(tmp_path)
    cache.path.parent.mkdir()
    cache.path.write_bytes(junk)
    assert cache.read(ALL) == {}
    assert cache.was_damaged
    cache.add([(_photo(7), _vectors(7))])
    assert set(_cache(tmp_path).read(ALL)) == {_photo(7)}


def test_a_writer_replaces_a_damaged_file_too(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.path.parent.mkdir()
    cache.path.write_bytes(b"junk" * 1000)
    cache.add([(_photo(7), _vectors(7))])
    assert cache.was_damaged
    assert set(cache.read(ALL)) == {_photo(7)}


def test_a_file_of_another_format_is_replaced(tmp_path: Path) -> None:
    cache = _filled(tmp_path)
    _change(cache, "PRAGMA user_version = 99")
    assert cache.read(ALL) == {}
    assert cache.was_damaged


def test_an_undamaged_file_is_not_reported_as_damaged(tmp_path: Path) -> None:
    cache = _filled(tmp_path)
    cache.read(ALL)
    assert not cache.was_damaged


def test_two_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.lab.evaluate import test_embedding_cache;"
        "test_embedding_cache._write_many(Path(sys.argv[1]), int(sys.argv[2]))"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(first)], env=environ)
        for first in (0, PHOTOS_PER_WRITER)
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(_cache(tmp_path).read(ALL)) == 2 * PHOTOS_PER_WRITER


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "embeddings").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match="--no-cache"):
        _filled(tmp_path)
    assert _cache(tmp_path).read(ALL) == {}


def test_a_folder_in_place_of_the_file_says_what_to_do(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.path.mkdir(parents=True)
    with pytest.raises(UsageError, match=r"cannot write the cache .*--no-cache"):
        cache.add([(_photo(1), _vectors(1))])
    assert cache.read(ALL) == {}
