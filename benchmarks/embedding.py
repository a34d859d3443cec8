"""Measure SFace in milliseconds per face, on both engines with one and two threads.

Also the processor time of a face by the number of faces in a call, on one thread: for SFace, and
for InceptionResnetV1 with random weights, which do not change the time. `BATCH` of
`mien.faces.embed` is chosen by it.

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
from mien.models import SFACE, Net, open_net, read_graph
from mien.models.build.inception import SIDE as INCEPTION_SIDE
from mien.settings import load_settings

IN_A_ROW = 40
BATCHES = (1, 2, 4, 8, 16)
FACES = 32  # of each batch in a round


def open_inception() -> Net:
    """InceptionResnetV1 with random weights, on one thread."""
    import torch

    from mien.models.build.graph_writer import GraphWriter
    from mien.models.build.inception import build_inception
    from mien.nets.inception_resnet_v1 import InceptionResnetV1

    torch.manual_seed(0)
    weights = {name: tensor.numpy() for name, tensor in InceptionResnetV1().state_dict().items()}
    return open_net(build_inception(weights, GraphWriter()), engine="onnxruntime", threads=1)


def add_batches(name: str, net: Net, side: int, rounds: int, report: Figures) -> None:
    """The processor time of a face in calls of so many; the batches take turns."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (max(BATCHES), 3, side, side)).astype(np.float32)
    took: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    for _ in range(rounds):
        for batch, times in took.items():
            net(pixels[:batch])  # a call of another size leaves its memory to this one
            for _ in range(FACES // batch):
                started = time.process_time()
                net(pixels[:batch])
                times.append((time.process_time() - started) * 1e3 / batch)
    for batch, times in took.items():
        report.add(
            f"{name}, {batch} in a call",
            cpu_ms_per_face=statistics.median(times),
            tenth_percentile_ms=float(np.percentile(times, 10)),
        )


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
    add_batches("sface", nets["onnxruntime", 1], SFACE.side, args.rounds, report)
    add_batches("inception", open_inception(), INCEPTION_SIDE, args.rounds, report)
    report.end()


if __name__ == "__main__":
    main()
