"""What the tests of the sealed vault share: a clock, a record, failures and raw rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from mien.errors import Outcome
from mien.results import FloatArray, ModelId, Template
from mien.settings import Settings
from mien.vault import Record, pack_template
from mien.vault.limits.attempts import Moment
from mien.vault.open import open_vault
from mien.vault.rotated_space import RotatedSpace
from mien.vault.vault import Vault

NOON = Moment(wall_s=1_800_000_000.0, boot_id="boot one", boot_s=1000.0)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Moment:
        return self.now

    def wait(self, seconds: float) -> None:
        wall_s, boot_s = self.now.wall_s + seconds, self.now.boot_s + seconds
        self.now = Moment(wall_s, self.now.boot_id, boot_s)


def opened(settings: Settings, clock: Clock) -> Vault:
    return open_vault(settings, create=True, surface="library", clock=clock, environ={})


def record_of(user: str, model: ModelId, *, seed: int = 1) -> Record:
    vectors = np.random.default_rng(seed).normal(size=(2, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Record(user, model, "2026-01-31T12:00:00+00:00", pack_template(Template(vectors, model)))


def protected(vault: Vault, vectors: FloatArray, model: ModelId) -> FloatArray:
    """The vectors as this vault stores them."""
    with vault._transactions.writing() as opened:  # makes a vault where there is none
        return RotatedSpace(opened.cipher, model).protect(vectors)


def store_record(vault: Vault, record: Record) -> None:
    """Enroll with this record as it is, also in the place of another."""
    vault.update(record.user, lambda stored, space_of: record, replace=True)


def record_of_user(vault: Vault, user: str) -> Record | None:
    found = vault.look_up(user)
    return None if found is None else found.record


def fail(vault: Vault, user: str, times: int = 1) -> None:
    for _ in range(times):
        with vault.attempt(user) as attempt:
            attempt.outcome = Outcome.NOT_THE_OWNER


def rows_of(path: Path, table: str) -> list[tuple[bytes, bytes]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT key, value FROM cell_{table} ORDER BY key").fetchall()


def edit(path: Path, statement: str, *values: object) -> None:
    """Change the file behind mien's back."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, values)
