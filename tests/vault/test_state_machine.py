"""The vault against a plain dictionary, in any order of what people and accidents do to it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mien.errors import AlreadyEnrolled, MienError, Outcome, TooManyAttempts, VaultDamaged
from mien.results import ModelId, Template
from mien.settings import load_settings
from mien.vault import Record, pack_template, unpack_template
from mien.vault.backends.base import Cells, VaultTable
from mien.vault.limits.attempts import Moment
from mien.vault.open import open_vault
from mien.vault.rotated_space import SpaceOf
from mien.vault.vault import Vault

MODEL = ModelId("sface", "ab" * 32)
USERS = st.sampled_from(["ana", "ben", "zoë"])
SEEDS = st.integers(0, 9)


def face(seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(1, 4)).astype(np.float32)
    return vectors / np.linalg.norm(vectors)


class PowerLoss(Exception):
    """The machine stops."""


@dataclass
class _Doomed:
    """Cells of which one call never returns."""

    cells: Cells
    left: int

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise PowerLoss

    def get(self, space: VaultTable, key: bytes) -> bytes | None:
        return self.cells.get(space, key)

    def fetch(self, places: Iterable[tuple[VaultTable, bytes]]) -> None:
        self.cells.fetch(places)

    def wall_s(self) -> float | None:
        return self.cells.wall_s()

    def scan(self, space: VaultTable, *, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return self.cells.scan(space, after=after, limit=limit)

    def put(self, space: VaultTable, key: bytes, value: bytes) -> None:
        self._step()
        self.cells.put(space, key, value)

    def drop(self, space: VaultTable, key: bytes) -> bool:
        self._step()
        return self.cells.drop(space, key)

    def clear(self, space: VaultTable) -> None:
        self._step()
        self.cells.clear(space)


@contextmanager
def power_loss(vault: Vault, after: int) -> Iterator[None]:
    """The so manyth change of a cell never happens."""
    store = vault._transactions.store
    real = store.writing

    @contextmanager
    def doomed() -> Iterator[Cells]:
        with real() as cells:
            yield _Doomed(cells, after)

    store.writing = doomed  # type: ignore[method-assign]
    try:
        yield
    finally:
        store.writing = real  # type: ignore[method-assign]


class VaultMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.settings = load_settings({"HOME": self.folder.name})
        self.enrolled: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self.everybody = 0
        self.boot_s = 1000.0
        self.logged = 0
        self.exports = 0
        self.vault = self.opened()

    def opened(self) -> Vault:
        return open_vault(
            self.settings, create=True, surface="library", clock=self.clock, environ={}
        )

    def clock(self) -> Moment:
        return Moment(1_800_000_000.0 + self.boot_s, "boot one", self.boot_s)

    def teardown(self) -> None:
        self.vault.close()
        self.folder.cleanup()

    def put_face(self, user: str, seed: int) -> None:
        def make(stored: Record | None, space_of: SpaceOf) -> Record:
            vectors = space_of(MODEL).protect(face(seed))
            payload = pack_template(Template(vectors, MODEL))
            return Record(user, MODEL, "2026-01-31T12:00:00+00:00", payload)

        self.vault.update(user, make)

    def stored_face(self, user: str) -> np.ndarray | None:
        found = self.vault.look_up(user)
        if found is None or found.record is None:
            return None
        rotated = unpack_template(found.record.payload, expected_model=MODEL).vectors
        return found.space_of(MODEL).reveal(rotated)

    # what people do ------------------------------------------------------------------------

    @rule(user=USERS, seed=SEEDS)
    def enroll(self, user: str, seed: int) -> None:
        self.put_face(user, seed)
        self.enrolled[user] = seed
        self.logged += 1

    @rule(user=USERS)
    def forget(self, user: str) -> None:
        there = user in self.enrolled
        assert self.vault.remove(user) is there
        if there:
            del self.enrolled[user]
            self.failures.pop(user, None)
            self.logged += 1

    @rule(user=USERS)
    def enroll_a_taken_name(self, user: str) -> None:
        if user in self.enrolled:
            payload = pack_template(Template(face(0), MODEL))
            record = Record(user, MODEL, "2026-01-31T12:00:00+00:00", payload)

            def keep_the_first(stored: Record | None, space_of: object) -> Record:
                if stored is not None:
                    raise AlreadyEnrolled("the name is taken")
                return record

            with pytest.raises(AlreadyEnrolled):
                self.vault.update(user, keep_the_first)

    @rule(user=USERS, unlocked=st.booleans())
    def make_attempt(self, user: str, unlocked: bool) -> None:
        before = self.failures.get(user, 0)
        try:
            with self.vault.attempt(user) as attempt:
                attempt.outcome = Outcome.UNLOCKED if unlocked else Outcome.NOT_THE_OWNER
        except TooManyAttempts:
            assert before >= 5
            return
        self.failures[user] = 0 if unlocked else before + 1
        self.logged += 1

    @rule(seconds=st.sampled_from([1.0, 29.0, 31.0, 3600.0, 90_000.0]))
    def wait(self, seconds: float) -> None:
        self.boot_s += seconds

    @rule()
    def rotate_key(self) -> None:
        if self.logged:
            self.vault.rotate()
            self.logged += 1

    @rule()
    def close_and_open(self) -> None:
        self.vault.close()
        self.vault = self.opened()

    # what accidents and attackers do -------------------------------------------------------

    @rule(user=USERS, seed=SEEDS, after=st.integers(0, 4))
    def the_power_goes_while_enrolling(self, user: str, seed: int, after: int) -> None:
        with power_loss(self.vault, after):
            try:
                self.put_face(user, seed)
            except PowerLoss:
                return
        self.enrolled[user] = seed
        self.logged += 1

    @precondition(lambda self: self.logged)
    @rule(after=st.integers(0, 12))
    def the_power_goes_while_rotating(self, after: int) -> None:
        with power_loss(self.vault, after):
            try:
                self.vault.rotate()
            except PowerLoss:
                return
        self.logged += 1

    @precondition(lambda self: len(self.enrolled) > 0)
    @rule(what=st.sampled_from(["swap", "drop", "empty", "old file"]))
    def somebody_changes_the_file(self, what: str) -> None:
        self.vault.close()
        path = self.settings.vault_path
        whole = path.read_bytes()
        if what == "old file":
            self.vault = self.opened()
            self.vault.remove(next(iter(self.enrolled)))
            self.vault.close()
            now = path.read_bytes()
            path.write_bytes(whole)
            with self.opened() as vault, pytest.raises(VaultDamaged, match="old copy"):
                vault.list_people()
            path.write_bytes(now)
            del self.enrolled[next(iter(self.enrolled))]
            self.logged += 1
            self.failures = {u: n for u, n in self.failures.items() if u in self.enrolled}
            self.vault = self.opened()
            return
        with closing(sqlite3.connect(path)) as db, db:
            rows = db.execute("SELECT key, value FROM cell_record ORDER BY key").fetchall()
            if what == "swap" and len(rows) > 1:
                (a, first), (b, second) = rows[:2]
                db.execute("UPDATE cell_record SET value = ? WHERE key = ?", (second, a))
                db.execute("UPDATE cell_record SET value = ? WHERE key = ?", (first, b))
            elif what == "drop":
                db.execute("DELETE FROM cell_record WHERE key = ?", (rows[0][0],))
            else:
                db.execute("DELETE FROM cell_bucket")
        with self.opened() as vault, pytest.raises(VaultDamaged):
            vault.list_people()
        path.write_bytes(whole)
        self.vault = self.opened()

    @precondition(lambda self: len(self.enrolled) > 0)
    @rule()
    def move_to_another_vault(self) -> None:
        if self.exports >= 1:
            return  # a passphrase takes a while, on purpose
        self.exports += 1
        file = Path(self.folder.name) / "people.mien"
        self.vault.export_people(file, "four random words")
        self.logged += 1
        with tempfile.TemporaryDirectory() as other_home:
            other_settings = load_settings({"HOME": other_home})
            with open_vault(other_settings, create=True, surface="library", environ={}) as other:
                other.import_people(file, "four random words", existing="refuse")
                assert [head.user for head in other.list_people()] == sorted(self.enrolled)

    # what always holds ---------------------------------------------------------------------

    @invariant()
    def it_holds_who_was_enrolled_and_nobody_else(self) -> None:
        assert [head.user for head in self.vault.list_people()] == sorted(self.enrolled)
        for user in ("ana", "ben", "zoë"):
            stored = self.stored_face(user)
            if user in self.enrolled:
                assert stored is not None
                np.testing.assert_allclose(stored, face(self.enrolled[user]), atol=1e-5)
            else:
                assert stored is None

    @invariant()
    def all_of_it_checks_out(self) -> None:
        try:
            self.vault.verify()
            entries = self.vault.read_log()
        except MienError as error:
            raise AssertionError(str(error)) from error
        assert len(entries) == self.logged


VaultMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestVault = VaultMachine.TestCase
