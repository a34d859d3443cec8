"""The model table, the weights files it names, and the inference engines that run them."""

from mien.models.added import find_embedder, known_embedders, read_added_graph
from mien.models.engine import BackgroundNet, MaskedNet, Net, open_masked_net, open_net
from mien.models.graph_cache import build_graph, cached_graph_path, read_graph
from mien.models.optimised import OptimisedStore
from mien.models.table import (
    ADDED_ROWS,
    DETECTOR_ROWS,
    EMBEDDERS,
    FACE_MESH,
    LIVENESS_ROWS,
    MINIFASNET_V1SE,
    MINIFASNET_V2,
    MODEL_ROWS,
    ONET,
    PNET,
    PNET_BATCH,
    RNET,
    SFACE,
    EmbedderRow,
    ModelRow,
)
from mien.models.weights import find_weights, read_weights

__all__ = [
    "ADDED_ROWS",
    "DETECTOR_ROWS",
    "EMBEDDERS",
    "FACE_MESH",
    "LIVENESS_ROWS",
    "MINIFASNET_V1SE",
    "MINIFASNET_V2",
    "MODEL_ROWS",
    "ONET",
    "PNET",
    "PNET_BATCH",
    "RNET",
    "SFACE",
    "BackgroundNet",
    "EmbedderRow",
    "MaskedNet",
    "ModelRow",
    "Net",
    "OptimisedStore",
    "build_graph",
    "cached_graph_path",
    "find_embedder",
    "find_weights",
    "known_embedders",
    "open_masked_net",
    "open_net",
    "read_added_graph",
    "read_graph",
    "read_weights",
]
