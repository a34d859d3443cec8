"""Measure the vault by the number of enrolled people: enroll, unlock, identify, list.

    python benchmarks/vault_scale.py [--people 10,1000,10000,100000] [--rounds 15]
        [--photos DIR] [--json]

All of it is the vault's part, on disk, without detection and embedding: enroll stores a template
and looks for look-alikes; unlock charges the attempt, looks the person up, compares in the
rotated space and settles the attempt. In each round the sizes take turns; enroll and unlock are
processor time. Identify and the door's wait are measured in a new process for each size: the
first look at all centroids, the next one after another attempt, and how much longer an unlock
takes at most while another thread lists everybody. The longest of as many unlocks while nobody is
listed is measured before: so much is the disk's and the other programs'. The embeddings are random
unit vectors.
With the photos of one person, enrolling them is measured too: with detection and embedding.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np

from figures import Figures, add_json_option
from mien.app.enroll import enroll
from mien.app.enrollment import Enrollment
from mien.app.neighbours import neighbours_in
from mien.app.pipeline import open_pipeline
from mien.errors import Outcome
from mien.matching.matcher import Matcher
from mien.models import SFACE
from mien.results import Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template, unpack_template, utc_stamp
from mien.vault.open import open_vault
from mien.vault.people import put_record
from mien.vault.rotated_space import RotatedSpace
from mien.vault.vault import Vault
from mien.vectors import centre_of

MODEL, DIMS, PHOTOS = SFACE.id, SFACE.dims, 3
STAMP = utc_stamp(datetime(2026, 1, 31, 12, tzinfo=timezone.utc))
AT_ONCE = 10_000  # people that are made in one transaction


def random_embeddings(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, DIMS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(vault: Vault, people: int) -> None:
    """Add everybody in few transactions, and keep centroids."""
    for start in range(0, people, AT_ONCE):
        with vault._transactions.writing() as transaction:
            n = min(AT_ONCE, people - start)
            space = RotatedSpace(transaction.cipher, MODEL)
            rotated = space.protect(random_embeddings(1 + start, n * PHOTOS))
            for number, vectors in enumerate(rotated.reshape(n, PHOTOS, DIMS), start):
                payload = pack_template(Template(vectors, MODEL))
                put_record(Record(f"user {number}", MODEL, STAMP, payload), transaction)
    vault.enable_centroids()


def enroll_once(vault: Vault, matcher: Matcher, number: int) -> None:
    plain = random_embeddings(10**6 + number, PHOTOS)
    made: list[Template] = []

    def make(stored: Record | None, space_of: Callable[..., RotatedSpace]) -> Record:
        made.append(Template(space_of(MODEL).protect(plain), MODEL))
        return Record(user, MODEL, STAMP, pack_template(made[-1]))

    user = f"new {number}"
    assert not vault.holds(user)
    vault.update(user, make)
    neighbours, _ = neighbours_in(vault, matcher)
    neighbours.add_warnings(Enrollment(made[-1], (), ()), user=user)


def unlock_once(vault: Vault) -> None:
    probe = random_embeddings(2, 1)
    with vault.attempt("user 7") as attempt:
        found = vault.look_up("user 7")
        assert found is not None
        assert found.record is not None
        template = unpack_template(found.record.payload, expected_model=MODEL)
        rotated = found.space_of(MODEL).protect(probe)[0]
        assert float(centre_of(template.vectors) @ rotated) < 0.9
        attempt.outcome = Outcome.UNLOCKED


def enroll_photos_ms(folder: str, sizes: Sequence[int], photos: Path) -> dict[int, float]:
    """Processor time of enrolling all photos of the folder, by the number of people."""
    pipeline = open_pipeline(load_settings())
    files = sorted(str(path) for path in photos.iterdir())
    times: dict[int, list[float]] = {size: [] for size in sizes}
    vaults = {size: open_home(folder, size) for size in sizes}
    for _ in range(8):
        for size, vault in vaults.items():
            enroll_now = partial(
                enroll, "photos", files, pipeline=pipeline, vault=vault, mode="new", clock=now
            )
            times[size].append(milliseconds(enroll_now, time.process_time))
            vault.remove("photos")
    for vault in vaults.values():
        vault.close()
    return {size: median(ms[1:]) for size, ms in times.items()}


def now() -> datetime:
    return datetime.now(timezone.utc)


def milliseconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    call()
    return (clock() - start) * 1000


def open_home(folder: str, size: int) -> Vault:
    settings: Settings = load_settings({"HOME": f"{folder}/{size}"})
    return open_vault(settings, create=True, surface="library", environ={})


def flatness(folder: str, sizes: Sequence[int], rounds: int) -> dict[str, dict[int, float]]:
    """Processor time in ms of one enrollment and one unlock, by the number of people."""
    matcher, numbers = Matcher(SFACE), count()
    vaults = {size: open_home(folder, size) for size in sizes}
    for vault in vaults.values():  # imports modules, opens the files and reads the centroids
        unlock_once(vault)
        enroll_once(vault, matcher, next(numbers))
    enrolls: dict[int, list[float]] = {size: [] for size in sizes}
    unlocks: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size, vault in vaults.items():
            number = next(numbers)
            enrolls[size].append(
                milliseconds(
                    lambda vault=vault, number=number: enroll_once(vault, matcher, number),
                    time.process_time,
                )
            )
    for _ in range(rounds):  # apart: what an enrollment reads leaves the processor's caches cold
        for size, vault in vaults.items():
            unlocks[size].append(
                milliseconds(lambda vault=vault: unlock_once(vault), time.process_time)
            )
    for vault in vaults.values():
        vault.close()
    return {
        name: {size: median(times) for size, times in figures.items()}
        for name, figures in (("enroll_cpu_ms", enrolls), ("unlock_cpu_ms", unlocks))
    }


def look_at_all(folder: str, size: int) -> dict[str, float]:
    """In a new process: identify, the door's wait, and the memory of the process."""
    rise_before = peak_mb()
    with open_home(folder, size) as vault:
        unlock_once(vault)
        first = milliseconds(lambda: vault.centroids_of(MODEL), time.perf_counter)
        next_ones = []
        for _ in range(9):
            unlock_once(vault)
            next_ones.append(milliseconds(lambda: vault.centroids_of(MODEL), time.perf_counter))
        centroids, space = vault.centroids_of(MODEL)
        assert space is not None
        probe = space.protect(random_embeddings(2, 1))[0]
        product = [
            milliseconds(lambda: centroids.nearest(probe, 5), time.perf_counter) for _ in "123"
        ]
        identify_peak = peak_mb()
        alone = [milliseconds(lambda: unlock_once(vault), time.perf_counter) for _ in range(200)]
        lister = threading.Thread(target=vault.list_people)
        listing_start = time.perf_counter()
        lister.start()
        during = [milliseconds(lambda: unlock_once(vault), time.perf_counter)]
        while lister.is_alive():
            during.append(milliseconds(lambda: unlock_once(vault), time.perf_counter))
        listed = (time.perf_counter() - listing_start) * 1000
        page = milliseconds(lambda: vault.people_page(after="", limit=100), time.perf_counter)
    return {
        "identify_first_ms": first,
        "identify_next_ms": median(next_ones),
        "product_ms": median(product),
        "unlock_ms": median(alone),
        "door_wait_while_listing_ms": max(during) - median(alone),
        "door_median_while_listing_ms": median(during) - median(alone),
        "door_wait_alone_ms": max(alone[: len(during)]) - median(alone),
        "list_ms": listed,
        "page_next_ms": page,
        "start_mb": rise_before,
        "identify_peak_mb": identify_peak,
        "peak_mb": peak_mb(),
        "vectors_mb": size * DIMS * 4 / 1e6,
    }


