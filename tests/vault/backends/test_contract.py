"""What every store does: cells in sections, one writer beside readers, all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.vault.memory import MemoryStore

from mien.errors import UsageError
from mien.vault.backends.base import (
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    Cells,
    Store,
    VaultTable,
)
from mien.vault.backends.postgres import PostgresStore
from mien.vault.backends.sqlite import SqliteStore

HANG_S = 60.0
OpenAgain = Callable[[], Store]
"""Opens the same store once more."""


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenAgain]:
    memory, opened = MemoryStore(), list[Store]()

    def open_store() -> Store:
        if request.param == "memory":
            return memory
        if request.param == "sqlite":
            # SQLite's waiting is not fair: on a busy machine one may come late
            path = tmp_path / "vault.sqlite"
            opened.append(SqliteStore(path, create=True, busy_timeout_s=60.0))
        else:
            opened.append(PostgresStore(request.getfixturevalue("postgres_url")))
        return opened[-1]

    open_store()  # the database is made before the stores, and so dropped after them
    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(open_again: OpenAgain) -> Store:
    return open_again()


def put(store: Store, key: bytes, value: bytes, section: VaultTable = VaultTable.RECORD) -> None:
    with store.writing() as cells:
        cells.put(section, key, value)


def get(store: Store, key: bytes, section: VaultTable = VaultTable.RECORD) -> bytes | None:
    with store.reading() as cells:
        return cells.get(section, key)


def test_a_new_store_is_empty(store: Store) -> None:
    with store.reading() as cells:
        for section in VaultTable:
            assert cells.get(section, b"any") is None
            assert cells.scan(section, after=b"", limit=5) == []
    store.check()


def test_a_stored_value_is_read_by_another_connection(open_again: OpenAgain) -> None:
    put(open_again(), b"key", b"\x00\xff value")
    assert get(open_again(), b"key") == b"\x00\xff value"


def test_each_section_has_its_own_cells(store: Store) -> None:
    for section in VaultTable:
        put(store, b"key", section.value.encode(), section)
    for section in VaultTable:
        assert get(store, b"key", section) == section.value.encode()


def test_a_cell_is_replaced_and_dropped(store: Store) -> None:
    put(store, b"key", b"one")
    put(store, b"key", b"two")
    assert get(store, b"key") == b"two"
    with store.writing() as cells:
        assert cells.drop(VaultTable.RECORD, b"key")
        assert not cells.drop(VaultTable.RECORD, b"key")
    assert get(store, b"key") is None


def test_clearing_a_section_leaves_the_others(store: Store) -> None:
    put(store, b"key", b"one", VaultTable.LOG)
    put(store, b"other", b"two", VaultTable.LOG)
    put(store, b"key", b"three", VaultTable.RECORD)
    with store.writing() as cells:
        cells.clear(VaultTable.LOG)
        cells.clear(VaultTable.CENTROIDS)
    assert get(store, b"key", VaultTable.LOG) is None
    assert get(store, b"other", VaultTable.LOG) is None
    assert get(store, b"key", VaultTable.RECORD) == b"three"


def test_a_scan_goes_on_after_a_key_in_the_order_of_bytes(store: Store) -> None:
    keys = [b"\x00", b"a", b"a\x00", b"ab", b"b", b"\x7f", b"\x80", b"\xff"]
    with store.writing() as cells:
        for key in reversed(keys):
            cells.put(VaultTable.LOG, key, key)
    with store.reading() as cells:
        assert [key for key, _ in cells.scan(VaultTable.LOG, after=b"", limit=100)] == keys
        assert cells.scan(VaultTable.LOG, after=b"a", limit=2) == [
            (b"a\x00", b"a\x00"),
            (b"ab", b"ab"),
        ]
        assert cells.scan(VaultTable.LOG, after=b"\xff", limit=2) == []
        for limit in (0, -1):
            with pytest.raises(ValueError, match="at least one"):
                cells.scan(VaultTable.LOG, after=b"", limit=limit)


def test_an_empty_value_and_the_longest_key_are_kept(store: Store) -> None:
    put(store, b"k" * MAX_KEY_BYTES, b"")
    assert get(store, b"k" * MAX_KEY_BYTES) == b""


@pytest.mark.parametrize("key", [b"", b"k" * (MAX_KEY_BYTES + 1), "text"])
def test_a_cell_key_must_be_bytes_of_a_valid_length(store: Store, key: bytes) -> None:
    with pytest.raises(ValueError, match="a key is"), store.writing() as cells:
        cells.put(VaultTable.RECORD, key, b"")


def test_a_cell_value_must_be_bytes_of_a_valid_length(store: Store) -> None:
    for value in (b"v" * (MAX_VALUE_BYTES + 1), "text"):
        with pytest.raises(ValueError, match="a value is"), store.writing() as cells:
            cells.put(VaultTable.RECORD, b"key", value)  # type: ignore[arg-type]


class Stop(Exception):
    pass


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_an_exception_rolls_back_the_whole_change(store: Store, error: type[BaseException]) -> None:
    put(store, b"kept", b"1")

    def change() -> None:
        with store.writing() as cells:
            cells.put(VaultTable.RECORD, b"kept", b"2")
            cells.put(VaultTable.META, b"new", b"3")
            cells.drop(VaultTable.RECORD, b"kept")
            raise error

    with pytest.raises(error):
        change()
    assert get(store, b"kept") == b"1"
    assert get(store, b"new", VaultTable.META) is None
    put(store, b"kept", b"4")  # the store is of use after that


def test_a_change_sees_itself(store: Store) -> None:
    with store.writing() as cells:
        cells.put(VaultTable.RECORD, b"key", b"1")
        assert cells.get(VaultTable.RECORD, b"key") == b"1"
        assert cells.scan(VaultTable.RECORD, after=b"", limit=9) == [(b"key", b"1")]


def test_what_is_put_and_removed_in_turns_is_what_the_change_sees(store: Store) -> None:
    put(store, b"kept", b"1")
    put(store, b"gone", b"1")
    with store.writing() as cells:
        cells.fetch([(VaultTable.RECORD, b"kept"), (VaultTable.RECORD, b"new")])
        assert cells.get(VaultTable.RECORD, b"kept") == b"1"
        assert cells.get(VaultTable.RECORD, b"new") is None
        cells.put(VaultTable.RECORD, b"new", b"2")
        assert cells.drop(VaultTable.RECORD, b"new")
        assert not cells.drop(VaultTable.RECORD, b"new")
        assert cells.get(VaultTable.RECORD, b"new") is None
        cells.put(VaultTable.RECORD, b"new", b"3")
        assert cells.drop(VaultTable.RECORD, b"gone")
        cells.put(VaultTable.RECORD, b"gone", b"again")
        assert cells.drop(VaultTable.RECORD, b"kept")
        assert [key for key, _ in cells.scan(VaultTable.RECORD, after=b"", limit=9)] == [
            *(b"gone", b"new"),
        ]
        cells.put(VaultTable.META, b"other", b"4")
        cells.clear(VaultTable.RECORD)
        assert cells.get(VaultTable.RECORD, b"new") is None
        cells.put(VaultTable.RECORD, b"last", b"5")
    with store.reading() as cells:
        cells.fetch([(VaultTable.RECORD, b"last"), (VaultTable.META, b"other")])
        assert cells.get(VaultTable.RECORD, b"last") == b"5"
        assert cells.get(VaultTable.META, b"other") == b"4"
        assert cells.scan(VaultTable.RECORD, after=b"", limit=9) == [(b"last", b"5")]


def test_a_reading_transaction_cannot_change_cells(store: Store) -> None:
    put(store, b"key", b"1")
    with store.reading() as cells:
        with pytest.raises(ValueError, match="only reads"):
            cells.put(VaultTable.RECORD, b"key", b"2")
        with pytest.raises(ValueError, match="only reads"):
            cells.drop(VaultTable.RECORD, b"key")


@pytest.mark.parametrize("writing", [True, False])
def test_a_view_cannot_be_used_after_its_transaction(store: Store, writing: bool) -> None:
    kept: list[Cells] = []
    with store.writing() if writing else store.reading() as cells:
        kept.append(cells)
    with pytest.raises(ValueError, match="has ended"):
        kept[0].get(VaultTable.RECORD, b"key")
    with pytest.raises(ValueError, match=r"has ended|only reads"):
        kept[0].put(VaultTable.RECORD, b"key", b"")


def test_a_thread_has_one_transaction_of_a_store_at_a_time(store: Store) -> None:
    with store.writing():
        with pytest.raises(ValueError, match="one transaction"), store.reading():
            pass
        with pytest.raises(ValueError, match="end the transaction"):
            store.close()
    with store.reading():
        with pytest.raises(ValueError, match="one transaction"), store.writing():
            pass
        with pytest.raises(ValueError, match="one transaction"), store.reading():
            pass
    put(store, b"key", b"1")


def in_thread(work: Callable[[], object]) -> None:
    """Do it in another thread, to its end; its error is raised here."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(HANG_S)


