"""Measure detection on a folder of photos against facenet-pytorch 2.6.

    pip install torch==2.13.0 && pip install --no-deps facenet-pytorch==2.6.0
    python benchmarks/detection.py PHOTO_DIR [--threads 2] [--rounds 7] [--json]

The detectors take turns on each photo in every round, so that all have the same load on the
machine. The time of a photo is its median over the rounds; the time of a detector is the sum
over the photos. Also prints the largest difference between the boxes of `all` and the peer's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from figures import Figures, add_json_option
from mien.app.pipeline import open_cascade
from mien.faces.detect import Cascade
from mien.media.image_file import read_image
from mien.settings import load_settings
from peer_facenet import open_facenet_mtcnn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    files = sorted(args.photos.rglob("*.jpg"))
    settings = replace(load_settings(), threads=args.threads)
    peer = open_facenet_mtcnn(args.threads)
    engines: dict[str, Cascade] = {
        engine: open_cascade(replace(settings, engine=engine))
        for engine in ("onnxruntime", "openvino")
    }
    detectors: dict[str, Callable[[Any], Any]] = {
        "facenet-pytorch": lambda image: peer.detect(Image.fromarray(image), landmarks=True)
    }
    for engine, cascade in engines.items():
        detectors[f"all, {engine}"] = lambda image, c=cascade: c.find(image, "all")
        detectors[f"largest, {engine}"] = lambda image, c=cascade: c.find(image, "largest")
    times: dict[str, list[float]] = {name: [] for name in detectors}
    worst = 0.0
    for file in files:
        image = read_image(file)
        rounds: dict[str, list[float]] = {name: [] for name in detectors}
        for _ in range(args.rounds + 1):
            for name, run in detectors.items():
                started = time.perf_counter()
                run(image)
                rounds[name].append(time.perf_counter() - started)
        for name, seconds in rounds.items():
            times[name].append(statistics.median(seconds[1:]))  # the first one warms up
        boxes = detectors["facenet-pytorch"](image)[0]
        found = engines["onnxruntime"].find(image, "all")
        if boxes is not None:
            ours = found.boxes_xyxy[np.argsort(-_areas(found.boxes_xyxy))]
            worst = max(worst, float(np.abs(ours - boxes.astype(np.float32)).max()))
    base = sum(times["facenet-pytorch"])
    report.add(photos=len(files), threads=args.threads, boxes_px=worst)
    for name, seconds in times.items():
        report.add(name, ms=sum(seconds) * 1e3, ratio=base / sum(seconds))
    report.end()


def _areas(boxes: Any) -> Any:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


if __name__ == "__main__":
    main()
