"""What is particular about PostgreSQL: who else writes, what goes away, and what is never shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.vault.sealed_parts import Clock, opened, record_of, record_of_user, store_record

from mien.cli.main import main
from mien.errors import Outcome, UsageError, VaultDamaged
from mien.results import ModelId
from mien.settings import Settings
from mien.vault.backends import postgres_errors
from mien.vault.backends.base import VaultTable
from mien.vault.backends.postgres import PostgresStore
from mien.vault.backends.postgres_errors import READERS


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(postgres_url)
    with store.writing() as cells:
        cells.put(VaultTable.RECORD, b"ana", b"payload")
    yield store
    store.close()


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(statement)


def get(store: PostgresStore) -> bytes | None:
    with store.reading() as cells:
        return cells.get(VaultTable.RECORD, b"ana")


def test_a_lost_connection_is_opened_again(store: PostgresStore, postgres_url: str) -> None:
    run(
        postgres_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()",
    )
    assert get(store) == b"payload"


def test_a_connection_lost_during_a_change_changes_nothing(
    store: PostgresStore, postgres_url: str
) -> None:
    def change() -> None:
        with store.writing() as cells:
            cells.put(VaultTable.RECORD, b"ana", b"other")
            run(
                postgres_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()",
            )
            cells.put(VaultTable.RECORD, b"ben", b"more")

    with pytest.raises(VaultDamaged, match="does not answer"):
        change()
    assert get(store) == b"payload"


def test_the_error_for_an_absent_server_is_one_line_without_the_password() -> None:
    store = PostgresStore("postgresql://ana:hush@127.0.0.1:1/mien?connect_timeout=1")
    with pytest.raises(VaultDamaged, match="does not answer") as refusal, store.reading():
        pass
    assert str(refusal.value).isprintable()
    assert "hush" not in str(refusal.value)
    assert store.place == "postgresql://ana@127.0.0.1:1/mien"


@pytest.mark.parametrize(
    ("user", "database", "words"),
    [("postgres", "absent", "has no database of that name; create it with createdb"),
     ("absent", "postgres", "does not know that user; create it with createuser")],
)  # fmt: skip
def test_the_error_for_an_absent_database_or_user_has_no_password(
    postgres_socket: str, user: str, database: str, words: str
) -> None:
    store = PostgresStore(f"postgresql://{user}:hush@/{database}?host={postgres_socket}")
    with pytest.raises(VaultDamaged, match=words) as refusal, store.reading():
        pass
    assert "hush" not in str(refusal.value)


def test_an_invalid_url_is_refused() -> None:
    with pytest.raises(UsageError, match="not a URL of PostgreSQL"):
        PostgresStore("postgresql://host:port:port/%zz")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE mien.version SET number = 99", "has schema 99 and this mien knows 3; upgrade"),
        ("DELETE FROM mien.version", "mien did not write its version"),
        ("INSERT INTO mien.version VALUES (1)", "mien did not write its version"),
        ("DROP TABLE mien.cell_record", "tables is missing"),
    ],
)
def test_altered_tables_are_damage(
    store: PostgresStore, postgres_url: str, statement: str, words: str
) -> None:
    run(postgres_url, statement)
    with pytest.raises(VaultDamaged, match=words):
        get(store)


def test_a_schema_in_the_search_path_is_not_used(store: PostgresStore, postgres_url: str) -> None:
    run(postgres_url, "CREATE TABLE public.cell_record (key bytea, value bytea)")
    run(postgres_url, "INSERT INTO public.cell_record VALUES ('ana', 'planted')")
    assert get(store) == b"payload"


def test_waiting_for_another_writer_ends_with_an_error(
    store: PostgresStore, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_errors.TIMEOUTS, postgres_errors.LOCK, 0.2)
    other = PostgresStore(postgres_url)
    refusals = []

    def write() -> None:
        try:
            with other.writing() as cells:
                cells.put(VaultTable.RECORD, b"ana", b"late")
        except VaultDamaged as error:
            refusals.append(str(error))

    with store.writing():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    other.close()
    assert "in use by another program; try again" in refusals[0]


def test_a_transaction_that_the_server_ended_for_idling_is_no_damage(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_errors.TIMEOUTS, postgres_errors.IDLE, 0.05)
    slow = PostgresStore(postgres_url)

    def change() -> None:
        with slow.writing() as cells, psycopg.connect(postgres_url, autocommit=True) as other:
            query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            while other.execute(query).fetchone() != (0,):
                pass
            cells.put(VaultTable.RECORD, b"ana", b"late")

    with pytest.raises(VaultDamaged, match="nothing was changed: try again") as refusal:
        change()
    assert "damaged" not in str(refusal.value)
    assert "backup" not in str(refusal.value)
    monkeypatch.setitem(postgres_errors.TIMEOUTS, postgres_errors.IDLE, 60.0)
    with slow.writing() as cells:
        assert cells.get(VaultTable.RECORD, b"ana") is None
    slow.close()


def test_a_server_that_takes_no_changes_says_so(store: PostgresStore, postgres_url: str) -> None:
    run(
        postgres_url,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',"
        " current_database()); END $$",
    )
    other = PostgresStore(postgres_url)
    with pytest.raises(VaultDamaged, match="takes no changes"), other.writing() as cells:
        cells.put(VaultTable.RECORD, b"ana", b"late")
    assert get(other) == b"payload"
    other.close()


@pytest.mark.usefixtures("store")
def test_a_role_without_a_connection_left_is_told_apart_from_an_absent_server(
    postgres_url: str,
) -> None:
    run(postgres_url, "CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    try:
        other = PostgresStore(postgres_url.replace("postgres:@", "few:@"))
        with pytest.raises(VaultDamaged, match="gives no further connection to this role"):
            get(other)
    finally:
        run(postgres_url, "DROP ROLE few")


def test_threads_that_read_at_once_share_few_connections(
    store: PostgresStore, postgres_url: str
) -> None:
    everybody = threading.Barrier(READERS)

    def read() -> None:
        with store.reading() as cells:
            everybody.wait(60.0)
            assert cells.get(VaultTable.RECORD, b"ana") == b"payload"

    for _ in range(2):
        threads = [threading.Thread(target=read) for _ in range(READERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with psycopg.connect(postgres_url) as db:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert db.execute(query).fetchone() == (READERS + 1,)  # and this one


def test_a_door_asks_the_server_few_times(
    postgres_url: str, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request is a way over the network and back, most of them under the writer's lock."""
    asked: list[str] = []
    execute = psycopg.Connection.execute

    def counted(self: object, query: str, *given: object, **options: object) -> object:
        asked.append(query)
        return execute(self, query, *given, **options)  # type: ignore[arg-type, call-overload]

    model = ModelId("sface", "ab" * 32)
    with opened(replace(settings, vault_url=postgres_url), clock) as vault:
        store_record(vault, record_of("ana", model))
        for _ in range(7):  # after five times psycopg prepares a statement
            with vault.attempt("ana") as attempt:
                attempt.outcome = Outcome.NOT_THE_OWNER if _ == 3 else Outcome.UNLOCKED
        for outcome in (Outcome.UNLOCKED, Outcome.NOT_THE_OWNER, Outcome.NO_FACE):
            monkeypatch.setattr(psycopg.Connection, "execute", counted)
            asked.clear()
            with vault.attempt("ana") as attempt:
                assert record_of_user(vault, "ana") is not None
                attempt.outcome, attempt.similarity = outcome, 0.75
            monkeypatch.setattr(psycopg.Connection, "execute", execute)
            statements = sum(query.count(";") + 1 for query in asked)
            assert len(asked) <= 15, asked
            assert statements <= 25, asked
        assert vault.verify() is not None


