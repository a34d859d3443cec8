"""The model table, where weights come from, and the door to the engines."""

from mien.models.added import added_embedder, graph_of_added
from mien.models.engine import LaterNet, Net, open_net
from mien.models.graph_cache import build_graph, graph_path, read_graph
from mien.models.table import (
    ADDED_ROWS,
    DETECTOR_ROWS,
    EMBEDDERS,
    MODEL_ROWS,
    ONET,
    PNET,
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
    "MODEL_ROWS",
    "ONET",
    "PNET",
    "RNET",
    "SFACE",
    "EmbedderRow",
    "LaterNet",
    "ModelRow",
    "Net",
    "added_embedder",
    "build_graph",
    "find_weights",
    "graph_of_added",
    "graph_path",
    "open_net",
    "read_graph",
    "read_weights",
]
