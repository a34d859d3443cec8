"""Write the layers so that ONNX Runtime stays in its blocked memory layout.

ONNX Runtime stores convolutions in blocks of sixteen channels. PReLU is not implemented
in that layout, so the data is reordered before and after each one. This module replaces
PReLU by operators that are (Conv, Relu, Add, MaxPool); the result is exact except for
float rounding.
"""

from __future__ import annotations

import numpy as np

from mien.models.build.graph_writer import Float64Array, GraphWriter, Layer

BLOCK = 16  # channels in a block with AVX-512; with AVX2 it is 8, which divides it


class BlockedWriter(GraphWriter):
    """A `GraphWriter` that writes graphs for ONNX Runtime."""

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
        """With z = (1 - a) x, prelu(x) = a x + (1 - a) relu(x) = a / (1 - a) z + relu(z).

        The scale goes into the convolution, so this is one Relu and one depthwise
        1x1 convolution, into which ONNX Runtime fuses the sum. For a > 1 the same
        two operators give -prelu(x) = relu(z) - x; the next layer undoes the sign.
        """
        scale = 1.0 - slope
        if np.any(np.abs(scale) < 1e-6):
            raise ValueError("a PReLU slope of one cannot be written in this form")
        conv = self.conv(
            tensor,
            weight * scale.reshape(-1, 1, 1, 1),
            bias * scale,
            stride=stride,
            pad=pad,
            group=group,
        )
        line = np.where(slope > 1.0, -1.0, slope) / scale
        straight = self.conv(conv, line.reshape(-1, 1, 1, 1), group=len(slope))
        total = self.node("Add", [straight, self.node("Relu", [conv])])
        return Layer(total, _signs(slope), len(slope))

    def conv_prelu_pool(
        self,
        tensor: str,
        weight: Float64Array,
        bias: Float64Array,
        slope: Float64Array,
        *,
        kernel: int,
    ) -> Layer:
        """Pool before the PReLU, because at full size a PReLU costs more than its convolution.

        A rising PReLU (a >= 0) commutes with the maximum. A falling one (a < 0, a V)
        has its maximum over a window at the window's largest or smallest value; for
        these channels the convolution also computes a x, M = max(x) and q = max(a x)
        are pooled together, and the result is max(M, q). After the pooling:
            a < 0        M + relu(q - M)
            0 <= a <= 1  M + relu((a - 1) M)
            a > 1       -M + relu((1 - a) M), which is minus the result
        """
        n = len(slope)
        falling = np.flatnonzero(slope < 0)
        fall = slope[falling]
        doubled = np.concatenate([weight, weight[falling] * fall.reshape(-1, 1, 1, 1)])
        doubled_bias = np.concatenate([bias, bias[falling] * fall])
        conv = self.conv(tensor, _padded(doubled, axis=0), _padded(doubled_bias, axis=0))
        pooled = self.max_pool(conv, kernel=kernel)

        channels, signs = np.arange(n), _signs(slope)
        line = np.zeros((n, len(doubled)))
        bend = np.zeros((n, len(doubled)))
        line[channels, channels] = signs
        bend[channels, channels] = np.where(slope < 0, -1.0, signs * (slope - 1.0))
        bend[falling, n + np.arange(len(falling))] = 1.0
        hinge = self.node("Relu", [self.conv(pooled, _pointwise(bend))])
        total = self.node("Add", [self.conv(pooled, _pointwise(line)), hinge])
        return Layer(total, signs, len(_pointwise(line)))

    def conv_prelu_head(
        self,
        tensor: str,
        weight: Float64Array,
        bias: Float64Array,
        slope: Float64Array,
        head: Float64Array,
        head_bias: Float64Array,
    ) -> str:
        """Apply the linear head to the two terms of the PReLU, without adding them up first."""
        conv = self.conv(tensor, weight, bias)
        line = self.conv(conv, head * slope.reshape(1, -1, 1, 1), head_bias)
        bend = self.conv(self.node("Relu", [conv]), head * (1.0 - slope).reshape(1, -1, 1, 1))
        return self.node("Add", [bend, line])


def _signs(slope: Float64Array) -> Float64Array:
    return np.where(slope > 1.0, -1.0, 1.0)


def _padded(array: Float64Array, *, axis: int) -> Float64Array:
    """The array with zeros appended along one axis, up to a multiple of `BLOCK`."""
    missing = -array.shape[axis] % BLOCK
    return np.pad(array, [(0, missing if at == axis else 0) for at in range(array.ndim)])


def _pointwise(matrix: Float64Array) -> Float64Array:
    """A (out, in) matrix as a 1x1 kernel, both sides padded to whole blocks."""
    return _padded(_padded(matrix, axis=0), axis=1)[:, :, np.newaxis, np.newaxis]
