"""Two versions of mien at once on one vault: the older goes on, or says in one line that it cannot.

A version is told by the schema that it knows, which is what the versions compare. The next one is
the present one with a column more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, record_of_user, store_record
from tests.vault.tenants import as_role, made_tenants

from mien.cli.main import main
from mien.errors import ExitCode, Outcome, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.backends import postgres, tenants
from mien.vault.backends.sqlite_schema import SCHEMA_VERSION as FILE_SCHEMA
from mien.vault.vault import Vault

PRESENT = postgres.SCHEMA_VERSION
NEXT_STEP = ("ALTER TABLE mien.cell_meta ADD COLUMN more integer",)
STEPS = (*postgres._MIGRATIONS, NEXT_STEP)
PAIRS = [(old, old + 1) for old in range(tenants.FROM_SCHEMA, PRESENT + 1)]
"""The schemas of an older and of a newer mien. Statements name a tenant, so not from before."""


@contextmanager
def version(schema: int) -> Iterator[None]:
    """A mien that knows this schema."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "_MIGRATIONS", STEPS[:schema])
        patch.setattr(postgres, "SCHEMA_VERSION", schema)
        yield


def number_of(url: str) -> int:
    with psycopg.connect(url) as db:
        [(number,)] = db.execute("SELECT number FROM mien.version").fetchall()
    return int(number)


def ask(vault: Vault) -> None:
    """A door: a change, as it counts the attempt."""
    with vault.attempt("ana") as attempt:
        assert record_of_user(vault, "ana") is not None
        attempt.outcome = Outcome.UNLOCKED


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_an_older_mien_goes_on_until_a_newer_one_makes_a_change(
    old: int, new: int, postgres_url: str, settings: Settings, model: ModelId, tmp_path: Path
) -> None:
    first = replace(settings, vault_url=postgres_url)
    second = replace(first, state_dir=tmp_path / "state of the other machine")
    with opened(first, Clock()) as older, opened(second, Clock()) as newer:
        with version(old):
            store_record(older, record_of("ana", model))
        for _ in range(2):
            with version(new):
                assert record_of_user(newer, "ana") is not None
                assert newer.verify() is not None
            with version(old):
                ask(older)
        assert number_of(postgres_url) == old
        with version(new):
            ask(newer)
        assert number_of(postgres_url) == new

        refusal = rf"has schema {new} and this mien knows {old}; upgrade mien$"
        with version(old):  # the connections of this one were open before
            for call in (older.list_people, older.verify, older.rotate, lambda: ask(older)):
                with pytest.raises(VaultDamaged, match=refusal) as told:
                    call()
                assert str(told.value).isprintable()
                assert told.value.exit_code is ExitCode.VAULT_DAMAGED
        with version(new):
            assert newer.verify() is not None
            assert len(newer.read_log()) == 4
            ask(older)  # upgraded, and started again


COMMANDS = (
    ["list"],
    ["log"],
    ["forget", "ana"],
    ["vault", "status"],
    ["vault", "verify"],
    ["vault", "rotate"],
    ["vault", "init"],
    ["serve", "--port", "0", "--no-page"],
)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_on_a_newer_schema_is_one_line_and_exit_code_8(
    command: list[str],
    store: str,
    home: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = FILE_SCHEMA
    if store == "postgres":
        known, url = PRESENT, request.getfixturevalue("postgres_url")
        monkeypatch.setenv("MIEN_VAULT", url)
    assert main(["vault", "init"]) == 0
    if store == "postgres":
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("UPDATE mien.version SET number = number + 1")
    else:
        [path] = home.rglob("vault.sqlite")
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA user_version = {known + 1}")
    capsys.readouterr()
    assert main(command) == 8
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"has schema {known + 1} and this mien knows {known}; upgrade mien" in said.err


@pytest.mark.parametrize("command", [["vault", "init"], ["vault", "rotate"]], ids=" ".join)
def test_the_owner_migrates_for_all_tenants_by_the_command_that_they_are_told(
    command: list[str],
    postgres_url: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with version(PRESENT), made_tenants(postgres_url) as (owner, acme, _):
        for role in (owner, acme):
            monkeypatch.setenv("MIEN_VAULT", as_role(postgres_url, role))
            assert main(["vault", "init"]) == 0
        with version(PRESENT + 1):
            capsys.readouterr()
            assert main(["vault", "status"]) == 0  # reads the older schema as it is
            assert main(["vault", "rotate"]) == 8
            said = capsys.readouterr().err
            assert said.count("\n") == 1
            assert f"has schema {PRESENT} and this mien writes {PRESENT + 1}" in said
            assert "as the owner of the schema mien, such as: mien vault init" in said
            assert number_of(postgres_url) == PRESENT
            monkeypatch.setenv("MIEN_VAULT", as_role(postgres_url, owner))
            main(command)  # init says that there is a vault
            assert number_of(postgres_url) == PRESENT + 1
            monkeypatch.setenv("MIEN_VAULT", as_role(postgres_url, acme))
            assert main(["vault", "rotate"]) == 0
