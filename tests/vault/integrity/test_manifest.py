"""The manifest: what is there, what is not there, and what was put there by somebody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.vault.memory import DictCells, MemoryStore

from mien.errors import VaultDamaged
from mien.vault.backends.base import VaultTable
from mien.vault.crypto.aead import VaultCipher
from mien.vault.integrity.hash_tree import BUCKETS, leaf_of
from mien.vault.integrity.manifest import Manifest

CIPHER = VaultCipher(b"k" * 32, b"v" * 16)
TAGS = [bytes([first]) + bytes([number]) * 31 for number, first in enumerate((0, 7, 7, 255), 1)]


@pytest.fixture
def store() -> MemoryStore:
    """Four records, two of them in one bucket."""
    store = MemoryStore()
    with store.writing() as cells:
        manifest = Manifest(cells, CIPHER, new=True)
        for tag in TAGS:
            manifest.put(VaultTable.RECORD, tag, b"value of " + tag)
        manifest.save()
    return store


def change(store: MemoryStore, tag: bytes, value: bytes | None) -> None:
    """As mien would."""
    with store.writing() as cells:
        manifest = Manifest(cells, CIPHER)
        if value is None:
            assert manifest.drop(VaultTable.RECORD, tag)
        else:
            manifest.put(VaultTable.RECORD, tag, value)
        manifest.save()


def test_all_cells_are_found_in_the_order_of_their_tags(store: MemoryStore) -> None:
    with store.reading() as cells:
        manifest = Manifest(cells, CIPHER)
        assert [tag for tag, _ in manifest.scan(VaultTable.RECORD)] == sorted(TAGS)
        assert manifest.count(VaultTable.RECORD) == 4
        assert manifest.count(VaultTable.ATTEMPT) == 0
        cell = manifest.get(VaultTable.RECORD, TAGS[1])
        assert cell is not None
        assert (cell.version, cell.value) == (1, b"value of " + TAGS[1])


def test_an_absent_cell_is_proven_absent(store: MemoryStore) -> None:
    with store.reading() as cells:
        manifest = Manifest(cells, CIPHER)
        for first in range(BUCKETS):
            assert manifest.get(VaultTable.RECORD, bytes([first]) + b"x" * 31) is None


def test_each_change_is_counted_and_gives_its_cells_a_version(store: MemoryStore) -> None:
    change(store, TAGS[0], b"new")
    change(store, TAGS[3], None)
    with store.reading() as cells:
        manifest = Manifest(cells, CIPHER)
        assert manifest.counter == 3
        cell = manifest.get(VaultTable.RECORD, TAGS[0])
        assert cell is not None
        assert cell.version == 2
        assert manifest.get(VaultTable.RECORD, TAGS[3]) is None


def test_without_save_nothing_is_counted(store: MemoryStore) -> None:
    with store.writing() as cells:
        Manifest(cells, CIPHER).put(VaultTable.RECORD, TAGS[0], b"new")
    with store.reading() as cells, pytest.raises(VaultDamaged, match="altered"):
        Manifest(cells, CIPHER).get(VaultTable.RECORD, TAGS[0])


def raises_damage(store: MemoryStore, *tags: bytes) -> None:
    with store.reading() as cells:
        for tag in tags:
            with pytest.raises(VaultDamaged):
                Manifest(cells, CIPHER).get(VaultTable.RECORD, tag)
        with pytest.raises(VaultDamaged):
            list(Manifest(cells, CIPHER).scan(VaultTable.RECORD))


def test_an_altered_removed_swapped_or_restored_cell_is_detected(store: MemoryStore) -> None:
    def spoilt(tag: bytes, value: bytes | None) -> None:
        with store.writing() as cells:
            before = cells.get(VaultTable.RECORD, tag)
            assert before is not None
            if value is None:
                cells.drop(VaultTable.RECORD, tag)
            else:
                cells.put(VaultTable.RECORD, tag, value)
        raises_damage(store, tag)
        with store.writing() as cells:
            cells.put(VaultTable.RECORD, tag, before)

    spoilt(TAGS[0], b"another")
    spoilt(TAGS[1], None)
    spoilt(TAGS[1], b"value of " + TAGS[2])
    change(store, TAGS[3], b"new")
    spoilt(TAGS[3], b"value of " + TAGS[3])


def test_an_added_cell_is_detected(store: MemoryStore) -> None:
    planted = b"\x07" + b"p" * 31
    with store.writing() as cells:
        cells.put(VaultTable.RECORD, planted, b"planted")
    raises_damage(store, planted)


def leaf_key(tag: bytes) -> bytes:
    return b"\x01" + leaf_of(tag).to_bytes(2, "big")


def node_key(tag: bytes) -> bytes:
    return b"\x01" + bytes([tag[0] >> 2])


@pytest.mark.parametrize("key_of", [leaf_key, node_key])
@pytest.mark.parametrize("tag", TAGS)
def test_an_altered_removed_or_restored_leaf_or_node_is_detected(
    store: MemoryStore, key_of: Callable[[bytes], bytes], tag: bytes
) -> None:
    key = key_of(tag)
    with store.writing() as cells:
        old = cells.get(VaultTable.BUCKET, key)
        assert old is not None
        cells.drop(VaultTable.BUCKET, key)
    raises_damage(store, tag)
    with store.writing() as cells:
        cells.put(VaultTable.BUCKET, key, old[:-1] + bytes([old[-1] ^ 1]))
    raises_damage(store, tag)
    with store.writing() as cells:
        cells.put(VaultTable.BUCKET, key, old)
    change(store, tag[:2] + b"x" * 30, b"one more")
    with store.writing() as cells:
        assert cells.get(VaultTable.BUCKET, key) != old
        cells.put(VaultTable.BUCKET, key, old)
    raises_damage(store, tag)


@pytest.mark.parametrize("key_of", [leaf_key, node_key])
def test_an_added_leaf_or_node_is_detected(
    store: MemoryStore, key_of: Callable[[bytes], bytes]
) -> None:
    tag = b"\x09" + b"x" * 31
    with store.reading() as cells:
        assert cells.get(VaultTable.BUCKET, leaf_key(tag)) is None
        size = 2048 if key_of is node_key else 73
    with store.writing() as cells:
        cells.put(VaultTable.BUCKET, key_of(tag), b"x" * size)
    with store.reading() as cells, pytest.raises(VaultDamaged, match="index"):
        Manifest(cells, CIPHER).get(VaultTable.RECORD, tag)


def test_sections_share_no_leaf_and_no_node(store: MemoryStore) -> None:
    """An attempt changes nothing of the people, so what was read of them is kept."""
    sections = (VaultTable.RECORD, VaultTable.ATTEMPT, VaultTable.CENTROIDS)
    for section in sections:
        with store.reading() as cells:
            before = Manifest(cells, CIPHER)
        with store.writing() as cells:
            manifest = Manifest(cells, CIPHER)
            manifest.put(section, TAGS[1], b"value")
            manifest.save()
        with store.reading() as cells:
            after = Manifest(cells, CIPHER)
            changed = [
                one for one in sections if before.node_digests(one) != after.node_digests(one)
            ]
        assert changed == [section]


def test_a_change_writes_its_cell_its_leaf_its_node_and_the_manifest(store: MemoryStore) -> None:
    before = dict(store._cells)
    change(store, TAGS[1], b"new")
    changed = {key for key, value in store._cells.items() if before.get(key) != value}
    assert changed == {
        (VaultTable.RECORD, TAGS[1]),
        (VaultTable.BUCKET, leaf_key(TAGS[1])),
        (VaultTable.BUCKET, node_key(TAGS[1])),
        (VaultTable.META, b"manifest"),
    }


def test_a_manifest_of_another_key_altered_or_absent_opens_nothing(store: MemoryStore) -> None:
    with store.reading() as cells, pytest.raises(VaultDamaged):
        Manifest(cells, VaultCipher(b"K" * 32, b"v" * 16))
    with store.reading() as cells, pytest.raises(VaultDamaged):
        Manifest(cells, VaultCipher(b"k" * 32, b"w" * 16))
    with store.writing() as cells:
        sealed = cells.get(VaultTable.META, b"manifest")
        assert sealed is not None
        cells.put(VaultTable.META, b"manifest", sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with store.reading() as cells, pytest.raises(VaultDamaged):
        Manifest(cells, CIPHER)
    with store.writing() as cells:
        cells.drop(VaultTable.META, b"manifest")
    with store.reading() as cells, pytest.raises(VaultDamaged, match="manifest is missing"):
        Manifest(cells, CIPHER)


def test_clearing_a_section_removes_added_cells_too(store: MemoryStore) -> None:
    with store.writing() as cells:
        cells.put(VaultTable.RECORD, b"\x07" + b"p" * 31, b"added")
        manifest = Manifest(cells, CIPHER)
        manifest.clear(VaultTable.RECORD)
        manifest.save()
    with store.reading() as cells:
        assert cells.scan(VaultTable.RECORD, after=b"", limit=9) == []
        assert Manifest(cells, CIPHER).count(VaultTable.RECORD) == 0


def test_drop_says_whether_there_was_a_cell(store: MemoryStore) -> None:
    with store.writing() as cells:
        cells.drop(VaultTable.RECORD, TAGS[0])  # removed by something other than mien
        manifest = Manifest(cells, CIPHER)
        assert manifest.drop(VaultTable.RECORD, TAGS[0])
        assert manifest.drop(VaultTable.RECORD, TAGS[1])
        assert not manifest.drop(VaultTable.RECORD, TAGS[1])
        assert not manifest.drop(VaultTable.RECORD, b"\x09" * 32)


def test_a_transaction_reads_what_it_wrote(store: MemoryStore) -> None:
    with store.writing() as cells:
        manifest = Manifest(cells, CIPHER)
        manifest.put(VaultTable.RECORD, TAGS[1], b"new")
        manifest.put(VaultTable.RECORD, TAGS[2], b"newer")
        for tag, value in ((TAGS[1], b"new"), (TAGS[2], b"newer")):
            cell = manifest.get(VaultTable.RECORD, tag)
            assert cell is not None
            assert (cell.version, cell.value) == (2, value)


def digests(manifest: Manifest) -> list[bytes]:
    return [manifest.bucket_digest(VaultTable.RECORD, number) for number in range(BUCKETS)]


def test_the_digest_of_a_bucket_changes_with_its_cells_only(store: MemoryStore) -> None:
    with store.reading() as cells:
        before = digests(Manifest(cells, CIPHER))
    change(store, TAGS[1], b"new")
    with store.reading() as cells:
        after = digests(Manifest(cells, CIPHER))
    assert [number for number in range(BUCKETS) if before[number] != after[number]] == [7]
    assert before[9] == bytes(16 * 32)


@pytest.mark.parametrize("plain", [b"mienIDX1", b"mienIDX2", b"mienIDX9" + bytes(48 + 3 * 2056)])
def test_a_manifest_of_another_format_says_upgrade(store: MemoryStore, plain: bytes) -> None:
    with store.writing() as cells:
        sealed = CIPHER.seal(plain, purpose="manifest", bound_to=[])
        cells.put(VaultTable.META, b"manifest", sealed)
    with store.reading() as cells, pytest.raises(VaultDamaged, match="upgrade mien"):
        Manifest(cells, CIPHER)


def test_a_bucket_is_scanned_by_tag_and_removed_with_its_last_cell(store: MemoryStore) -> None:
    with store.reading() as cells:
        found = list(Manifest(cells, CIPHER).scan_bucket(VaultTable.RECORD, 7))
        assert [tag for tag, _ in found] == TAGS[1:3]
        assert [cell.value for _, cell in found] == [b"value of " + tag for tag in TAGS[1:3]]
    change(store, TAGS[0], None)
    change(store, TAGS[1], None)
    with store.reading() as cells:
        assert cells.get(VaultTable.BUCKET, leaf_key(TAGS[0])) is None
        assert cells.get(VaultTable.BUCKET, leaf_key(TAGS[2])) is not None
        assert cells.get(VaultTable.BUCKET, node_key(TAGS[2])) is not None
    change(store, TAGS[2], None)
    with store.reading() as cells:
        assert cells.get(VaultTable.BUCKET, leaf_key(TAGS[2])) is None
        assert cells.get(VaultTable.BUCKET, node_key(TAGS[2])) is None


class _RepeatingCells(DictCells):
    """A store whose list of cells never ends, as a damaged tree may."""

    def scan(self, section: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return super().scan(section, after=b"", limit=limit)


def test_salvaging_a_log_ends_where_the_store_repeats_itself(store: MemoryStore) -> None:
    with store.writing() as cells:
        manifest = Manifest(cells, CIPHER)
        manifest.append_log(b"one")
        manifest.save()
    manifest = Manifest(_RepeatingCells(store._cells, writable=False), CIPHER)
    assert manifest.salvage_log() == [b"one"]
    with pytest.raises(VaultDamaged, match="out of order"):
        manifest.read_log()


class _ReversedCells(DictCells):
    """A store whose pages are in descending order, as a damaged tree may be."""

    def scan(self, section: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return super().scan(section, after=after, limit=limit)[::-1]


def test_cells_out_of_order_are_damage(store: MemoryStore) -> None:
    cells = _ReversedCells(store._cells, writable=False)
    with pytest.raises(VaultDamaged, match="its cells are out of order"):
        list(Manifest(cells, CIPHER).scan(VaultTable.RECORD))


def test_log_entries_are_read_in_order_and_a_moved_one_does_not_open(
    store: MemoryStore,
) -> None:
    with store.writing() as cells:
        manifest = Manifest(cells, CIPHER)
        for entry in (b"one", b"two", b"three"):
            manifest.append_log(entry)
        manifest.save()
    with store.reading() as cells:
        manifest = Manifest(cells, CIPHER)
        assert manifest.read_log() == [b"one", b"two", b"three"]
        first = cells.get(VaultTable.LOG, (1).to_bytes(8, "big"))
        assert first is not None
    with store.writing() as cells:
        cells.put(VaultTable.LOG, (2).to_bytes(8, "big"), first)
    with store.reading() as cells, pytest.raises(VaultDamaged):
        Manifest(cells, CIPHER).read_log()