def test_a_long_read_holds_up_neither_writers_nor_readers(store: Store) -> None:
    put(store, b"key", b"old")
    with store.reading() as cells:
        before = cells.get(VaultTable.RECORD, b"key")
        in_thread(lambda: put(store, b"key", b"new"))
        in_thread(lambda: get(store, b"key"))
        assert (before, cells.get(VaultTable.RECORD, b"key")) == (b"old", b"old")
    assert get(store, b"key") == b"new"


def test_who_reads_does_not_wait_for_a_change(store: Store) -> None:
    put(store, b"key", b"old")
    found: list[bytes | None] = []
    with store.writing() as cells:
        cells.put(VaultTable.RECORD, b"key", b"new")
        in_thread(lambda: found.append(get(store, b"key")))
    assert found == [b"old"]


def test_a_store_is_closed_once_the_transactions_of_other_threads_have_ended(store: Store) -> None:
    is_reading, may_end = threading.Event(), threading.Event()
    order: list[str] = []

    def read() -> None:
        with store.reading():
            is_reading.set()
            may_end.wait(HANG_S)
            order.append("read")

    reader = threading.Thread(target=read)
    reader.start()
    is_reading.wait(HANG_S)
    threading.Timer(0.05, may_end.set).start()
    store.close()
    order.append("closed")
    reader.join()
    assert order == ["read", "closed"]


