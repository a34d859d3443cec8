"""Parts that the tests of backups share, whatever the vault is kept in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, store_record

from mien.errors import MienError, Outcome, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings


def make_copies(
    settings: Settings, model: ModelId, targets: Sequence[Path], make: Callable[[Path], object]
) -> None:
    """Enroll ana, and make each copy while doors are asked for her."""
    with opened(settings, Clock()) as vault:
        store_record(vault, record_of("ana", model))
    with _asked_doors(settings) as wait_for_door:
        for target in targets:
            wait_for_door()  # between two copies a door was asked
            make(target)


@contextmanager
def _asked_doors(settings: Settings) -> Iterator[Callable[[], object]]:
    """Two doors that are asked for ana without a pause. Gives a call that waits until one was."""
    stop, asked, errors = threading.Event(), threading.Semaphore(0), list[MienError]()

    def ask() -> None:
        try:
            with opened(settings, Clock()) as door:
                while not stop.is_set():
                    with door.attempt("ana") as attempt:
                        attempt.outcome = Outcome.UNLOCKED
                    asked.release()
        except MienError as error:
            errors.append(error)
            asked.release(9)

    doors = [threading.Thread(target=ask) for _ in range(2)]
    for door in doors:
        door.start()
    try:
        yield lambda: asked.acquire(timeout=60)
    finally:
        stop.set()
        for door in doors:
            door.join(60)
    assert errors == []


def changes_of_whole(copy: Settings) -> int:
    """How many changes the copy has had, once it was found whole, with one person."""
    with opened(copy, Clock()) as vault:
        status = vault.verify()
        assert status is not None
        assert status.people == 1
        return status.changes


def expect_accepted_on_purpose(settings: Settings, changes: int) -> None:
    """The copy that was put back, with so many changes, is refused until it is accepted."""
    with opened(settings, Clock()) as vault:
        with pytest.raises(VaultDamaged, match="is an old copy"):
            vault.verify()
        status = vault.verify(accept=True)
        assert status is not None
        assert status.changes == changes + 1  # the log notes it
        assert vault.read_log()[-1].kind == "accept_copy"
