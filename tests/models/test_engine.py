"""Both engines, the same numbers; and what is said when a net cannot be opened."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

from mien.errors import MissingExtra, ModelAltered, ModelMissing
from mien.models import MODEL_ROWS, PNET, BackgroundNet, Net, open_net, read_graph
from mien.results import FloatArray
from mien.settings import Settings

INPUTS = {
    "mtcnn-pnet": (1, 3, 60, 71),
    "mtcnn-rnet": (7, 3, 24, 24),
    "mtcnn-onet": (5, 3, 48, 48),
    "sface": (2, 3, 112, 112),
}
OUTPUTS = {
    "mtcnn-pnet": (1, 5, 25, 31),
    "mtcnn-rnet": (7, 5, 1, 1),
    "mtcnn-onet": (5, 15, 1, 1),
    "sface": (2, 128),
}


@pytest.fixture(scope="module")
def graph(settings: Settings) -> Callable[[str, str], bytes]:
    def read(name: str, engine: str) -> bytes:
        return read_graph(
            MODEL_ROWS[name], engine, models_dir=settings.models_dir, cache_dir=settings.cache_dir
        )

    return read


def noise(shape: tuple[int, ...]) -> FloatArray:
    return np.random.default_rng(3).uniform(0, 255, shape).astype(np.float32)


@pytest.mark.parametrize("name", MODEL_ROWS)
def test_a_net_gives_float32_of_the_stated_shape(
    name: str, graph: Callable[[str, str], bytes]
) -> None:
    net = open_net(graph(name, "onnxruntime"), engine="onnxruntime", threads=1)
    out = net(noise(INPUTS[name]))
    assert out.shape == OUTPUTS[name]
    assert out.dtype == np.float32


@pytest.mark.parametrize("name", MODEL_ROWS)
def test_the_engines_agree(
    name: str, graph: Callable[[str, str], bytes], openvino_settings: Settings
) -> None:
    pixels = noise(INPUTS[name])
    first = open_net(graph(name, "onnxruntime"), engine="onnxruntime", threads=1)(pixels)
    second = open_net(graph(name, "openvino"), engine="openvino", threads=1)(pixels)
    assert first.shape == second.shape
    assert second.dtype == np.float32
    np.testing.assert_allclose(first, second, atol=1e-3, rtol=1e-3)


def test_openvino_s_answer_is_not_overwritten_by_the_next_call(
    graph: Callable[[str, str], bytes], openvino_settings: Settings
) -> None:
    net = open_net(graph("mtcnn-rnet", "openvino"), engine="openvino", threads=1)
    pixels = noise((3, 3, 24, 24))
    first = net(pixels)
    kept = first.copy()
    net(255 - pixels)
    np.testing.assert_array_equal(first, kept)


def test_one_net_takes_batches_and_pictures_of_several_sizes(
    graph: Callable[[str, str], bytes],
) -> None:
    rnet = open_net(graph("mtcnn-rnet", "onnxruntime"), engine="onnxruntime", threads=1)
    pixels = noise((6, 3, 24, 24))
    np.testing.assert_allclose(rnet(pixels)[4:5], rnet(pixels[4:5]), atol=1e-4)
    pnet = open_net(graph("mtcnn-pnet", "onnxruntime"), engine="onnxruntime", threads=1)
    assert pnet(noise((1, 3, 12, 12))).shape == (1, 5, 1, 1)
    assert pnet(noise((1, 3, 40, 13))).shape == (1, 5, 15, 2)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_bytes_that_are_not_a_graph_are_refused(engine: str, openvino_settings: Settings) -> None:
    with pytest.raises(ModelAltered, match="refuses a graph") as caught:
        open_net(b"not a graph", engine=engine, threads=1)
    assert "\n" not in str(caught.value)
    assert "mien doctor" in str(caught.value)


def test_an_unknown_engine_is_refused(graph: Callable[[str, str], bytes]) -> None:
    with pytest.raises(ValueError, match="known: onnxruntime, openvino, cuda, openvino-gpu"):
        open_net(graph("mtcnn-pnet", "onnxruntime"), engine="tensorrt", threads=1)


def test_without_openvino_the_error_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtra, match=r"pip install '.*\[openvino\]'"):
        open_net(b"", engine="openvino", threads=1)


def test_a_net_that_loads_in_the_background_gives_the_same_numbers(
    graph: Callable[[str, str], bytes],
) -> None:
    def load() -> Net:
        return open_net(graph(PNET.name, "onnxruntime"), engine="onnxruntime", threads=1)

    pixels = noise(INPUTS[PNET.name])
    np.testing.assert_array_equal(BackgroundNet(load)(pixels), load()(pixels))


def test_an_error_while_loading_in_the_background_is_raised_by_every_call() -> None:
    def load() -> Net:
        raise ModelMissing("no weights")

    net = BackgroundNet(load)
    for _ in range(2):
        with pytest.raises(ModelMissing, match="no weights"):
            net(noise(INPUTS[PNET.name]))
