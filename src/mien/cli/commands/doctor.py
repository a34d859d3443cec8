"""`mien doctor`."""

from __future__ import annotations

from argparse import Namespace

from mien.app.health import check_all
from mien.cli.output import CommandResult
from mien.errors import ExitCode
from mien.settings import load_settings


def doctor(args: Namespace) -> CommandResult:
    """Run every check; the exit code is that of the first fault. args: nothing."""
    checks = check_all(load_settings())
    marks = {"ok": "ok  ", "advice": "note", "broken": "FAIL"}
    lines = tuple(f"{marks[c.state]} {c.what}: {c.found}" for c in checks)
    code = next((c.exit_code for c in checks if c.state == "broken"), ExitCode.OK)
    data: dict[str, object] = {
        "outcome": "healthy" if code == 0 else code.name.lower(),
        "exit_code": int(code),
        "checks": [{"what": c.what, "state": c.state, "found": c.found} for c in checks],
    }
    return CommandResult(code, lines, data)
