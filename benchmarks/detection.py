"""Detection of a folder of photos against facenet-pytorch 2.6, as ratios in one run.

    pip install torch==2.13.0 && pip install --no-deps facenet-pytorch==2.6.0
    python benchmarks/detection.py PHOTO_DIR [--threads 2] [--rounds 7]

Every way looks at each photo in turn, round after round, so that all meet the same
machine. A photo's time is its median over the rounds; a way's time is the sum over photos.
Boxes of `all` are compared with the peer's as they are timed.
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

from mien.app.pipeline import open_cascade
from mien.faces.detect import Cascade
from mien.media.image_file import read_image
from mien.settings import load_settings
from peer_facenet import facenet_mtcnn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    files = sorted(args.photos.rglob("*.jpg"))
    settings = replace(load_settings(), threads=args.threads)
    peer = facenet_mtcnn(args.threads)
    engines: dict[str, Cascade] = {
        engine: open_cascade(replace(settings, engine=engine))
        for engine in ("onnxruntime", "openvino")
    }
    ways: dict[str, Callable[[Any], Any]] = {
        "facenet-pytorch": lambda image: peer.detect(Image.fromarray(image), landmarks=True)
    }
    for engine, cascade in engines.items():
        ways[f"all, {engine}"] = lambda image, c=cascade: c.find(image, "all")
        ways[f"largest, {engine}"] = lambda image, c=cascade: c.find(image, "largest")
    times: dict[str, list[float]] = {way: [] for way in ways}
    worst = 0.0
    for file in files:
        image = read_image(file)
        rounds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(args.rounds + 1):
            for way, run in ways.items():
                started = time.perf_counter()
                run(image)
                rounds[way].append(time.perf_counter() - started)
        for way, seconds in rounds.items():
            times[way].append(statistics.median(seconds[1:]))  # the first one warms up
        boxes = ways["facenet-pytorch"](image)[0]
        found = engines["onnxruntime"].find(image, "all")
        if boxes is not None:
            ours = found.boxes_xyxy[np.argsort(-_areas(found.boxes_xyxy))]
            worst = max(worst, float(np.abs(ours - boxes.astype(np.float32)).max()))
    base = sum(times["facenet-pytorch"])
    print(f"{len(files)} photos, {args.threads} threads, boxes at most {worst:.4f} px apart")
    for way, seconds in times.items():
        print(f"{way:22} {sum(seconds) * 1e3:7.0f} ms   {base / sum(seconds):5.2f} x")


def _areas(boxes: Any) -> Any:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


if __name__ == "__main__":
    main()
