"""The cache of embeddings: what is kept, and what damage costs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.lab.evaluate.embedding_cache import Cached, EmbeddingCache

LENGTH = 32 + 1 + 2 * 4 * 4 + 16


def _cache(folder: Path, key: str = "one way") -> EmbeddingCache:
    return EmbeddingCache(folder / "embeddings", key, 4)


def _picture(number: int) -> bytes:
    return hashlib.sha256(bytes([number])).digest()


def _vectors(number: int) -> Cached:
    drawn = np.random.default_rng(number).normal(size=(2, 4))
    return Cached((drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32))


def _filled(folder: Path, count: int = 3) -> EmbeddingCache:
    cache = _cache(folder)
    cache.add((_picture(at), _vectors(at)) for at in range(count))
    return cache


def test_what_was_added_is_read_again_to_the_last_bit(tmp_path: Path) -> None:
    _filled(tmp_path).add([(_picture(9), Cached(None))])
    found = _cache(tmp_path).read()
    assert set(found) == {_picture(0), _picture(1), _picture(2), _picture(9)}
    assert found[_picture(9)].vectors is None
    for at in range(3):
        np.testing.assert_array_equal(found[_picture(at)].vectors, _vectors(at).vectors)


def test_it_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "embeddings").mkdir(mode=0o755)
    cache = _filled(tmp_path)
    assert cache.path.stat().st_mode & 0o777 == 0o600
    assert cache.path.parent.stat().st_mode & 0o777 == 0o700


def test_another_key_finds_nothing_even_in_the_same_file(tmp_path: Path) -> None:
    cache, other = _filled(tmp_path), _cache(tmp_path, "another way")
    assert other.path != cache.path
    assert other.read() == {}
    other.path.write_bytes(cache.path.read_bytes())
    assert other.read() == {}


@pytest.mark.parametrize("at", [0, 31, 32, 33, 60, LENGTH - 1])
def test_a_flipped_bit_costs_its_own_record_only(tmp_path: Path, at: int) -> None:
    cache = _filled(tmp_path)
    data = bytearray(cache.path.read_bytes())
    data[LENGTH + at] ^= 1
    cache.path.write_bytes(data)
    assert set(cache.read()) == {_picture(0), _picture(2)}


@pytest.mark.parametrize("cut", [1, 20, LENGTH - 1])
def test_a_record_cut_short_by_a_crash_is_lost_and_the_next_ones_are_not(
    tmp_path: Path, cut: int
) -> None:
    cache = _filled(tmp_path)
    data = cache.path.read_bytes()
    cache.path.write_bytes(data[:-cut])
    assert set(cache.read()) == {_picture(0), _picture(1)}
    cache.add([(_picture(7), _vectors(7))])
    assert set(cache.read()) == {_picture(0), _picture(1), _picture(7)}


def test_a_record_that_is_no_unit_vector_is_not_trusted(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    for bad in (np.zeros((2, 4)), np.full((2, 4), np.nan), np.full((2, 4), 2.0)):
        cache.add([(_picture(1), Cached(bad.astype(np.float32)))])
    assert cache.read() == {}


def test_junk_is_an_empty_cache(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.path.parent.mkdir()
    cache.path.write_bytes(b"junk" * 1000)
    assert cache.read() == {}


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "embeddings").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match="--no-cache"):
        _filled(tmp_path)
