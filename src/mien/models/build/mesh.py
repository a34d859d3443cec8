"""MediaPipe's face mesh of 468 points as an ONNX graph, from its TensorFlow Lite file.

Model card: "MediaPipe Face Mesh", Google, Apache-2.0. Input (n, 3, 192, 192) float32, RGB
0..255; the division by 255 that the net was trained with is folded into its first layer, whose
padding is zero before and after it. Output (n, 1405): x, y, z of 468 points in pixels of the
crop, point by point, then the logit of there being a face.
"""

from __future__ import annotations

import numpy as np

from mien.errors import ModelAltered
from mien.models.build.graph_writer import Float64Array, GraphWriter
from mien.models.tflite_file import Operator, TfliteGraph, read_tflite

SIDE = 192
POINTS = 468
OUTPUTS = 3 * POINTS + 1
SAME, VALID = 0, 1  # the schema's Padding


def build_mesh(published: bytes, g: GraphWriter) -> bytes:
    """The graph that mien runs. ModelAltered if the file is another net."""
    source = read_tflite(published)
    try:
        output = _Mesh(source, g).write()
    except (KeyError, ValueError, IndexError) as error:
        raise ModelAltered(f"the file is not the face mesh ({error}); download it again") from error
    return g.model(
        name="face_mesh", input_shape=["n", 3, SIDE, SIDE], output=output,
        output_shape=["n", OUTPUTS],
    )  # fmt: skip


class _Mesh:
    """TensorFlow has channels last and ONNX has them first: every constant is turned."""

    def __init__(self, source: TfliteGraph, g: GraphWriter) -> None:
        self._source = source
        self._g = g
        self._tensors: dict[int, str] = {}

    def write(self) -> str:
        """Pixels -> points and logit."""
        (pixels,) = self._source.inputs
        points, logit = self._source.outputs
        writers = {
            "ADD": self._add,
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "MAX_POOL_2D": self._max_pool,
            "PAD": self._pad_channels,
            "PRELU": self._prelu,
        }
        scale = np.full((3, 1, 1, 1), 1.0 / 255.0)
        self._tensors[pixels] = self._g.conv("pixels", scale, group=3)
        for operator in self._source.operators:
            self._tensors[operator.outputs[0]] = writers[operator.kind](operator)
        both = [self._tensors[points], self._tensors[logit]]
        return self._g.node("Flatten", [self._g.node("Concat", both, axis=1)])

    def _conv(self, operator: Operator) -> str:
        # (out, height, width, in)
        weight = self._array(operator.inputs[1]).transpose(0, 3, 1, 2)
        return self._convolution(operator, weight, group=1)

    def _depthwise(self, operator: Operator) -> str:
        # (1, height, width, out), one filter for each channel
        weight = self._array(operator.inputs[1]).transpose(3, 0, 1, 2)
        return self._convolution(operator, weight, group=len(weight))

    def _convolution(self, operator: Operator, weight: Float64Array, *, group: int) -> str:
        kernel, stride = weight.shape[2], operator.options[1]
        side = self._source.shapes[operator.inputs[0]][1]
        constants = (weight, self._array(operator.inputs[2]))
        return self._g.node(
            "Conv",
            [self._tensors[operator.inputs[0]], *(self._g.constant(c) for c in constants)],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=_pads(operator.options[0], side, kernel, stride),
            group=group,
        )

    def _max_pool(self, operator: Operator) -> str:
        if operator.options != {0: VALID, 1: 2, 2: 2, 3: 2, 4: 2, 5: 0, 6: 0, 7: 0}:
            raise ValueError("another pooling than 2x2 at stride 2")
        tensor = self._tensors[operator.inputs[0]]
        return self._g.max_pool(tensor, kernel=2, partial=False)

    def _pad_channels(self, operator: Operator) -> str:
        padding = self._source.constants[operator.inputs[1]]  # (4, 2), before and after
        more = int(padding[3, 1])
        if more <= 0 or int(padding.sum()) != more:
            raise ValueError("another padding than of channels")
        pads = self._g.constant(np.array([0, 0, 0, 0, 0, more, 0, 0], np.int64))
        return self._g.node("Pad", [self._tensors[operator.inputs[0]], pads])

    def _prelu(self, operator: Operator) -> str:
        slope = self._array(operator.inputs[1]).reshape(-1, 1, 1)
        return self._g.node("PRelu", [self._tensors[operator.inputs[0]], self._g.constant(slope)])

    def _add(self, operator: Operator) -> str:
        return self._g.node("Add", [self._tensors[number] for number in operator.inputs])

    def _array(self, number: int) -> Float64Array:
        return self._source.constants[number].astype(np.float64)


def _pads(padding: int, side: int, kernel: int, stride: int) -> list[int]:
    """Rows above, columns left, rows below, columns right, as TensorFlow pads."""
    if padding == VALID:
        return [0, 0, 0, 0]
    if padding != SAME:
        raise ValueError(f"padding {padding}")
    total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    before = total // 2
    return [before, before, total - before, total - before]
