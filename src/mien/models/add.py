"""Add a model whose weights do not come with pip: fetch, check, convert, compare, keep.

Torch is needed here, once. What is kept is an ONNX graph and a record of its hash
(`mien.models.added`); from then on the model opens like any other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import ModelAltered, ModelMissing, UsageError, missing_extra
from mien.models import ADDED_ROWS, MODEL_ROWS, ModelRow, open_net
from mien.models.added import AddedRecord, add_command, read_record, record_path, store_added
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.inception import SIDE, build_inception
from mien.models.download import Tell, fetch_file
from mien.models.state_dict import pack_state
from mien.results import FloatArray
from mien.settings import ENGINES, Settings
from mien.vectors import unit_rows

if TYPE_CHECKING:
    from mien.nets.inception_resnet_v1 import InceptionResnetV1

MAX_WEIGHTS_BYTES = 400_000_000  # of a file whose size nobody published; these nets have 112 MB
AGREEMENT = 1e-4  # largest difference in any number of a unit embedding; float32 leaves 2e-7


@dataclass(frozen=True, slots=True)
class Added:
    """A model that is in the store now. apart: by engine, how far its graph is from torch."""

    record: AddedRecord
    apart: Mapping[str, float]


def add_model(
    name: str,
    *,
    file: Path | None,
    settings: Settings,
    today: date,
    rng: np.random.Generator,
    tell: Tell,
) -> Added:
    """Put a row of `ADDED_ROWS` into the user's store; an earlier copy is replaced.

    file: the published weights; without it they are looked for in MIEN_MODELS, then
    fetched. rng: for the crops on which the graph is compared with torch.

    Raises UsageError, MissingExtra without torch, ModelMissing if the weights cannot
    be had, ModelAltered if they are not the right ones or the graph does not agree;
    then nothing is stored.
    """
    row = _row(name)
    _expect_torch()
    part = settings.cache_dir / "downloads" / f"{row.sha256}.part"
    weights = _weights(row, file, settings, part, tell)
    weights_sha256 = _expected_sum(row, weights, settings.data_dir)

    from mien.nets.inception_resnet_v1 import load_net

    net = load_net(weights)
    del weights  # 112 MB, and the graph is about to be held twice
    arrays = {key: tensor.numpy() for key, tensor in net.state_dict().items()}
    graph = build_inception(arrays, GraphWriter())
    apart = _compare(row, graph, net, settings.threads, rng)
    record = store_added(
        row,
        weights_sha256=weights_sha256,
        graphs=dict.fromkeys(ENGINES, graph),  # one spelling is the fastest on both
        state=pack_state(arrays),
        today=today,
        data_dir=settings.data_dir,
    )
    with suppress(OSError):
        part.unlink()
    return Added(record, apart)


def _row(name: str) -> ModelRow:
    if name in ADDED_ROWS:
        return ADDED_ROWS[name].model
    known = ", ".join(ADDED_ROWS)
    if name in MODEL_ROWS:
        raise UsageError(f"{name} comes with pip and is here already; to add: {known}")
    raise UsageError(f"unknown model {name[:60]!r}; to add: {known}")


def _expect_torch() -> None:
    # before 112 MB are fetched in vain
    if find_spec("torch") is None:
        raise missing_extra("torch is missing, which reads the published weights, once", "torch")


def _weights(row: ModelRow, file: Path | None, settings: Settings, part: Path, tell: Tell) -> bytes:
    if file is None and settings.models_dir is not None:
        beside = settings.models_dir / row.file_name
        file = beside if os.path.isfile(beside) else None
    if file is not None:
        return _read_given(file, row)
    if not row.url:
        raise ModelMissing(
            f"the hash of {row.name}'s weights is not published, so they are not fetched; "
            f"download them and run: {add_command(row)}"
        )
    return fetch_file(row.url, part, size=row.size, sha256=row.sha256, tell=tell)


def _read_given(file: Path, row: ModelRow) -> bytes:
    if not os.path.isfile(file):
        raise UsageError(f"{str(file)!r} is not a file; pass --file the path of {row.file_name}")
    try:
        with open(file, "rb") as opened:
            content = opened.read(MAX_WEIGHTS_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {str(file)!r}: {error.strerror}; mend its mode") from error
    if len(content) > MAX_WEIGHTS_BYTES:
        raise ModelAltered(f"{str(file)!r} is far too large to be {row.file_name}; get it again")
    return content


def _expected_sum(row: ModelRow, weights: bytes, data_dir: Path) -> str:
    """The file's SHA-256, which must be the table's, or else the one that was recorded first."""
    found = hashlib.sha256(weights).hexdigest()
    expected, who = row.sha256, "expected"
    if not expected:
        with suppress(ModelMissing, ModelAltered):
            expected, who = read_record(row, data_dir).weights_sha256, "first added was"
    if expected and found != expected:
        retreat = "" if row.sha256 else f", or delete {str(record_path(row, data_dir))!r}"
        raise ModelAltered(
            f"the weights given for {row.name} are other ones: SHA-256 is {found[:12]}..., "
            f"{who} {expected[:12]}...; get {row.file_name} again{retreat}"
        )
    return found


def _compare(
    row: ModelRow, graph: bytes, net: InceptionResnetV1, threads: int, rng: np.random.Generator
) -> dict[str, float]:
    """Largest difference between graph and torch, for each engine that is installed."""
    from mien.nets.inception_resnet_v1 import embed_crops

    pixels = _random_crops(rng)
    wanted = embed_crops(net, (pixels - np.float32(127.5)) / np.float32(128))
    apart = {}
    for engine in ENGINES:
        if find_spec(engine) is None:
            continue
        given = unit_rows(open_net(graph, engine=engine, threads=threads)(pixels))
        apart[engine] = float(np.abs(given - wanted).max())
        if not apart[engine] <= AGREEMENT:  # also refuses NaN
            raise ModelAltered(
                f"{row.name} on {engine} is {apart[engine]:.1g} away from torch, at most "
                f"{AGREEMENT:g} is right; nothing was stored; update {engine} and try again"
            )
    return apart


def _random_crops(rng: np.random.Generator) -> FloatArray:
    """(4, 3, 160, 160) of 0..255: noise by the pixel, and in patches as large as eyes and noses."""
    crops = []
    for patch in (1, 8, 20, 40):
        small = rng.integers(0, 256, (3, SIDE // patch, SIDE // patch))
        crops.append(np.kron(small, np.ones((patch, patch))))
    return np.stack(crops).astype(np.float32)