def test_an_endless_view_in_the_place_of_a_table_is_stopped(
    store: PostgresStore, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_errors.TIMEOUTS, postgres_errors.STATEMENT, 0.2)
    store.close()
    run(postgres_url, "DROP TABLE mien.cell_record")
    run(
        postgres_url,
        "CREATE VIEW mien.cell_record AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 3 - i"
        " FROM n) SELECT 'ana'::bytea AS key, 'planted'::bytea AS value,"
        " 'postgres'::name AS tenant FROM n WHERE i < 0",
    )
    other = PostgresStore(postgres_url)
    with pytest.raises(VaultDamaged, match=r"took longer than .*look for what slows the server"):
        get(other)
    other.close()


@pytest.mark.usefixtures("home")
def test_the_commands_work_with_a_database(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIEN_VAULT", postgres_url)
    assert main(["vault", "init"]) == 0
    assert "created the vault postgresql://" in capsys.readouterr().out
    assert main(["vault", "init"]) == 2
    assert main(["vault", "status"]) == 0
    assert main(["vault", "rotate"]) == 0
    assert main(["vault", "verify"]) == 0
    assert main(["log", "--verify"]) == 0
    output = capsys.readouterr().out
    assert "0 people, sealed with AES-256-GCM" in output
    assert "verified the chain of 2 entries" in output


@pytest.mark.usefixtures("home")
def test_a_face_enrolled_in_a_database_unlocks_from_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, astronaut: object
) -> None:
    from PIL import Image

    monkeypatch.setenv("MIEN_VAULT", postgres_url)
    Image.fromarray(astronaut).save(tmp_path / "her.png")  # type: ignore[arg-type]
    assert main(["enroll", "eileen", str(tmp_path / "her.png")]) == 0
    assert main(["unlock", "eileen", str(tmp_path / "her.png")]) == 0
    assert main(["identify", str(tmp_path / "her.png")]) == 0
