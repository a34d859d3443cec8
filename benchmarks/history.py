"""Keep the figures of a benchmark in history.jsonl, from release to release.

    python benchmarks/vault_scale.py --json | python benchmarks/history.py vault_scale

One line of JSON for each run: release, commit, time, machine, versions and the figures on stdin.
`docs/speed_picture.py` draws the chart of docs/images/speed.svg from it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

HISTORY = Path(__file__).resolve().parent / "history.jsonl"
LIBRARIES = ("numpy", "onnxruntime", "cryptography")


def processor() -> str:
    """The name of the processor, as Linux gives it."""
    with open("/proc/cpuinfo") as lines:
        named = [line for line in lines if line.startswith("model name")]
    return named[0].partition(":")[2].strip() if named else platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark")
    parser.add_argument("--release", required=True, help="the last release, with + after it")
    given = parser.parse_args()
    figures = json.load(sys.stdin)
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], check=True, stdout=subprocess.PIPE, text=True
    )
    entry = {
        "benchmark": given.benchmark,
        "release": given.release,
        "commit": commit.stdout.strip(),
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "figures": {
            name: round(value, 4)
            for name, value in figures.items()
            if isinstance(value, (int, float))
        },
    }
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    main()
