"""The pipeline for many photos at once, for a graphics card.

The stages are those of `Pipeline`, and so are the decisions: each photo goes through them on a
thread of its own, and what all of them ask of a network at the same time is one call of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from mien.app.pipeline import Pipeline, Probe, open_model
from mien.faces.batch import ON_CPU, ON_GPU, BatchCascade, groups_of, run_on_crops
from mien.faces.detect import CascadeSettings, Search
from mien.faces.embed import Embedder
from mien.faces.quality.gate import load_gates
from mien.matching.matcher import Matcher
from mien.models import (
    ONET,
    PNET_BATCH,
    RNET,
    BackgroundNet,
    find_embedder,
    open_masked_net,
    read_graph,
)
from mien.results import ByteArray, Faces
from mien.settings import DEFAULT_MODEL, GPU_ENGINES, Settings

T = TypeVar("T")

CROPS_TO_EMBED = 64  # in one call


class BatchPipeline:
    """A detector and an embedder for many photos at once; `open_batch_pipeline` makes one.

    Several threads may use it at the same time.
    """

    def __init__(self, cascade: BatchCascade, pipeline: Pipeline) -> None:
        self._cascade = cascade
        self.pipeline = pipeline
        """For calls under `run`; elsewhere it gives the same, one photo at a time."""

    def run(self, calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
        """What each call gets from `pipeline`, or the exception that it raised.

        All calls are in progress at the same time, each with its photo in memory.
        """
        return self._cascade.batches.run(calls)

    def find_faces_in_batch(
        self, pictures: Sequence[ByteArray], search: Search = "all"
    ) -> list[Faces]:
        """The faces of each picture (H, W, 3) uint8 RGB, as `Pipeline.faces` finds them."""
        return self._cascade.find_faces_in_batch(pictures, search)

    def embed_probes(self, pictures: Sequence[ByteArray]) -> list[Probe | Exception]:
        """For each picture, what `Pipeline.embed_probe` returns or raises."""
        found: list[Probe | Exception] = []
        for group in groups_of(pictures):
            found += self.run([partial(self.pipeline.embed_probe, picture) for picture in group])
        return found


def open_batch_cascade(settings: Settings) -> BatchCascade:
    """Load the three nets of the detector. Raises as `open_pipeline` does."""
    graph = read_graph(
        PNET_BATCH, settings.engine, models_dir=settings.models_dir, cache_dir=settings.cache_dir
    )
    return BatchCascade(
        open_masked_net(graph, engine=settings.engine, threads=settings.threads),
        open_model(RNET, settings),
        open_model(ONET, settings),
        CascadeSettings(),
        sizes=ON_GPU if settings.engine in GPU_ENGINES else ON_CPU,
    )


def open_batch_pipeline(settings: Settings, embedder: str = DEFAULT_MODEL) -> BatchPipeline:
    """Load detector and embedder. Raises as `open_pipeline` does."""
    row = find_embedder(embedder, settings.data_dir)
    loading = BackgroundNet(lambda: open_model(row.model, settings))
    cascade = open_batch_cascade(settings)
    # after the detector's nets, so that the faces of all photos are found before any is embedded
    net = cascade.batches.net(partial(run_on_crops, loading, at_most=CROPS_TO_EMBED))
    matcher = Matcher(row, calibration=settings.calibration, data_dir=settings.data_dir)
    pipeline = Pipeline(cascade.cascade, Embedder(net, row), matcher, load_gates(row.id))
    return BatchPipeline(cascade, pipeline)
