"""Build the three MTCNN networks as ONNX graphs, from the weights of the `mtcnn` package.

Architecture: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment Using
Multitask Cascaded Convolutional Networks", 2016. Input of each: (n, 3, h, w)
float32, RGB 0..255; the networks' (x - 127.5) / 128 is folded into the first
layer. The outputs are the face logit (the softmax of two classes is the sigmoid of
their difference), then the box offsets, then for O-Net the points.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import numpy.typing as npt

from mien.models.build.graph_writer import Float64Array, GraphWriter, Layer

INSIDE, OUTSIDE = 3e38, -3e38  # of a picture, and of its padding; float32 ends at 3.4e38
PIXEL_MEAN = 127.5
PIXEL_SCALE = 0.0078125  # 1/128: the published networks were trained on (x - 127.5) / 128


def build_pnet(weights_lz4: bytes, g: GraphWriter) -> bytes:
    """P-Net. Output (n, 5, rows, columns): face logit, four box offsets."""
    w = _load(weights_lz4)
    layer = g.conv_prelu_pool("pixels", *_first_layer(w), _flat(w[2]), kernel=2)
    return g.model(
        name="pnet",
        input_shape=["n", 3, "height", "width"],
        output=_after_pooling(w, layer, g),
        output_shape=["n", 5, "rows", "columns"],
    )


def build_pnet_batch(weights_lz4: bytes, g: GraphWriter) -> bytes:
    """P-Net for pictures of several sizes in one tensor, each padded below and to the right.

    Inputs `row_limits` (n, 1, height - 2, 1) and `column_limits` (n, 1, 1, width - 2): `INSIDE`
    where the first layer saw nothing but the picture, else `OUTSIDE`. The pooling window at the
    edge then has the same maximum as at the edge of a picture alone, so the part of the output that
    belongs to the picture is the same. What is pooled from the padding alone becomes zero: a
    convolution that mixes neighbours (Winograd's) must not meet numbers of that size.
    """
    w = _load(weights_lz4)
    first = g.conv_prelu("pixels", *_first_layer(w), _flat(w[2]))
    pooled = g.max_pool(g.node("Min", [first.tensor, "row_limits", "column_limits"]), kernel=2)
    is_seen = g.node("Greater", [pooled, g.constant(np.array(OUTSIDE / 10))])
    seen = g.node("Where", [is_seen, pooled, g.constant(np.array(0.0))])
    return g.model(
        name="pnet-batch",
        input_shape=["n", 3, "height", "width"],
        output=_after_pooling(w, replace(first, tensor=seen), g),
        output_shape=["n", 5, "rows", "columns"],
        masks={"row_limits": ["n", 1, "map height", 1], "column_limits": ["n", 1, 1, "map width"]},
    )


def build_rnet(weights_lz4: bytes, g: GraphWriter) -> bytes:
    """R-Net on 24x24. Output (n, 5, 1, 1): face logit, four box offsets."""
    w = _load(weights_lz4)
    layer = g.conv_prelu_pool("pixels", *_first_layer(w), _flat(w[2]), kernel=3)
    weight = layer.into(_kernel(w[3]))
    layer = g.conv_prelu_pool(layer.tensor, weight, w[4], _flat(w[5]), kernel=3)
    layer = g.conv_prelu(layer.tensor, layer.into(_kernel(w[6])), w[7], _flat(w[8]))
    layer = g.conv_prelu(layer.tensor, layer.into(_dense_kernel(w[9])), w[10], _flat(w[11]))
    head = np.concatenate([_logit(w[14].T), w[12].T])
    bias = np.concatenate([_logit(w[15]), w[13]])
    output = g.conv(layer.tensor, layer.into(head[:, :, None, None]), bias)
    return g.model(
        name="rnet", input_shape=["n", 3, 24, 24], output=output, output_shape=["n", 5, 1, 1]
    )


def build_onet(weights_lz4: bytes, g: GraphWriter) -> bytes:
    """O-Net on 48x48. Output (n, 15, 1, 1): face logit, four offsets, five x, five y."""
    w = _load(weights_lz4)
    layer = g.conv_prelu_pool("pixels", *_first_layer(w), _flat(w[2]), kernel=3)
    weight = layer.into(_kernel(w[3]))
    layer = g.conv_prelu_pool(layer.tensor, weight, w[4], _flat(w[5]), kernel=3)
    weight = layer.into(_kernel(w[6]))
    layer = g.conv_prelu_pool(layer.tensor, weight, w[7], _flat(w[8]), kernel=2)
    layer = g.conv_prelu(layer.tensor, layer.into(_kernel(w[9])), w[10], _flat(w[11]))
    layer = g.conv_prelu(layer.tensor, layer.into(_dense_kernel(w[12])), w[13], _flat(w[14]))
    head = np.concatenate([_logit(w[19].T), w[15].T, w[17].T])
    bias = np.concatenate([_logit(w[20]), w[16], w[18]])
    output = g.conv(layer.tensor, layer.into(head[:, :, None, None]), bias)
    return g.model(
        name="onet", input_shape=["n", 3, 48, 48], output=output, output_shape=["n", 15, 1, 1]
    )


def _after_pooling(w: list[Float64Array], layer: Layer, g: GraphWriter) -> str:
    """The rest of P-Net; returns its output."""
    layer = g.conv_prelu(layer.tensor, layer.into(_kernel(w[3])), w[4], _flat(w[5]))
    return g.conv_prelu_head(
        layer.tensor,
        layer.into(_kernel(w[6])),
        w[7],
        _flat(w[8]),
        np.concatenate([_logit(_kernel(w[11])), _kernel(w[9])]),
        np.concatenate([_logit(w[12]), w[10]]),
    )


def _first_layer(w: list[Float64Array]) -> tuple[Float64Array, Float64Array]:
    """Weight and bias for input 0..255, from those for (x - 127.5) / 128."""
    scaled = _kernel(w[0]) * PIXEL_SCALE
    return scaled, w[1] - PIXEL_MEAN * scaled.sum(axis=(1, 2, 3))


def _kernel(stored: Float64Array) -> Float64Array:
    """The kernel as (out, in, height, width); it is stored as (width, height, in, out)."""
    return stored.transpose(3, 2, 0, 1)


def _dense_kernel(stored: Float64Array) -> Float64Array:
    """A dense layer over a 3x3 map, stored (width * height * in, out), as a 3x3 convolution."""
    return stored.reshape(3, 3, -1, stored.shape[1]).transpose(3, 2, 1, 0)


def _logit(two_classes: Float64Array) -> Float64Array:
    """Face minus no face, along the first axis."""
    return two_classes[1:2] - two_classes[:1]


def _flat(slopes: Float64Array) -> Float64Array:
    return slopes.reshape(-1)


def _load(weights_lz4: bytes) -> list[Float64Array]:
    # joblib unpickles, so the SHA-256 of these bytes must have been checked before
    import joblib

    stored: list[npt.NDArray[np.float32]] = joblib.load(BytesIO(weights_lz4))
    return [array.astype(np.float64) for array in stored]
