"""People in a table that pgvector compares, for its tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg

from mien.results import FloatArray, ModelId, Template
from mien.vault import Record, pack_template
from mien.vault.people import store_records
from mien.vault.vault import Vault

TABLE, DIMS = "mien.centroid_vector", 32


def run_sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """What the last statement gives."""
    with psycopg.connect(url, autocommit=True) as db:
        for statement in statements:
            cursor = db.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def units(rows: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / lengths).astype(np.float32)


def people(model: ModelId, rows: FloatArray) -> list[Record]:
    return [
        Record(
            f"user {number}",
            model,
            "2026-01-31T12:00:00+00:00",
            pack_template(Template(row[np.newaxis], model)),
        )
        for number, row in enumerate(rows)
    ]


def fill(vault: Vault, records: list[Record]) -> None:
    """All at once, as they are: the vectors are of the rotated space already."""
    with vault._transactions.writing() as transaction:
        store_records(records, transaction)


RANDOM = units(np.random.default_rng(1).normal(size=(300, DIMS)).astype(np.float32))


def nearest_user(vault: Vault, model: ModelId, probe: FloatArray) -> str:
    centroids, _ = vault.centroids_of(model)
    record = vault.record_at(centroids.nearest(probe, 1).tags[0])
    assert record is not None
    return record.user
