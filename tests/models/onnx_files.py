"""Small ONNX embedders made by hand, right ones and hostile ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 112
DIMS = 8


def embedder(*, batch: int | str = "n", name: str = "data", side: int = SIDE) -> onnx.ModelProto:
    """Pools the crop to 4 x 4 cells, and multiplies by a fixed matrix: (n, 8)."""
    matrix = np.random.default_rng(1).standard_normal((3 * 16, DIMS)).astype(np.float32)
    cell = side // 4
    nodes = [
        helper.make_node(
            "AveragePool", [name], ["cells"], kernel_shape=[cell] * 2, strides=[cell] * 2
        ),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "embedder",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, DIMS])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def then(*nodes: onnx.NodeProto, constants: dict[str, Any] | None = None) -> onnx.ModelProto:
    """The embedder, whose output goes through more nodes, from `before` to `embedding`."""
    model = embedder()
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend(nodes)
    for name, values in (constants or {}).items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return model
