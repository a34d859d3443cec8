"""A process forks while its other threads use a vault, a model or a picture."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.vault.raw_vault import RawVault

from mien.media import image_file
from mien.results import ByteArray
from mien.vault.backends.base import VaultTable

HANG_S = 60.0
FORK = multiprocessing.get_context("fork")


def exit_code_of(work: Callable[[], object]) -> int | None:
    """Of a forked child that does this; None for one that hangs."""
    child = FORK.Process(target=work)
    child.start()
    child.join(HANG_S)
    code = child.exitcode
    child.kill()
    return code


def test_a_forked_child_reads_a_picture_while_a_thread_of_its_parent_does(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    with image_file._DECODE_LOCK:
        assert exit_code_of(lambda: image_file.read_image(path)) == 0


def test_a_forked_child_uses_the_vault_of_its_parent_and_leaves_it_usable(filled: Path) -> None:
    with RawVault(filled, create=False) as vault:

        def use() -> None:
            assert vault.get("ana") == b"a" * 300
            vault.put("child")
            vault.close()

        assert exit_code_of(use) == 0
        assert vault.names() == ["ana", "ben", "child", "zoë"]
        vault.put("parent")
    with RawVault(filled, create=False) as vault:
        vault.store.check()
        assert vault.names() == ["ana", "ben", "child", "parent", "zoë"]


def test_a_fork_waits_for_the_transaction_of_another_thread(filled: Path) -> None:
    is_writing, may_end = threading.Event(), threading.Event()

    def write(vault: RawVault) -> None:
        with vault.store.writing() as cells:
            cells.put(VaultTable.RECORD, b"thread", b"payload")
            is_writing.set()
            may_end.wait(HANG_S)

    with RawVault(filled, create=False) as vault:
        thread = threading.Thread(target=write, args=[vault])
        thread.start()
        is_writing.wait(HANG_S)
        threading.Timer(0.05, may_end.set).start()
        assert exit_code_of(lambda: vault.put("child")) == 0
        thread.join(HANG_S)
        assert vault.names() == ["ana", "ben", "child", "thread", "zoë"]


def test_a_fork_inside_a_transaction_of_the_same_thread_does_not_wait(filled: Path) -> None:
    with RawVault(filled, create=False) as vault:
        with vault.store.writing() as cells:
            cells.put(VaultTable.RECORD, b"own", b"payload")
            assert exit_code_of(lambda: None) == 0
        assert "own" in vault.names()


def test_a_forked_child_with_a_connection_to_postgresql_opens_its_own(postgres_url: str) -> None:
    from mien.vault.backends.postgres import PostgresStore

    store = PostgresStore(postgres_url)
    with store.writing() as cells:
        cells.put(VaultTable.RECORD, b"ana", b"payload")

    def use() -> None:
        with store.writing() as cells:
            assert cells.get(VaultTable.RECORD, b"ana") == b"payload"
            cells.put(VaultTable.RECORD, b"child", b"payload")
        store.close()

    assert exit_code_of(use) == 0
    with store.reading() as cells:
        assert cells.get(VaultTable.RECORD, b"child") == b"payload"
    store.close()


def test_a_forked_child_verifies_with_models_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: ByteArray
) -> None:
    import mien

    for name in ("DATA", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    with mien.open_vault() as vault:
        vault.enroll("eileen", astronaut)

        def verify() -> None:
            assert vault.verify("eileen", astronaut)
            assert mien.compare(astronaut, astronaut)

        assert mien.compare(astronaut, astronaut)
        assert exit_code_of(verify) == 0
        assert vault.verify("eileen", astronaut)
