"""Rewrite SFace's published file: weights dequantised, batch norms folded, PReLU replaced.

SFace: Zhong, Deng, Hu, Zhao, Li, Wen, "SFace: Sigmoid-Constrained Hypersphere Loss
for Robust Face Recognition", 2021; the file is OpenCV Zoo's 2021dec. Input of the
built graph: (n, 3, 112, 112) float32, RGB 0..255; output (n, 128), not yet of length one.

The published graph is a chain of Conv, BatchNormalization and PRelu that ends in one
dense layer. It is read in order, and any other node is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import ModelAltered
from mien.models.build.graph_writer import Blocks, Float64Array, GraphWriter, Layer, fold_batch_norm

if TYPE_CHECKING:
    import onnx


class _Published:
    """The published model: its constants by name, and the chain of its layers."""

    def __init__(self, published_onnx: bytes) -> None:
        import onnx
        from onnx import numpy_helper

        model = onnx.load_model_from_string(published_onnx)
        self._arrays = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
        self._blocks: dict[str, Blocks] = {}
        self.chain: list[onnx.NodeProto] = []
        for node in model.graph.node:
            if node.op_type == "DequantizeLinear":
                self._blocks[node.output[0]] = blocks = self._read_blocks(node)
                stored = self._arrays[node.input[0]]
                self._arrays[node.output[0]] = blocks.weight().reshape(stored.shape)
            elif node.op_type == "Reshape":
                shape = self._arrays[node.input[1]]
                self._arrays[node.output[0]] = self._arrays[node.input[0]].reshape(shape)
            elif node.op_type not in ("Constant", "Dropout", "Flatten"):
                self.chain.append(node)

    def array(self, name: str) -> Float64Array:
        return self._arrays[name].astype(np.float64)

    def blocks(self, name: str) -> Blocks:
        """The int8 form of a weight."""
        return self._blocks[name]

    def batch_norm(
        self, node: onnx.NodeProto
    ) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array, float]:
        """gamma, beta, mean, variance and epsilon of a BatchNormalization node."""
        gamma, beta, mean, variance = (self.array(name) for name in node.input[1:5])
        return gamma, beta, mean, variance, float(attributes(node)["epsilon"])

    def _read_blocks(self, node: onnx.NodeProto) -> Blocks:
        """The blocks of a DequantizeLinear node; a vector counts as one row."""
        raw = [self._arrays[name] for name in node.input]
        if attributes(node)["axis"] != raw[0].ndim - 1:
            raise ModelAltered("SFace's weights are in blocks along an unknown axis")
        stored, scales, zeros = (np.atleast_2d(array) for array in raw)
        return Blocks(stored, scales.astype(np.float64), zeros)


def build_sface(published_onnx: bytes, g: GraphWriter) -> bytes:
    """Build the graph that mien runs from the published file.

    Raises ModelAltered if the file has another structure.
    """
    source = _Published(published_onnx)
    chain = list(source.chain)
    shift = float(source.array(_expect(chain, "Sub").input[1]).reshape(-1)[0])
    scale = float(source.array(_expect(chain, "Mul").input[1]).reshape(-1)[0])
    # not folded into the first convolution, whose zero padding comes after (x - shift) * scale
    tensor = g.conv("pixels", np.full((3, 1, 1, 1), scale), np.full(3, -shift * scale), group=3)
    layer = Layer(tensor, np.ones(3), 3)
    while chain and chain[0].op_type == "Conv":
        layer = _convolution(g, source, chain, layer)
    output = _dense(g, source, chain, layer)
    if chain:
        raise ModelAltered(f"SFace's graph ends in an unknown {chain[0].op_type}")
    return g.model(
        name="sface", input_shape=["n", 3, 112, 112], output=output, output_shape=["n", 128]
    )


def _convolution(
    g: GraphWriter, source: _Published, chain: list[onnx.NodeProto], before: Layer
) -> Layer:
    """One Conv + BatchNormalization + PRelu."""
    conv, norm, act = (_expect(chain, kind) for kind in ("Conv", "BatchNormalization", "PRelu"))
    weight, bias = fold_batch_norm(source.array(conv.input[1]), *source.batch_norm(norm))
    settings: dict[str, Any] = attributes(conv)
    group = settings["group"]
    return g.conv_prelu(
        before.tensor,
        before.into(weight) if group == 1 else weight * before.signs.reshape(-1, 1, 1, 1),
        bias,
        source.array(act.input[1]).reshape(-1),
        stride=settings["strides"][0],
        pad=settings["pads"][0],
        group=group,
    )


def _dense(g: GraphWriter, source: _Published, chain: list[onnx.NodeProto], before: Layer) -> str:
    """BatchNormalization, dense layer, BatchNormalization.

    The first stays as a scale and a shift for each channel, because folding it into the
    dense layer would break up its int8 blocks. The last is folded into scales and bias.
    """
    first, dense, last = (
        _expect(chain, kind) for kind in ("BatchNormalization", "Gemm", "BatchNormalization")
    )
    gamma, beta, mean, variance, epsilon = source.batch_norm(first)
    gain = gamma / np.sqrt(variance + epsilon)
    line = (gain * before.signs).reshape(-1, 1, 1, 1)
    tensor = g.conv(before.tensor, line, beta - mean * gain, group=len(gain))

    gamma, beta, mean, variance, epsilon = source.batch_norm(last)
    gain = gamma / np.sqrt(variance + epsilon)
    blocks = source.blocks(dense.input[1])
    scaled = Blocks(blocks.stored, blocks.scales * gain.reshape(-1, 1), blocks.zeros)
    return g.dense_of_blocks(tensor, scaled, (source.array(dense.input[2]) - mean) * gain + beta)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes by name."""
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _expect(chain: list[onnx.NodeProto], kind: str) -> onnx.NodeProto:
    if not chain or chain[0].op_type != kind:
        found = chain[0].op_type if chain else "the end"
        raise ModelAltered(f"SFace's graph has {found} where {kind} was expected")
    return chain.pop(0)
