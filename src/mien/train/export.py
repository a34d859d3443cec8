"""A trained net as a model of the user's own: its graph, its record, a name from its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import ModelAltered
from mien.files import write_whole
from mien.models import open_net
from mien.models.added import CustomEmbedder, custom_row, store_added
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.inception import DIMS, build_inception
from mien.models.state_dict import pack_state
from mien.results import ByteArray, FloatArray, ModelId
from mien.settings import ENGINES, Settings
from mien.train.guards import check_weights
from mien.vectors import unit_rows

AGREEMENT = 1e-4  # largest difference in any number of a unit embedding, as in mien.models.add
COMPARED_CROPS = 8
RECIPE = "margin160"


def store_trained(
    arrays: Mapping[str, npt.NDArray[Any]],
    *,
    crops: ByteArray,
    expected: FloatArray,
    licence: str,
    record: Mapping[str, object],
    settings: Settings,
    today: date,
) -> ModelId:
    """Keep the weights as the model `trained-` and eight digits of their SHA-256.

    crops: (n, 160, 160, 3) uint8 RGB; expected: (n, 512) torch's unit embeddings of them, with
    which the graph must agree. record: how the net was trained, kept beside it. Raises
    TrainingRefused for weights that are not finite, ModelAltered if the graph does not agree.
    """
    model = trained_model_id(arrays)
    state, name, sha256 = pack_state(arrays), model.name, model.sha256
    graph = build_inception(arrays, GraphWriter())
    _compare(graph, crops[:COMPARED_CROPS], expected[:COMPARED_CROPS], settings.threads)
    row = custom_row(name, sha256, CustomEmbedder(RECIPE, DIMS, licence), settings.data_dir)
    text = json.dumps({"model": name, "weights_sha256": sha256, **record}, indent=2) + "\n"
    write_whole(training_record_path(name, settings.data_dir), text.encode())
    store_added(
        row.model,
        source_sha256=sha256,
        graphs=dict.fromkeys(ENGINES, graph),
        state=state,
        today=today,
        data_dir=settings.data_dir,
        custom=CustomEmbedder(RECIPE, DIMS, licence),
    )
    return row.id


def trained_model_id(arrays: Mapping[str, npt.NDArray[Any]]) -> ModelId:
    """The name and hash under which these weights are kept. TrainingRefused if not finite."""
    check_weights(arrays)
    sha256 = hashlib.sha256(pack_state(arrays)).hexdigest()
    return ModelId(f"trained-{sha256[:8]}", sha256)


def training_record_path(name: str, data_dir: Path) -> Path:
    """Where it is written how a model was trained."""
    return data_dir / "models" / "trained" / f"{name}.json"


def _compare(graph: bytes, crops: ByteArray, expected: FloatArray, threads: int) -> None:
    pixels = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
    for engine in ENGINES:
        if find_spec(engine) is None:
            continue
        given = unit_rows(open_net(graph, engine=engine, threads=threads)(pixels))
        difference = float(np.abs(given - expected).max())
        if not difference <= AGREEMENT:  # also refuses NaN
            raise ModelAltered(
                f"the trained net on {engine} differs by {difference:.1g} from torch, at most "
                f"{AGREEMENT:g} is right; nothing was stored; update {engine}"
            )
