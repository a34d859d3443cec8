"""Measure the cold start of `mien unlock NAME PHOTO` against `verifyface verify`.

    python benchmarks/cold_start.py PHOTO_DIR PROBE [--runs 15] [--verifyface PATH] [--json]

Both enroll the same photos, then decide on the same probe, each in a new process. Runs
alternate, so that both have the same load on the machine. Prints medians and their ratio; the
ratio of the processor time varies least on a machine with other work.
Peak memory is the maximum resident set of the process, as reported by the kernel.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path

from figures import Figures, add_json_option

UNITS = {"wall_ms": 1e3, "cpu_ms": 1e3, "peak_mb": 1.0}


def run(command: list[str], environ: dict[str, str]) -> tuple[float, float, float, int]:
    """Wall seconds, processor seconds, peak megabytes and exit code of one process."""
    started = time.perf_counter()
    pid = os.posix_spawn(
        command[0],
        command,
        environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
        ],
    )
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - started
    cpu_s = usage.ru_utime + usage.ru_stime
    return wall_s, cpu_s, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="folder with the owner's photos")
    parser.add_argument("probe", type=Path)
    parser.add_argument("--runs", type=int, default=15)
    scripts = Path(sys.executable).parent
    parser.add_argument("--mien", default=str(scripts / "mien"), help="the command, with options")
    parser.add_argument("--verifyface", default=str(scripts / "verifyface"))
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    photos = sorted(str(path) for path in args.photos.iterdir())
    with tempfile.TemporaryDirectory() as home:
        cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        environ = {**os.environ, "HOME": home, "XDG_DATA_HOME": home, "XDG_CACHE_HOME": cache}
        peers = {
            "mien": (shlex.split(args.mien), "unlock"),
            "verifyface": (shlex.split(args.verifyface), "verify"),
        }
        for name, (command, _) in peers.items():
            *_, code = run([*command, "enroll", "owner", *photos], environ)
            if code:
                sys.exit(f"{name}: enrollment failed with exit code {code}")
        figures: dict[str, list[tuple[float, ...]]] = {name: [] for name in peers}
        for _ in range(args.runs):
            for name, (command, verb) in peers.items():
                *measured, code = run([*command, verb, "owner", str(args.probe)], environ)
                if code:
                    sys.exit(f"{name}: the owner was refused, exit code {code}")
                figures[name].append(tuple(measured))
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in figures.items()
    }
    ours, theirs = medians["mien"], medians["verifyface"]
    summary = {
        f"{name}_{unit}": figure * factor
        for name, values in medians.items()
        for (unit, factor), figure in zip(UNITS.items(), values, strict=True)
    }
    for number, what in enumerate(("wall", "cpu", "memory")):
        summary[f"{what}_ratio"] = ours[number] / theirs[number]
    report.add_all(summary)
    report.end()


if __name__ == "__main__":
    main()
