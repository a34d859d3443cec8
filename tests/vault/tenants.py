"""Roles of a real PostgreSQL, each with a vault of its own, made as docs/fleet.md says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from mien.vault.backends.postgres import PostgresStore

DOCS = Path(__file__).resolve().parents[2] / "docs" / "fleet.md"


def as_role(url: str, role: str) -> str:
    return url.replace("postgres:@", f"{role}:@")


@contextmanager
def made_tenants(url: str) -> Iterator[tuple[str, str, str]]:
    """The owner of the tables and two tenants, without a vault yet."""
    [sql] = re.findall(r"```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    database = url.partition("@/")[2].partition("?")[0]
    owner, *names = (f"{name}_{uuid4().hex[:12]}" for name in ("owner", "acme", "zeta"))
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(f"CREATE ROLE {owner} LOGIN")
        db.execute(f"GRANT CREATE ON DATABASE {database} TO {owner}")
        store = PostgresStore(as_role(url, owner))
        with store.writing():
            pass  # makes the tables
        store.close()
        for name in names:
            made = sql.replace("DATABASE mien", f"DATABASE {database}").replace("acme", name)
            db.execute(made.encode())
        try:
            yield owner, names[0], names[1]
        finally:
            for name in (owner, *names):
                db.execute(f"DROP OWNED BY {name} CASCADE")
                db.execute(f"DROP ROLE {name}")
