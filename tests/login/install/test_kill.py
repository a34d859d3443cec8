"""A kill at any place of an installation or a removal locks nobody out and leaves nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHIM = ROOT / "tests/vault/kill_at_call.c"


def test_a_kill_before_any_system_call_is_safe(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt install gcc")
    library = tmp_path / "kill_at_call.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True)
    program = Path(__file__).with_name("kill_install.py")
    ran = subprocess.run(
        [sys.executable, str(program), str(library), str(tmp_path)],
        env=os.environ
        | {"LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    installing, removing = map(int, ran.stdout.split())
    assert installing > 80
    assert removing > 30
