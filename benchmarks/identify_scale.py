"""Measure the vault's part of an identification among very many people, with and without an index.

    python benchmarks/identify_scale.py [--people 10000,100000,1000000] [--rounds 15] [--json]
        [--keep FOLDER]

Without detection and embedding: a look reads what has changed, finds the five nearest people and
opens their records. For each size a vault on disk is filled with random unit vectors, and then two
new processes look, with the index of faiss and without it: the first look, the next one after an
attempt elsewhere, and from the moment when somebody was enrolled elsewhere until the person is
found. Times are of the clock, with the processor time of the next look beside them; memory is the
most that the process had. With --keep the vaults stay in a folder, and are used again. MIEN_VAULT
may name an empty PostgreSQL database, for one size; one with the extension pgvector is measured
with centroids that the database compares as well.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psycopg

from figures import Figures, add_json_option
from mien.models import SFACE
from mien.results import Template
from mien.settings import load_settings
from mien.vault import Record, pack_template
from mien.vault.centroids import centroid_indexes
from mien.vault.open import open_vault
from mien.vault.people import put_record
from mien.vault.rotated_space import RotatedSpace, SpaceOf
from mien.vault.vault import Vault

MODEL, DIMS, MOST = SFACE.id, SFACE.dims, 5
STAMP = "2026-01-31T12:00:00+00:00"
AT_ONCE = 10_000  # people whose vectors are drawn at a time


def random_units(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, DIMS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def open_home(folder: Path) -> Vault:
    place = {name: value for name, value in os.environ.items() if name == "MIEN_VAULT"}
    settings = load_settings({"HOME": str(folder), **place})
    return open_vault(settings, create=True, surface="library", environ={})


def fill(vault: Vault, people: int) -> None:
    """Enroll everybody with one photo each, in one transaction, and keep centroids."""
    with vault._transactions.writing() as transaction:
        space = RotatedSpace(transaction.cipher, MODEL)
        for start in range(0, people, AT_ONCE):
            rotated = space.protect(random_units(1 + start, min(AT_ONCE, people - start)))
            for number, row in enumerate(rotated, start):
                payload = pack_template(Template(row[np.newaxis], MODEL))
                put_record(Record(f"user {number}", MODEL, STAMP, payload), transaction)
    vault.enable_centroids()


def look(vault: Vault, probe: np.ndarray) -> list[str]:
    """The names of the nearest people, the nearest first. probe: (d,), unit."""
    centroids, space = vault.centroids_of(MODEL)
    assert space is not None
    nearest = centroids.nearest(space.protect(probe[np.newaxis])[0], MOST)
    return [record.user for record in vault.records_at(nearest.tags) if record is not None]


def enroll(vault: Vault, user: str, plain: np.ndarray) -> None:
    def make(stored: Record | None, space_of: SpaceOf) -> Record:
        payload = pack_template(Template(space_of(MODEL).protect(plain[np.newaxis]), MODEL))
        return Record(user, MODEL, STAMP, payload)

    vault.update(user, make)


def look_repeatedly(folder: Path, rounds: int) -> dict[str, object]:
    """In this process, while a second handle of the vault stands for another machine."""
    with open_home(folder) as here, open_home(folder) as elsewhere:
        first = milliseconds(lambda: look(here, random_units(2, 1)[0]))
        next_looks, next_cpu, found_after, names = [], [], [], []
        for number in range(rounds):
            with elsewhere.attempt(f"user {number}"):
                pass
            probe = random_units(3 + number, 1)[0]
            cpu = time.process_time()
            start = time.perf_counter()
            names.append(look(here, probe))
            next_looks.append((time.perf_counter() - start) * 1000)
            next_cpu.append((time.process_time() - cpu) * 1000)
        for number in range(rounds):
            user, face = (
                f"new {os.getpid()} {number}",
                random_units(10**6 + os.getpid() + number, 1),
            )
            enroll(elsewhere, user, face[0])
            start = time.perf_counter()
            assert look(here, face[0])[0] == user
            found_after.append((time.perf_counter() - start) * 1000)
            elsewhere.remove(user)
        return {
            "first_look_ms": first,
            "next_look_ms": median(next_looks),
            "next_look_cpu_ms": median(next_cpu),
            "found_after_ms": median(found_after),
            "found_after_most_ms": max(found_after),
            "peak_mb": peak_mb(),
            "nearest": names,
        }


def milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def peak_mb() -> float:
    """The most memory that this process has had (VmHWM of proc(5))."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def in_new_process(folder: Path, rounds: int, *, index: bool) -> dict[str, Any]:
    command = [sys.executable, __file__, "--look", str(folder), "--rounds", str(rounds)]
    command += [] if index else ["--without-index"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def measure(folder: Path, people: int, rounds: int) -> dict[str, dict[str, float]]:
    home = folder / str(people)
    if not home.exists():
        home.mkdir(parents=True)
        with open_home(home) as vault:
            fill(vault, people)
    arrays = in_new_process(home, rounds, index=False)
    index = in_new_process(home, rounds, index=True)
    ways = {"arrays": arrays, "index": index}
    if has_pgvector():
        with open_home(home) as vault:
            vault.enable_centroids(readable_in_database=True)
        with psycopg.connect(os.environ["MIEN_VAULT"]) as db:
            db.execute("ANALYZE mien.centroid_vector")  # as autovacuum does within a minute
        ways["pgvector"] = in_new_process(home, rounds, index=False)
    nearest = [figures.pop("nearest") for figures in ways.values()]
    assert all(one == nearest[0] for one in nearest), "the ways found other people"
    return ways


def has_pgvector() -> bool:
    """Whether MIEN_VAULT names a database with the extension."""
    url = os.environ.get("MIEN_VAULT", "")
    if not url.startswith("postgresql:"):
        return False
    with psycopg.connect(url) as db:
        query = "SELECT 1 FROM pg_extension WHERE extname = 'vector'"
        return db.execute(query).fetchone() is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", default="10000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    add_json_option(parser)
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--without-index", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.look:
        centroid_indexes.INDEX_FROM = 10**9 if given.without_index else 0
        print(json.dumps(look_repeatedly(given.look, given.rounds)))
        return
    report = Figures(__file__, as_json=given.json)
    with tempfile.TemporaryDirectory() as temporary:
        for size in (int(size) for size in given.people.split(",")):
            for way, figures in measure(given.keep or Path(temporary), size, given.rounds).items():
                report.add(f"{size:,} people, {way}", **figures)
    report.end()


if __name__ == "__main__":
    main()
