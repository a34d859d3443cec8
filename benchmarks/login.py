"""Measure the login daemon: how soon it answers, and what a look and its idling cost.

    sudo python benchmarks/login.py MODELS [--runs 20] [--idle 10] [--json]

MODELS is the folder with the files of the liveness models. Runs as root in a private mount
namespace, with the programs that the tests of login need. The camera is a film of 30 frames a
second. Times are of whole programs: from the start of pamtester, as from the press of a key.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.login.enrolled_machine import enrolled_machine
from tests.login.system import Machine

from figures import Figures, add_json_option
from mien.lab.demo.shipped_photos import shipped_photo
from mien.login.pam_build import compile_module

MODULE = "/run/mien/pam_mien.so"
LOCKER = "auth [success=done default=ignore] {} timeout=30\nauth required pam_deny.so\n"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))


def timed(machine: Machine, *command: str) -> float:
    """Seconds that a program took, which must say that it recognized anna."""
    started = time.monotonic()
    ran = machine.private.run(*command, user="anna")
    seconds = time.monotonic() - started
    said = ran.stdout + ran.stderr
    assert "successfully authenticated" in said or "verify-match" in said, said
    return seconds


def measure(machine: Machine, runs: int, idle_s: float) -> dict[str, float]:
    """The figures of one daemon."""
    pamtester = ("pamtester", "swaylock", "anna", "authenticate")
    figures: dict[str, float] = {}
    with machine.daemon("anna", "--fprintd") as daemon:
        before = cpu_s(daemon.pid)
        time.sleep(idle_s)
        figures["idle_cpu_s"] = cpu_s(daemon.pid) - before
        figures["idle_mb"] = rss_mb(daemon.pid)
        figures["first_look_s"] = timed(machine, *pamtester)
        children = subprocess.run(
            ["pgrep", "--parent", str(daemon.pid)], capture_output=True, text=True, check=True
        )
        worker = int(children.stdout)
        before = cpu_s(worker) + cpu_s(daemon.pid)
        looks = [timed(machine, *pamtester) for _ in range(runs)]
        figures["cpu_ms_a_look"] = 1000 * (cpu_s(worker) + cpu_s(daemon.pid) - before) / runs
        figures |= spread("look", looks)
        figures |= spread("fprintd_look", [timed(machine, "fprintd-verify") for _ in range(runs)])
        figures["worker_mb"] = rss_mb(worker)
    return figures


def spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    return {
        f"{name}_median_s": statistics.median(seconds),
        f"{name}_most_s": max(seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--idle", type=float, default=10.0)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        photo = shipped_photo("astronaut")
        with enrolled_machine(scratch, photo, args.models) as machine:
            built = Path(folder) / "pam_mien.so"
            compile_module(built)
            machine.private.path(MODULE).write_bytes(built.read_bytes())
            machine.private.path("/etc/pam.d/swaylock").write_text(LOCKER.format(MODULE))
            figures = measure(machine, args.runs, args.idle)
    report.add_all(figures)
    report.end()


if __name__ == "__main__":
    main()
