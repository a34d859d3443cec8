"""Measure photos a second with the networks on the CPU, on a graphics card, and on both at once.

    python benchmarks/gpu.py PHOTO_DIR [--engine cuda] [--count 640] [--batch 64]
        [--workers 16] [--rounds 3] [--json]

The three take turns in every round, each on the same photos, through `embed_photos`; the time
includes the start of the workers. "both" is half of the workers for the CPU and half for the card,
which take photos from one queue. Checks that the card finds what the CPU finds: boxes within a
pixel, cosines of the embeddings of at least 0.9999; else the exit code is 1. Without a card it
says so in one line, and ends with 10.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from figures import Figures, add_json_option
from mien import embed_photos
from mien.app.pipeline import open_model
from mien.bulk.embedded_photo import EmbeddedPhoto
from mien.errors import MienError
from mien.models import PNET
from mien.settings import ALL_ENGINES, load_settings, usable_cores

MOST_PIXELS_APART = 1.0
LEAST_COSINE = 0.9999

Photos = dict[str, EmbeddedPhoto]


class Queue(Iterator[str]):
    """Photos that several threads take from."""

    def __init__(self, photos: Iterable[str]) -> None:
        self._photos = iter(photos)
        self._lock = threading.Lock()

    def __next__(self) -> str:
        with self._lock:
            return next(self._photos)


def embed(photos: Iterable[str], engine: str, batch: int, workers: int) -> Photos:
    found = embed_photos(photos, engine=engine, batch=batch, workers=workers)
    return {one.name: one for one in found}


def embed_on_both(photos: list[str], engine: str, batch: int, workers: int) -> Photos:
    queue, found = Queue(photos), {}
    errors: list[BaseException] = []

    def take(one_engine: str) -> None:
        try:
            found.update(embed(queue, one_engine, batch, max(1, workers // 2)))
        except MienError as error:
            errors.append(error)

    threads = [threading.Thread(target=take, args=(one,)) for one in ("onnxruntime", engine)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return found


def compare(found: Photos, expected: Photos) -> dict[str, float]:
    """How far the card is from the CPU. other_outcomes: photos with a face on one of them only."""
    boxes_px, cosine, others, faces = 0.0, 1.0, 0, 0
    for name, one in expected.items():
        other = found[name]
        if one.outcome is not other.outcome:
            others += 1
        elif one.face is not None and other.face is not None:
            assert one.vector is not None
            assert other.vector is not None
            faces += 1
            apart = np.abs(one.face.box_xyxy - other.face.box_xyxy).max()
            boxes_px = max(boxes_px, float(apart))
            cosine = min(cosine, float(one.vector @ other.vector))
    return {"faces": faces, "boxes_px": boxes_px, "cosine": cosine, "other_outcomes": others}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--engine", choices=ALL_ENGINES, default="cuda")
    parser.add_argument("--count", type=int, default=640, help="how many of the photos")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    args = parser.parse_args()
    try:
        open_model(PNET, load_settings(engine=args.engine))
    except MienError as error:
        print(f"nothing was measured: {error}", file=sys.stderr)
        return error.exit_code
    report = Figures(__file__, as_json=args.json)
    photos = [str(path) for path in sorted(args.photos.rglob("*.jpg"))][: args.count]
    if not photos:
        sys.exit(f"{args.photos}: no .jpg photos")
    ways: dict[str, Callable[[], Photos]] = {
        "CPU": lambda: embed(photos, "onnxruntime", args.batch, args.workers),
        args.engine: lambda: embed(photos, args.engine, args.batch, args.workers),
        "both": lambda: embed_on_both(photos, args.engine, args.batch, args.workers),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, Photos] = {}
    for _ in range(args.rounds):
        for name, run in ways.items():
            started = time.perf_counter()
            found[name] = run()
            rates[name].append(len(photos) / (time.perf_counter() - started))
    report.add(photos=len(photos), workers=args.workers, batch=args.batch, rounds=args.rounds)
    cpu = statistics.median(rates["CPU"])
    for name, measured in rates.items():
        rate = statistics.median(measured)
        report.add(name, photos_per_s=rate, ratio=rate / cpu)
    apart = compare(found[args.engine], found["CPU"])
    report.add_all(apart)
    report.end()
    agrees = apart["boxes_px"] <= MOST_PIXELS_APART and apart["cosine"] >= LEAST_COSINE
    return 0 if agrees and not apart["other_outcomes"] and len(found["both"]) == len(photos) else 1


if __name__ == "__main__":
    sys.exit(main())
