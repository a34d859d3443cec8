"""The PReLU rewrites give what PReLU gives, for slopes of every kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.models import open_net
from mien.models.build.blocked_writer import BLOCK, BlockedWriter
from mien.models.build.graph_writer import Float64Array, GraphWriter, Layer, fold_batch_norm
from mien.results import FloatArray

Build = Callable[[GraphWriter], Layer | str]

SLOPES = {
    "rising": [0.25, 0.5, 0.01],
    "falling": [-0.25, -1.0, -3.0],
    "steep": [1.5, 2.0, 40.0],
    "zero": [0.0, 0.0, 0.0],
    "nearly one": [0.99, 1.01, 1.0001],
    "mixed": [-2.0, 0.0, 0.3, 1.7, -0.1],
    "more than a block": [round(-2 + 0.21 * k, 2) for k in range(BLOCK + 3)],
}


def numbers(seed: int, *shape: int) -> Float64Array:
    return np.random.default_rng(seed).normal(size=shape)


def run(writer: GraphWriter, build: Build, pixels: FloatArray) -> FloatArray:
    """The layer's channels, followed by a 1x1 convolution that undoes signs and padding."""
    built = build(writer)
    if isinstance(built, Layer):
        identity = np.eye(len(built.signs))[:, :, np.newaxis, np.newaxis]
        built = writer.conv(built.tensor, built.into(identity))
    graph = writer.model(
        name="test",
        input_shape=["n", pixels.shape[1], "h", "w"],
        output=built,
        output_shape=["n", "c", "rows", "columns"],
    )
    return open_net(graph, engine="onnxruntime", threads=1)(pixels)


def assert_both_agree(build: Build, *, channels: int = 3, side: int = 9) -> None:
    pixels = numbers(7, 2, channels, side, side).astype(np.float32)
    plain = run(GraphWriter(), build, pixels)
    blocked = run(BlockedWriter(), build, pixels)
    scale = float(np.abs(plain).max())
    assert scale > 0
    np.testing.assert_allclose(blocked, plain, rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize("slopes", SLOPES.values(), ids=SLOPES)
def test_convolution_and_prelu(slopes: list[float]) -> None:
    n, slope = len(slopes), np.array(slopes)
    assert_both_agree(
        lambda g: g.conv_prelu("pixels", numbers(1, n, 3, 3, 3), numbers(2, n), slope)
    )


@pytest.mark.parametrize("slopes", SLOPES.values(), ids=SLOPES)
def test_convolution_and_prelu_with_stride_padding_and_groups(slopes: list[float]) -> None:
    n, slope = len(slopes), np.array(slopes)
    assert_both_agree(
        lambda g: g.conv_prelu(
            "pixels", numbers(1, n, 1, 3, 3), numbers(2, n), slope, stride=2, pad=1, group=n
        ),
        channels=n,
    )


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("side", [8, 9])  # with and without a partial window at the edge
@pytest.mark.parametrize("slopes", [*SLOPES.values(), [1.0, -1.0]], ids=[*SLOPES, "one"])
def test_convolution_prelu_and_pooling(slopes: list[float], kernel: int, side: int) -> None:
    n, slope = len(slopes), np.array(slopes)
    weight, bias = numbers(1, n, 3, 3, 3), numbers(2, n)
    assert_both_agree(
        lambda g: g.conv_prelu_pool("pixels", weight, bias, slope, kernel=kernel), side=side
    )


@pytest.mark.parametrize("slopes", [*SLOPES.values(), [1.0, -1.0]], ids=[*SLOPES, "one"])
def test_convolution_prelu_and_a_linear_head(slopes: list[float]) -> None:
    n, slope = len(slopes), np.array(slopes)
    weight, bias = numbers(1, n, 3, 3, 3), numbers(2, n)
    head, head_bias = numbers(3, 5, n, 1, 1), numbers(4, 5)
    assert_both_agree(lambda g: g.conv_prelu_head("pixels", weight, bias, slope, head, head_bias))


def test_the_second_of_two_layers_undoes_signs_and_padding_of_the_first() -> None:
    slope = np.array(SLOPES["mixed"])

    def build(g: GraphWriter) -> Layer:
        first = g.conv_prelu_pool("pixels", numbers(1, 5, 3, 3, 3), numbers(2, 5), slope, kernel=2)
        weight = first.into(numbers(3, 5, 5, 2, 2))
        second = g.conv_prelu(first.tensor, weight, numbers(4, 5), slope)
        return g.conv_prelu(
            second.tensor, second.into(numbers(5, 5, 5, 1, 1)), numbers(6, 5), slope
        )

    assert_both_agree(build, side=12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-8, 8).filter(lambda a: abs(1 - a) > 1e-3), min_size=1, max_size=20))
def test_any_slopes_give_the_same_numbers(slopes: list[float]) -> None:
    n, slope = len(slopes), np.array(slopes)
    weight, bias = numbers(1, n, 3, 1, 1), numbers(2, n)
    assert_both_agree(lambda g: g.conv_prelu("pixels", weight, bias, slope), side=4)
    assert_both_agree(lambda g: g.conv_prelu_pool("pixels", weight, bias, slope, kernel=2), side=4)


def test_prelu_of_hand_made_numbers() -> None:
    slope = np.array([0.5, -1.0, 3.0])
    pixels = np.array([[-2, -2, -2], [4, 4, 4]], np.float32).reshape(2, 3, 1, 1)
    same = np.eye(3)[:, :, np.newaxis, np.newaxis]
    for writer in (GraphWriter(), BlockedWriter()):
        out = run(writer, lambda g: g.conv_prelu("pixels", same, np.zeros(3), slope), pixels)
        np.testing.assert_allclose(out[:, :, 0, 0], [[-1, 2, -6], [4, 4, 4]], rtol=1e-6)


def test_a_slope_of_exactly_one_is_refused_where_it_cannot_be_written() -> None:
    weight, slope = numbers(1, 2, 3, 1, 1), np.array([0.5, 1.0])
    with pytest.raises(ValueError, match="slope of one"):
        BlockedWriter().conv_prelu("pixels", weight, np.zeros(2), slope)


def test_steep_channels_come_out_negated_and_the_next_weights_undo_it() -> None:
    layer = Layer("t", np.array([1.0, -1.0]), 4)
    weight = np.arange(4.0).reshape(2, 2, 1, 1)
    assert layer.into(weight)[:, :, 0, 0].tolist() == [[0, -1, 0, 0], [2, -3, 0, 0]]


def test_batch_norm_is_folded_into_the_convolution() -> None:
    weight, x = numbers(1, 4, 3, 1, 1), numbers(2, 3)
    gamma, beta, mean, variance = numbers(3, 4), numbers(4, 4), numbers(5, 4), np.arange(1.0, 5.0)
    slow = (weight[:, :, 0, 0] @ x - mean) / np.sqrt(variance + 0.1) * gamma + beta
    folded, bias = fold_batch_norm(weight, gamma, beta, mean, variance, 0.1)
    np.testing.assert_allclose(folded[:, :, 0, 0] @ x + bias, slow)
