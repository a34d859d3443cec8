"""MiniFASNetV2 and MiniFASNetV1SE as ONNX graphs, from their published PyTorch files.

Source: minivision-ai/Silent-Face-Anti-Spoofing, src/model_lib/MiniFASNet.py (Apache-2.0).
Input (n, 3, 80, 80) float32, **BGR, 0..255**; output (n, 3), the softmax of three classes, of
which number 1 is a living person. Batch norms are folded into the convolutions before them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import ModelAltered
from mien.models.build.graph_writer import Float64Array, GraphWriter, Layer, fold_batch_norm
from mien.models.torch_file import read_torch_file

SIDE = 80
CLASSES = 3
EPSILON = 1e-5  # PyTorch's own for batch norms
PREFIX = "module."  # the published files were saved from a DataParallel
STAGES = (("conv_23", "conv_3", 4), ("conv_34", "conv_4", 6), ("conv_45", "conv_5", 2))
"""A block that halves the map, then so many residual blocks."""


def build_minifas(published: bytes, g: GraphWriter) -> bytes:
    """The graph that mien runs. ModelAltered if the file is another net."""
    net = _MiniFas(read_torch_file(published), g)
    try:
        output = net.write()
    except (KeyError, ValueError) as error:
        raise ModelAltered(f"the file is not a MiniFASNet ({error}); download it again") from error
    return g.model(
        name="minifasnet",
        input_shape=["n", 3, SIDE, SIDE],
        output=output,
        output_shape=["n", CLASSES],
    )


class _MiniFas:
    def __init__(self, arrays: dict[str, npt.NDArray[Any]], g: GraphWriter) -> None:
        self._arrays = {name.removeprefix(PREFIX): array for name, array in arrays.items()}
        self._g = g

    def write(self) -> str:
        """Pixels -> the softmax of three classes."""
        layer = Layer("pixels", np.ones(3), 3)
        layer = self._conv_prelu(layer, "conv1", stride=2, pad=1)
        layer = self._conv_prelu(layer, "conv2_dw", pad=1)
        for halving, residuals, count in STAGES:
            layer = self._depthwise(layer, halving, stride=2)
            for number in range(count):
                layer = self._residual(layer, f"{residuals}.model.{number}")
        layer = self._conv_prelu(layer, "conv_6_sep")
        tensor = self._conv(layer, "conv_6_dw")  # (n, 512, 1, 1)
        norm = self._norm("bn")
        weight = self._array("linear.weight")[:, :, np.newaxis, np.newaxis]
        folded, bias = fold_batch_norm(weight, *norm, EPSILON)
        tensor = self._g.dense(tensor, folded[:, :, 0, 0], bias)
        head = self._array("prob.weight")
        return self._g.node("Softmax", [self._g.dense(tensor, head, np.zeros(len(head)))], axis=1)

    def _residual(self, layer: Layer, name: str) -> Layer:
        """The input plus a depthwise block, whose channels are weighted in some blocks."""
        made = self._depthwise(layer, name, stride=1).tensor
        if f"{name}.se_module.fc1.weight" in self._arrays:
            made = self._g.node("Mul", [made, self._channel_weights(made, f"{name}.se_module")])
        return _plain(self._g.node("Add", [layer.tensor, made]), len(layer.signs))

    def _depthwise(self, layer: Layer, name: str, *, stride: int) -> Layer:
        """1x1, then 3x3 for each channel, then 1x1 without an activation."""
        layer = self._conv_prelu(layer, f"{name}.conv")
        layer = self._conv_prelu(layer, f"{name}.conv_dw", stride=stride, pad=1)
        channels = len(self._array(f"{name}.project.bn.weight"))
        return _plain(self._conv(layer, f"{name}.project"), channels)

    def _channel_weights(self, tensor: str, name: str) -> str:
        """Squeeze and excitation: a factor 0..1 for each channel, from the channels' means."""
        tensor = self._g.node("GlobalAveragePool", [tensor])
        for number, activation in (("1", "Relu"), ("2", "Sigmoid")):
            weight = self._array(f"{name}.fc{number}.weight")
            folded = fold_batch_norm(weight, *self._norm(f"{name}.bn{number}"), EPSILON)
            tensor = self._g.node(activation, [self._g.conv(tensor, *folded)])
        return tensor

    def _conv_prelu(self, layer: Layer, name: str, *, stride: int = 1, pad: int = 0) -> Layer:
        weight, bias, group = self._folded(layer, name)
        slope = self._array(f"{name}.prelu.weight")
        return self._g.conv_prelu(
            layer.tensor, weight, bias, slope, stride=stride, pad=pad, group=group
        )

    def _conv(self, layer: Layer, name: str) -> str:
        weight, bias, group = self._folded(layer, name)
        return self._g.conv(layer.tensor, weight, bias, group=group)

    def _folded(self, layer: Layer, name: str) -> tuple[Float64Array, Float64Array, int]:
        """Weight, bias and group of a convolution with its batch norm."""
        weight = self._array(f"{name}.conv.weight")
        weight, bias = fold_batch_norm(weight, *self._norm(f"{name}.bn"), EPSILON)
        group = len(layer.signs) // weight.shape[1]
        if group == 1:
            return layer.into(weight), bias, 1
        return weight * layer.signs.reshape(-1, 1, 1, 1), bias, group

    def _norm(self, name: str) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
        """gamma, beta, mean and variance."""
        gamma, beta, mean, variance = (
            self._array(f"{name}.{part}")
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return gamma, beta, mean, variance

    def _array(self, name: str) -> Float64Array:
        return self._arrays[name].astype(np.float64)


def _plain(tensor: str, channels: int) -> Layer:
    return Layer(tensor, np.ones(channels), channels)
