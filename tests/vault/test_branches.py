"""Two machines with one vault, and somebody who puts back any earlier state of it at any time."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest
from tests.vault.sealed_parts import Clock, fail, opened, record_of, store_record

from mien.errors import KeyUnavailable, Outcome, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings, load_settings
from mien.vault.backends.base import VaultTable
from mien.vault.vault import Vault

NAMES = ("ana", "ben", "eva")
STEPS = 40


@dataclass(slots=True)
class Storage:
    """The stored bytes of a vault: read by `copy`, put back by `put`."""

    settings: list[Settings]
    copy: Callable[[], object]
    put: Callable[[object], None]


@dataclass(slots=True)
class History:
    """What happened for certain: each state and the one that it was made from."""

    parents: list[int | None] = field(default_factory=lambda: [None])
    copies: list[object] = field(default_factory=list)

    def add(self, parent: int, copy: object) -> int:
        self.parents.append(parent)
        self.copies.append(copy)
        return len(self.parents) - 1

    def continues(self, state: int, earlier: int) -> bool:
        at: int | None = state
        while at is not None and at != earlier:
            at = self.parents[at]
        return at == earlier


def operation(vault: Vault, rng: random.Random, model: ModelId) -> Callable[[], object]:
    """What a machine does next, chosen by chance."""
    name = rng.choice(NAMES)
    return rng.choice(
        [
            lambda: store_record(vault, record_of(name, model)),
            lambda: vault.remove(name),
            lambda: fail(vault, name),
            lambda: unlock(vault, name),
            lambda: vault.list_people(),
            lambda: vault.rotate(),
        ]
    )


def answer_of(step: Callable[[], object]) -> str:
    try:
        step()
    except KeyUnavailable:
        return "no key"
    except VaultDamaged as error:
        if re.search("old copy|does not continue", str(error)):
            return "refused"
        raise
    return "accepted"


def unlock(vault: Vault, name: str) -> None:
    with vault.attempt(name) as attempt:
        attempt.outcome = Outcome.UNLOCKED


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Iterator[Storage]:
    machines = [
        replace(
            load_settings({"HOME": str(tmp_path)}),
            state_dir=tmp_path / f"state of machine {number}",
            vault_url=postgres_url if request.param == "postgres" else None,
        )
        for number in range(2)
    ]
    path = machines[0].vault_path
    if request.param == "sqlite":
        yield Storage(machines, path.read_bytes, path.write_bytes)
        return
    with psycopg.connect(postgres_url, autocommit=True) as db:
        yield Storage(machines, lambda: rows(db), lambda copy: put_rows(db, copy))


def rows(db: psycopg.Connection) -> dict[str, list[tuple[bytes, bytes]]]:
    query = "SELECT key, value FROM mien.cell_"
    return {one.value: db.execute(query + one.value).fetchall() for one in VaultTable}


def put_rows(db: psycopg.Connection, copy: dict[str, list[tuple[bytes, bytes]]]) -> None:
    for table, found in copy.items():
        db.execute(f"DELETE FROM mien.cell_{table}")
        with db.cursor() as cursor:
            cursor.executemany(f"INSERT INTO mien.cell_{table} VALUES (%s, %s)", found)


@pytest.mark.parametrize("seed", range(6))
def test_a_machine_accepts_exactly_the_states_that_continue_what_it_saw(
    storage: Storage, clock: Clock, model: ModelId, seed: int
) -> None:
    """The clock stands still, so that two branches may log the same events at the same time."""
    rng, history = random.Random(seed), History()
    seen = [0, 0]  # by machine: the state that it saw last
    with opened(storage.settings[0], clock) as vault:
        store_record(vault, record_of("ana", model))
    now = history.add(0, storage.copy())
    seen[0] = now
    refused = 0
    for _ in range(STEPS):
        if rng.random() < 0.3:
            now = rng.randrange(1, len(history.parents))
            storage.put(history.copies[now - 1])
        machine = rng.randrange(2)
        legitimate = history.continues(now, seen[machine])
        with opened(storage.settings[machine], clock) as vault:
            step = operation(vault, rng, model)
            before = storage.copy()
            answer = answer_of(step)
        if answer == "no key":  # an old state, under a key that a rotation removed
            legitimate = False
        else:
            assert answer == ("accepted" if legitimate else "refused")
            refused += answer == "refused"
        if storage.copy() != before:
            assert legitimate
            now = history.add(now, storage.copy())
        if legitimate:
            seen[machine] = now
    assert refused


def test_a_forgotten_person_does_not_come_back_by_way_of_another_machine(
    storage: Storage, clock: Clock, model: ModelId
) -> None:
    """Machine 2 never saw the removal, and unlocks on the earlier state until it is ahead."""
    with opened(storage.settings[0], clock) as vault:
        store_record(vault, record_of("ana", model))
        store_record(vault, record_of("ben", model))
    earlier = storage.copy()
    with opened(storage.settings[0], clock) as vault:
        vault.remove("ben")
    storage.put(earlier)
    with opened(storage.settings[1], clock) as vault:
        for _ in range(3):
            unlock(vault, "ben")
    with opened(storage.settings[0], clock) as vault:
        for look in (lambda: vault.look_up("ben"), lambda: unlock(vault, "ben"), vault.verify):
            with pytest.raises(VaultDamaged, match="does not continue what was seen at change 3"):
                look()
        vault.verify(accept=True)
        assert vault.read_log()[-1].kind == "accept_copy"
    with opened(storage.settings[1], clock) as vault:  # for machine 2 it continues its own
        assert vault.holds("ben")
