"""Measure the vault by the number of enrolled people, for unlock (1:1) and identify (1:n).

    python benchmarks/vault_scale.py [--people 10,1000,10000,100000] [--rounds 15]

Unlock: charge the attempt, look the person up, decrypt the template, compare in the rotated
space and settle the attempt, in a vault on disk; without detection and embedding. The sizes
take turns in each round. Identify: the matrix product alone, and with the vault's work.
The embeddings are random unit vectors.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from mien.errors import Outcome
from mien.results import ModelId, Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template, unpack_template
from mien.vault.open import open_vault
from mien.vault.people import put_record
from mien.vault.rotated_space import RotatedSpace
from mien.vault.vault import Vault
from mien.vectors import centre_of

MODEL = ModelId("sface", "ab" * 32)
DIMS, PHOTOS = 128, 3
STAMP = "2026-01-31T12:00:00+00:00"


def random_embeddings(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, DIMS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(vault: Vault, people: int) -> None:
    """Add everybody in one transaction, as an import does."""
    with vault._transactions.writing() as transaction:
        space = RotatedSpace(transaction.cipher, MODEL)
        rotated = space.protect(random_embeddings(1, people * PHOTOS)).reshape(people, PHOTOS, DIMS)
        for number, vectors in enumerate(rotated):
            payload = pack_template(Template(vectors, MODEL))
            put_record(Record(f"user {number}", MODEL, STAMP, payload), transaction)


def unlock_once(vault: Vault, probe: np.ndarray) -> None:
    with vault.attempt("user 7") as attempt:
        found = vault.look_up("user 7")
        assert found is not None
        assert found.record is not None
        template = unpack_template(found.record.payload, expected_model=MODEL)
        rotated = found.space_of(MODEL).protect(probe[np.newaxis])[0]
        assert float(centre_of(template.vectors) @ rotated) < 0.9
        attempt.outcome = Outcome.UNLOCKED


def home(folder: str, size: int) -> Settings:
    return load_settings({"HOME": f"{folder}/{size}"})


def milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", default="10,1000,10000")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    sizes = [int(size) for size in given.people.split(",")]
    probe = random_embeddings(2, 1)[0]
    with tempfile.TemporaryDirectory() as folder:
        vaults = {}
        for size in sizes:
            vaults[size] = open_vault(
                home(folder, size), create=True, surface="library", environ={}
            )
            took = milliseconds(lambda vault=vaults[size], size=size: fill(vault, size))
            print(f"{size:>7} people enrolled in {took / 1000:.1f} s")
        for vault in vaults.values():
            unlock_once(vault, probe)  # imports modules and opens the files
        times: dict[int, list[float]] = {size: [] for size in sizes}
        for _ in range(given.rounds):
            for size, vault in vaults.items():
                times[size].append(milliseconds(lambda vault=vault: unlock_once(vault, probe)))
        print("unlock: the vault's part, on disk")
        for size in sizes:
            ratio = median(times[size]) / median(times[sizes[0]])
            print(f"{size:>7} people {median(times[size]):8.2f} ms {ratio:6.2f} x")
        print("identify, ms: the product; the first call, without and with centroids;")
        print("the next call in the same process, after another attempt")
        for size, vault in vaults.items():
            matrix = random_embeddings(3, size)
            product = median(milliseconds(lambda m=matrix: m @ probe) for _ in range(given.rounds))
            alone = milliseconds(lambda vault=vault: vault.centroids_of(MODEL))
            vault.enable_centroids()
            with open_vault(home(folder, size), create=True, surface="library", environ={}) as one:
                with_centroids = milliseconds(lambda one=one: one.centroids_of(MODEL))
            vault.centroids_of(MODEL)
            unlock_once(vault, probe)
            again = milliseconds(lambda vault=vault: vault.centroids_of(MODEL))
            figures = (product, alone, with_centroids, again)
            print(f"{size:>7} people " + " ".join(f"{figure:9.3f}" for figure in figures))
        for vault in vaults.values():
            vault.close()


if __name__ == "__main__":
    main()
