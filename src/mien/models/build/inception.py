"""InceptionResnetV1 as an ONNX graph, from the arrays of its published state dict.

Architecture: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning", 2016; names as in facenet-pytorch's files.
Input (n, 3, 160, 160) float32, RGB 0..255; output (n, 512), not yet of length one.

Folded, in float64: every batch norm into the convolution before it, every residual's
scale into its last convolution, the last batch norm into the dense layer, and the
nets' (x - 127.5) / 128 into the first convolution. The last is exact only because
that convolution has no padding: padding zeros would stand for black before the
folding and for grey after it. Dropout does nothing outside training.

One spelling serves both engines: ReLU, unlike PReLU, keeps ONNX Runtime in its blocked
layout, and every number of channels is a multiple of sixteen.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mien.models.build.graph_writer import Float64Array, GraphWriter, fold_batch_norm

Arrays = Mapping[str, npt.NDArray[np.generic]]
"""State-dict name -> array; convolutions are (out, in, height, width)."""

SIDE = 160
DIMS = 512
EPSILON = 0.001  # of every batch norm, as TensorFlow's slim had it
PIXEL_MEAN = 127.5
PIXEL_SCALE = 0.0078125  # 1/128: trained on (x - 127.5) / 128

ONE_BY_ONE = ("branch0",)
THREE = ("branch1.0", "branch1.1")
THREE_THREE = ("branch2.0", "branch2.1", "branch2.2")
CROSSED = ("branch1.0", "branch1.1", "branch1.2")  # 1x1, a row kernel, a column kernel


def build_inception(arrays: Arrays, g: GraphWriter) -> bytes:
    """The graph that mien runs. KeyError for a name that is not there."""
    net = _Inception(arrays, g)
    tensor = net.stem()
    for number in range(5):
        branches = (ONE_BY_ONE, THREE, THREE_THREE)
        tensor = net.residual(tensor, f"repeat_1.{number}", branches, scale=0.17)
    tensor = net.reduction(tensor, "mixed_6a", (("branch0",), CROSSED))
    for number in range(10):
        tensor = net.residual(tensor, f"repeat_2.{number}", (ONE_BY_ONE, CROSSED), scale=0.10)
    halvings = (("branch0.0", "branch0.1"), THREE, THREE_THREE)
    tensor = net.reduction(tensor, "mixed_7a", halvings)
    for number in range(5):
        tensor = net.residual(tensor, f"repeat_3.{number}", (ONE_BY_ONE, CROSSED), scale=0.20)
    tensor = net.residual(tensor, "block8", (ONE_BY_ONE, CROSSED), scale=1.0, relu=False)
    return g.model(
        name="inception_resnet_v1",
        input_shape=["n", 3, SIDE, SIDE],
        output=net.head(tensor),
        output_shape=["n", DIMS],
    )


class _Inception:
    def __init__(self, arrays: Arrays, g: GraphWriter) -> None:
        self._arrays = arrays
        self._g = g

    def stem(self) -> str:
        """Pixels -> (n, 256, 17, 17)."""
        weight, bias = self._folded("conv2d_1a")
        scaled = weight * PIXEL_SCALE
        shifted = bias - PIXEL_MEAN * scaled.sum(axis=(1, 2, 3))
        tensor = self._g.node("Relu", [self._g.conv("pixels", scaled, shifted, stride=2)])
        tensor = self.unit(tensor, "conv2d_2a", same=False)
        tensor = self.unit(tensor, "conv2d_2b")
        tensor = self.unit(self._pooled(tensor), "conv2d_3b")
        tensor = self.unit(tensor, "conv2d_4a", same=False)
        return self.unit(tensor, "conv2d_4b", stride=2, same=False)

    def unit(self, tensor: str, name: str, *, stride: int = 1, same: bool = True) -> str:
        """Convolution, batch norm, ReLU. same: padded so that, at stride 1, the map keeps size."""
        weight, bias = self._folded(name)
        pad = (weight.shape[2] // 2, weight.shape[3] // 2) if same else 0
        return self._g.node("Relu", [self._g.conv(tensor, weight, bias, stride=stride, pad=pad)])

    def residual(
        self,
        tensor: str,
        name: str,
        branches: tuple[tuple[str, ...], ...],
        *,
        scale: float,
        relu: bool = True,
    ) -> str:
        """x + scale * (1x1 convolution of the branches side by side), then ReLU."""
        parts = []
        for branch in branches:
            part = tensor
            for unit in branch:
                part = self.unit(part, f"{name}.{unit}")
            parts.append(part)
        joined = self._g.node("Concat", parts, axis=1)
        weight, bias = self._array(f"{name}.conv2d.weight"), self._array(f"{name}.conv2d.bias")
        total = self._g.node("Add", [tensor, self._g.conv(joined, weight * scale, bias * scale)])
        return self._g.node("Relu", [total]) if relu else total

    def reduction(self, tensor: str, name: str, branches: tuple[tuple[str, ...], ...]) -> str:
        """Half the map: branches whose last unit has stride 2, and the input's pooling."""
        parts = []
        for branch in branches:
            part = tensor
            for unit in branch[:-1]:
                part = self.unit(part, f"{name}.{unit}")
            parts.append(self.unit(part, f"{name}.{branch[-1]}", stride=2, same=False))
        return self._g.node("Concat", [*parts, self._pooled(tensor)], axis=1)

    def head(self, tensor: str) -> str:
        """Mean of each channel, dense layer, batch norm."""
        means = self._g.node("GlobalAveragePool", [tensor])
        dense = self._array("last_linear.weight")[:, :, np.newaxis, np.newaxis]
        weight, bias = fold_batch_norm(dense, *self._batch_norm("last_bn"))
        return self._g.dense(means, weight[:, :, 0, 0], bias)

    def _pooled(self, tensor: str) -> str:
        # whole windows only, as in torch: at mixed_7a's 8x8 a partial one would make 4x4 of 3x3
        return self._g.max_pool(tensor, kernel=3, partial=False)

    def _folded(self, name: str) -> tuple[Float64Array, Float64Array]:
        return fold_batch_norm(self._array(f"{name}.conv.weight"), *self._batch_norm(f"{name}.bn"))

    def _batch_norm(
        self, name: str
    ) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array, float]:
        gamma, beta, mean, variance = (
            self._array(f"{name}.{part}")
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return gamma, beta, mean, variance, EPSILON

    def _array(self, name: str) -> Float64Array:
        return self._arrays[name].astype(np.float64)
