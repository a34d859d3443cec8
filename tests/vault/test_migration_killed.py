"""A migration that ends half-way on a real PostgreSQL leaves the older vault or the newer one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from tests.vault.crash_writer import count_calls, dies_at_call
from tests.vault.sealed_parts import Clock, opened
from tests.vault.test_format_migration import NAMES, SECTIONS, fill_database, put_old_file

from mien.errors import VaultDamaged
from mien.settings import Settings
from mien.vault.backends import postgres

KILLS, ENDS = 6, 3
Database = tuple[int, dict[str, list[tuple[bytes, bytes]]]]
"""The number of the schema, and the cells of each table."""


@pytest.fixture
def old(settings: Settings, postgres_url: str) -> Settings:
    """The vault of mien 0.2, with 40 people, in a database of that time."""
    put_old_file(settings)
    fill_database(postgres_url, settings)
    return replace(settings, vault_url=postgres_url)


@contextmanager
def copied(old: Settings, socket: str) -> Iterator[tuple[Settings, str]]:
    """The same database under another name, and its URL."""
    assert old.vault_url is not None
    name, source = f"copy_{uuid4().hex}", old.vault_url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(f"postgresql://postgres:@/postgres?host={socket}", autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} TEMPLATE {source}".encode())
        try:
            url = old.vault_url.replace(source, name)
            yield replace(old, vault_url=url), url
        finally:
            db.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def content(url: str) -> Database:
    with psycopg.connect(url) as db:
        db.execute("SELECT pg_advisory_xact_lock(%s::int8)", [postgres._LOCK])  # the dead let go
        [(number,)] = db.execute("SELECT number FROM mien.version").fetchall()
        cells = {
            name: sorted(db.execute(f"SELECT key, value FROM mien.cell_{name}".encode()).fetchall())
            for name in SECTIONS
        }
    return number, cells


def migrate(settings: Settings) -> None:
    with opened(settings, Clock()) as vault:
        vault.list_people()


def expect_old_or_new(before: Database, settings: Settings, url: str) -> bool:
    """Whether it is the new one. Either opens afterwards, with everybody."""
    after = content(url)
    is_new = after[0] == postgres.SCHEMA_VERSION
    assert is_new or after == before
    with opened(settings, Clock()) as vault:
        assert [head.user for head in vault.list_people()] == NAMES
        assert vault.verify() is not None
    if is_new:
        assert content(url) == after  # nothing was left to be done
    return is_new


def in_child(change: Callable[[], object]) -> int:
    """Run it in a forked process. Returns how that ended: 0, or minus the signal's number."""
    process = os.fork()
    if not process:
        try:
            change()
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 9)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_client_killed_during_the_migration_leaves_the_old_or_the_new(
    old: Settings, postgres_url: str, postgres_socket: str
) -> None:
    before = content(postgres_url)
    with copied(old, postgres_socket) as (settings, _):
        migrate(settings)  # imports what is imported late
    with copied(old, postgres_socket) as (settings, _):
        length = count_calls(lambda: migrate(settings))

    def killed_at(call: int, settings: Settings) -> None:
        dies_at_call(call)
        migrate(settings)

    found = []
    for number in range(KILLS):
        # most of the calls come before the first change and after the last: so all over it
        call = length * (2 * number + 1) // (2 * KILLS)
        with copied(old, postgres_socket) as (settings, url):
            assert in_child(partial(killed_at, call, settings)) == -signal.SIGKILL
            found.append(expect_old_or_new(before, settings, url))
    assert set(found) == {False, True}
    assert found == sorted(found)  # there is one moment from which on it is the new one


def test_a_connection_ended_during_the_migration_leaves_the_old(
    old: Settings, postgres_url: str, postgres_socket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, asked, execute = content(postgres_url), 0, psycopg.Connection.execute

    def ended_before(number: int) -> None:
        nonlocal asked
        asked = 0

        def counted(self: Any, query: Any, *given: Any, **options: Any) -> object:
            nonlocal asked
            asked += 1
            if asked == number:
                with psycopg.connect(url, autocommit=True) as other:
                    execute(other, "SELECT pg_terminate_backend(%s)", [self.info.backend_pid])
            return execute(self, query, *given, **options)

        with monkeypatch.context() as patch:
            patch.setattr(psycopg.Connection, "execute", counted)
            migrate(settings)

    with copied(old, postgres_socket) as (settings, url):
        ended_before(0)
    statements, found = asked, []
    for number in range(1, ENDS + 1):
        with copied(old, postgres_socket) as (settings, url):
            with suppress(VaultDamaged):  # or a connection that waited is replaced by another
                ended_before(statements * number // (ENDS + 1))
            found.append(expect_old_or_new(before, settings, url))
    assert not any(found)  # the last statement of all is the one that makes it new
