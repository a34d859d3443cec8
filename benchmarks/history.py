"""Keep the figures of a benchmark in history.jsonl, from release to release.

    python benchmarks/warm.py PHOTOS PROBE --json | python benchmarks/history.py --release 0.2.0+

Takes the JSON of any script of this folder, and keeps one line for each run: release, commit, time,
machine, versions and figures. `docs/speed_picture.py` draws docs/images/speed.svg from it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from figures import ABOUT

HISTORY = Path(__file__).resolve().parent / "history.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", required=True, help="the last release, with + after it")
    parser.add_argument("--file", type=Path, default=HISTORY, help="where the line is added")
    given = parser.parse_args()
    try:
        found = json.load(sys.stdin)
        entry = {"release": given.release, **{name: found.pop(name) for name in ABOUT}}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        sys.exit(f"stdin is not what a benchmark prints with --json: {error}")
    entry["figures"] = {
        name: float(f"{value:.6g}")
        for name, value in found.items()
        if isinstance(value, (int, float))
    }
    if not entry["figures"]:
        sys.exit("stdin has no figure")
    with given.file.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    main()
