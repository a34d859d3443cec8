"""Several processes with one vault: every change that was reported as made is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.vault.sealed_parts import record_of, record_of_user, store_record

from mien.errors import TooManyAttempts
from mien.results import ModelId
from mien.settings import load_settings
from mien.vault import unpack_template
from mien.vault.open import open_vault

MODEL = ModelId("sface", "ab" * 32)
PRELUDE = """
import sys
import numpy as np
from mien.errors import Outcome, TooManyAttempts
from mien.results import ModelId, Template
from mien.settings import load_settings
from mien.vault import Record, pack_template, unpack_template
from mien.vault.open import open_vault
MODEL = ModelId("sface", "ab" * 32)
vault = open_vault(load_settings({"HOME": sys.argv[1]}), create=True, surface="library", environ={})
"""
ADD = """
def make(stored, space_of):
    rng = np.random.default_rng(int(sys.argv[2]) * 1000 + number)
    new = rng.normal(size=(1, 8)).astype(np.float32)
    new = space_of(MODEL).protect(new / np.linalg.norm(new))
    if stored is not None:
        old = unpack_template(stored.payload, expected_model=MODEL).vectors
        new = np.concatenate([old, new])
    payload = pack_template(Template(new, MODEL))
    return Record("ana", MODEL, "2026-01-31T12:00:00+00:00", payload)
for number in range(10):
    vault.update("ana", make)
"""
FAIL = """
for _ in range(2):
    try:
        with vault.attempt("ana") as attempt:
            attempt.outcome = Outcome.NOT_THE_OWNER
            print("tried")
    except TooManyAttempts:
        print("refused")
"""


def together(script: str, home: Path, processes: int) -> list[str]:
    """The output of each."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PRELUDE + script, str(home), str(number)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    outputs = []
    for process in started:
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        outputs.append(output)
    return outputs


def test_photos_added_to_one_person_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    together(ADD, tmp_path, 3)
    settings = load_settings({"HOME": str(tmp_path)})
    with open_vault(settings, create=False, surface="library", environ={}) as vault:
        record = record_of_user(vault, "ana")
        assert record is not None
        assert len(unpack_template(record.payload, expected_model=MODEL).vectors) == 30
        assert vault.verify() is not None


def test_simultaneous_failures_for_one_name_are_all_counted(tmp_path: Path) -> None:
    outputs = "".join(together(FAIL, tmp_path, 4)).split()
    assert outputs.count("tried") == 5
    assert outputs.count("refused") == 3
    settings = load_settings({"HOME": str(tmp_path)})
    with open_vault(settings, create=False, surface="library", environ={}) as vault:
        failures = [one for one in vault.read_log() if one.outcome == "not_the_owner"]
        assert len(failures) == 5
        try:
            with vault.attempt("ana"):
                raise AssertionError("the sixth attempt was not refused")
        except TooManyAttempts:
            pass


KILLED = """
import os, signal
with vault.attempt("ana"):
    print("charged", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_attempt_whose_process_was_killed_is_in_the_log(tmp_path: Path) -> None:
    settings = load_settings({"HOME": str(tmp_path)})
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with open_vault(settings, create=True, surface="library", environ={}) as vault:
        store_record(vault, record_of("ana", MODEL))
    ran = subprocess.run(
        [sys.executable, "-c", PRELUDE + KILLED, str(tmp_path)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (-9, "charged\n"), ran.stderr
    with open_vault(settings, create=False, surface="library", environ={}) as vault:
        last = vault.read_log()[-1]
        assert (last.kind, last.user, last.outcome) == ("unlock", "ana", "unfinished")
