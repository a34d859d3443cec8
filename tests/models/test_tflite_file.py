"""The face mesh's TensorFlow Lite file is read as its schema says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelAltered
from mien.models.tflite_file import TfliteGraph, read_tflite


@pytest.fixture(scope="module")
def content(liveness_files: Path) -> bytes:
    return (liveness_files / "face_landmark.tflite").read_bytes()


@pytest.fixture(scope="module")
def graph(content: bytes) -> TfliteGraph:
    return read_tflite(content)


def test_the_graph_takes_a_picture_and_gives_points_and_a_logit(graph: TfliteGraph) -> None:
    assert [graph.shapes[number] for number in graph.inputs] == [(1, 192, 192, 3)]
    assert [graph.shapes[number] for number in graph.outputs] == [(1, 1, 1, 1404), (1, 1, 1, 1)]


def test_the_operators_are_those_of_the_file(graph: TfliteGraph) -> None:
    assert Counter(operator.kind for operator in graph.operators) == {
        "CONV_2D": 25, "DEPTHWISE_CONV_2D": 20, "PRELU": 23, "ADD": 20, "MAX_POOL_2D": 6, "PAD": 3,
    }  # fmt: skip
    first = graph.operators[0]
    assert (first.options[1], first.options[2]) == (2, 2)  # its strides


def test_a_constant_has_the_shape_and_type_of_its_tensor(graph: TfliteGraph) -> None:
    weight = graph.constants[graph.operators[0].inputs[1]]
    assert weight.shape == (16, 3, 3, 3)
    assert weight.dtype == np.float32
    assert np.isfinite(weight).all()


@pytest.mark.parametrize("given", [b"", b"TFL3", b"\0\0\0\0TFL3", b"\xff\xff\xff\xffTFL3" * 9])
def test_other_bytes_are_refused(given: bytes) -> None:
    with pytest.raises(ModelAltered, match="not a TensorFlow Lite file"):
        read_tflite(given)


def test_a_file_that_is_cut_short_is_refused(content: bytes) -> None:
    for length in (8, 100, 1_000, 100_000, 2_000_000):
        with pytest.raises(ModelAltered, match="not a TensorFlow Lite file"):
            read_tflite(content[:length])
