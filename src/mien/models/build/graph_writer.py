"""Write ONNX graphs of the layer types that the networks of mien have.

Used only while a graph is built, once on each machine; `onnx` is imported here.
`GraphWriter` writes the layers as in the papers, which OpenVINO runs fastest;
`mien.models.build.blocked_writer` writes the same function for ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

Float64Array = npt.NDArray[np.float64]

OPSET = 21  # the first with scales in blocks
IR_VERSION = 10


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer's output tensor, and what the weights of the next layer must correct.

    signs: (channels,) 1 or -1, the sign of each output channel.
    padded: channels of the tensor; those past `signs` are zeros.
    """

    tensor: str
    signs: Float64Array
    padded: int

    def into(self, weight: Float64Array) -> Float64Array:
        """The weights (out, channels, k, k) of the next layer, adapted to this output."""
        signed = weight * self.signs.reshape(1, -1, 1, 1)
        missing = self.padded - len(self.signs)
        return np.pad(signed, ((0, 0), (0, missing), (0, 0), (0, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """A weight matrix as int8 with a scale and a zero for each block of a row.

    stored: (out, in) int8. scales: (out, blocks) float. zeros: (out, blocks) int8.
    weight = (stored - zero) * scale.
    """

    stored: npt.NDArray[np.int8]
    scales: Float64Array
    zeros: npt.NDArray[np.int8]

    @property
    def size(self) -> int:
        """Columns in a block."""
        return int(self.stored.shape[1] // self.scales.shape[1])

    def weight(self) -> Float64Array:
        """(out, in), rounded as float32 arithmetic rounds it."""
        out, blocks = self.scales.shape
        centred = self.stored.reshape(out, blocks, -1).astype(np.float32) - self.zeros[..., None]
        weight = centred * self.scales.astype(np.float32)[..., None]
        return weight.reshape(self.stored.shape).astype(np.float64)


class GraphWriter:
    """Collects nodes and constants; `model()` returns the finished graph.

    Weights are float64 during the folding and float32 in the graph.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def conv_prelu(
        self,
        tensor: str,
        weight: Float64Array,
        bias: Float64Array,
        slope: Float64Array,
        *,
        stride: int = 1,
        pad: int = 0,
        group: int = 1,
    ) -> Layer:
        """Convolution, then PReLU with one slope per channel. slope: (channels,)."""
        conv = self.conv(tensor, weight, bias, stride=stride, pad=pad, group=group)
        return _unchanged(self._prelu(conv, slope), slope)

    def conv_prelu_pool(
        self,
        tensor: str,
        weight: Float64Array,
        bias: Float64Array,
        slope: Float64Array,
        *,
        kernel: int,
    ) -> Layer:
        """Convolution, PReLU, and max pooling at stride 2."""
        layer = self.conv_prelu(tensor, weight, bias, slope)
        return _unchanged(self.max_pool(layer.tensor, kernel=kernel), slope)

    def conv_prelu_head(
        self,
        tensor: str,
        weight: Float64Array,
        bias: Float64Array,
        slope: Float64Array,
        head: Float64Array,
        head_bias: Float64Array,
    ) -> str:
        """Convolution, PReLU, and a last 1x1 convolution with weights `head`."""
        layer = self.conv_prelu(tensor, weight, bias, slope)
        return self.conv(layer.tensor, layer.into(head), head_bias)

    def conv(
        self,
        tensor: str,
        weight: Float64Array,
        bias: Float64Array | None = None,
        *,
        stride: int = 1,
        pad: int | tuple[int, int] = 0,
        group: int = 1,
    ) -> str:
        """Convolution. weight: (out, in / group, height, width); bias: (out,).

        pad: zeros on every side; or above and below, then left and right.
        """
        inputs = [tensor, self.constant(weight)]
        if bias is not None:
            inputs.append(self.constant(bias))
        down, across = (pad, pad) if isinstance(pad, int) else pad
        return self.node(
            "Conv",
            inputs,
            kernel_shape=list(weight.shape[2:]),
            strides=[stride] * 2,
            pads=[down, across] * 2,
            group=group,
        )

    def dense(self, tensor: str, weight: Float64Array, bias: Float64Array) -> str:
        """Dense layer on the flattened tensor. weight: (out, in); bias: (out,).

        As a convolution of the whole map it would give the same numbers, and ONNX
        Runtime would hold its weights twice while it loads: 80 MB more for SFace.
        """
        flat = self.node("Flatten", [tensor])
        return self.node("Gemm", [flat, self.constant(weight), self.constant(bias)], transB=1)

    def dense_of_blocks(self, tensor: str, blocks: Blocks, bias: Float64Array) -> str:
        """Dense layer whose weights stay int8 in the file.

        The file is half as large, and so is what is hashed and held at every start.
        """
        weight = self.node(
            "DequantizeLinear",
            [self.constant(a) for a in (blocks.stored, blocks.scales, blocks.zeros)],
            axis=1,
            block_size=blocks.size,
        )
        flat = self.node("Flatten", [tensor])
        return self.node("Gemm", [flat, weight, self.constant(bias)], transB=1)

    def max_pool(self, tensor: str, *, kernel: int, partial: bool = True) -> str:
        """Max pooling at stride 2. partial: also windows that reach past the lower right edge."""
        return self.node(
            "MaxPool", [tensor], kernel_shape=[kernel] * 2, strides=[2, 2], ceil_mode=int(partial)
        )

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add one node; returns the name of its output."""
        from onnx import helper

        output = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: npt.NDArray[np.generic]) -> str:
        """Add one constant; floats are stored as float32, whole numbers as they are."""
        from onnx import numpy_helper

        name = f"k{len(self._constants)}"
        floats = np.issubdtype(values.dtype, np.floating)
        stored = np.ascontiguousarray(values, dtype=np.float32 if floats else values.dtype)
        self._constants.append(numpy_helper.from_array(stored, name))
        return name

    def model(
        self,
        *,
        name: str,
        input_shape: list[int | str],
        output: str,
        output_shape: list[int | str],
        masks: Mapping[str, list[int | str]] | None = None,
    ) -> bytes:
        """The checked, serialised model. Its input is called `pixels`; masks are further ones."""
        import onnx
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self._nodes,
            name,
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in {"pixels": input_shape, **(masks or {})}.items()
            ],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, output_shape)],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="mien"
        )
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def _prelu(self, tensor: str, slope: Float64Array) -> str:
        return self.node("PRelu", [tensor, self.constant(slope.reshape(-1, 1, 1))])


def fold_batch_norm(
    weight: Float64Array,
    gamma: Float64Array,
    beta: Float64Array,
    mean: Float64Array,
    variance: Float64Array,
    epsilon: float,
) -> tuple[Float64Array, Float64Array]:
    """Weight and bias of one convolution equal to a convolution and its batch norm.

    weight: (out, in, height, width) or (out, in, 1, 1); the others: (out,). Without a bias
    in the convolution.
    """
    gain = gamma / np.sqrt(variance + epsilon)
    return weight * gain.reshape(-1, 1, 1, 1), beta - mean * gain


def _unchanged(tensor: str, slope: Float64Array) -> Layer:
    return Layer(tensor, np.ones(len(slope)), len(slope))
