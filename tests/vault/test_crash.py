"""A process that is killed in the middle of a change leaves the vault before or after it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WRITER = Path(__file__).with_name("crash_writer.py")


def report_of(*arguments: str) -> dict[str, Any]:
    """What the writer says; more kills with its own `--kills`."""
    ran = subprocess.run(
        [sys.executable, str(WRITER), "--seed", "20260131", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)
    assert report["wrong"] == []
    return report


def test_a_vault_survives_processes_killed_during_changes() -> None:
    """At 120 calls by chance of a fixed seed."""
    report = report_of("--kills", "120")
    assert report["kills"] == 120
    for operation in ("enroll", "replace", "forget", "attempt", "rotate"):
        assert report["outcomes"][f"{operation}, old state"] > 0
        assert report["outcomes"][f"{operation}, new state"] > 0


def test_a_database_survives_a_client_that_is_killed_while_changing_it(postgres_url: str) -> None:
    report = report_of("--kills", "25", "--url", postgres_url)
    assert report["kills"] == 25
    for state in ("old state", "new state"):
        assert any(outcome.endswith(state) for outcome in report["outcomes"])


@pytest.fixture(scope="module")
def kill_at_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that kills its process before a chosen system call."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt install gcc")
    source = Path(__file__).with_name("kill_at_call.c")
    library = tmp_path_factory.mktemp("shim") / "kill_at_call.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


@pytest.mark.parametrize(
    ("operation", "at_least", "every"),
    [("enroll", 20, 1), ("forget", 20, 1), ("rotate", 50, 1), ("migrate", 50, 7)],
)
def test_a_kill_before_any_system_call_leaves_no_key_or_template(
    kill_at_call: Path, tmp_path: Path, operation: str, at_least: int, every: int
) -> None:
    """Of the migration's nearly 300 calls, most of which write a page, every seventh is tried."""
    program = Path(__file__).with_name("kill_at_call.py")
    environ = os.environ | {
        "LD_PRELOAD": str(kill_at_call),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    ran = subprocess.run(
        [sys.executable, str(program), str(kill_at_call), str(tmp_path), operation, str(every)],
        env={name: value for name, value in environ.items() if not name.startswith("XDG_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) >= at_least
