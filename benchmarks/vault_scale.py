"""How the vault's work grows with the number of people enrolled: unlock (1:1) and identify (1:n).

    python benchmarks/vault_scale.py [--people 10,1000,10000,100000] [--rounds 15]

Unlock (1:1): charge the attempt, look the person up, decrypt the template, compare in the rotated
space, settle, all of it on the disk; detection and embedding are left out. The
sizes take turns within each round. Identify (1:n): the product alone, and all of it.
Faces are unit vectors by chance.
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


def faces(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, DIMS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(vault: Vault, people: int) -> None:
    """All in one change, as an import does it."""
    with vault._transactions.writing() as transaction:
        space = RotatedSpace(transaction.cipher, MODEL)
        rotated = space.protect(faces(1, people * PHOTOS)).reshape(people, PHOTOS, DIMS)
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
    probe = faces(2, 1)[0]
    with tempfile.TemporaryDirectory() as folder:
        vaults = {}
        for size in sizes:
            vaults[size] = open_vault(
                home(folder, size), create=True, surface="library", environ={}
            )
            took = milliseconds(lambda vault=vaults[size], size=size: fill(vault, size))
            print(f"{size:>7} people enrolled in {took / 1000:.1f} s")
        for vault in vaults.values():
            unlock_once(vault, probe)  # imports, and the first look at each
        times: dict[int, list[float]] = {size: [] for size in sizes}
        for _ in range(given.rounds):
            for size, vault in vaults.items():
                times[size].append(milliseconds(lambda vault=vault: unlock_once(vault, probe)))
        print("unlock, all of the vault's work")
        for size in sizes:
            ratio = median(times[size]) / median(times[sizes[0]])
            print(f"{size:>7} people {median(times[size]):8.2f} ms {ratio:6.2f} x")
        print("identify, ms: the product; the first look, records alone and with centroids;")
        print("the next look, in the same process, after another attempt")
        for size, vault in vaults.items():
            matrix = faces(3, size)
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
