"""The graph that mien builds from SFace's file gives what the file itself gives."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import ModelAltered
from mien.models import SFACE, open_net, read_graph, read_weights
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.sface import build_sface
from mien.results import FloatArray
from mien.settings import Settings
from mien.vectors import unit_rows


@pytest.fixture(scope="module")
def pixels() -> FloatArray:
    """Noise, flat grey, and a gradient: (3, 3, 112, 112), 0..255."""
    rng = np.random.default_rng(11)
    batch = np.full((3, 3, 112, 112), 128, np.float32)
    batch[0] = rng.integers(0, 256, (3, 112, 112))
    batch[2] = np.linspace(0, 255, 112, dtype=np.float32)
    return batch


@pytest.fixture(scope="module")
def published_answers(settings: Settings, pixels: FloatArray) -> FloatArray:
    """The published file as it is, but for the graph inputs that no node reads."""
    import onnx
    import onnxruntime

    model = onnx.load_model_from_string(read_weights(SFACE.model, settings.models_dir))
    stored = {constant.name for constant in model.graph.initializer}
    used = {name for node in model.graph.node for name in node.input}
    wanted = [i for i in model.graph.input if i.name in used and i.name not in stored]
    assert len(wanted) == 1
    del model.graph.input[:]
    model.graph.input.extend(wanted)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    rows = [session.run(None, {name: one[np.newaxis]})[0].reshape(-1) for one in pixels]
    return np.stack(rows)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_the_built_graph_gives_the_same_as_the_published_file(
    engine: str,
    settings: Settings,
    openvino_settings: Settings,
    pixels: FloatArray,
    published_answers: FloatArray,
) -> None:
    graph = read_graph(
        SFACE.model, engine, models_dir=settings.models_dir, cache_dir=settings.cache_dir
    )
    ours = open_net(graph, engine=engine, threads=1)(pixels).reshape(len(pixels), -1)
    assert ours.shape == published_answers.shape == (3, SFACE.dims)
    scale = float(np.abs(published_answers).max())
    np.testing.assert_allclose(ours, published_answers, atol=1e-4 * scale, rtol=1e-4)
    np.testing.assert_allclose(unit_rows(ours), unit_rows(published_answers), atol=1e-4)


def test_a_graph_with_an_unexpected_layer_is_refused(settings: Settings) -> None:
    import onnx
    from onnx import helper

    model = onnx.load_model_from_string(read_weights(SFACE.model, settings.models_dir))
    first = model.graph.node[0]
    model.graph.node.insert(0, helper.make_node("Exp", [first.input[0]], ["surprise"]))
    with pytest.raises(ModelAltered, match="Exp where Sub was expected"):
        build_sface(model.SerializeToString(), GraphWriter())
