"""Measure how many photos per second `mien evaluate` embeds, with workers and with one process.

    python benchmarks/evaluation.py PEOPLE_DIR [--photos 240] [--workers 2] [--rounds 3]
        [--json]

Both take turns on the same photos, so that both have the same load on the machine. The cache is
not used. The time includes starting the workers and loading the nets, as in a real run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from figures import Figures, add_json_option
from mien.lab.evaluate.embeddings import embed_photos
from mien.lab.evaluate.protocols import read_people
from mien.settings import load_settings, usable_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=Path)
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    found = read_people(args.people).photos
    rows = np.linspace(0, len(found) - 1, min(args.photos, len(found))).round().astype(int)
    photos = [found[row] for row in rows]
    worker_counts = {"one process": 1, f"{args.workers} workers": args.workers}
    rates: dict[str, list[float]] = {name: [] for name in worker_counts}
    for _ in range(args.rounds):
        for name, workers in worker_counts.items():
            rates[name].append(_measure_rate(photos, workers))
    base = statistics.median(rates["one process"])
    report.add(photos=len(photos), rounds=args.rounds, usable_cores=usable_cores())
    for name, measured in rates.items():
        rate = statistics.median(measured)
        report.add(name, photos_per_s=rate, ratio=rate / base)
    report.end()


def _measure_rate(photos: list[Path], workers: int) -> float:
    started = time.perf_counter()
    embed_photos(
        photos,
        settings=load_settings(),
        model="sface",
        choice="centre",
        workers=workers,
        use_cache=False,
    )
    return len(photos) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
