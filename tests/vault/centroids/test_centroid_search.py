"""Two ways to search the centroids find the same: all as they are, and an index of single bytes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mien.results import FloatArray
from mien.vault.centroids.centroid_arrays import CentroidArrays
from mien.vault.centroids.centroid_block import CentroidBlock
from mien.vault.centroids.centroid_index import CentroidIndex, QuantizedBlock
from mien.vault.centroids.centroid_matches import CentroidMatches
from mien.vault.centroids.indexed_centroids import CANDIDATES, IndexedCentroids

pytest.importorskip("faiss", reason="needs faiss: pip install '.[index]'")

DIMS = 64


def units(rows: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / lengths).astype(np.float32)


def random_units(n: int, seed: int = 1, dims: int = DIMS) -> FloatArray:
    return units(np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32))


def around(centre: FloatArray, n: int, spread: float, seed: int = 2) -> FloatArray:
    """n unit rows that differ from the centre (d,) by about spread in each number."""
    noise = np.random.default_rng(seed).normal(size=(n, len(centre))) * spread
    return units((centre + noise).astype(np.float32))


def in_blocks(rows: FloatArray, blocks: int) -> list[CentroidBlock]:
    tags = [number.to_bytes(32, "big") for number in range(len(rows))]
    parts = np.array_split(np.arange(len(rows)), blocks)
    return [CentroidBlock.of({tags[number]: rows[number] for number in part}) for part in parts]


class Stored:
    """Centroids that are kept elsewhere, and how many of them were read."""

    def __init__(self, blocks: Sequence[CentroidBlock]) -> None:
        self.blocks = blocks
        self.rows = {tag: row for block in blocks for tag, row in block.items()}
        self.read, self.scans = 0, 0

    def under(self, tags: Sequence[bytes]) -> CentroidBlock:
        self.read += len(tags)
        return CentroidBlock.of({tag: self.rows[tag] for tag in tags if tag in self.rows})

    def selected(self, keep: Callable[[CentroidBlock], CentroidBlock]) -> CentroidBlock:
        self.scans += 1
        return CentroidBlock.joined(keep(block) for block in self.blocks)


def searches(rows: FloatArray, blocks: int = 7) -> tuple[CentroidArrays, IndexedCentroids, Stored]:
    parts = in_blocks(rows, blocks)
    stored = Stored(parts)
    index = CentroidIndex([QuantizedBlock.of(part) for part in parts])
    return CentroidArrays(parts), IndexedCentroids(index, stored), stored


def expect_same(a: CentroidMatches, b: CentroidMatches) -> None:
    assert a.tags == b.tags
    assert a.cosines.tolist() == b.cosines.tolist()
    assert [row.tolist() for row in a.rows] == [row.tolist() for row in b.rows]


CENTRE = random_units(1, seed=9)[0]
CORNER = units(np.ones((1, DIMS), np.float32))[0]
GALLERIES = {
    "random": random_units(3000),
    "one of many dimensions": random_units(300, dims=512),
    "one dimension has everything": np.eye(DIMS, dtype=np.float32),
    "the same person again and again": np.repeat(random_units(3), 20, axis=0),
    "look-alikes closer than a step": around(CENTRE, 400, 1e-4),
    "look-alikes closer than float32": around(CENTRE, 60, 1e-8),
    "look-alikes and strangers": np.concatenate([around(CENTRE, 40, 2e-3), random_units(2000)]),
    "opposite ones": np.concatenate([CENTRE[np.newaxis], -CENTRE[np.newaxis], random_units(40)]),
    "equal numbers": np.concatenate([around(CORNER, 30, 1e-3), random_units(500)]),
    "few": random_units(3),
    "one": random_units(1),
}


@pytest.mark.parametrize("name", GALLERIES)
def test_the_index_finds_what_a_comparison_with_all_finds(name: str) -> None:
    rows = GALLERIES[name]
    exact, indexed, _ = searches(rows)
    dims = rows.shape[1]
    probes = [rows[0], rows[-1], -rows[0], *random_units(4, seed=5, dims=dims)]
    if dims == DIMS:
        probes += [CENTRE, CORNER, *around(CENTRE, 2, 1e-3, seed=6)]
    for probe in probes:
        expect_same(exact.nearest(probe, 5), indexed.nearest(probe, 5))
        for lowest in (0.35, 0.9, float(exact.nearest(probe, 5).cosines[-1])):
            [a], [b] = (one.alike(probe[np.newaxis], [lowest]) for one in (exact, indexed))
            expect_same(a, b)


def test_nearest_is_in_order_and_the_first_of_equal_ones_first() -> None:
    rows = np.array([[0, 1], [1, 0], [0.6, 0.8], [1, 0]], np.float32)
    for search in searches(rows, blocks=2)[:2]:
        found = search.nearest(np.array([1, 0], np.float32), 3)
        assert [int.from_bytes(tag, "big") for tag in found.tags] == [1, 3, 2]
        assert found.cosines.tolist() == [1.0, 1.0, pytest.approx(0.6)]


def test_many_vectors_are_compared_each_with_its_own_lowest_cosine() -> None:
    rows = np.array([[0, 1], [1, 0], [0.6, 0.8]], np.float32)
    vectors = np.repeat(np.array([[1, 0]], np.float32), 20, axis=0)
    for search in searches(rows, blocks=2)[:2]:
        found = list(search.alike(vectors, [0.9, 0.5, *[2.0] * 17, -1.0]))
        assert [len(one) for one in found] == [1, 2, *[0] * 17, 3]


def test_the_record_of_a_row_itself_is_left_out_and_not_read() -> None:
    rows = np.concatenate([around(CENTRE, 3, 1e-3), random_units(60)])
    exact, indexed, stored = searches(rows)
    vectors, own = rows[:2], [number.to_bytes(32, "big") for number in (0, 70)]
    for search in (exact, indexed):
        [first, second] = search.alike(vectors, [0.9, 0.9], own)
        assert [int.from_bytes(tag, "big") for tag in first.tags] == [1, 2]
        assert len(first.rows) == len(first.cosines) == 2
        assert [int.from_bytes(tag, "big") for tag in second.tags] == [0, 1, 2]
    assert stored.read == 2 + 3


def test_the_record_of_a_row_itself_is_left_out_where_all_are_read() -> None:
    rows = around(CENTRE, CANDIDATES[-1] + 10, 1e-4)
    _, indexed, stored = searches(rows)
    own = (5).to_bytes(32, "big")
    [found] = indexed.alike(rows[5:6], [0.5], [own])
    assert stored.scans == 1
    assert len(found) == len(rows) - 1
    assert own not in found.tags


def test_nobody_at_all_is_found_where_there_is_nobody() -> None:
    for search in searches(np.zeros((0, DIMS), np.float32), blocks=1)[:2]:
        assert len(search) == 0
        assert len(search.nearest(CENTRE, 5)) == 0
        assert [len(one) for one in search.alike(CENTRE[np.newaxis], [-1.0])] == [0]


@pytest.mark.parametrize("name", GALLERIES)
def test_a_cosine_of_the_index_is_never_off_by_more_than_it_says(name: str) -> None:
    rows = GALLERIES[name]
    index = CentroidIndex([QuantizedBlock.of(block) for block in in_blocks(rows, 7)])
    worst = rows[np.argmax(np.abs(rows).max(axis=1))]
    for probe in (rows[0], worst, *random_units(3, seed=5, dims=rows.shape[1])):
        found = index.search(probe, len(rows))
        exact = rows.astype(np.float64) @ probe.astype(np.float64)
        numbers = [int.from_bytes(tag, "big") for tag in found.tags]
        off = np.abs(np.array(found.cosines) - exact[numbers])
        assert sorted(numbers) == list(range(len(rows)))
        assert off.max() <= found.error


def test_a_random_gallery_is_searched_closely_enough_to_compare_few_exactly() -> None:
    _, indexed, stored = searches(random_units(20_000, dims=128))
    for probe in random_units(10, seed=5, dims=128):
        indexed.nearest(probe, 5)
    assert stored.read <= 10 * CANDIDATES[0]
    assert stored.scans == 0


def test_more_look_alikes_than_candidates_are_read_from_the_vault_once() -> None:
    rows = around(CENTRE, CANDIDATES[-1] + 10, 1e-4)
    exact, indexed, stored = searches(rows)
    expect_same(exact.nearest(CENTRE, 5), indexed.nearest(CENTRE, 5))
    assert stored.scans == 1


def test_an_index_shares_with_the_one_before_what_has_not_changed() -> None:
    parts = [QuantizedBlock.of(block) for block in in_blocks(random_units(400), 200)]
    first = CentroidIndex(parts)
    changed = QuantizedBlock.of(in_blocks(np.stack([CENTRE, -CENTRE]), 1)[0])
    second = CentroidIndex([*parts[:-1], changed], first)
    shared = first._groups.keys() & second._groups.keys()
    assert (len(first._groups), len(second._groups), len(shared)) == (13, 13, 12)
    assert all(first._groups[key] is second._groups[key] for key in shared)
    near = second.search(CENTRE, 400)
    assert near.tags[0] == (0).to_bytes(32, "big")  # of the changed block
    assert near.tags[-1] == (1).to_bytes(32, "big")
    assert near.cosines[0] == pytest.approx(1.0, abs=0.03)
    assert near.cosines[-1] == pytest.approx(-1.0, abs=0.03)
    assert first.search(CENTRE, 1).cosines[0] < 0.6


def test_blocks_share_their_codes_with_the_index_and_outlive_it() -> None:
    parts = [QuantizedBlock.of(block) for block in in_blocks(random_units(400), 20)]
    before = [block.codes.copy() for block in parts]
    first = CentroidIndex(parts)
    found = first.search(CENTRE, 400)
    second = CentroidIndex(parts)
    del first
    gc.collect()
    assert all(not block.codes.flags.owndata for block in parts)
    assert all((a == block.codes).all() for a, block in zip(before, parts, strict=True))
    assert second.search(CENTRE, 400) == found


def in_leaves(numbers: Sequence[int], rows: FloatArray) -> CentroidBlock:
    """Rows whose tags begin with these two bytes: leaf 18 has 0x0120 to 0x012f."""
    tags = [number.to_bytes(2, "big") + bytes(30) for number in numbers]
    return CentroidBlock.of(dict(zip(tags, rows, strict=True)))


@pytest.mark.parametrize(
    ("newer", "order"),
    [
        ([0x0121, 0x0128], [0x0110, 0x0121, 0x0128, 0x0130, 0x0131]),
        ([], [0x0110, 0x0130, 0x0131]),
        ([0x0125], [0x0110, 0x0125, 0x0130, 0x0131]),
    ],
)
def test_rows_of_a_leaf_are_replaced_in_their_place(newer: list[int], order: list[int]) -> None:
    rows = random_units(7)
    block = in_leaves([0x0110, 0x0120, 0x0121, 0x0130, 0x0131], rows[:5])
    changed = in_leaves(newer, rows[5 : 5 + len(newer)])
    whole = block.with_leaves([18], changed)
    assert [int.from_bytes(tag[:2], "big") for tag, _ in whole.items()] == order
    expected = {tag: row for part in (block, changed) for tag, row in part.items()}
    assert all((row == expected[tag]).all() for tag, row in whole.items())
    quantized = QuantizedBlock.of(block).with_leaves([18], QuantizedBlock.of(changed))
    anew = QuantizedBlock.of(whole)
    assert quantized.tags == anew.tags
    assert (quantized.codes == anew.codes).all()
    assert (quantized.lost == anew.lost).all()
    assert quantized.most_lost == anew.most_lost


def test_a_block_whose_leaves_are_all_emptied_is_empty() -> None:
    block, empty = in_leaves([0x0120], random_units(1)), CentroidBlock.of({})
    assert len(block.with_leaves([18], empty)) == 0
    assert len(QuantizedBlock.of(block).with_leaves([18], QuantizedBlock.of(empty))) == 0
    filled = empty.with_leaves([18], block)
    assert filled.tags == block.tags
    assert QuantizedBlock.of(empty).with_leaves([18], QuantizedBlock.of(block)).tags == block.tags
