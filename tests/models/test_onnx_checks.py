"""An ONNX file of a stranger is refused unless it is a plain embedder."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tests.models.onnx_files import DIMS, SIDE, embedder, then

from mien.errors import MienError, ModelAltered
from mien.models.engine import open_net
from mien.models.onnx_checks import MAX_NODES, InputRecipe, prepare_graph
from mien.models.onnx_trial import trial_crops, try_embedder

RAW = InputRecipe(side=SIDE, colour="rgb", mean=0.0, std=1.0)


def prepare(model: onnx.ModelProto, recipe: InputRecipe = RAW) -> bytes:
    return prepare_graph(model.SerializeToString(), recipe)


def run(graph: bytes, crops: np.ndarray) -> np.ndarray:
    return open_net(graph, engine="onnxruntime", threads=1)(crops)


def test_colours_are_exchanged_and_pixels_scaled_inside_the_graph() -> None:
    crops = trial_crops(SIDE)
    plain = run(prepare(embedder()), (crops[:, ::-1] - np.float32(127.5)) / np.float32(128))
    graph = prepare(embedder(), InputRecipe(SIDE, "bgr", 127.5, 128.0))
    np.testing.assert_allclose(run(graph, crops), plain, atol=1e-4)


@pytest.mark.parametrize("name", ["pixels", "data", "input of the file"])
def test_the_input_may_have_any_name(name: str) -> None:
    assert run(prepare(embedder(name=name)), trial_crops(SIDE)).shape == (3, DIMS)


def test_a_batch_size_that_is_fixed_in_the_file_is_opened() -> None:
    assert run(prepare(embedder(batch=1)), trial_crops(SIDE)).shape == (3, DIMS)


def test_the_same_file_gives_the_same_graph() -> None:
    assert prepare(embedder()) == prepare(embedder())


def with_external_weights() -> onnx.ModelProto:
    model = embedder()
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    tensor.ClearField("raw_data")
    return model


def with_external_data_in_an_attribute() -> onnx.ModelProto:
    value = TensorProto(dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    value.external_data.add(key="location", value="/etc/passwd")
    return then(
        helper.make_node("Constant", [], ["one"], value=value),
        helper.make_node("Mul", ["before", "one"], ["embedding"]),
    )


def with_a_custom_operator() -> onnx.ModelProto:
    return then(helper.make_node("Run", ["before"], ["embedding"], domain="com.stranger"))


def with_a_custom_domain() -> onnx.ModelProto:
    model = embedder()
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def with_a_loop() -> onnx.ModelProto:
    body = helper.make_graph([], "body", [], [])
    return then(helper.make_node("Loop", ["before", "before"], ["embedding"], body=body))


def with_a_function() -> onnx.ModelProto:
    model = embedder()
    node = helper.make_node("Relu", ["a"], ["b"])
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("", "Own", ["a"], ["b"], [node], opsets))
    return model


def with_too_many_nodes() -> onnx.ModelProto:
    model = embedder()
    model.graph.node.extend([helper.make_node("Relu", ["flat"], ["x"])] * MAX_NODES)
    return model


def with_two_inputs() -> onnx.ModelProto:
    model = then(helper.make_node("Add", ["before", "other"], ["embedding"]))
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1]))
    return model


def with_two_outputs() -> onnx.ModelProto:
    model = embedder()
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, None))
    return model


def of_an_old_operator_set() -> onnx.ModelProto:
    model = embedder()
    model.opset_import[0].version = 5
    return model


def with_a_cycle() -> onnx.ModelProto:
    return then(helper.make_node("Add", ["before", "embedding"], ["embedding"]))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (with_external_weights(), "in another file"),
        (with_external_data_in_an_attribute(), "in another file"),
        (with_a_custom_operator(), "domain 'com.stranger'"),
        (with_a_custom_domain(), r"domain 'com\.microsoft'"),
        (with_a_loop(), "loops or branches"),
        (with_a_function(), "functions"),
        (with_too_many_nodes(), "more than 20,000"),
        (with_two_inputs(), "has 2 inputs"),
        (with_two_outputs(), "has 2 outputs"),
        (of_an_old_operator_set(), "operator set"),
        (with_a_cycle(), "ONNX's checker says"),
        (embedder(side=160), r"is \[0, 3, 160, 160\], expected \[n, 3, 112, 112\]"),
        (onnx.ModelProto(), "operator set"),
    ],
)
def test_a_file_with_more_than_a_plain_embedder_is_refused(
    model: onnx.ModelProto, why: str
) -> None:
    with pytest.raises(ModelAltered, match=why) as caught:
        prepare(model)
    assert "\n" not in str(caught.value)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ModelAltered, match="the ONNX file cannot be used"):
        prepare_graph(content, RAW)


# what the trial run finds --------------------------------------------------------------------


def test_an_embedder_passes_the_trial() -> None:
    dims, difference = try_embedder(prepare(embedder()), SIDE, "onnxruntime")
    assert dims == DIMS
    assert difference < 1e-6


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (
            then(helper.make_node("Div", ["before", "zero"], ["embedding"]),
                 constants={"zero": np.zeros(1, np.float32)}),
            "not finite",
        ),
        (
            then(helper.make_node("RandomNormalLike", ["before"], ["embedding"])),
            "different numbers for the same crops",
        ),
        (
            then(helper.make_node("Mul", ["before", "none"], ["zeroed"]),
                 helper.make_node("Add", ["zeroed", "one"], ["embedding"]),
                 constants={"none": np.zeros(1, np.float32), "one": np.ones(1, np.float32)}),
            "the same embedding for different crops",
        ),
        (
            then(helper.make_node("Mul", ["before", "none"], ["embedding"]),
                 constants={"none": np.zeros(1, np.float32)}),
            "zeros or numbers that are not finite",
        ),
        (
            then(helper.make_node("ReduceMean", ["before"], ["mean"], axes=[0], keepdims=1),
                 helper.make_node("Add", ["before", "mean"], ["embedding"])),
            "for a batch and for single crops",
        ),
        (
            then(helper.make_node("ReduceMean", ["before"], ["embedding"], axes=[0], keepdims=1)),
            r"shape \(1, 8\), not \(n, d\)",
        ),
        (
            then(helper.make_node("ReduceMean", ["before"], ["embedding"], axes=[1], keepdims=1)),
            "embeddings have 1 numbers",
        ),
        (
            then(helper.make_node("Reshape", ["before", "one row"], ["embedding"]),
                 constants={"one row": np.array([1, 8], np.int64)}),
            "does not run on 3 crops",
        ),
    ],
)  # fmt: skip
def test_a_net_whose_output_is_not_an_embedding_is_refused(
    model: onnx.ModelProto, why: str
) -> None:
    with pytest.raises(MienError, match=why) as caught:
        try_embedder(prepare(model), SIDE, "onnxruntime")
    assert "\n" not in str(caught.value)