def peak_mb() -> float:
    """The most memory that this process has had (VmHWM of proc(5))."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def in_new_process(folder: str, size: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--look", folder, "--people", str(size)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def print_table(figures: dict[int, dict[str, float]]) -> None:
    print(f"{'':28}" + "".join(f"{size:>11,}" for size in figures))
    for name in next(iter(figures.values())):
        print(f"{name:28}" + "".join(f"{one[name]:11.2f}" for one in figures.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", default="10,1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--photos", type=Path, help="a folder with photos of one person")
    add_json_option(parser)
    parser.add_argument("--look", metavar="FOLDER", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = [int(size) for size in given.people.split(",")]
    if given.look:
        print(json.dumps(look_at_all(given.look, sizes[0])))
        return
    report = Figures(__file__, as_json=given.json)
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            with open_home(folder, size) as vault:
                fill(vault, size)
        flat = flatness(folder, sizes, given.rounds)
        if given.photos:
            flat["enroll_photos_cpu_ms"] = enroll_photos_ms(folder, sizes, given.photos)
        figures = {
            size: {name: one[size] for name, one in flat.items()} | in_new_process(folder, size)
            for size in sizes
        }
    largest, smallest = figures[max(sizes)], figures[min(sizes)]
    summary = {
        "people": max(sizes),
        "enroll_cpu_ratio": largest["enroll_cpu_ms"] / smallest["enroll_cpu_ms"],
        "unlock_cpu_ratio": largest["unlock_cpu_ms"] / smallest["unlock_cpu_ms"],
        **{
            name: largest[name]
            for name in (
                "door_wait_while_listing_ms",
                "door_median_while_listing_ms",
                "door_wait_alone_ms",
                "identify_first_ms",
                "identify_next_ms",
                "peak_mb",
                "vectors_mb",
            )
        },
    }
    if given.photos:
        name = "enroll_photos_cpu_ms"
        summary["enroll_photos_cpu_ratio"] = largest[name] / smallest[name]
    if not given.json:
        print_table(figures)
    report.add_all(summary)
    report.end(by_people=figures)


if __name__ == "__main__":
    main()
