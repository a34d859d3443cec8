"""Kill a process that changes a vault, again and again, and look at what it left behind.

    python tests/vault/crash_writer.py --kills 400

Each trial forks a child that enrolls, replaces, forgets, makes an attempt or rotates, and dies by
SIGKILL: at the so manyth call of a Python function, or (`--instants`) whenever the parent
gets to it. Then the vault must open, hold the state before or after, and check out; and
what the child reported as done must be there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mien.errors import MienError, Outcome
from mien.results import ModelId, Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template, unpack_template
from mien.vault.admin.rotation import remove_old_keys
from mien.vault.limits.attempts import Moment
from mien.vault.open import open_vault
from mien.vault.rotated_space import SpaceOf
from mien.vault.vault import Vault

MODEL = ModelId("sface", "ab" * 32)
OPERATIONS = ("enroll", "replace", "forget", "attempt", "rotate")
People = dict[str, int]


def opened(settings: Settings, day: int = 0) -> Vault:
    """The vault on that day: a killed attempt is a failure, and its wait must pass."""
    now = Moment(wall_s=1e9 + 1e5 * day, boot_id="boot one", boot_s=1e5 * day)
    return open_vault(settings, create=True, surface="library", clock=lambda: now, environ={})


def face(seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(2, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def enroll(vault: Vault, user: str, seed: int) -> None:
    def make(stored: Record | None, space_of: SpaceOf) -> Record:
        payload = pack_template(Template(space_of(MODEL).protect(face(seed)), MODEL))
        return Record(user, MODEL, "2026-01-31T12:00:00+00:00", payload)

    vault.update(user, make)


def change(vault: Vault, operation: str, user: str, seed: int) -> None:
    if operation in ("enroll", "replace"):
        enroll(vault, user, seed)
    elif operation == "forget":
        vault.remove(user)
    elif operation == "attempt":
        with vault.attempt(user) as attempt:
            attempt.outcome = Outcome.UNLOCKED
    else:
        vault.rotate()


def expected(people: People, operation: str, user: str, seed: int) -> People:
    after = dict(people)
    if operation in ("enroll", "replace"):
        after[user] = seed
    elif operation == "forget":
        after.pop(user, None)
    return after


def held(vault: Vault, seeds: list[int]) -> People:
    """Whom the vault holds, and with which face. ValueError for a face that nobody enrolled."""
    people = {}
    for head in vault.list_people():
        found = vault.look_up(head.user)
        assert found is not None
        assert found.record is not None
        rotated = unpack_template(found.record.payload, expected_model=MODEL).vectors
        plain = found.space_of(MODEL).reveal(rotated)
        [people[head.user]] = [one for one in seeds if np.allclose(face(one), plain, atol=1e-4)]
    return people


def dies_at_call(number: int) -> None:
    """SIGKILL for this process at the so manyth call from here on."""
    left = number

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal left
        left -= event in ("call", "c_call")
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def child(
    settings: Settings, day: int, operation: str, user: str, seed: int, kill_at: int | None
) -> int:
    """Fork a child that changes the vault. Returns its process id and never more."""
    process = os.fork()
    if process:
        return process
    try:
        vault = opened(settings, day)
        if kill_at is not None:
            dies_at_call(kill_at)
        change(vault, operation, user, seed)
        sys.setprofile(None)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the parent reads it
        sys.setprofile(None)
        print(type(error).__name__, error, file=sys.stderr)
        os._exit(9)


def count_calls(work: Callable[[], object]) -> int:
    """How many calls `dies_at_call` would count in it."""
    count = 0

    def add(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(add)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def calls_of(settings: Settings, operation: str, user: str, seed: int) -> int:
    """How many calls the operation makes, on a vault as large as it is now."""
    with opened(settings) as vault:
        return count_calls(lambda: change(vault, operation, user, seed))


def enroll_again(settings: Settings, user: str) -> None:
    with opened(settings) as vault:
        enroll(vault, user, 7)


def counter_of(settings: Settings) -> int:
    with opened(settings) as vault:
        status = vault.status()
    assert status is not None
    return status.changes


def kill_point(rng: random.Random, length: int) -> int:
    """Anywhere, and every other time near the end, where the change becomes the new state."""
    first = 1 if rng.random() < 0.5 else int(length * 0.85)
    return rng.randrange(first, int(length * 1.02))


def run(kills: int, *, seed: int, instants: bool, url: str | None = None) -> dict[str, object]:
    """The report: how often what happened, and what went wrong. url: of an empty database."""
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        settings = replace(load_settings({"HOME": home}), vault_url=url)
        with opened(settings) as vault:
            for number, user in enumerate(("ana", "ben", "cleo")):
                enroll(vault, user, number)
        lengths, took_s = {}, {}
        for operation in OPERATIONS:
            for number in range(2):  # the first one imports, too
                user = f"zoe {number}" if operation == "enroll" else "ana"
                if operation != "enroll":  # which is of a new name
                    enroll_again(settings, user)
                started = time.perf_counter()
                lengths[operation] = calls_of(settings, operation, user, 7)
                took_s[operation] = time.perf_counter() - started
        with opened(settings) as vault:
            for number in range(2):
                vault.remove(f"zoe {number}")
        with opened(settings) as vault:
            people = held(vault, list(range(50)))
        killed, before = 0, counter_of(settings)
        for trial in range(20 * kills):
            if killed == kills:
                break
            operation = OPERATIONS[trial % len(OPERATIONS)]
            new = f"user {trial}" if len(people) < 6 else rng.choice(sorted(people))
            user = new if operation == "enroll" or not people else rng.choice(sorted(people))
            face_seed = trial % 50
            if operation == "rotate":  # it seals the growing log again
                lengths[operation] = calls_of(settings, operation, user, 7)
                before = counter_of(settings)
            kill_at = None if instants else kill_point(rng, lengths[operation])
            process = child(settings, trial + 1, operation, user, face_seed, kill_at)
            if instants:
                time.sleep(rng.uniform(0.0, took_s[operation] * 1.2))
                os.kill(process, signal.SIGKILL)
            status = os.waitpid(process, 0)[1]
            died, code = os.WIFSIGNALED(status), os.waitstatus_to_exitcode(status)
            if not died and code:
                wrong.append(f"trial {trial}: the child failed with {code}")
                break
            killed += died
            after = expected(people, operation, user, face_seed)
            try:
                with opened(settings) as vault:
                    with vault._transactions.store.writing():
                        pass  # a server has let go of the dead when it lets us in
                    status = vault.verify()
                    assert status is not None
                    counter = status.changes
                    now = held(vault, list(range(50)))
                    vault.read_log()
                    if operation == "rotate" and died:
                        remove_old_keys(vault._transactions)
                        vault.verify()
            except (MienError, ValueError, AssertionError) as error:
                wrong.append(f"trial {trial}, {operation} at {kill_at}: {error}")
                break
            if now not in ((after,) if not died else (people, after)):
                wrong.append(f"trial {trial}, {operation} at {kill_at}: neither old nor new")
                break
            if died:
                state = "new" if counter > before else "old"
                outcomes[f"{operation}, {state} state"] += 1
            people, before = now, counter_of(settings)
    return {"kills": killed, "outcomes": dict(sorted(outcomes.items())), "wrong": wrong}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--instants", action="store_true")
    parser.add_argument("--url", help="of an empty PostgreSQL database, in the place of a file")
    given = parser.parse_args()
    report = run(given.kills, seed=given.seed, instants=given.instants, url=given.url)
    print(json.dumps(report, indent=1))
    sys.exit(bool(report["wrong"]))
