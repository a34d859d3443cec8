"""A process that is killed in the middle of a change leaves the vault before or after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

WRITER = Path(__file__).with_name("crash_writer.py")


def test_a_vault_survives_whoever_is_killed_while_changing_it() -> None:
    """At 120 calls by chance of a fixed seed; more with the writer's own `--kills`."""
    ran = subprocess.run(
        [sys.executable, str(WRITER), "--kills", "120", "--seed", "20260131"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    assert report["wrong"] == []
    assert report["kills"] == 120
    for operation in ("enrol", "replace", "forget", "attempt", "rotate"):
        assert report["outcomes"][f"{operation}, old state"] > 0
        assert report["outcomes"][f"{operation}, new state"] > 0
