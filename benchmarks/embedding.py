"""Measure SFace in milliseconds per face, on both engines with one and two threads.

    python benchmarks/embedding.py [--rounds 4] [--json]

The nets take turns, each for forty calls in a row, because a service calls one net repeatedly.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import numpy as np

from figures import Figures, add_json_option
from mien.models import SFACE, open_net, read_graph
from mien.settings import load_settings

IN_A_ROW = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    settings = load_settings()
    nets = {}
    for engine in ("onnxruntime", "openvino"):
        for threads in (1, 2):
            wanted = replace(settings, engine=engine, threads=threads)
            graph = read_graph(
                SFACE.model, engine, models_dir=wanted.models_dir, cache_dir=wanted.cache_dir
            )
            nets[engine, threads] = open_net(graph, engine=engine, threads=threads)
    rng = np.random.default_rng(0)
    for batch in (1, 8):
        pixels = rng.integers(0, 256, (batch, 3, 112, 112)).astype(np.float32)
        times: dict[tuple[str, int], list[float]] = {key: [] for key in nets}
        for _ in range(args.rounds):
            for key, net in nets.items():
                net(pixels)  # loads this net's weights into the processor caches
                for _ in range(IN_A_ROW):
                    started = time.perf_counter()
                    net(pixels)
                    times[key].append((time.perf_counter() - started) * 1e3 / batch)
        for (engine, threads), ms in times.items():
            name = f"batch {batch}, {engine}, {threads} threads"
            report.add(name, ms_per_face=statistics.median(ms[IN_A_ROW:]), minimum_ms=min(ms))
    report.end()


if __name__ == "__main__":
    main()
