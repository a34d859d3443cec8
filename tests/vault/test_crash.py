"""A process that is killed in the middle of a change leaves the vault before or after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