def test_a_closed_store_says_so_and_closes_twice(store: Store) -> None:
    store.close()
    store.close()
    for view in (store.reading, store.writing):
        with pytest.raises(ValueError, match="closed"), view():
            pass


def test_simultaneous_changes_by_threads_lose_nothing(open_again: OpenAgain) -> None:
    stores = [open_again() for _ in range(3)]

    def add(store: Store) -> None:
        for _ in range(10):
            with store.writing() as cells:
                count = int(cells.get(VaultTable.META, b"count") or b"0")
                cells.put(VaultTable.META, b"count", str(count + 1).encode())

    threads = [threading.Thread(target=add, args=(store,)) for store in (*stores, stores[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get(stores[0], b"count", VaultTable.META) == b"40"


def test_a_reader_sees_one_snapshot_whatever_others_write(open_again: OpenAgain) -> None:
    reader, writer = open_again(), open_again()
    if reader is writer:
        return  # of one object, a thread has one transaction at a time
    put(writer, b"a", b"old")
    put(writer, b"b", b"old")
    with reader.reading() as cells:
        first = cells.get(VaultTable.RECORD, b"a")
        with writer.writing() as changed:
            changed.put(VaultTable.RECORD, b"a", b"new")
            changed.put(VaultTable.RECORD, b"b", b"new")
        assert (first, cells.get(VaultTable.RECORD, b"b")) == (b"old", b"old")
    assert get(reader, b"b") == b"new"


def test_an_absent_file_opened_without_create_reads_as_empty_and_stays_absent(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path / "no" / "vault.sqlite", create=False)
    assert get(store, b"key") is None
    store.check()
    with pytest.raises(UsageError, match="there is no vault"), store.writing():
        pass
    assert list(tmp_path.iterdir()) == []
