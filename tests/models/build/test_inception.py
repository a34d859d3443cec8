"""The graph of InceptionResnetV1 gives the published net's numbers, on both engines."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mien.models import Net, open_net
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.inception import DIMS, SIDE, build_inception
from mien.results import FloatArray
from mien.vectors import unit_rows


@pytest.fixture(scope="module")
def graph(fixed_weights: dict[str, np.ndarray]) -> bytes:
    return build_inception(fixed_weights, GraphWriter())


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def net(request: pytest.FixtureRequest, graph: bytes) -> Net:
    pytest.importorskip(request.param, reason=f"needs {request.param}")
    return open_net(graph, engine=request.param, threads=2)


def standardised(seed: int, n: int) -> FloatArray:
    return np.random.default_rng(seed).uniform(-1, 1, (n, 3, SIDE, SIDE)).astype(np.float32)


def as_pixels(standard: FloatArray) -> FloatArray:
    """What a crop of 0..255 holds where the net was trained on (x - 127.5) / 128."""
    return standard * np.float32(128) + np.float32(127.5)


def test_fixed_weights_and_input_give_the_512_numbers_of_the_reference(
    net: Net, shared_reference: Path
) -> None:
    reference = json.loads((shared_reference / "inception_resnet_v1_reference.json").read_text())
    given = unit_rows(net(as_pixels(standardised(0, 2))))
    # as close as the torch module must be; folded in float64, the order of sums costs 2e-7
    np.testing.assert_allclose(given, reference["embeddings"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("grey", [0.0, 127.5, 255.0])
def test_the_folded_normalisation_adds_no_edge_to_uniform_pictures(
    net: Net, fixed_weights: dict[str, np.ndarray], grey: float
) -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    from mien.nets.inception_resnet_v1 import InceptionResnetV1

    module = InceptionResnetV1().eval()
    module.load_state_dict({n: torch.from_numpy(np.array(a)) for n, a in fixed_weights.items()})
    pixels = np.full((1, 3, SIDE, SIDE), grey, np.float32)
    with torch.inference_mode():
        wanted = module(torch.from_numpy((pixels - 127.5) / 128)).numpy()
    np.testing.assert_allclose(unit_rows(net(pixels)), wanted, atol=1e-5)


@pytest.mark.parametrize("n", [1, 3])
def test_any_number_of_crops_gives_one_row_each(net: Net, n: int) -> None:
    rows = net(as_pixels(standardised(1, n)))
    assert rows.shape == (n, DIMS)
    assert rows.dtype == np.float32


def test_the_graph_does_not_scale_rows_to_length_one(net: Net) -> None:
    norms = np.linalg.norm(net(as_pixels(standardised(0, 2))), axis=1)
    assert np.all(np.abs(norms - 1) > 0.01)


def test_the_graph_has_every_convolution_and_no_batch_norm_or_dropout(graph: bytes) -> None:
    import onnx

    kinds = Counter(node.op_type for node in onnx.load_model_from_string(graph).graph.node)
    assert set(kinds) == {
        "Add", "Concat", "Conv", "Flatten", "Gemm", "GlobalAveragePool", "MaxPool", "Relu"
    }  # fmt: skip
    # six in the stem, seven in each of five blocks, five in each of sixteen, four and seven between
    assert kinds["Conv"] == 6 + 5 * 7 + 4 + 16 * 5 + 7
    assert kinds["Add"] == 5 + 10 + 5 + 1


def test_every_map_fills_whole_blocks_of_sixteen_channels(graph: bytes) -> None:
    import onnx

    model = onnx.load_model_from_string(graph)
    kernels = [tuple(c.dims) for c in model.graph.initializer if len(c.dims) == 4]
    assert all(shape[0] % 16 == 0 for shape in kernels)


def test_building_twice_gives_the_same_bytes(
    fixed_weights: dict[str, np.ndarray], graph: bytes
) -> None:
    assert build_inception(fixed_weights, GraphWriter()) == graph


def test_a_missing_weight_is_an_error(fixed_weights: dict[str, np.ndarray]) -> None:
    lacking = {name: a for name, a in fixed_weights.items() if name != "block8.conv2d.bias"}
    with pytest.raises(KeyError, match=r"block8\.conv2d\.bias"):
        build_inception(lacking, GraphWriter())
