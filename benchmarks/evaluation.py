"""Photos per second of an evaluation's embedding, over worker processes against one process.

    python benchmarks/evaluation.py PEOPLE_DIR [--photos 240] [--workers 2] [--rounds 3]

Both ways take turns on the same photos, so that both meet the same machine; nothing is
read from a cache or written to one. Starting the workers and loading the nets is part of
what is timed, as it is part of a run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from mien.lab.evaluate.embeddings import embed_photos
from mien.lab.evaluate.protocols import read_people
from mien.settings import load_settings, usable_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=Path)
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    found = read_people(args.people).photos
    spread = np.linspace(0, len(found) - 1, min(args.photos, len(found))).round().astype(int)
    photos = [found[at] for at in spread]
    ways = {"one process": 1, f"{args.workers} workers": args.workers}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(args.rounds):
        for way, workers in ways.items():
            rates[way].append(_rate(photos, workers))
    base = statistics.median(rates["one process"])
    print(f"{len(photos)} photos, {args.rounds} rounds, {usable_cores()} usable cores")
    for way, seen in rates.items():
        rate = statistics.median(seen)
        print(f"{way:14} {rate:6.1f} photos per second   {rate / base:5.2f} x")


def _rate(photos: list[Path], workers: int) -> float:
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
