"""Measure mien's graph of InceptionResnetV1 on both engines against torch eager.

    python benchmarks/inception.py [--rounds 40] [--threads 2] [--json]

The weights are random, which does not change the time. The nets take turns. Torch gets
standardised crops, mien gets raw pixels. Also prints the largest difference of the embeddings.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from figures import Figures, add_json_option
from mien.models import open_net
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.inception import SIDE, build_inception
from mien.results import FloatArray
from mien.vectors import unit_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    add_json_option(parser)
    args = parser.parse_args()
    import torch

    from mien.nets.inception_resnet_v1 import InceptionResnetV1

    report = Figures(__file__, as_json=args.json)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    module = InceptionResnetV1().eval()
    graph = build_inception({n: t.numpy() for n, t in module.state_dict().items()}, GraphWriter())

    def eager(pixels: FloatArray) -> FloatArray:
        with torch.inference_mode():
            answer: FloatArray = module((torch.from_numpy(pixels) - 127.5) / 128).numpy()
        return answer

    runners: dict[str, Callable[[FloatArray], FloatArray]] = {"torch eager": eager}
    for engine in ("onnxruntime", "openvino"):
        runners[engine] = open_net(graph, engine=engine, threads=args.threads)
    for batch in (1, 8):
        compare(runners, batch, args.rounds, report)
    report.end()


def compare(
    runners: dict[str, Callable[[FloatArray], FloatArray]],
    batch: int,
    rounds: int,
    report: Figures,
) -> None:
    rng = np.random.default_rng(batch)
    pixels = rng.integers(0, 256, (batch, 3, SIDE, SIDE)).astype(np.float32)
    wanted = unit_rows(runners["torch eager"](pixels))
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            started = time.perf_counter()
            run(pixels)
            times[name].append((time.perf_counter() - started) * 1e3 / batch)
    eager_ms = statistics.median(times["torch eager"])
    for name, ms in times.items():
        apart = float(np.abs(unit_rows(runners[name](pixels)) - wanted).max())
        low, middle, high = statistics.quantiles(ms, n=4)
        report.add(
            f"batch {batch}, {name}",
            ms_per_face=middle,
            low_quartile_ms=low,
            high_quartile_ms=high,
            ratio=eager_ms / middle,
            difference=apart,
        )


if __name__ == "__main__":
    main()
