"""Print the figures of a benchmark as lines, or as JSON with `--json`.

The JSON is one object: each figure under the name that its line has, and what is needed to compare
it with another run: `benchmark`, `commit`, `at`, `machine` (processor, cores, and the load when the
benchmark began) and `versions`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("numpy", "onnxruntime", "onnxruntime-gpu", "openvino", "torch", "cryptography")
ABOUT = ("benchmark", "commit", "at", "machine", "versions")


class Figures:
    """The figures of one run of a benchmark: `add` prints each as it comes, `end` the JSON."""

    def __init__(self, benchmark: str, *, as_json: bool) -> None:
        """benchmark: the file of the script."""
        self._as_json = as_json
        self._about = about(Path(benchmark).stem)
        self._found: dict[str, object] = {}

    def add(self, what: str = "", **figures: float) -> None:
        """Figures of one thing, on one line; each is named "thing, figure", or "figure" alone."""
        for name, value in figures.items():
            self._found[f"{what}, {name}" if what else name] = value
        if not self._as_json:
            named = "  ".join(f"{name} {in_words(value)}" for name, value in figures.items())
            print(f"{what:44}  {named}" if what else named, flush=True)

    def add_all(self, figures: Mapping[str, float]) -> None:
        """Figures by name, a line for each."""
        for name, value in figures.items():
            self._found[name] = value
            if not self._as_json:
                print(f"{name:44}{in_words(value):>12}", flush=True)

    def say(self, text: str) -> None:
        """A line that is not a figure; JSON has no place for it."""
        if not self._as_json:
            print(text, flush=True)

    def end(self, **details: object) -> None:
        """Print the JSON. details: what only a program reads, such as a table."""
        if self._as_json:
            print(json.dumps({**self._found, **details, **self._about}))


def add_json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, with the machine and versions"
    )


def in_words(value: float) -> str:
    """Four digits, or all of a whole number."""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def about(benchmark: str) -> dict[str, object]:
    """What a figure must be read with; its keys are `ABOUT`."""
    return {
        "benchmark": benchmark,
        "commit": commit(),
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
        },
        "versions": versions(),
    }


def commit() -> str | None:
    """The commit of the checkout that holds this file; None where there is none."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """The name of the processor, as Linux gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.machine()
    named = [line for line in lines if line.startswith("model name")]
    return named[0].partition(":")[2].strip() if named else platform.machine()


def versions() -> dict[str, str]:
    """Python, and the libraries that are installed and move a figure."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
